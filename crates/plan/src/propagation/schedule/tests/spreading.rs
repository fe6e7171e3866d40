//! Spread constraints: the vectors of Karmada's scheduler, and what it leaves out.

use portolan_api::work::Component;

use super::*;

/// `m1@eu/eu-a=40`: name, region, zones separated by commas, room; `~acme` a provider, `#gold` the label tier. A star marks
/// current targets.
fn map(text: &str) -> (Vec<Cluster>, Estimates, Vec<TargetCluster>) {
    let (mut found, mut estimates, mut current) = (Vec::new(), Estimates::default(), Vec::new());
    for word in text.split_whitespace() {
        let (word, is_current) = match word.strip_prefix('*') {
            Some(rest) => (rest, true),
            None => (word, false),
        };
        let (word, room) = word.split_once('=').map_or((word, None), |(word, room)| (word, Some(room)));
        let (word, tier) = word.split_once('#').unwrap_or((word, ""));
        let (word, provider) = word.split_once('~').unwrap_or((word, ""));
        let (word, zones) = word.split_once('/').unwrap_or((word, ""));
        let (name, region) = word.split_once('@').unwrap_or((word, ""));
        let mut cluster = clusters(name).remove(0);
        region.clone_into(&mut cluster.spec.region);
        provider.clone_into(&mut cluster.spec.provider);
        if !zones.is_empty() {
            cluster.spec.zones = zones.split(',').map(str::to_owned).collect();
        }
        if !tier.is_empty() {
            cluster.metadata.labels.insert("tier".to_owned(), tier.to_owned());
        }
        if let Some(room) = room {
            estimates.limit(name, room.parse().unwrap());
        }
        if is_current {
            current.extend(targets(name));
        }
        found.push(cluster);
    }
    (found, estimates, current)
}

/// `region 2..3`, `cluster 1..`, `label:tier 2..`.
fn constraints(text: &str) -> serde_json::Value {
    let one = |text: &str| {
        let (by, bounds) = text.trim().split_once(' ').unwrap();
        let (min, max) = bounds.split_once("..").unwrap();
        let max: i64 = max.parse().unwrap_or_default();
        let min: i64 = min.parse().unwrap();
        match by.split_once(':') {
            Some((_, label)) => json!({"spreadByLabel": label, "minGroups": min, "maxGroups": max}),
            None => json!({"spreadByField": by, "minGroups": min, "maxGroups": max}),
        }
    };
    json!(text.split(';').map(one).collect::<Vec<_>>())
}

fn dynamic() -> serde_json::Value {
    json!({"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted",
        "weightPreference": {"dynamicWeight": "AvailableReplicas"}})
}

/// The names of the chosen clusters, or the error.
fn choose(
    spread: &str,
    scheduling: &serde_json::Value,
    replicas: Option<i64>,
    text: &str,
) -> Result<String, String> {
    let (clusters, estimates, current) = map(text);
    let mut placement = json!({ "spreadConstraints": constraints(spread) });
    if !scheduling.is_null() {
        placement["replicaScheduling"] = scheduling.clone();
    }
    let binding = BindingCase {
        placement: &placement,
        replicas,
        current: &current,
        estimates,
        ..BindingCase::default()
    };
    let placed = binding.schedule(&clusters).map_err(|error| error.to_string())?;
    Ok(placed.clusters.iter().map(|target| target.name.as_str()).collect::<Vec<_>>().join(" "))
}

/// Spread constraints, replica scheduling, replicas, clusters, result or a part of the error.
type Vector =
    (&'static str, serde_json::Value, Option<i64>, &'static str, Result<&'static str, &'static str>);

fn check(cases: &[Vector]) {
    for (spread, scheduling, replicas, clusters, want) in cases {
        let result = choose(spread, scheduling, *replicas, clusters);
        match want {
            Ok(want) => assert_eq!(result.as_deref(), Ok(*want), "{spread}: {clusters}"),
            Err(want) => {
                assert!(result.as_ref().is_err_and(|error| error.contains(want)), "{spread}: {result:?}");
            }
        }
    }
}

#[test]
fn spreads_over_clusters() {
    let none = serde_json::Value::Null;
    let fixed = json!({"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted",
        "weightPreference": {"staticWeightList": [{"targetCluster": {"clusterNames": ["a", "b", "c", "d"]}, "weight": 1}]}});
    check(&[
        ("cluster 1..2", dynamic(), Some(100), "*a=50 *b=60 c=80 d=40", Ok("a b")),
        ("cluster 1..2", dynamic(), Some(120), "*a=50 *b=60 c=80 d=40", Ok("b c")),
        ("cluster 1..2", none.clone(), Some(120), "*a=50 *b=60 c=80 d=40", Ok("a b")),
        ("cluster 1..2", fixed, Some(120), "*a=50 *b=60 c=80 d=40", Ok("a b c d")),
        (
            "cluster 1..2",
            dynamic(),
            Some(200),
            "*a=50 *b=60 c=80 d=40",
            Err("no enough resource when selecting 2"),
        ),
        (
            "cluster 7..7",
            dynamic(),
            Some(30),
            "a=50 b=60 c=80 d=40",
            Err("the number of feasible clusters is less than spreadConstraint.MinGroups"),
        ),
        ("cluster 2..2", none.clone(), None, "a b c d", Ok("a b")),
        // No maximum is no bound.
        ("cluster 2..", none, None, "a b c d", Ok("a b c d")),
    ]);
}

