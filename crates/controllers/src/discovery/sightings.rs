//! What the agents of all members see of the clusters that they import from.
//!
//! An agent writes it into its Lease. A Lease counts from its first renewal that is seen to happen, so that one that was left
//! behind by an agent long ago says nothing after a restart of the control plane.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::names;
use portolan_api::probes::{ProbeReport, Sight};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::ClusterName;
use portolan_runtime::cache::Change;

/// Time without a renewal after which what a Lease says is too old: two renewals of an agent and some.
pub(super) const MAX_AGE: Duration = Duration::from_secs(12);

/// What one agent sees.
struct Seen {
    /// Time of the last renewal, by the clock of the control plane; `None` before the first one that was seen to happen.
    renewed: Option<Duration>,
    /// By the label of the exporting cluster.
    sights: BTreeMap<String, Sight>,
    failing: BTreeSet<Failing>,
}

/// An import with failing endpoints, and the label of their cluster.
pub(super) type Failing = (ObjectKey, String);

impl Seen {
    fn is_recent(&self, now: Duration) -> bool {
        self.renewed.is_some_and(|renewed| now.saturating_sub(renewed) <= MAX_AGE)
    }
}

/// The results of all agents, by importing cluster and Lease.
#[derive(Default)]
pub(super) struct Sightings(Mutex<BTreeMap<ClusterName, BTreeMap<ObjectKey, Seen>>>);

impl Sightings {
    /// Notes a changed Lease of an agent. True if it says something else than before.
    pub(super) fn note(&self, importer: &ClusterName, change: &Change<Object>, now: Duration) -> bool {
        if !names::AGENT_NAMESPACES.contains(&change.key.namespace.as_str()) {
            return false;
        }
        let mut sightings = self.0.lock();
        let agents = sightings.entry(importer.clone()).or_default();
        let before = agents.remove(&change.key);
        let Some(lease) = &change.new else { return before.is_some() };
        let renewal = |lease: &Object| lease.str_at(&["spec", "renewTime"]).to_owned();
        let is_renewed = change.old.as_deref().is_some_and(|old| renewal(old) != renewal(lease));
        let report = ProbeReport::of_lease(lease).unwrap_or_default();
        let failing = failing(&report);
        let sights = report.sources.into_iter().map(|source| (source.cluster, source.sight)).collect();
        let known = before.as_ref().and_then(|seen| seen.renewed);
        let renewed = if is_renewed { Some(now) } else { known };
        let is_same = |before: &Seen| before.sights == sights && before.failing == failing;
        let is_new = !before.as_ref().is_some_and(is_same) || known.is_none() && is_renewed;
        agents.insert(change.key.clone(), Seen { renewed, sights, failing });
        is_new
    }

    /// The imports of each member with endpoints that fail for every agent of it, with the label of their cluster.
    pub(super) fn failing(&self, now: Duration) -> BTreeSet<(ClusterName, Failing)> {
        let sightings = self.0.lock();
        let of_members = sightings.iter().flat_map(|(importer, agents)| {
            let recent: Vec<&Seen> = agents.values().filter(|seen| seen.is_recent(now)).collect();
            let first = recent.first().into_iter().flat_map(|seen| &seen.failing);
            let all = first.filter(|failing| recent.iter().all(|seen| seen.failing.contains(*failing)));
            all.map(|failing| (importer.clone(), failing.clone())).collect::<Vec<_>>()
        });
        of_members.collect()
    }

    /// Forgets a member that left.
    pub(super) fn forget(&self, importer: &ClusterName) {
        self.0.lock().remove(importer);
    }

    /// Whether a member has an agent, even if it is silent at present.
    pub(super) fn has_agent(&self, importer: &ClusterName) -> bool {
        self.0.lock().get(importer).is_some_and(|agents| !agents.is_empty())
    }

    /// The best sight of each source by the agents of each member, from results that are not too old.
    pub(super) fn recent(&self, now: Duration) -> BTreeMap<ClusterName, BTreeMap<String, Sight>> {
        let sightings = self.0.lock();
        let members = sightings.iter().map(|(importer, agents)| {
            let mut best: BTreeMap<String, Sight> = BTreeMap::new();
            for (source, sight) in
                agents.values().filter(|seen| seen.is_recent(now)).flat_map(|seen| &seen.sights)
            {
                let known = best.entry(source.clone()).or_insert(*sight);
                if order(*sight) < order(*known) {
                    *known = *sight;
                }
            }
            (importer.clone(), best)
        });
        members.collect()
    }

    /// Whether a member has an agent with results that are not too old.
    pub(super) fn is_recent(&self, importer: &ClusterName, now: Duration) -> bool {
        let sightings = self.0.lock();
        sightings.get(importer).is_some_and(|agents| agents.values().any(|seen| seen.is_recent(now)))
    }

    /// All importing members with the sources that their agents have seen, also long ago.
    pub(super) fn pairs(&self) -> BTreeSet<(ClusterName, String)> {
        let sightings = self.0.lock();
        let pairs = sightings.iter().flat_map(|(importer, agents)| {
            let sources = agents.values().flat_map(|seen| seen.sights.keys());
            sources.map(move |source| (importer.clone(), source.clone()))
        });
        pairs.collect()
    }

