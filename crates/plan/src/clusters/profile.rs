//! The ClusterProfile of a member: what other programs of the inventory see of it (KEP-4322).
//!
//! All members of one ClusterSet have their profiles in one namespace, and clusters in no set have theirs in another one.

use std::collections::BTreeMap;

use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::READY;
use portolan_api::conditions::cluster_profile as reasons;
use portolan_api::inventory::{
    ClusterManager, ClusterProfile, ClusterProfileProperty, ClusterProfileSpec, ClusterProfileStatus,
    ClusterVersion, MANAGER_LABEL, MAX_PROPERTY_VALUE, MEMBER_ID_LABEL,
};
use portolan_api::meta::{Condition, ConditionStatus, condition, set_condition};
use portolan_object::selector::label_value_errors;

/// Name of the cluster manager in the profiles that Portolan keeps.
pub const MANAGER: &str = "portolan";
/// Namespace of the profiles of clusters in no set.
const NAMESPACE: &str = "portolan-clusters";
/// Topology of a cluster as properties.
const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";

/// The namespace of the profiles of a set; of those of clusters in no set with `None`.
pub fn namespace(set: Option<&str>) -> String {
    set.map_or_else(|| NAMESPACE.to_owned(), |set| format!("portolan-clusterset-{set}"))
}

/// Whether a profile is kept by Portolan.
pub fn is_ours(profile: &ClusterProfile) -> bool {
    profile.spec.cluster_manager.name == MANAGER
}

/// The profile of a cluster, without its status.
pub fn profile(cluster: &Cluster, set: Option<&str>) -> ClusterProfile {
    let mut profile = ClusterProfile {
        spec: ClusterProfileSpec {
            display_name: cluster.metadata.name.clone(),
            cluster_manager: ClusterManager { name: MANAGER.to_owned() },
        },
        ..ClusterProfile::default()
    };
    profile.metadata.namespace = namespace(set);
    profile.metadata.name.clone_from(&cluster.metadata.name);
    let labels = &mut profile.metadata.labels;
    labels.insert(MANAGER_LABEL.to_owned(), MANAGER.to_owned());
    if !cluster.spec.id.is_empty() && label_value_errors(&cluster.spec.id).is_empty() {
        labels.insert(MEMBER_ID_LABEL.to_owned(), cluster.spec.id.clone());
    }
    profile
}

/// The status of a profile, with the conditions of others that it has. `properties` are the ClusterProperties of the member; if they
/// are not known (`None`), those of `before` stay. One with a value that a profile cannot hold is left out, because it would
/// have to be changed.
pub fn status(
    cluster: &Cluster,
    properties: Option<&BTreeMap<String, String>>,
    before: &ClusterProfileStatus,
    now: &str,
) -> ClusterProfileStatus {
    let mut conditions = before.conditions.clone();
    let (health, reason, message) = match condition(&cluster.status.conditions, READY) {
        Some(ready) => (ready.status, ready.reason.as_str(), ready.message.as_str()),
        None => (ConditionStatus::Unknown, reasons::NOT_PROBED, "the cluster was not probed yet"),
    };
    let healthy = Condition::new(reasons::CONTROL_PLANE_HEALTHY, health, reason, message, now);
    set_condition(&mut conditions, healthy);
    let message = "the cluster is a member of the federation".to_owned();
    set_condition(&mut conditions, Condition::new(reasons::JOINED, true, reasons::JOINED, message, now));
    let fits = |(name, value): &(&String, &String)| {
        (1..=253).contains(&name.len()) && (1..=MAX_PROPERTY_VALUE).contains(&value.chars().count())
    };
    let last_known = before.properties.iter().map(|property| (property.name.clone(), property.value.clone()));
    let last_known: BTreeMap<String, String> =
        last_known.filter(|(name, _)| name != REGION && name != ZONE).collect();
    let mut all: BTreeMap<String, String> = topology(cluster);
    all.extend(
        properties
            .unwrap_or(&last_known)
            .iter()
            .filter(fits)
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    ClusterProfileStatus {
        conditions,
        version: ClusterVersion { kubernetes: cluster.status.kubernetes_version.clone() },
        properties: all.into_iter().map(|(name, value)| ClusterProfileProperty { name, value }).collect(),
    }
}

/// Region and zone of a cluster. A cluster with several zones has no one value.
fn topology(cluster: &Cluster) -> BTreeMap<String, String> {
    let zone = match cluster.spec.zones.as_slice() {
        [zone] => zone.as_str(),
        [] => cluster.spec.zone.as_str(),
        _ => "",
    };
    let known = [(REGION, cluster.spec.region.as_str()), (ZONE, zone)];
    let known = known.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use portolan_api::meta::ObjectMeta;

    use super::*;

    fn cluster(ready: Option<ConditionStatus>) -> Cluster {
        let mut cluster = Cluster { metadata: ObjectMeta::cluster("eu-1"), ..Cluster::default() };
        (cluster.spec.id, cluster.spec.region) = ("u-1".to_owned(), "eu".to_owned());
        cluster.spec.zones = vec!["eu-a".to_owned()];
        cluster.status.kubernetes_version = "v1.36.0".to_owned();
        cluster.status.conditions = ready
            .map(|status| {
                let mut ready = Condition::new(READY, false, "Because", "the message".to_owned(), "t0");
                ready.status = status;
                ready
            })
            .into_iter()
            .collect();
        cluster
    }

    #[test]
    fn a_profile_names_its_manager_and_is_in_the_namespace_of_its_set() {
        let made = profile(&cluster(None), Some("prod"));
        assert_eq!(
            (made.metadata.namespace.as_str(), made.metadata.name.as_str()),
            ("portolan-clusterset-prod", "eu-1")
        );
        assert_eq!(made.metadata.label(MANAGER_LABEL), Some("portolan"));
        assert_eq!(made.metadata.label(MEMBER_ID_LABEL), Some("u-1"));
        assert!(is_ours(&made));
        assert_eq!(profile(&cluster(None), None).metadata.namespace, "portolan-clusters");
    }

    #[test]
    fn the_status_is_that_of_the_cluster_with_the_properties_of_the_member() {
        use ConditionStatus::{True, Unknown};
        let properties = [
            ("cluster.clusterset.k8s.io".to_owned(), "eu-1".to_owned()),
            ("long.example.com".to_owned(), "x".repeat(1025)),
        ];
        let properties = BTreeMap::from(properties);
        let names = |status: &ClusterProfileStatus| -> Vec<String> {
            status.properties.iter().map(|property| format!("{}={}", property.name, property.value)).collect()
        };
        for (ready, want, reason) in
            [(Some(True), True, "Because"), (Some(Unknown), Unknown, "Because"), (None, Unknown, "NotProbed")]
        {
            let status =
                super::status(&cluster(ready), Some(&properties), &ClusterProfileStatus::default(), "t1");
            let healthy = condition(&status.conditions, reasons::CONTROL_PLANE_HEALTHY).expect("a condition");
            assert_eq!((healthy.status, healthy.reason.as_str()), (want, reason));
            assert!(condition(&status.conditions, reasons::JOINED).is_some_and(Condition::is_true));
            assert_eq!(status.version.kubernetes, "v1.36.0");
            assert_eq!(
                names(&status),
                [
                    "cluster.clusterset.k8s.io=eu-1",
                    "topology.kubernetes.io/region=eu",
                    "topology.kubernetes.io/zone=eu-a"
                ]
            );
            for properties in [Some(&properties), None] {
                assert_eq!(
                    super::status(&cluster(ready), properties, &status, "t2"),
                    status,
                    "again changes nothing"
                );
            }
        }
    }
}
