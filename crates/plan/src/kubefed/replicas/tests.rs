//! The vectors of KubeFed's planner.

use portolan_api::kubefed::{ClusterPreferences, ReplicaSchedulingPreferenceSpec};

use super::*;

const KEY: &str = "test-ns/test-deployment";

/// Each cluster as `A`, with what is known as in `C30` (current) or `C10` (capacity).
fn numbers(text: &str) -> BTreeMap<String, i64> {
    let number = |word: &str| {
        let (name, number) = word.split_at(1);
        (name.to_owned(), number.parse().expect("a number"))
    };
    text.split_whitespace().map(number).collect()
}

/// Preferences as in `*: w1 min4, A: max6`.
fn preferences(text: &str) -> BTreeMap<String, ClusterPreferences> {
    let one = |entry: &str| {
        let (name, values) = entry.split_once(':').expect("a colon");
        let mut preferences = ClusterPreferences::default();
        for value in values.split_whitespace() {
            let split = value.find(|letter: char| letter.is_ascii_digit()).expect("a number");
            let number = value[split..].parse().expect("a number");
            match &value[..split] {
                "w" => preferences.weight = number,
                "min" => preferences.min_replicas = number,
                "max" => preferences.max_replicas = Some(number),
                other => panic!("{other}"),
            }
        }
        (name.trim().to_owned(), preferences)
    };
    text.split(',').map(one).collect()
}

/// One vector: total, clusters, preferences, current, capacity, rebalance, key, replicas, overflow.
type Vector = (
    i32,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    bool,
    &'static str,
    &'static str,
    &'static str,
);

fn planned(vector: &Vector) -> (BTreeMap<String, i64>, BTreeMap<String, i64>) {
    let (total, clusters, preferred, current, capacity, rebalance, key, ..) = *vector;
    let spec = ReplicaSchedulingPreferenceSpec {
        total_replicas: total,
        rebalance,
        clusters: preferences(preferred),
        ..ReplicaSchedulingPreferenceSpec::default()
    };
    let (current, capacity) = (numbers(current), numbers(capacity));
    let observed =
        |name: &str| Observed { current: current.get(name).copied(), capacity: capacity.get(name).copied() };
    let clusters = clusters.split_whitespace().map(|name| (name.to_owned(), observed(name))).collect();
    let plan = plan(&spec, &clusters, key);
    (plan.replicas, plan.overflow)
}

#[test]
fn replicas_are_divided_as_kubefed_divides_them() {
    let vectors: &[Vector] = &[
        (9, "A B C", "*: w1", "", "", false, KEY, "A3 B3 C3", ""),
        (10, "A B C", "*: w1", "", "", false, KEY, "A4 B4 C2", ""),
        (50, "A B C", "*: w1", "", "", false, "", "A16 B17 C17", ""),
        (1, "A B C D", "*: w1", "", "", false, "", "A0 B0 C0 D1", ""),
        (9, "A B C", "A: w1, B: w2", "", "", false, "", "A3 B6 C0", ""),
        (9, "A B C", "A: min4 max6 w1, B: min4 max8 w2", "", "", false, "", "A4 B5 C0", ""),
        (50, "A B C", "*: w1, C: max20 w1", "", "", false, KEY, "A17 B17 C16", ""),
        (50, "A B C", "*: w1, C: max10 w1", "", "", false, KEY, "A20 B20 C10", ""),
        (60, "A B C", "A: w1, B: w2", "", "", false, "", "A20 B40 C0", ""),
        (50, "A B C", "A: w10000, B: w1", "", "", false, "", "A50 B0 C0", ""),
        (
            91,
            "A B C D E",
            "A: w10000 max10, B: w1, C: w1 max21, D: w1 max10, E: w1",
            "",
            "",
            false,
            "",
            "A10 B25 C21 D10 E25",
            "",
        ),
        (50, "A B C", "*: min20 w0", "", "", false, "", "A10 B20 C20", ""),
        (50, "A B C", "*: min10 max12 w1", "", "", false, "", "A12 B12 C12", ""),
        (5, "A B C", "*: min3 w1", "", "", false, KEY, "A2 B3 C0", ""),
        (50, "A B C", "*: w1", "C30", "", false, "", "A10 B10 C30", ""),
        (15, "A B", "*: w1", "A0 B8", "", false, "", "A7 B8", ""),
        (50, "A B", "*: w1", "A10 B70", "", false, "", "A0 B50", ""),
        (9, "A B", "*: w1", "A3 B3", "", false, KEY, "A4 B5", ""),
        (9, "A B C", "*: w1", "A5 B4", "", false, KEY, "A5 B4 C0", ""),
        (9, "A B C", "*: w1", "A5 B4", "", true, KEY, "A3 B3 C3", ""),
        (50, "A B C", "*: w1", "", "C10", true, "", "A20 B20 C10", "C7"),
        (60, "A B C", "A: w1, B: w2", "", "B10", true, "", "A50 B10 C0", "B30"),
        (60, "A B C", "A: w1, B: w1", "", "A10 B10", false, "", "A10 B10 C0", "A20 B20"),
        (60, "A B C", "A: w1, B: w5", "", "B10", false, "", "A50 B10 C0", ""),
        (
            71,
            "A B C D",
            "A: w10000 max10, B: w1, C: w1 max21, D: w1 max10",
            "",
            "C10",
            true,
            "",
            "A10 B41 C10 D10",
            "C11",
        ),
    ];
    for (number, vector) in vectors.iter().enumerate() {
        let want = (numbers(vector.7), numbers(vector.8));
        assert_eq!(planned(vector), want, "vector {}: {vector:?}", number + 1);
    }
}

#[test]
fn names_of_any_length_count() {
    let two = |first: i64, second: i64| {
        let weight = |weight| ClusterPreferences { weight, ..ClusterPreferences::default() };
        let clusters = [("cluster1".to_owned(), weight(2)), ("cluster2".to_owned(), weight(3))];
        let spec = ReplicaSchedulingPreferenceSpec {
            total_replicas: 10,
            rebalance: true,
            clusters: clusters.into(),
            ..ReplicaSchedulingPreferenceSpec::default()
        };
        let observed =
            |name: &str, current| (name.to_owned(), Observed { current: Some(current), capacity: None });
        let clusters = [observed("cluster1", first), observed("cluster2", second)].into();
        plan(&spec, &clusters, "test-namespace/test-deployment").written()
    };
    let want = BTreeMap::from([("cluster1".to_owned(), 4), ("cluster2".to_owned(), 6)]);
    assert_eq!(two(0, 0), want);
    assert_eq!(two(9, 1), want, "rebalanced");
}

#[test]
fn without_preferences_all_clusters_are_alike_and_extreme_numbers_end() {
    let clusters: BTreeMap<String, Observed> =
        ["A", "B"].into_iter().map(|name| (name.to_owned(), Observed::default())).collect();
    let spec =
        ReplicaSchedulingPreferenceSpec { total_replicas: 4, ..ReplicaSchedulingPreferenceSpec::default() };
    assert_eq!(plan(&spec, &clusters, "").written(), numbers("A2 B2"));
    let extreme =
        ClusterPreferences { min_replicas: i64::MAX, max_replicas: Some(i64::MIN), weight: i64::MAX };
    let spec = ReplicaSchedulingPreferenceSpec {
        total_replicas: i32::MAX,
        clusters: BTreeMap::from([("*".to_owned(), extreme)]),
        ..ReplicaSchedulingPreferenceSpec::default()
    };
    let _ends = plan(&spec, &clusters, "");
}
