use portolan_api::meta::{ObjectMeta, Taint};
use portolan_object::GroupVersionKind;
use serde_json::json;

mod division;
mod properties;
mod spreading;

use super::*;

/// `member1 member2+taint member3-api member4!` : a taint, no API, leaving.
fn clusters(text: &str) -> Vec<Cluster> {
    let one = |word: &str| {
        let name = word.trim_end_matches("+taint").trim_end_matches("-api").trim_end_matches('!');
        let mut cluster = Cluster { metadata: ObjectMeta::cluster(name), ..Cluster::default() };
        if word.ends_with("+taint") {
            let taint = json!({"key": "dedicated", "value": "special-user", "effect": "NoSchedule"});
            cluster.spec.taints = vec![serde_json::from_value::<Taint>(taint).unwrap()];
        }
        if !word.ends_with("-api") {
            let apis = json!([{"groupVersion": "apps/v1", "resources": [{"name": "deployments", "kind": "Deployment"}]}]);
            cluster.status.api_enablements = serde_json::from_value(apis).unwrap();
        }
        if word.ends_with('!') {
            cluster.metadata.deletion_timestamp = Some("2026-01-01T00:00:00Z".to_owned());
        }
        cluster
    };
    text.split_whitespace().map(one).collect()
}

struct Case {
    name: &'static str,
    clusters: &'static str,
    placement: serde_json::Value,
    replicas: Option<i64>,
    current: &'static str,
    want: Result<&'static str, &'static str>,
}

impl Default for Case {
    fn default() -> Self {
        let placement = json!({});
        Self { name: "", clusters: "m1 m2", placement, replicas: None, current: "", want: Ok("") }
    }
}

fn targets(text: &str) -> Vec<TargetCluster> {
    text.split_whitespace()
        .map(|word| {
            let (name, replicas) = word.split_once(':').unwrap_or((word, "0"));
            TargetCluster {
                name: name.to_owned(),
                replicas: replicas.parse().unwrap(),
                ..TargetCluster::default()
            }
        })
        .collect()
}

