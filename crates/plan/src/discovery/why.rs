//! Diagnosis of a service: checks the path from its export to a connection, hop by hop.
//!
//! `portolan why service` collects the facts from the clusters and calls [`diagnose`]; nothing here reads a cluster. The
//! diagnosis ends at the first broken hop, because later hops depend on it.
//!
//! ```text
//! link ─► export ─► endpoints ─► set ─► import ─► service ─► slices ─► dns ─► connection
//!         └─ exporting clusters ┘       └────────────── client cluster ─────────────┘
//! ```
//!
//! Three rules keep it true. What was not seen is never called good or broken. A cluster that could not be read takes
//! nothing away: the others keep its endpoints, so the result is at most unclear. And while one exporter's endpoints get
//! traffic, the problem of another one is a doubt.

mod address_range;
mod agent;
mod connection;
mod derived;
mod endpoints;
mod exporting;
mod facts;
mod finding;
mod import_ports;
mod importing;
mod isolation;
mod known;
mod link;
mod native;
mod network;
pub mod probe;
mod set;
mod slices;
mod traffic;
mod unwritten;

use std::fmt;

pub use agent::Agent;
pub use connection::Proof;
pub use facts::{Clusterset, Dns, Facts, LookupError, Member, Namespace, View};
pub use finding::Finding;
pub use known::{HubKind, Known, Listed, Native, Ready, Unread};

/// A step on the path from the export to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hop {
    /// The links from the control plane to the clusters.
    Link,
    /// The ServiceExport and the Service behind it.
    Export,
    /// Ready endpoints in the exporting clusters.
    Endpoints,
    /// The clusterset that the client cluster has in common with the exporters.
    Set,
    /// The ServiceImport in the client cluster.
    Import,
    /// The derived Service in the client cluster.
    Service,
    /// The imported EndpointSlices in the client cluster.
    Slices,
    /// Resolution of the DNS name in the client cluster.
    Dns,
    /// The network between the clusters.
    Connection,
}

impl Hop {
    /// All hops, in order.
    pub const ALL: [Self; 9] = [
        Self::Link,
        Self::Export,
        Self::Endpoints,
        Self::Set,
        Self::Import,
        Self::Service,
        Self::Slices,
        Self::Dns,
        Self::Connection,
    ];
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Link => "link",
            Self::Export => "export",
            Self::Endpoints => "endpoints",
            Self::Set => "set",
            Self::Import => "import",
            Self::Service => "service",
            Self::Slices => "slices",
            Self::Dns => "dns",
            Self::Connection => "connection",
        })
    }
}

/// What a diagnosis says as a whole. The order is that of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// A client got a connection, and nothing else was found.
    Works,
    /// Nothing stops the traffic, but something needs attention.
    WorksWithDoubts,
    /// Nothing is known to be broken, and no client has tried, or something could not be read.
    CannotTell,
    /// A hop lets no traffic pass.
    Broken,
}

/// Diagnosis of one service for one client cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// `namespace/name`.
    pub service: String,
    /// The client cluster.
    pub from: String,
    /// Findings of the checked hops, in order; a broken hop is the last.
    pub path: Vec<(Hop, Finding)>,
}

