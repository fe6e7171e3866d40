//! Clusters in which a workload has been unhealthy for too long (karmada pkg/controllers/applicationfailover).

use std::collections::BTreeMap;
use std::time::Duration;

use portolan_api::policy::ApplicationFailover;
use portolan_api::work::{ResourceBindingSpec, ResourceBindingStatus, ResourceHealth};

/// Seconds for which a workload may be unhealthy, if the policy does not say.
const DEFAULT_TOLERATION: i32 = 300;

/// The targets in which the workload is unhealthy; none without `failover.application`.
///
/// What a cluster without contact reported before does not count: `is_ready` tells whether a cluster is in contact.
pub fn unhealthy_clusters<'a>(
    spec: &'a ResourceBindingSpec,
    status: &ResourceBindingStatus,
    is_ready: impl Fn(&str) -> bool,
) -> Vec<&'a str> {
    if spec.failover.as_ref().is_none_or(|failover| failover.application.is_none()) {
        return Vec::new();
    }
    let is_unhealthy = |name: &str| {
        let mut items = status.aggregated_status.iter();
        let found = items.find(|item| item.cluster_name == name);
        found.is_some_and(|item| item.health == Some(ResourceHealth::Unhealthy))
    };
    let targets = spec.clusters.iter().map(|target| target.name.as_str());
    targets.filter(|name| is_unhealthy(name) && is_ready(name)).collect()
}

/// The clusters that the workload leaves, and the time until the next one.
pub(super) fn failed<'a>(
    failover: &ApplicationFailover,
    unhealthy_for: &'a BTreeMap<String, Duration>,
) -> (Vec<&'a str>, Option<Duration>) {
    let seconds = failover.decision_conditions.toleration_seconds.unwrap_or(DEFAULT_TOLERATION);
    let tolerated = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    let (failed, tolerable): (Vec<_>, Vec<_>) =
        unhealthy_for.iter().partition(|(_, lasted)| **lasted >= tolerated);
    let left = tolerable.into_iter().map(|(_, lasted)| tolerated.saturating_sub(*lasted));
    (failed.into_iter().map(|(name, _)| name.as_str()).collect(), left.min())
}

#[cfg(test)]
mod tests {
    use portolan_api::policy::{DecisionConditions, Failover};
    use portolan_api::work::{AggregatedStatusItem, TargetCluster};

    use super::*;

    #[test]
    fn only_unhealthy_targets_with_contact_count() {
        let target = |name: &str| TargetCluster { name: name.to_owned(), ..TargetCluster::default() };
        let item = |name: &str, health| AggregatedStatusItem {
            cluster_name: name.to_owned(),
            health: Some(health),
            ..AggregatedStatusItem::default()
        };
        let application = Some(ApplicationFailover::default());
        let mut spec = ResourceBindingSpec {
            clusters: ["ill", "well", "new", "lost"].map(target).to_vec(),
            failover: Some(Failover { application, ..Failover::default() }),
            ..ResourceBindingSpec::default()
        };
        let status = ResourceBindingStatus {
            aggregated_status: vec![
                item("ill", ResourceHealth::Unhealthy),
                item("well", ResourceHealth::Healthy),
                item("lost", ResourceHealth::Unhealthy),
                item("left", ResourceHealth::Unhealthy),
            ],
            ..ResourceBindingStatus::default()
        };
        assert_eq!(unhealthy_clusters(&spec, &status, |name| name != "lost"), ["ill"]);
        spec.failover = None;
        assert!(unhealthy_clusters(&spec, &status, |_| true).is_empty());
    }

    #[test]
    fn a_workload_may_be_unhealthy_for_a_while() {
        let seconds = Duration::from_secs;
        let failover = |toleration_seconds| ApplicationFailover {
            decision_conditions: DecisionConditions { toleration_seconds },
            ..ApplicationFailover::default()
        };
        let unhealthy = BTreeMap::from([("a".to_owned(), seconds(300)), ("b".to_owned(), seconds(100))]);
        assert_eq!(failed(&failover(None), &unhealthy), (vec!["a"], Some(seconds(200))));
        assert_eq!(failed(&failover(Some(0)), &unhealthy), (vec!["a", "b"], None));
        assert_eq!(failed(&failover(Some(301)), &unhealthy), (vec![], Some(seconds(1))));
        assert_eq!(failed(&failover(Some(1)), &BTreeMap::new()), (vec![], None));
    }
}