fn render(result: &Result<Placed, PlacementError>) -> Result<String, String> {
    let one = |target: &TargetCluster| match target.replicas {
        0 => target.name.clone(),
        replicas => format!("{}:{replicas}", target.name),
    };
    match result {
        Ok(placed) => Ok(placed.clusters.iter().map(one).collect::<Vec<_>>().join(" ")),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn schedules() {
    let tolerant = json!({"clusterTolerations": [{"key": "dedicated", "operator": "Equal", "value": "special-user",
                          "effect": "NoSchedule"}]});
    let named = |names: &[&str]| json!({"clusterAffinity": {"clusterNames": names}});
    let divided = |weights: serde_json::Value| {
        json!({"replicaScheduling": {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted",
               "weightPreference": {"staticWeightList": weights}}})
    };
    let weight =
        |name: &str, weight: i64| json!({"targetCluster": {"clusterNames": [name]}, "weight": weight});
    let cases = [
        Case { name: "everywhere without an affinity", want: Ok("m1 m2"), ..Case::default() },
        Case { name: "named", placement: named(&["m2"]), want: Ok("m2"), ..Case::default() },
        Case { name: "replicas are duplicated", replicas: Some(3), want: Ok("m1:3 m2:3"), ..Case::default() },
        Case { name: "a taint keeps away", clusters: "m1 m2+taint", want: Ok("m1"), ..Case::default() },
        Case {
            name: "unless tolerated",
            clusters: "m1 m2+taint",
            placement: tolerant,
            want: Ok("m1 m2"),
            ..Case::default()
        },
        Case {
            name: "or already there",
            clusters: "m1 m2+taint",
            current: "m2",
            want: Ok("m1 m2"),
            ..Case::default()
        },
        Case { name: "an API is needed", clusters: "m1-api m2", want: Ok("m2"), ..Case::default() },
        Case {
            name: "nothing new for one that leaves",
            clusters: "m1! m2",
            current: "m1",
            want: Ok("m2"),
            ..Case::default()
        },
        Case {
            name: "every reason is counted",
            clusters: "m1 m2+taint m3-api m4",
            placement: named(&["m2", "m3"]),
            want: Err(
                "0/4 clusters are available: 1 cluster(s) did not have the API resource, 1 cluster(s) had untolerated \
                       taint {dedicated=special-user:NoSchedule}, 2 cluster(s) did not match the placement cluster affinity \
                       constraint.",
            ),
            ..Case::default()
        },
        Case {
            name: "a cluster that does not exist is named",
            placement: named(&["m9"]),
            want: Err(
                "0/2 clusters are available: 2 cluster(s) did not match the placement cluster affinity constraint. \
                       The placement names clusters that do not exist: m9. What is placed already stays where it is.",
            ),
            ..Case::default()
        },
        Case {
            name: "no cluster at all",
            clusters: "",
            want: Err("0/0 clusters are available: no cluster has joined yet."),
            ..Case::default()
        },
        Case {
            name: "divided by weight",
            placement: divided(json!([weight("m1", 1), weight("m2", 2)])),
            replicas: Some(9),
            want: Ok("m1:3 m2:6"),
            ..Case::default()
        },
        Case {
            name: "a cluster without weight is left out",
            placement: divided(json!([weight("m1", 5)])),
            replicas: Some(3),
            want: Ok("m1:3"),
            ..Case::default()
        },
        Case {
            name: "no weights are equal weights",
            placement: divided(json!([])),
            replicas: Some(3),
            want: Ok("m1:2 m2:1"),
            ..Case::default()
        },
        Case {
            name: "the largest matching weight counts",
            placement: divided(json!([weight("m1", 1), weight("m1", 2), weight("m2", 1)])),
            replicas: Some(3),
            want: Ok("m1:2 m2:1"),
            ..Case::default()
        },
        Case {
            name: "a division does not matter for what has no replicas",
            placement: json!({"replicaScheduling": {"replicaSchedulingType": "Divided",
                "replicaDivisionPreference": "Weighted", "weightPreference": {"dynamicWeight": "AvailableReplicas"}}}),
            want: Ok("m1 m2"),
            ..Case::default()
        },
    ];
    for case in cases {
        let clusters = clusters(case.clusters);
        let result = run(&case.placement, case.replicas, &targets(case.current), "", &clusters);
        let want = case.want.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(render(&result), want, "{}", case.name);
    }
}

fn run(
    placement: &serde_json::Value,
    replicas: Option<i64>,
    current: &[TargetCluster],
    observed_affinity: &str,
    clusters: &[Cluster],
) -> Result<Placed, PlacementError> {
    let binding = BindingCase { placement, replicas, current, observed_affinity, ..BindingCase::default() };
    binding.schedule(clusters)
}

/// A binding in a test.
struct BindingCase<'a> {
    placement: &'a serde_json::Value,
    replicas: Option<i64>,
    components: &'a [portolan_api::work::Component],
    current: &'a [TargetCluster],
    evicted_from: &'a [String],
    failed_in: &'a [&'a str],
    observed_affinity: &'a str,
    is_fresh: bool,
    estimates: Estimates,
    peers: Peers<'a>,
}

impl Default for BindingCase<'_> {
    fn default() -> Self {
        Self {
            placement: &serde_json::Value::Null,
            replicas: None,
            components: &[],
            current: &[],
            evicted_from: &[],
            failed_in: &[],
            observed_affinity: "",
            is_fresh: false,
            estimates: Estimates::default(),
            peers: Peers::default(),
        }
    }
}

impl BindingCase<'_> {
    fn schedule(&self, clusters: &[Cluster]) -> Result<Placed, PlacementError> {
        let kind = GroupVersionKind::new("apps", "v1", "Deployment");
        let placement: Placement = serde_json::from_value(self.placement.clone()).unwrap_or_default();
        let request = Request {
            kind,
            uid: "",
            placement: &placement,
            replicas: self.replicas,
            components: self.components,
            current: self.current,
            evicted_from: self.evicted_from.iter().map(String::as_str).collect(),
            failed_in: self.failed_in.iter().map(ToString::to_string).collect(),
            observed_affinity: self.observed_affinity,
            is_fresh: self.is_fresh,
            estimates: &self.estimates,
            peers: self.peers.clone(),
        };
        schedule(&request, &clusters.iter().collect::<Vec<_>>())
    }
}

