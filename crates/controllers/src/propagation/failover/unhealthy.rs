//! Since when workloads have been unhealthy.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_object::ObjectKey;

/// Times by binding and cluster, on a monotonic clock; clones share state.
#[derive(Debug, Clone, Default)]
pub(super) struct Unhealthy(Arc<Mutex<HashMap<ObjectKey, BTreeMap<String, Duration>>>>);

impl Unhealthy {
    /// Notes the clusters in which the workload of a binding is unhealthy at the time `now`. Returns for how long it has been.
    pub(super) fn note(
        &self,
        key: &ObjectKey,
        clusters: &[&str],
        now: Duration,
    ) -> BTreeMap<String, Duration> {
        let mut all = self.0.lock();
        if clusters.is_empty() {
            all.remove(key);
            return BTreeMap::new();
        }
        let since = all.entry(key.clone()).or_default();
        since.retain(|name, _| clusters.contains(&name.as_str()));
        for name in clusters {
            since.entry((*name).to_owned()).or_insert(now);
        }
        since.iter().map(|(name, since)| (name.clone(), now.saturating_sub(*since))).collect()
    }

    pub(super) fn forget(&self, key: &ObjectKey) {
        self.0.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_moment_ends_the_time() {
        let (unhealthy, key) = (Unhealthy::default(), ObjectKey::cluster("a"));
        let lasted = |clusters: &[&str], now| {
            let lasted = unhealthy.note(&key, clusters, Duration::from_secs(now));
            lasted.into_iter().map(|(name, lasted)| (name, lasted.as_secs())).collect::<Vec<_>>()
        };
        let pair = |name: &str, seconds| (name.to_owned(), seconds);
        assert_eq!(lasted(&["eu"], 10), [pair("eu", 0)]);
        assert_eq!(lasted(&["eu", "us"], 15), [pair("eu", 5), pair("us", 0)]);
        assert_eq!(lasted(&["us"], 20), [pair("us", 5)]);
        assert_eq!(lasted(&["eu", "us"], 25), [pair("eu", 0), pair("us", 10)]);
        assert!(lasted(&[], 30).is_empty());
        assert_eq!(lasted(&["us"], 31), [pair("us", 0)]);
    }
}
