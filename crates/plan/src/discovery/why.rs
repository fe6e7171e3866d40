//! Diagnosis of a service: checks the path from its export to a connection, hop by hop.
//!
//! `portolan why service` collects the facts from the clusters and calls [`diagnose`]; nothing here reads a cluster. The
//! diagnosis ends at the first broken hop, because later hops depend on it.
//!
//! ```text
//! export ─► endpoints ─► import ─► slices ─► dns ─► connection
//! └─ exporting clusters ─┘ └───────── client cluster ────────┘
//! ```

mod exporting;
mod facts;
mod importing;
mod network;
pub mod probe;

use std::fmt;

pub use facts::{Clusterset, Dns, Facts, LookupError, Member, View};

/// A step on the path from the export to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hop {
    /// The ServiceExport and the Service behind it.
    Export,
    /// Ready endpoints in the exporting clusters.
    Endpoints,
    /// The ServiceImport in the client cluster.
    Import,
    /// The imported EndpointSlices in the client cluster.
    Slices,
    /// Resolution of the DNS name in the client cluster.
    Dns,
    /// The network between the clusters.
    Connection,
}

impl Hop {
    /// All hops, in order.
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

/// Result of one hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// No problem; the text describes the present state.
    Good(String),
    /// Traffic flows, but there is a problem.
    Warning {
        /// The problem.
        cause: String,
        /// Next step.
        next: String,
    },
    /// The facts do not tell; the text says why.
    Unknown(String),
    /// No traffic passes this hop.
    Broken {
        /// The problem.
        cause: String,
        /// Next step.
        next: String,
    },
}

impl Finding {
    pub(super) fn broken(cause: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Broken { cause: cause.into(), next: next.into() }
    }

    pub(super) fn warning(cause: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Warning { cause: cause.into(), next: next.into() }
    }
}

/// Diagnosis of one service for one client cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// `namespace/name`.
    pub service: String,
    /// The client cluster.
    pub from: String,
    /// Checked hops; a broken one is the last.
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

    /// Whether the broken hop is in the exporting clusters, so that it affects every client cluster.
    pub fn is_broken_everywhere(&self) -> bool {
        self.broken().is_some_and(|(hop, _)| hop <= Hop::Endpoints)
    }

    /// Summary in one line.
    pub fn headline(&self) -> String {
        let subject = format!("{} from {}", self.service, self.from);
        match self.broken() {
            Some((hop, cause)) if self.is_broken_everywhere() => {
                return format!("{}: broken at {hop}: {cause}", self.service);
            }
            Some((hop, cause)) => return format!("{subject}: broken at {hop}: {cause}"),
            None => {}
        }
        let warning = self.path.iter().find_map(|(hop, finding)| match finding {
            Finding::Warning { cause, .. } => Some((hop, cause)),
            _ => None,
        });
        match warning {
            Some((hop, cause)) => format!("{subject}: works, with a warning at {hop}: {cause}"),
            None => format!("{subject}: works as far as can be seen from here"),
        }
    }
}

/// Checks all hops of the service for the client cluster `from`.
pub fn diagnose(facts: &Facts, from: &str) -> Diagnosis {
    let mut path = Vec::new();
    for hop in Hop::ALL {
        let finding = match hop {
            Hop::Export => exporting::export(facts),
            Hop::Endpoints => exporting::endpoints(facts),
            Hop::Import => importing::import(facts, from),
            Hop::Slices => importing::slices(facts, from),
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

/// Default client clusters: those that import the service or share a clusterset with an exporter; else those that do not
/// export it; else all.
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