    /// Sources that some agent sees less than well.
    pub(super) fn suspects(&self, now: Duration) -> BTreeSet<(ClusterName, String)> {
        let sightings = self.0.lock();
        let suspects = sightings.iter().flat_map(|(importer, agents)| {
            let recent = agents.values().filter(|seen| seen.is_recent(now));
            let sights = recent.flat_map(|seen| &seen.sights);
            let failing = sights.filter(|(_, sight)| **sight != Sight::Answering);
            failing.map(move |(source, _)| (importer.clone(), source.clone()))
        });
        suspects.collect()
    }
}

/// The imports of a report with failing endpoints, each with the label of their cluster.
fn failing(report: &ProbeReport) -> BTreeSet<Failing> {
    let services = report.sources.iter().flat_map(|source| {
        let failing = source.services.iter().filter(|service| service.is_failing);
        failing.map(|service| {
            (ObjectKey::namespaced(&*service.namespace, &*service.name), source.cluster.clone())
        })
    });
    services.collect()
}

/// Several agents of a cluster look from different nodes: the best sight counts.
fn order(sight: Sight) -> u8 {
    match sight {
        Sight::Answering => 0,
        Sight::Doubtful => 1,
        Sight::Refused => 2,
        Sight::Silent => 3,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn lease(name: &str, renewed: &str, sight: &str) -> Arc<Object> {
        let report = json!({ "sources": [{ "cluster": "east", "sight": sight }] }).to_string();
        Arc::new(Object(json!({ "metadata": { "namespace": "portolan-system", "name": name,
            "annotations": { "portolan.dev/probes": report } }, "spec": { "renewTime": renewed } })))
    }

    fn failing_lease(name: &str, renewed: &str, services: &[&str]) -> Arc<Object> {
        let service = |name: &&str| json!({ "namespace": "shop", "name": name, "isFailing": true });
        let services: Vec<_> = services.iter().map(service).collect();
        let report = json!({ "sources": [{ "cluster": "east", "services": services }] }).to_string();
        Arc::new(Object(json!({ "metadata": { "namespace": "portolan-system", "name": name,
            "annotations": { "portolan.dev/probes": report } }, "spec": { "renewTime": renewed } })))
    }

    #[test]
    fn endpoints_fail_when_every_agent_that_counts_says_so() {
        let (sightings, west) = (Sightings::default(), ClusterName::new("west"));
        let second = Duration::from_secs;
        let fails = |now: u64| !sightings.failing(second(now)).is_empty();
        let renew = |name: &str, from: &[&str], to: &[&str], at: u64| {
            let change = change(Some(failing_lease(name, "t0", from)), Some(failing_lease(name, "t1", to)));
            sightings.note(&west, &change, second(at))
        };
        sightings.note(&west, &change(None, Some(failing_lease("a", "t0", &["web"]))), second(0));
        assert!(!fails(0), "found at the start");
        assert!(renew("a", &["web"], &["web"], 1));
        assert!(fails(1) && !fails(20), "only while it is renewed");
        assert!(!renew("a", &["web"], &["web"], 2), "nothing new");
        renew("b", &[], &[], 3);
        assert!(!fails(3), "another agent gets good answers");
        assert!(renew("b", &[], &["web"], 4));
        assert!(fails(4));
    }

    fn change(old: Option<Arc<Object>>, new: Option<Arc<Object>>) -> Change<Object> {
        let key = new.as_ref().or(old.as_ref()).expect("a state").key();
        Change { key, old, new, is_own: false }
    }

    #[test]
    fn a_lease_counts_from_its_first_seen_renewal_until_it_is_too_old() {
        let (sightings, west) = (Sightings::default(), ClusterName::new("west"));
        let second = Duration::from_secs;
        let sight =
            |now: u64| sightings.recent(second(now)).get(&west).and_then(|seen| seen.get("east").copied());
        sightings.note(&west, &change(None, Some(lease("a", "t0", "Silent"))), second(0));
        assert_eq!(sight(0), None, "found at the start");
        assert!(sightings.has_agent(&west) && sightings.suspects(second(0)).is_empty());
        let renewed = change(Some(lease("a", "t0", "Silent")), Some(lease("a", "t1", "Silent")));
        assert!(sightings.note(&west, &renewed, second(3)));
        assert_eq!((sight(3), sightings.suspects(second(3)).len()), (Some(Sight::Silent), 1));
        let other = change(Some(lease("b", "t0", "Answering")), Some(lease("b", "t1", "Answering")));
        sightings.note(&west, &other, second(4));
        assert_eq!(sight(5), Some(Sight::Answering), "the best of two agents");
        assert_eq!(sight(20), None, "too old");
        let mut foreign = lease("c", "t1", "Refused").as_ref().clone();
        foreign.metadata_mut().insert("namespace".to_owned(), "shop".into());
        assert!(!sightings.note(&west, &change(None, Some(Arc::new(foreign))), second(5)), "a user's Lease");
        assert!(
            sightings.note(&west, &change(Some(lease("b", "t1", "Answering")), None), second(5)),
            "an agent that was removed"
        );
        sightings.forget(&west);
        assert!(!sightings.has_agent(&west));
    }
}
