//! Decides which request the reflector sends next. Pure: no clock, no I/O.
//!
//! The rules follow client-go (k8s.io/client-go v0.35, `tools/cache/reflector.go`):
//!
//! - A streaming list is an optimization. If it fails before its closing bookmark, the next request is a list.
//! - A paginated list with an expired continue token is repeated without pages.
//! - A watch resumes after the last version seen. It starts over with a list if the server no longer has that version
//!   (410), does not have it yet (504 `ResourceVersionTooLarge`), or answers repeatedly with anything else that
//!   waiting does not explain.
//! - A server that asks for time (`Retry-After`) gets it.
//!
//! Three rules are stricter than client-go's, against servers that are broken, hostile or restored from a backup:
//!
//! - A server whose present version is lower than one that it sent before has lost history (etcd was restored). The
//!   collection is listed again.
//! - Watches that end in order within a second, one after the other, are opened again with growing pauses.
//! - The pauses between two lists grow until a watch has lasted, even if each watch sends events before it expires.

use std::time::Duration;

use crate::client::{ClientError, Pages};

/// Watches that may fail in a row without an event before the collection is listed again.
const MAX_WATCH_RETRIES: u32 = 2;

/// The next request of a reflector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    /// A watch that first sends all objects and then a closing bookmark (KEP-3157).
    StreamingList,
    /// A list.
    List(Pages),
    /// A watch for changes after this version.
    Watch(String),
}

/// How a request ended that did not end in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The watch ended within a second and sent nothing.
    ShortWatch,
    /// The request failed, or its stream ended with an error.
    Failed { failure: Failure, retry_after: Option<Duration> },
}

/// Failures, by what the reflector does about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// 410: the server has compacted the version, or the continue token is too old.
    Expired,
    /// 504 with the cause `ResourceVersionTooLarge`: the server has not reached the version.
    VersionTooLarge,
    /// 429.
    TooManyRequests,
    /// No answer, or the connection broke.
    Unreachable,
    /// 4xx that refuses the parameters.
    Refused,
    /// The server is at a lower version than it was before.
    WentBack,
    /// A streaming list that ended, or went silent, before its closing bookmark.
    Incomplete,
    /// Any other answer, or one that cannot be read.
    Other,
}

impl From<&ClientError> for Failure {
    fn from(error: &ClientError) -> Self {
        match error {
            ClientError::Expired(_) => Self::Expired,
            ClientError::TooManyRequests { .. } => Self::TooManyRequests,
            ClientError::Unreachable { .. } => Self::Unreachable,
            ClientError::Invalid(_) => Self::Refused,
            error if error.is_version_too_large() => Self::VersionTooLarge,
            _ => Self::Other,
        }
    }
}

/// The pause before the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pause {
    /// None.
    None,
    /// The back-off after this many failures in a row, and at least this long.
    Backoff { failures: u32, at_least: Duration },
}

/// State of a reflector between two requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    next: Request,
    /// Failures since the last sign that the watch works.
    failures: u32,
    /// Watches that failed since the last event.
    failed_watches: u32,
    /// Watches in a row that ended in order within a second.
    short_watches: u32,
    /// Times that the collection had to be listed again since a watch has lasted.
    starts: u32,
    /// Whether the server is known not to serve streaming lists.
    must_list: bool,
}

impl Progress {
    /// Before the first request. `must_list`: the server is known not to serve streaming lists.
    pub(super) fn new(must_list: bool) -> Self {
        let next = if must_list { Request::List(Pages::Many) } else { Request::StreamingList };
        Self { next, failures: 0, failed_watches: 0, short_watches: 0, starts: 0, must_list }
    }

    /// The version after which the next watch starts; empty if the next request is a list.
    pub(super) fn version(&self) -> &str {
        if let Request::Watch(version) = &self.next { version } else { "" }
    }

    /// Makes the next request a list if it would be a watch: so much time has passed that the version is of no use.
    pub(super) fn forget_version(&mut self) {
        if let Request::Watch(_) = self.next {
            self.list_again();
        }
    }

    fn list_again(&mut self) {
        self.next = Self::new(self.must_list).next;
    }

    /// The request to send now.
    pub(super) fn request(&self) -> &Request {
        &self.next
    }