impl Diagnosis {
    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        let findings = || self.path.iter().map(|(_, finding)| finding);
        if findings().any(Finding::is_broken) {
            return Verdict::Broken;
        }
        let is_connected = self.is_connected();
        let is_unclear = findings().any(|finding| matches!(finding, Finding::Unclear { .. }));
        let is_doubtful = findings().any(|finding| matches!(finding, Finding::Warning { .. }));
        match (is_connected, is_unclear, is_doubtful) {
            (true, false, false) => Verdict::Works,
            (true, ..) | (false, false, true) => Verdict::WorksWithDoubts,
            (false, true, _) | (false, false, false) => Verdict::CannotTell,
        }
    }

    /// Whether a client was seen to connect.
    fn is_connected(&self) -> bool {
        self.path.iter().any(|(hop, finding)| *hop == Hop::Connection && matches!(finding, Finding::Good(_)))
    }

    /// What the agent of the client cluster saw, if nothing tried the name itself.
    fn as_probed(&self) -> Option<&str> {
        let is_asked =
            !self.path.iter().any(|(hop, found)| *hop == Hop::Dns && matches!(found, Finding::NotSeen(_)));
        self.path.iter().filter(|_| !is_asked).find_map(|(hop, found)| match found {
            Finding::Good(words) if *hop == Hop::Connection => Some(words.as_str()),
            _ => None,
        })
    }

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

    /// Summary in one line. It never says more than was seen.
    pub fn headline(&self) -> String {
        let subject = format!("{} from {}", self.service, self.from);
        match self.broken() {
            Some((hop, cause)) if self.is_broken_everywhere() => {
                return format!("{}: broken at {hop}: {cause}", self.service);
            }
            Some((hop, cause)) => return format!("{subject}: broken at {hop}: {cause}"),
            None => {}
        }
        let unclear = self.path.iter().find_map(|(hop, finding)| match finding {
            Finding::Unclear { cause, .. } => Some((hop, cause)),
            _ => None,
        });
        let warning = self.path.iter().find_map(|(hop, finding)| match finding {
            Finding::Warning { cause, .. } => Some((hop, cause)),
            _ => None,
        });
        let doubt = unclear.or(warning);
        match (self.verdict(), doubt) {
            (Verdict::Works, _) => match self.as_probed() {
                Some(words) => format!("{subject}: works as far as is probed: {words}"),
                None => format!("{subject}: works"),
            },
            (Verdict::CannotTell, Some((hop, cause))) => format!("{subject}: cannot tell at {hop}: {cause}"),
            (_, Some((hop, cause))) if self.is_connected() => {
                format!("{subject}: works, with a doubt at {hop}: {cause}")
            }
            (_, Some((hop, cause))) => {
                format!("{subject}: nothing is broken, with a doubt at {hop}: {cause}")
            }
            (_, None) => format!("{subject}: cannot tell: no object is wrong, and no connection was tried"),
        }
    }
}

/// Checks all hops of the service for the client cluster `from`.
pub fn diagnose(facts: &Facts, from: &str) -> Diagnosis {
    let mut path: Vec<(Hop, Finding)> = Vec::new();
    for hop in Hop::ALL {
        let found = match hop {
            Hop::Link => link::link(facts, from),
            Hop::Export => match facts.native() {
                Some(native) => native::providers(facts, native),
                None => exporting::export(facts),
            },
            Hop::Endpoints => endpoints::endpoints(facts),
            Hop::Set => match facts.native() {
                Some(native) => native::consumer(facts, native, from),
                None => set::set(facts, from),
            },
            Hop::Import if facts.native().is_some() => native::import(),
            Hop::Import => importing::import(facts, from),
            Hop::Service if facts.native().is_some() => native::service(facts, from),
            Hop::Service => derived::derived(facts, from),
            Hop::Slices => slices::slices(facts, from),
            Hop::Dns => network::dns(facts, from),
            Hop::Connection => network::connection(facts, from),
        };
        let is_broken = found.iter().any(Finding::is_broken);
        path.extend(found.into_iter().map(|finding| (hop, finding)));
        if is_broken {
            break;
        }
    }
    Diagnosis { service: facts.service.to_string(), from: from.to_owned(), path }
}

/// Default client clusters: those that import the service or share a clusterset with an exporter; else those that do not
/// export it; else all.
pub fn consumers(facts: &Facts) -> Vec<String> {
    if let Some(native) = facts.native() {
        let is_consumer = |member: &&Member| native.consumers.contains(&member.name);
        let joined: Vec<String> =
            facts.members.iter().filter(is_consumer).map(|member| member.name.clone()).collect();
        if !joined.is_empty() {
            return joined;
        }
    }
    let named = |member: &Member| facts.views().any(|(_, view)| facts.names_exporter(view, member));
    let lost = facts.lost().map(|(member, _)| member).filter(|member| named(member));
    let exporters: Vec<&Member> = facts.exporters().map(|(member, _)| member).chain(lost).collect();
    let names = |wanted: &dyn Fn(&Member) -> bool| -> Vec<String> {
        facts.members.iter().filter(|member| wanted(member)).map(|member| member.name.clone()).collect()
    };
    let in_set = |member: &Member| {
        let set = member.set();
        set.is_some() && exporters.iter().any(|exporter| exporter.set() == set)
    };
    let choices = [
        names(&|member| member.view().is_some_and(|view| view.import.is_some() || in_set(member))),
        names(&|member| !exporters.iter().any(|exporter| exporter.name == member.name)),
        names(&|_| true),
    ];
    choices.into_iter().find(|choice| !choice.is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