#[test]
fn groups_are_tried_in_order_and_never_back() {
    let placement = json!({"clusterAffinities": [
        {"affinityName": "first", "clusterNames": ["m1"]}, {"affinityName": "second", "clusterNames": ["m2"]}]});
    let cases = [
        ("the first that works", "m1 m2", "", "m1", "first"),
        ("the next when it does not", "m1+taint m2", "", "m2", "second"),
        ("not back to an earlier one", "m1 m2", "second", "m2", "second"),
    ];
    for (name, text, observed, want, group) in cases {
        let placed = run(&placement, None, &[], observed, &clusters(text)).unwrap();
        assert_eq!((placed.clusters, placed.affinity_name.as_str()), (targets(want), group), "{name}");
    }
    let failed = run(&placement, None, &[], "", &clusters("m3")).unwrap_err();
    assert_eq!(failed.reason(), "NoClusterFit");
}

#[test]
fn tolerations_follow_the_rules_for_nodes() {
    let taint = |effect: &str| json!([{"key": "dedicated", "value": "special-user", "effect": effect}]);
    let cases = [
        ("no toleration", "NoSchedule", json!([]), false),
        ("an eviction taint keeps away as well", "NoExecute", json!([]), false),
        ("a preference keeps nothing away", "PreferNoSchedule", json!([]), true),
        ("key and value", "NoSchedule", json!([{"key": "dedicated", "value": "special-user"}]), true),
        ("another value", "NoSchedule", json!([{"key": "dedicated", "value": "other"}]), false),
        ("another key", "NoSchedule", json!([{"key": "gpu", "operator": "Exists"}]), false),
        ("any value", "NoSchedule", json!([{"key": "dedicated", "operator": "Exists"}]), true),
        ("every taint", "NoExecute", json!([{"operator": "Exists"}]), true),
        ("this effect", "NoSchedule", json!([{"operator": "Exists", "effect": "NoSchedule"}]), true),
        ("another effect", "NoExecute", json!([{"operator": "Exists", "effect": "NoSchedule"}]), false),
        (
            "the second of two",
            "NoSchedule",
            json!([{"key": "gpu", "operator": "Exists"}, {"key": "dedicated", "operator": "Exists"}]),
            true,
        ),
    ];
    for (name, effect, tolerations, fits) in cases {
        let mut tainted = clusters("m1");
        tainted[0].spec.taints = serde_json::from_value(taint(effect)).unwrap();
        let placement = json!({ "clusterTolerations": tolerations });
        let result = render(&run(&placement, None, &[], "", &tainted));
        let untolerated = format!(
            "0/1 clusters are available: 1 cluster(s) had untolerated taint {{dedicated=special-user:{effect}}}."
        );
        assert_eq!(result, if fits { Ok("m1".to_owned()) } else { Err(untolerated) }, "{name}");
    }
}

#[test]
fn a_request_for_a_new_schedule_begins_with_the_first_group() {
    let placement = json!({"clusterAffinities": [
        {"affinityName": "first", "clusterNames": ["m1"]}, {"affinityName": "second", "clusterNames": ["m2"]}]});
    let fresh = BindingCase {
        placement: &placement,
        observed_affinity: "second",
        is_fresh: true,
        ..BindingCase::default()
    };
    assert_eq!(fresh.schedule(&clusters("m1 m2")).unwrap().affinity_name, "first");
}

