//! EndpointSlices that the API server of an importing member refuses as invalid.
//!
//! Repeating such a write does not help, so it is repeated only after minutes, or when the slice changes. The condition of the
//! export tells which cluster refuses which slice, and why.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::labels::endpoint_slice;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::ClusterName;
use tokio::time::Instant;

/// Time until a refused slice is sent again although it has not changed: the member may have changed.
pub(super) const REFUSED_RECHECK: Duration = Duration::from_secs(300);

/// The refused slices of all members.
#[derive(Default)]
pub(super) struct Refusals(Mutex<BTreeMap<(ClusterName, ObjectKey), Refusal>>);

struct Refusal {
    /// The service.
    service: ObjectKey,
    /// Name or id of the exporter.
    source: String,
    /// The controller of the slice, which tells the two forms of imports apart.
    manager: String,
    content: u64,
    message: String,
    since: Instant,
}

impl Refusals {
    /// Whether a slice was refused by `member`, has not changed, and is not due again.
    pub(super) fn holds(&self, member: &ClusterName, slice: &Object) -> bool {
        let refusals = self.0.lock();
        let refusal = refusals.get(&(member.clone(), slice.key()));
        refusal.is_some_and(|refusal| {
            refusal.content == content(slice) && refusal.since.elapsed() < REFUSED_RECHECK
        })
    }

    /// Notes that `member` refused a slice of `service`. True if the refusal is new or its message changed.
    pub(super) fn note(
        &self,
        member: &ClusterName,
        service: &ObjectKey,
        slice: &Object,
        message: String,
    ) -> bool {
        let label = |key: &str| slice.label(key).unwrap_or_default().to_owned();
        let refusal = Refusal {
            service: service.clone(),
            source: label(endpoint_slice::SOURCE_CLUSTER),
            manager: label(endpoint_slice::MANAGED_BY),
            content: content(slice),
            message,
            since: Instant::now(),
        };
        let message = refusal.message.clone();
        let known = self.0.lock().insert((member.clone(), slice.key()), refusal);
        known.is_none_or(|known| known.message != message)
    }

    /// Keeps the refusals of `member` for `service` by `manager` that are of slices in `wanted`. True if some ended.
    pub(super) fn keep(
        &self,
        member: &ClusterName,
        service: &ObjectKey,
        manager: &str,
        wanted: &[ObjectKey],
    ) -> bool {
        let mut refusals = self.0.lock();
        let before = refusals.len();
        refusals.retain(|(cluster, slice), refusal| {
            cluster != member
                || refusal.service != *service
                || refusal.manager != manager
                || wanted.contains(slice)
        });
        refusals.len() != before
    }

    /// Forgets a slice that was accepted. True if it had been refused.
    pub(super) fn forget(&self, member: &ClusterName, slice: &ObjectKey) -> bool {
        self.0.lock().remove(&(member.clone(), slice.clone())).is_some()
    }

    /// Forgets a member that left. Returns the services concerned.
    pub(super) fn forget_member(&self, member: &ClusterName) -> Vec<ObjectKey> {
        let mut services = Vec::new();
        self.0.lock().retain(|(cluster, _), refusal| {
            let stays = cluster != member;
            if !stays {
                services.push(refusal.service.clone());
            }
            stays
        });
        services
    }

    /// Whether `member` refuses slices of `service`.
    pub(super) fn has(&self, member: &ClusterName, service: &ObjectKey) -> bool {
        self.0.lock().iter().any(|((cluster, _), refusal)| cluster == member && refusal.service == *service)
    }

    /// Number of slices that `member` refuses.
    pub(super) fn count(&self, member: &ClusterName) -> usize {
        self.0.lock().keys().filter(|(cluster, _)| cluster == member).count()
    }

    /// Who refuses slices of `service` from an exporter, which is called by one of `sources`, and why.
    pub(super) fn of(&self, service: &ObjectKey, sources: &[&str]) -> Vec<String> {
        let refusals = self.0.lock();
        let concerned = refusals
            .iter()
            .filter(|(_, refusal)| refusal.service == *service && sources.contains(&refusal.source.as_str()));
        concerned.map(|((cluster, _), refusal)| format!("cluster {cluster}: {}", refusal.message)).collect()
    }
}

fn content(slice: &Object) -> u64 {
    let mut hasher = DefaultHasher::new();
    for field in ["addressType", "endpoints", "ports"] {
        slice.0.get(field).map(ToString::to_string).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slice(address: &str) -> Object {
        Object(
            json!({ "metadata": { "namespace": "shop", "name": "web-1", "resourceVersion": "1", "labels": {
                "multicluster.kubernetes.io/source-cluster": "east", "endpointslice.kubernetes.io/managed-by": "m" } },
            "endpoints": [{ "addresses": [address] }] }),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_slice_waits_until_it_changes_or_minutes_have_passed() {
        let (refusals, west) = (Refusals::default(), ClusterName::new("west"));
        let service = ObjectKey::namespaced("shop", "web");
        assert!(!refusals.holds(&west, &slice("a")));
        assert!(refusals.note(&west, &service, &slice("a"), "bad a".to_owned()));
        assert!(!refusals.note(&west, &service, &slice("a"), "bad a".to_owned()), "known");
        assert!(refusals.holds(&west, &slice("a")));
        assert!(!refusals.holds(&west, &slice("b")), "it changed");
        assert!(!refusals.holds(&ClusterName::new("north"), &slice("a")), "another member");
        assert_eq!(refusals.of(&service, &["east"]), ["cluster west: bad a"]);
        assert!(refusals.of(&service, &["south"]).is_empty());
        tokio::time::advance(REFUSED_RECHECK).await;
        assert!(!refusals.holds(&west, &slice("a")), "tried again");

        assert!(!refusals.keep(&west, &service, "m", &[slice("a").key()]), "still wanted");
        assert!(!refusals.keep(&west, &service, "other", &[]), "the other form of imports");
        assert!(refusals.keep(&west, &service, "m", &[]) && !refusals.has(&west, &service));
        refusals.note(&west, &service, &slice("a"), "bad a".to_owned());
        assert_eq!(refusals.count(&west), 1);
        assert!(refusals.forget(&west, &slice("a").key()) && !refusals.forget(&west, &slice("a").key()));
        refusals.note(&west, &service, &slice("a"), "bad a".to_owned());
        assert_eq!(refusals.forget_member(&west), [service]);
    }
}
