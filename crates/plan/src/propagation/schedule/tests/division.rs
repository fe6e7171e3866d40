//! Division of replicas: the vectors of Karmada's scheduler.

use super::*;

fn dynamic() -> serde_json::Value {
    json!({"replicaScheduling": {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Weighted",
        "weightPreference": {"dynamicWeight": "AvailableReplicas"}}})
}

fn aggregated() -> serde_json::Value {
    json!({"replicaScheduling": {"replicaSchedulingType": "Divided", "replicaDivisionPreference": "Aggregated"}})
}

/// `c1=18 c2=12`: room of each cluster; all of them exist.
fn rooms(text: &str) -> (Vec<Cluster>, Estimates) {
    let entry = |word: &str| -> (String, i64) {
        let (name, room) = word.split_once('=').unwrap_or((word, "0"));
        (name.to_owned(), room.parse().unwrap())
    };
    let entries: Vec<(String, i64)> = text.split_whitespace().map(entry).collect();
    let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
    (clusters(&names.join(" ")), entries.into_iter().collect())
}

/// Name, replicas, room, current targets, whether a new schedule is asked for, result.
type Vector = (&'static str, i64, &'static str, &'static str, bool, Result<&'static str, i64>);

fn check(placement: &serde_json::Value, vectors: &[Vector]) {
    for (name, replicas, room, current, is_fresh, want) in vectors {
        let (clusters, estimates) = rooms(room);
        let current = targets(&current.replace('=', ":"));
        let binding = BindingCase {
            placement,
            replicas: Some(*replicas),
            current: &current,
            is_fresh: *is_fresh,
            estimates,
            ..BindingCase::default()
        };
        let result = binding.schedule(&clusters);
        match want {
            Ok(want) => assert_eq!(render(&result), Ok(want.replace('=', ":")), "{name}"),
            Err(available) => {
                assert_eq!(result, Err(PlacementError::NotEnough { available: *available }), "{name}");
            }
        }
    }
}

#[test]
fn dynamic_weights_follow_the_room() {
    check(
        &dynamic(),
        &[
            ("D1", 12, "c1=18 c2=12 c3=6", "", false, Ok("c1=6 c2=4 c3=2")),
            ("D2", 12, "c1=20 c2=12 c3=6", "", false, Ok("c1=6 c2=4 c3=2")),
            ("D3", 12, "c1=6 c2=12 c3=6", "", false, Ok("c1=3 c2=6 c3=3")),
            ("D4", 12, "c1=6 c2=8 c3=10", "", false, Ok("c1=3 c2=4 c3=5")),
            ("D5", 12, "c1=8 c2=8 c3=10", "", false, Ok("c1=4 c2=4 c3=4")),
            ("D6", 12, "c1=3 c2=3 c3=3", "", false, Err(9)),
            ("D7", 6, "c1=1 c2=1 c3=1", "c1=2 c2=4 c3=6", false, Ok("c1=1 c2=2 c3=3")),
            ("D8", 24, "c1=10 c2=10 c3=10", "c1=2 c2=4 c3=6", false, Ok("c1=6 c2=8 c3=10")),
            ("D9", 24, "c1=1 c2=1 c3=1", "c1=2 c2=4 c3=6", false, Err(3)),
            ("D10", 12, "c1=3 c2=3", "c1=6 c3=6", false, Ok("c1=9 c2=3")),
            ("D11", 10, "c1=5 c2=5 c3=5", "c1=2 c2=2 c3=2", false, Ok("c1=4 c2=3 c3=3")),
            ("D12", 5, "c1=0 c2=0 c3=0", "c1=2 c2=2 c3=2", false, Ok("c1=2 c2=2 c3=1")),
            ("D13", 7, "c1=0 c2=0 c3=9", "c1=2 c2=2 c3=2", false, Ok("c1=2 c2=2 c3=3")),
            ("D14", 7, "c1=0 c2=0 c3=9", "c1=2 c2=2 c3=2", true, Ok("c1=1 c2=1 c3=5")),
            ("D15", 6, "c1=10 c2=10", "c1=5 c2=1", false, Ok("c1=5 c2=1")),
            ("D16", 6, "c1=10 c2=10", "c1=5 c2=1", true, Ok("c1=3 c2=3")),
            ("D17", 12, "c1=4 c2=4 c3=4", "c1=6 c2=3 c3=3", true, Ok("c1=5 c2=4 c3=3")),
            ("D18", 2, "c1=10 c2=10 c3=10", "c1=3 c2=3 c3=3", false, Ok("c1=1 c2=1")),
        ],
    );
}