#[test]
fn a_placement_of_unknown_clusters_is_told_from_one_that_fits_none() {
    let one = |names: serde_json::Value| json!({ "clusterAffinity": { "clusterNames": names } });
    let groups = |first: serde_json::Value, second: serde_json::Value| {
        json!({ "clusterAffinities": [
            { "affinityName": "first", "clusterNames": first },
            { "affinityName": "second", "clusterNames": second }] })
    };
    let cases = [
        ("a typing error", one(json!(["membr1"])), "m1", true),
        ("a cluster with a taint", one(json!(["m1"])), "m1+taint", false),
        ("one of two exists", one(json!(["m1", "membr2"])), "m1+taint", false),
        ("typing errors in all groups", groups(json!(["x"]), json!(["y"])), "m1", true),
        ("a group without names", groups(json!(["x"]), json!([])), "m1+taint", false),
        ("no name at all", json!({}), "m1+taint", false),
    ];
    for (name, placement, text, is_unknown) in cases {
        let error = run(&placement, None, &[], "", &clusters(text)).unwrap_err();
        assert_eq!(matches!(error, PlacementError::UnknownClusters(_)), is_unknown, "{name}: {error}");
        assert_eq!(error.reason(), "NoClusterFit", "{name}");
    }
}

#[test]
fn a_cluster_that_is_being_emptied_is_no_target() {
    let evicted = ["m1".to_owned()];
    let binding = BindingCase { evicted_from: &evicted, ..BindingCase::default() };
    assert_eq!(render(&binding.schedule(&clusters("m1 m2"))), Ok("m2".to_owned()));
}

#[test]
fn a_workload_does_not_go_back_to_where_it_failed() {
    let binding = BindingCase { failed_in: &["m1"], ..BindingCase::default() };
    assert_eq!(render(&binding.schedule(&clusters("m1 m2"))), Ok("m2".to_owned()));
    assert_eq!(render(&binding.schedule(&clusters("m1"))), Ok("m1".to_owned()), "rather there than nowhere");
    let current = [TargetCluster { name: "m1".to_owned(), ..TargetCluster::default() }];
    let settled = BindingCase { current: &current, ..binding };
    assert_eq!(render(&settled.schedule(&clusters("m1 m2"))), Ok("m1 m2".to_owned()), "it is there again");
}

#[test]
fn workload_groups_attract_and_repel() {
    /// Name, peers of the affinity group, peers of the anti-affinity group, current targets, result.
    type Vector<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a str, Result<&'a str, &'a str>);
    let cases: &[Vector<'_>] = &[
        ("no peer", &[], &[], "", Ok("m1 m2 m3")),
        ("with the peer", &["m1"], &[], "", Ok("m1")),
        ("with a peer that is nowhere yet", &[""], &[], "", Ok("m1 m2 m3")),
        ("with all peers", &["m1 m2", "m2 m3"], &[], "", Ok("m2")),
        ("away from the peer", &[], &["m1"], "", Ok("m2 m3")),
        ("a current target stays", &[], &["m1"], "m1", Ok("m1 m2 m3")),
        (
            "peers that are apart cannot be joined",
            &["m1", "m2"],
            &[],
            "",
            Err("ResourceBinding with the same affinity group does not target this cluster"),
        ),
        (
            "no cluster is free",
            &[],
            &["m1", "m2 m3"],
            "",
            Err("cluster already has workload with the same anti-affinity group"),
        ),
    ];
    for (name, together, apart, current, want) in cases {
        let of =
            |texts: &[&str]| -> Vec<Vec<TargetCluster>> { texts.iter().map(|text| targets(text)).collect() };
        let (together, apart, current) = (of(together), of(apart), targets(current));
        let binding = BindingCase {
            current: &current,
            peers: Peers {
                together: together.iter().map(Vec::as_slice).collect(),
                apart: apart.iter().map(Vec::as_slice).collect(),
            },
            ..BindingCase::default()
        };
        let result = render(&binding.schedule(&clusters("m1 m2 m3")));
        match want {
            Ok(want) => assert_eq!(result.as_deref(), Ok(*want), "{name}"),
            Err(want) => {
                assert!(result.as_ref().is_err_and(|text| text.contains(want)), "{name}: {result:?}")
            }
        }
    }
}
