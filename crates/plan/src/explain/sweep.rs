//! Everything that is broken in the federation, grouped by cause: `portolan why` without arguments.
//!
//! It reads conditions of clusters, bindings and Works, and runs every policy against the objects that it selects. One
//! cause is one line, with the number of objects and what to do.

mod bindings;
mod clusters;
mod policies;

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::cluster::Cluster;
use portolan_api::work::Work;
use portolan_object::{GroupKind, GroupVersionKind, Object};
use serde::Serialize;

use super::facts::Read;
use super::step::Verdict;
use crate::propagation::snapshot::{Binding, Policy};
pub use policies::served;

/// The whole federation, as far as it was read.
#[derive(Debug, Clone)]
pub struct Federation {
    /// The kinds that the hub serves, in the preferred versions.
    pub kinds: Vec<GroupVersionKind>,
    /// Those of them with objects that have no namespace.
    pub cluster_kinds: BTreeSet<GroupKind>,
    /// The clusters.
    pub clusters: Read<Vec<Cluster>>,
    /// All propagation policies.
    pub policies: Read<Vec<Policy>>,
    /// The objects of the kinds that policies select.
    pub templates: BTreeMap<GroupKind, Read<Vec<Object>>>,
    /// All bindings.
    pub bindings: Read<Vec<Binding>>,
    /// All Works.
    pub works: Read<Vec<Work>>,
}

/// One cause, and everything that it affects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// Broken, a warning, or not looked at.
    pub verdict: Verdict,
    /// The cause.
    pub cause: String,
    /// The objects, such as `Deployment shop/web`.
    pub objects: Vec<String>,
    /// The oldest of their times, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// What to do.
    pub cure: String,
}

/// Lists the causes, broken ones first, then by the number of objects.
pub fn sweep(federation: &Federation) -> Vec<Trouble> {
    let mut groups = Groups::default();
    clusters::clusters(federation, &mut groups);
    policies::policies(federation, &mut groups);
    bindings::bindings(federation, &mut groups);
    bindings::works(federation, &mut groups);
    groups.into_troubles()
}

/// Troubles by their cause.
#[derive(Debug, Default)]
struct Groups(BTreeMap<(u8, String), Trouble>);

impl Groups {
    /// Adds an object to a cause. The cure of the first one stays.
    fn add(
        &mut self,
        verdict: Verdict,
        cause: String,
        object: Option<String>,
        since: Option<&str>,
        cure: String,
    ) {
        let order = match verdict {
            Verdict::Broken => 0,
            Verdict::Warning => 1,
            Verdict::Waiting => 2,
            Verdict::NotLookedAt => 3,
            Verdict::Good => 4,
        };
        let trouble = self.0.entry((order, cause.clone())).or_insert_with(|| Trouble {
            verdict,
            cause,
            objects: Vec::new(),
            since: None,
            cure,
        });
        trouble.objects.extend(object);
        let since = since.filter(|since| !since.is_empty()).map(str::to_owned);
        trouble.since = match (trouble.since.take(), since) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    fn unread(&mut self, what: &str, error: impl std::fmt::Display) {
        let cause = format!("{what} were not looked at: {error}");
        let cure = match cause.contains("forbidden") {
            true => "run the command with more rights",
            false => "run the command again; if it stays so, look at the log of the control plane",
        };
        self.add(Verdict::NotLookedAt, cause, None, None, cure.to_owned());
    }

    fn into_troubles(self) -> Vec<Trouble> {
        let mut troubles: Vec<((u8, String), Trouble)> = self.0.into_iter().collect();
        troubles.sort_by(|(one, a), (other, b)| {
            one.0.cmp(&other.0).then(b.objects.len().cmp(&a.objects.len())).then(one.1.cmp(&other.1))
        });
        let mut troubles: Vec<Trouble> = troubles.into_iter().map(|(_, trouble)| trouble).collect();
        troubles.iter_mut().for_each(|trouble| {
            trouble.objects.sort();
            trouble.objects.dedup();
        });
        troubles
    }
}

#[cfg(test)]
mod tests;
