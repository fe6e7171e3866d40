//! Why a service of the federation does or does not answer: the way from its export to a connection, hop by hop.
//!
//! Called by `portolan why service` with facts that were gathered from the clusters; nothing here reads a cluster.
//! The walk ends at the first broken hop, because what comes after it only follows from it.
//!
//! ```text
//! export ─► endpoints ─► import ─► slices ─► dns ─► connection
//! └─ the exporting clusters ─┘     └─ the cluster that asks ─┘
//! ```

mod asking;
mod exporting;
mod facts;
mod network;
pub mod probe;

use std::fmt;

pub use facts::{Clusterset, Dns, Facts, Member, View};

/// A station on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hop {
    /// The ServiceExport and the Service behind it.
    Export,
    /// Ready endpoints in the exporting clusters.
    Endpoints,
    /// The merged ServiceImport where the service is asked for.
    Import,
    /// The EndpointSlices that were sent there.
    Slices,
    /// What the name means there.
    Dns,
    /// The way of the packets.
    Connection,
}

impl Hop {
    /// All, in the order of the walk.
    pub const ALL: [Self; 6] =
        [Self::Export, Self::Endpoints, Self::Import, Self::Slices, Self::Dns, Self::Connection];
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Export => "export",
            Self::Endpoints => "endpoints",
            Self::Import => "import",
            Self::Slices => "slices",
            Self::Dns => "dns",
            Self::Connection => "connection",
        })
    }
}

/// What was found at a hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is as it should be; the text says what is there.
    Good(String),
    /// Traffic flows, but something deserves a look.
    Doubtful {
        /// What.
        cause: String,
        /// What to do about it.
        next: String,
    },
    /// It cannot be seen from here.
    Unseen(String),
    /// Nothing gets past this hop.
    Broken {
        /// Why.
        cause: String,
        /// What to do about it.
        next: String,
    },
}

impl Finding {
    pub(super) fn broken(cause: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Broken { cause: cause.into(), next: next.into() }
    }

    pub(super) fn doubtful(cause: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Doubtful { cause: cause.into(), next: next.into() }
    }
}

/// The walk for one service as one cluster sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// `namespace/name`.
    pub service: String,
    /// The cluster that asks.
    pub from: String,
    /// The hops that were walked; a broken one is the last.
    pub path: Vec<(Hop, Finding)>,
}

impl Diagnosis {
    /// The first broken hop.
    pub fn broken(&self) -> Option<(Hop, &str)> {
        self.path.iter().find_map(|(hop, finding)| match finding {
            Finding::Broken { cause, .. } => Some((*hop, cause.as_str())),
            _ => None,
        })
    }

    /// Whether it is broken where the service comes from, which is the same for every cluster that asks.
    pub fn is_broken_everywhere(&self) -> bool {
        self.broken().is_some_and(|(hop, _)| hop <= Hop::Endpoints)
    }

    /// The verdict in one line.
    pub fn headline(&self) -> String {
        let subject = format!("{} from {}", self.service, self.from);
        match self.broken() {
            Some((hop, cause)) if self.is_broken_everywhere() => {
                return format!("{}: broken at {hop}: {cause}", self.service);
            }
            Some((hop, cause)) => return format!("{subject}: broken at {hop}: {cause}"),
            None => {}
        }
        let doubt = self.path.iter().find_map(|(hop, finding)| match finding {
            Finding::Doubtful { cause, .. } => Some((hop, cause)),
            _ => None,
        });
        match doubt {
            Some((hop, cause)) => format!("{subject}: works, with a doubt at {hop}: {cause}"),
            None => format!("{subject}: works as far as can be seen from here"),
        }
    }
}

/// Walks the way to the service for the cluster `from`.
pub fn diagnose(facts: &Facts, from: &str) -> Diagnosis {
    let mut path = Vec::new();
    for hop in Hop::ALL {
        let finding = match hop {
            Hop::Export => exporting::export(facts),
            Hop::Endpoints => exporting::endpoints(facts),
            Hop::Import => asking::import(facts, from),
            Hop::Slices => asking::slices(facts, from),
            Hop::Dns => network::dns(facts, from),
            Hop::Connection => network::connection(facts, from),
        };
        let is_broken = matches!(finding, Finding::Broken { .. });
        path.push((hop, finding));
        if is_broken {
            break;
        }
    }
    Diagnosis { service: facts.service.to_string(), from: from.to_owned(), path }
}

/// The clusters for which the service matters when the user names none: those that import it, else those that share a
/// clusterset with an exporter, else all that do not export it.
pub fn consumers(facts: &Facts) -> Vec<String> {
    let exporters: Vec<&Member> = facts.exporters().map(|(member, _)| member).collect();
    let names = |wanted: &dyn Fn(&Member) -> bool| -> Vec<String> {
        facts.members.iter().filter(|member| wanted(member)).map(|member| member.name.clone()).collect()
    };
    let in_set = |member: &Member| {
        let set = member.set();
        set.is_some() && exporters.iter().any(|exporter| exporter.set() == set)
    };
    let choices = [
        names(&|member| in_set(member) || member.view().is_some_and(|view| view.import.is_some())),
        names(&|member| !exporters.iter().any(|exporter| exporter.name == member.name)),
        names(&|_| true),
    ];
    choices.into_iter().find(|choice| !choice.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
