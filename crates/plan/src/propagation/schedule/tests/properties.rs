//! What holds for every placement.

use std::collections::BTreeMap;

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

use super::{BindingCase, Cluster, Estimates, TargetCluster, clusters, json};

/// A random federation of up to six clusters.
fn federation() -> impl Strategy<Value = Vec<(Cluster, Option<i64>, i32)>> {
    let one = (any::<prop::sample::Index>(), 0..4usize, 0..3usize, prop::option::of(0..20i64), 0..4i32);
    prop::collection::vec(one, 1..7).prop_map(|all| {
        let of = |(number, (taint, region, zone, room, assigned)): (
            usize,
            (prop::sample::Index, usize, usize, _, _),
        )| {
            let suffix = ["", "", "", "+taint", "-api", "!"][taint.index(6)];
            let mut cluster = clusters(&format!("m{number}{suffix}")).remove(0);
            cluster.spec.region = ["", "eu", "us", "ap"][region].to_owned();
            cluster.spec.zones = vec![format!("{}-{zone}", cluster.spec.region)];
            (cluster, room, assigned)
        };
        all.into_iter().enumerate().map(of).collect()
    })
}

fn scheduling() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(serde_json::Value::Null),
        Just(json!({"replicaSchedulingType": "Duplicated"})),
        Just(json!({"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated"})),
        Just(json!({"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted"})),
        Just(json!({"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted",
            "weightPreference": {"dynamicWeight": "AvailableReplicas"}})),
    ]
}

fn spreads() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        2 => Just(json!([])),
        1 => (1..3, 0..3).prop_map(|(min, more)| json!([{"spreadByField": "cluster", "minGroups": min, "maxGroups": min + more}])),
        1 => (1..3, 0..3, 1..4).prop_map(|(min, more, clusters)| json!([
            {"spreadByField": "region", "minGroups": min, "maxGroups": min + more},
            {"spreadByField": "cluster", "minGroups": clusters}])),
        1 => (1..3, 1..4, 1..4).prop_map(|(regions, zones, clusters)| json!([
            {"spreadByField": "region", "minGroups": regions}, {"spreadByField": "zone", "minGroups": zones},
            {"spreadByField": "cluster", "minGroups": 1, "maxGroups": clusters}])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn every_placement_keeps_the_rules(
        federation in federation(), scheduling in scheduling(), spreads in spreads(),
        replicas in prop::option::of(1..30i64), seed: u64,
    ) {
        let mut placement = json!({ "spreadConstraints": spreads });
        if !scheduling.is_null() {
            placement["replicaScheduling"] = scheduling.clone();
        }
        let clusters: Vec<Cluster> = federation.iter().map(|(cluster, _, _)| cluster.clone()).collect();
        let name = |cluster: &Cluster| cluster.metadata.name.clone();
        let estimates: Estimates =
            federation.iter().filter_map(|(cluster, room, _)| Some((name(cluster), (*room)?))).collect();
        let current: Vec<TargetCluster> = federation.iter().filter(|(_, _, assigned)| *assigned > 1).map(|(cluster, _, assigned)|
            TargetCluster { name: name(cluster), replicas: replicas.map_or(0, |_| *assigned), ..TargetCluster::default() }).collect();
        let binding = |current| BindingCase {
            placement: &placement, replicas, current, estimates: estimates.clone(), ..BindingCase::default()
        };
        let result = binding(&current).schedule(&clusters);

        // The order of the clusters does not matter.
        let mut turned = clusters.clone();
        turned.rotate_left(usize::try_from(seed % 7).unwrap() % clusters.len());
        turned.reverse();
        prop_assert_eq!(&binding(&current).schedule(&turned), &result);

        let Ok(placed) = result else { return Ok(()) };
        // Nothing is placed where the filters reject.
        let was_target = |name: &str| current.iter().any(|target| target.name == name);
        let by_name: BTreeMap<String, &Cluster> = clusters.iter().map(|cluster| (name(cluster), cluster)).collect();
        for target in &placed.clusters {
            let cluster = by_name[&target.name];
            prop_assert!(!cluster.metadata.is_deleting());
            prop_assert!(cluster.spec.taints.is_empty() || was_target(&target.name));
            prop_assert!(!cluster.status.api_enablements.is_empty() || was_target(&target.name));
        }
        // All replicas are placed.
        let sum: i64 = placed.clusters.iter().map(|target| i64::from(target.replicas)).sum();
        let is_divided = scheduling["replicaSchedulingType"] == "Divided";
        let want = replicas.map_or(0, |replicas| if is_divided { replicas } else { replicas * placed.clusters.len() as i64 });
        prop_assert_eq!(sum, want);
        // The spread constraints are met, unless static weights name the clusters.
        let is_static = is_divided && scheduling["replicaDivisionPreference"] == "Weighted" && scheduling["weightPreference"].is_null();
        if !is_static {
            for constraint in spreads.as_array().into_iter().flatten() {
                let group = |target: &TargetCluster| match constraint["spreadByField"].as_str() {
                    Some("region") => by_name[&target.name].spec.region.clone(),
                    Some("zone") => by_name[&target.name].spec.zones[0].clone(),
                    _ => target.name.clone(),
                };
                let groups: std::collections::BTreeSet<String> = placed.clusters.iter().map(group).collect();
                let max = constraint["maxGroups"].as_u64().filter(|&max| max > 0).unwrap_or(u64::MAX);
                // A larger smallest number of regions or zones wins over the largest number of clusters.
                let mins = spreads.as_array().into_iter().flatten().filter_map(|one| one["minGroups"].as_u64());
                let max = if constraint["spreadByField"] == "cluster" { max.max(mins.max().unwrap_or(0)) } else { max };
                prop_assert!(groups.len() as u64 <= max);
                // A division may leave chosen clusters without replicas.
                if !is_divided || replicas.is_none() {
                    prop_assert!(groups.len() as u64 >= constraint["minGroups"].as_u64().unwrap_or_default());
                }
            }
        }
        // Scheduling again with the result changes nothing. A divided workload is not scheduled again. A cluster that the
        // filters allow only to its targets is no candidate any more after it was left, so that its region counts for less.
        let was_left = |target: &TargetCluster| placed.clusters.iter().all(|kept| kept.name != target.name);
        let allows_targets_only = |target: &TargetCluster| {
            let cluster = by_name[&target.name];
            !cluster.spec.taints.is_empty() || cluster.status.api_enablements.is_empty()
        };
        let has_lost_candidate = current.iter().any(|target| was_left(target) && allows_targets_only(target));
        if (!is_divided || replicas.is_none()) && !has_lost_candidate {
            prop_assert_eq!(binding(&placed.clusters).schedule(&clusters), Ok(placed));
        }
    }
}