#[test]
fn aggregated_uses_as_few_clusters_as_have_room() {
    check(
        &aggregated(),
        &[
            ("A1", 12, "c1=6 c2=8 c3=10", "", false, Ok("c2=5 c3=7")),
            ("A2", 12, "c1=12 c2=8 c3=10", "", false, Ok("c1=12")),
            ("A3", 12, "c1=6 c2=6 c3=6", "", false, Ok("c1=6 c2=6")),
            ("A4", 12, "c1=3 c2=3 c3=3", "", false, Err(9)),
            ("A5", 9, "c1=4 c2=8 c3=12", "", false, Ok("c3=9")),
            ("A6", 13, "c1=12 c2=6", "", false, Ok("c1=9 c2=4")),
            ("A7", 6, "c1=1 c2=1 c3=1", "c1=4 c2=8", false, Ok("c2=6")),
            ("A8", 8, "c1=100 c2=100", "c1=4 c2=8", false, Ok("c2=8")),
            ("A9", 9, "c1=100 c2=100", "c1=4 c2=8", false, Ok("c1=3 c2=6")),
            ("A10", 24, "c1=4 c2=6 c3=8", "c1=4 c2=8", false, Ok("c1=7 c2=12 c3=5")),
            ("A11", 24, "c1=10 c2=10 c3=10", "c1=4 c2=8", false, Ok("c1=10 c2=14")),
            // Of clusters with equal room besides, the one with more in total comes first, as in the order of candidates.
            ("A12", 24, "c1=14 c2=14 c3=14", "c1=4 c2=8", false, Ok("c1=4 c2=20")),
            ("A13", 24, "c1=6 c2=6 c3=20", "c1=4 c2=8", false, Ok("c1=10 c2=14")),
            ("A14", 24, "c1=4 c3=8 c4=12", "c1=4 c2=8", false, Ok("c1=7 c3=7 c4=10")),
            ("A15", 4, "c1=1 c2=20 c3=3", "c1=2", false, Ok("c1=2 c2=2")),
        ],
    );
}

#[test]
fn room_without_a_limit_divides_evenly() {
    let binding = BindingCase { placement: &dynamic(), replicas: Some(4), ..BindingCase::default() };
    assert_eq!(render(&binding.schedule(&clusters("c1 c2"))), Ok("c1:2 c2:2".to_owned()));
}

#[test]
fn overflow_groups_are_filled_after_the_main_one() {
    let mut placement = dynamic();
    placement["clusterAffinities"] = json!([{"affinityName": "main", "clusterNames": ["c1"],
        "overflowAffinities": [{"affinityName": "spare", "clusterNames": ["c2"]}]}]);
    check(
        &placement,
        &[
            ("main is enough", 2, "c1=2 c2=2", "", false, Ok("c1=2")),
            ("both are full", 4, "c1=2 c2=2", "", false, Ok("c1=2 c2=2")),
            ("grown from main", 4, "c1=0 c2=2", "c1=2", false, Ok("c1=2 c2=2")),
            ("too many", 5, "c1=2 c2=2", "", false, Err(4)),
            ("too many, grown", 5, "c1=0 c2=0", "c1=2 c2=2", false, Err(4)),
            ("scaled back", 2, "c1=0 c2=0", "c1=2 c2=2", false, Ok("c1=2")),
        ],
    );
    // What has no replicas has no need of the spare clusters.
    let binding = BindingCase { placement: &placement, ..BindingCase::default() };
    assert_eq!(render(&binding.schedule(&clusters("c1 c2"))), Ok("c1".to_owned()));
}

#[test]
fn an_explanation_has_the_arithmetic() {
    let placement: Placement = serde_json::from_value(aggregated()).unwrap();
    let (clusters, estimates) = rooms("c1=6 c2=8 c3=10");
    let kind = GroupVersionKind::new("apps", "v1", "Deployment");
    let request = Request {
        kind,
        uid: "b",
        placement: &placement,
        replicas: Some(12),
        components: &[],
        current: &[],
        evicted_from: Vec::new(),
        failed_in: BTreeSet::new(),
        observed_affinity: "",
        is_fresh: false,
        estimates: &estimates,
        peers: Peers::default(),
    };
    let explanation = explain(&request, &clusters.iter().collect::<Vec<_>>());
    assert!(explanation.result.is_ok());
    let attempt = &explanation.attempts[0];
    let division = &attempt.divisions[0];
    assert_eq!(
        (division.strategy, division.mode, division.amount),
        (Strategy::Aggregated, DivisionMode::ScaleUp, 12)
    );
    let share = |cluster, weight, replicas| Share { cluster, previous: 0, weight, replicas };
    assert_eq!(division.shares, [share("c3", 10, 7), share("c2", 8, 5), share("c1", 0, 0)]);
    let choice = |verdict: &ClusterVerdict<'_>| match verdict.verdict {
        Verdict::Fits(standing) => Some((standing.allocatable, standing.choice)),
        Verdict::Rejected(_) => None,
    };
    let choices: Vec<_> = attempt.clusters.iter().map(choice).collect();
    let chosen = |replicas| Choice::Chosen { replicas };
    assert_eq!(choices, [Some((6, Choice::NoReplicas)), Some((8, chosen(5))), Some((10, chosen(7)))]);
}
