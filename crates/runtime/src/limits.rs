//! Limits of what one API server can make this process hold: the size of an answer, and the memory of all its caches.
//!
//! [`AnswerLimits`] are checked by the client for every request. A [`Budget`] is shared by the client and the caches of
//! one member; see [`Members`](crate::Members) for what happens when it is exceeded.

mod budget;
mod pace;
mod rewrites;

use std::fmt;
use std::time::Duration;

pub use budget::{Budget, BudgetEnd, MemberLimits};
pub(crate) use budget::{Ledger, Reservation};
pub use rewrites::MAX_REPETITIONS;
pub(crate) use rewrites::{Rewrites, Write};

const MIB: usize = 1 << 20;

/// Limits of single answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerLimits {
    /// Bytes of one page of a list, of a table and of a discovery document.
    pub page_bytes: usize,
    /// Bytes of one object, of one line of a watch, and of any other answer. kube-apiserver limits a request to 3 MiB.
    pub object_bytes: usize,
    /// Bytes of all pages of a list that is read at once, not into a cache.
    pub list_bytes: usize,
    /// Pages of one list.
    pub pages: usize,
    /// Time for all pages of one list. kube-apiserver keeps a list's history for five minutes.
    pub list_time: Duration,
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self {
            page_bytes: 64 * MIB,
            object_bytes: 8 * MIB,
            list_bytes: 512 * MIB,
            pages: 20_000,
            list_time: Duration::from_secs(600),
        }
    }
}

impl AnswerLimits {
    /// Limits for a server that this process runs or obeys: the hub.
    pub fn trusted() -> Self {
        Self { page_bytes: usize::MAX, object_bytes: 64 * MIB, list_bytes: usize::MAX, ..Self::default() }
    }
}

/// What a server sent too much of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excess {
    /// One answer has more bytes than allowed.
    Answer {
        /// The limit.
        bytes: usize,
    },
    /// All pages of one list together have more bytes than allowed.
    List {
        /// The limit.
        bytes: usize,
    },
    /// One object or watch event has more bytes than allowed.
    Object {
        /// The limit.
        bytes: usize,
    },
    /// A list has more pages than allowed.
    Pages {
        /// The limit.
        pages: usize,
    },
    /// A page of a list continues with the token that led to it.
    RepeatedPage,
    /// A list took longer than allowed.
    ListTime {
        /// The limit.
        limit: Duration,
    },
    /// Discovery documents name more resources than allowed.
    Resources {
        /// The limit.
        count: usize,
    },
    /// The caches of the server need more memory, or hold more objects, than allowed.
    Budget(MemberLimits),
}

impl Excess {
    /// What an operator can do.
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Budget(_) => {
                "remove objects there, or raise --member-memory or --member-objects of portolan server"
            }
            Self::Answer { .. } | Self::List { .. } | Self::Object { .. } | Self::Resources { .. } => {
                "remove objects there that are this large, or find out what answers in place of its API server"
            }
            Self::Pages { .. } | Self::RepeatedPage | Self::ListTime { .. } => {
                "check its API server and etcd, or find out what answers in their place"
            }
        }
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { bytes } => write!(f, "an answer of more than {}", Bytes(*bytes as u64)),
            Self::List { bytes } => write!(f, "a list of more than {}", Bytes(*bytes as u64)),
            Self::Object { bytes } => write!(f, "an object of more than {}", Bytes(*bytes as u64)),
            Self::Pages { pages } => write!(f, "a list of more than {pages} pages"),
            Self::RepeatedPage => f.write_str("a list that continues with the same page again"),
            Self::ListTime { limit } => {
                write!(f, "a list that was not complete after {} seconds", limit.as_secs())
            }
            Self::Resources { count } => write!(f, "discovery documents with more than {count} resources"),
            Self::Budget(MemberLimits { memory_bytes, objects }) => {
                write!(f, "more than the {} or {objects} objects that are kept of it", Bytes(*memory_bytes))
            }
        }
    }
}

/// A number of bytes for people.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excess_names_its_limit() {
        let limits = MemberLimits { memory_bytes: 1 << 30, objects: 1000 };
        let cases = [
            (Excess::Answer { bytes: 64 * MIB }, "an answer of more than 64 MiB"),
            (Excess::Object { bytes: 1024 }, "an object of more than 1 KiB"),
            (Excess::List { bytes: 1025 }, "a list of more than 1025 bytes"),
            (Excess::Pages { pages: 7 }, "a list of more than 7 pages"),
            (
                Excess::ListTime { limit: Duration::from_secs(600) },
                "a list that was not complete after 600 seconds",
            ),
            (Excess::Budget(limits), "more than the 1024 MiB or 1000 objects that are kept of it"),
        ];
        for (excess, text) in cases {
            assert_eq!(excess.to_string(), text);
        }
    }
}