#[test]
fn spreads_over_regions() {
    let none = serde_json::Value::Null;
    check(&[
        ("region 2..2;cluster 2..2", none.clone(), None, "a@eu b@eu c@us d@us", Ok("a c")),
        ("region 1..1;cluster 1..", none.clone(), None, "a@eu b@eu c@us d@us", Ok("a b")),
        ("region 2..2;cluster 2..3", none.clone(), None, "a@eu b@eu c@us d@us", Ok("a b c")),
        // Clusters of the past count more.
        ("region 1..1;cluster 1..", none.clone(), None, "a@eu b@eu *c@us d@us", Ok("c d")),
        // More regions than clusters are not used.
        ("region 1..3;cluster 2..2", none.clone(), None, "a@eu b@us c@ap", Ok("a c")),
        (
            "region 3..3;cluster 3..3",
            none.clone(),
            None,
            "a@eu b@us",
            Err("the number of feasible clusters is less than spreadConstraint.MinGroups"),
        ),
        (
            "region 3..3;cluster 3..3",
            none.clone(),
            None,
            "a@eu b@us c@us",
            Err("the number of feasible region is less than spreadConstraint.MinGroups: 2 of at least 3"),
        ),
        (
            "region 1..1;cluster 3..3",
            none.clone(),
            None,
            "a@eu b@us c@us",
            Err("the number of clusters is less than the cluster spreadConstraint.MinGroups"),
        ),
        ("region 1..1;cluster 1..", none.clone(), None, "a", Err("did not have region property")),
        // The smallest number of regions wins over the largest number of clusters.
        ("region 2..3;cluster 1..1", none, None, "a@eu b@us c@ap", Ok("a c")),
        // The preferred clusters of the region have no room, another one has.
        ("region 1..1;cluster 1..1", dynamic(), Some(4), "a@eu=2 b@eu=9", Ok("b")),
    ]);
}

#[test]
fn spreads_over_zones_providers_and_labels() {
    let none = serde_json::Value::Null;
    check(&[
        ("zone 2..2;cluster 2..2", none.clone(), None, "a@eu/x b@eu/x c@eu/y", Ok("a c")),
        ("zone 2..2;cluster 2..2", none.clone(), None, "a@eu/x,y b@eu/x", Ok("a b")),
        (
            "zone 2..2;cluster 1..",
            none.clone(),
            None,
            "a@eu/x,y",
            Err("the number of feasible zone is less than spreadConstraint.MinGroups"),
        ),
        ("provider 2..2;cluster 2..2", none.clone(), None, "a~acme b~acme c~zeta", Ok("a c")),
        ("label:tier 2..2", none.clone(), None, "a#gold b#gold c#iron d#iron e#lead", Ok("a b c d")),
        ("label:tier 2..2;cluster 2..2", none.clone(), None, "a#gold b#gold c#iron", Ok("a c")),
        ("label:tier 1..1", none.clone(), None, "a b", Err("did not have label tier")),
        // One inside the other: two regions, and three zones in them.
        (
            "region 2..2;zone 3..3;cluster 3..3",
            none.clone(),
            None,
            "a@eu/e1 b@eu/e1 c@us/u1 d@us/u2",
            Ok("a c d"),
        ),
        // The region with more clusters has too few zones.
        (
            "region 1..1;zone 2..2;cluster 2..2",
            none.clone(),
            None,
            "a@eu/e1 b@eu/e1 c@eu/e1 d@us/u1 e@us/u2",
            Ok("d e"),
        ),
        (
            "region 2..2;zone 1..1;cluster 1..",
            none,
            None,
            "a@eu/e1 b@us/u1",
            Err("no clusters meet all spreadConstraints together"),
        ),
    ]);
}

#[test]
fn components_are_placed_as_a_whole_where_a_set_has_room() {
    let component =
        |name: &str, replicas| Component { name: name.to_owned(), replicas, ..Component::default() };
    let components = [component("jobmanager", 1), component("taskmanager", 2)];
    let place = |spread: &str, room: &str| {
        let (clusters, estimates, _) = map(room);
        let placement = json!({ "spreadConstraints": constraints(spread),
            "replicaScheduling": { "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated" } });
        let binding = BindingCase {
            placement: &placement,
            replicas: Some(3),
            components: &components,
            estimates,
            ..BindingCase::default()
        };
        binding.schedule(&clusters)
    };
    let placed = place("cluster 1..1", "a=0 b=1").unwrap();
    assert_eq!(placed.clusters.len(), 1);
    let target = &placed.clusters[0];
    assert_eq!((target.name.as_str(), target.replicas), ("b", 0));
    let parts: Vec<_> = target.components.iter().map(|part| (part.name.as_str(), part.replicas)).collect();
    assert_eq!(parts, [("jobmanager", 1), ("taskmanager", 2)]);
    let refused = place("cluster 1..1", "a=0 b=0").unwrap_err();
    assert_eq!(refused.reason(), "SchedulerError");
    assert!(refused.to_string().contains("no enough resource"), "{refused}");
}

#[test]
fn constraints_beside_static_weights_are_noted() {
    let placement = json!({ "spreadConstraints": constraints("cluster 1..1"), "replicaScheduling": {
        "replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted" } });
    let placement: Placement = serde_json::from_value(placement).unwrap();
    let kind = GroupVersionKind::new("apps", "v1", "Deployment");
    let request = Request {
        kind,
        uid: "",
        placement: &placement,
        replicas: Some(2),
        components: &[],
        current: &[],
        evicted_from: Vec::new(),
        failed_in: BTreeSet::new(),
        observed_affinity: "",
        is_fresh: false,
        estimates: &Estimates::default(),
        peers: Peers::default(),
    };
    let clusters = clusters("a b");
    let explanation = explain(&request, &clusters.iter().collect::<Vec<_>>());
    assert_eq!(explanation.notes, ["spreadConstraints are not used together with static weights."]);
    assert_eq!(render(&explanation.result), Ok("a:1 b:1".to_owned()));
}