    /// Whether the server is known not to serve streaming lists.
    pub(super) fn must_list(&self) -> bool {
        self.must_list
    }

    /// Notes that another cache found the server not to serve streaming lists.
    pub(super) fn set_must_list(&mut self) {
        self.must_list = true;
        if self.next == Request::StreamingList {
            self.next = Request::List(Pages::Many);
        }
    }

    /// Notes that the whole collection was read, as of `version`.
    pub(super) fn listed(&mut self, version: &str) {
        self.next = Request::Watch(version.to_owned());
    }

    /// Notes an event of the watch. A server of an aggregated API may send objects without version.
    pub(super) fn observed(&mut self, version: String) {
        if !version.is_empty() {
            self.next = Request::Watch(version);
        }
        self.failed_watches = 0;
        self.failures = 0;
    }

    /// Notes that a watch has been open for a while without failing.
    pub(super) fn is_open(&mut self) {
        self.failures = 0;
    }

    /// Notes that a watch has lasted.
    pub(super) fn settled(&mut self) {
        self.starts = 0;
    }

    /// Notes that a watch ended in order; `was_short` if that was within a second.
    pub(super) fn finished(&mut self, was_short: bool) -> Pause {
        if !was_short {
            self.short_watches = 0;
            return Pause::None;
        }
        let before = self.short_watches;
        self.short_watches = before.saturating_add(1);
        // One is ordinary: the server restarts.
        if before == 0 { Pause::None } else { Pause::Backoff { failures: before, at_least: Duration::ZERO } }
    }

    /// Notes how the request of [`Progress::request`] ended.
    pub(super) fn ended(&mut self, end: End) -> Pause {
        match (&self.next, end) {
            (Request::Watch(_), End::ShortWatch) => self.retry_watch(None),
            (_, End::ShortWatch) => self.ended(Failure::Incomplete.into()),
            (Request::Watch(_), End::Failed { failure, retry_after }) => match failure {
                Failure::TooManyRequests | Failure::Unreachable => self.back_off(retry_after),
                Failure::Expired | Failure::VersionTooLarge | Failure::WentBack => {
                    self.start_over(retry_after)
                }
                Failure::Refused | Failure::Incomplete | Failure::Other => self.retry_watch(retry_after),
            },
            (_, End::Failed { failure: Failure::TooManyRequests, retry_after }) => self.back_off(retry_after),
            (Request::StreamingList, End::Failed { failure, .. }) => {
                self.must_list |= matches!(failure, Failure::Refused | Failure::Incomplete);
                self.next = Request::List(Pages::Many);
                Pause::None
            }
            (Request::List(Pages::Many), End::Failed { failure: Failure::Expired, .. }) => {
                self.next = Request::List(Pages::One);
                Pause::None
            }
            (Request::List(_), End::Failed { retry_after, .. }) => self.start_over(retry_after),
        }
    }

    fn retry_watch(&mut self, retry_after: Option<Duration>) -> Pause {
        self.failed_watches = self.failed_watches.saturating_add(1);
        if self.failed_watches > MAX_WATCH_RETRIES {
            return self.start_over(retry_after);
        }
        self.back_off(retry_after)
    }

    fn start_over(&mut self, retry_after: Option<Duration>) -> Pause {
        self.list_again();
        self.failed_watches = 0;
        self.starts = self.starts.saturating_add(1);
        self.failures = self.failures.max(self.starts - 1);
        self.back_off(retry_after)
    }

    fn back_off(&mut self, retry_after: Option<Duration>) -> Pause {
        self.failures = self.failures.saturating_add(1);
        Pause::Backoff { failures: self.failures, at_least: retry_after.unwrap_or_default() }
    }
}

/// Whether `present`, the version of a collection now, is lower than `seen`, which its server sent before. Versions are
/// numbers of any length that grow (KEP-5504); others cannot be compared.
pub(super) fn went_back(seen: &str, present: &str) -> bool {
    let is_number = |version: &str| {
        version.starts_with(|first: char| matches!(first, '1'..='9'))
            && version.bytes().all(|byte| byte.is_ascii_digit())
    };
    is_number(seen) && is_number(present) && (present.len(), present) < (seen.len(), seen)
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed { failure, retry_after: None }
    }
}

#[cfg(test)]
mod tests;
