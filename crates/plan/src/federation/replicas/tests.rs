use super::*;

const KEY: &str = "test-ns/test-deployment";

/// `A4-8w1` is a minimum of 4, a maximum of 8 and a weight of 1 for the cluster A.
fn preferences(text: &str, rebalance: bool) -> Preferences {
    let read = |entry: &str| {
        let (name, entry) = entry.split_at(1);
        let (limits, weight) = entry.split_once('w').expect("a weight");
        let (min, max) = limits.split_once('-').unwrap_or((limits, ""));
        let preference = Preference {
            min_replicas: min.parse().unwrap_or_default(),
            max_replicas: max.parse().ok(),
            weight: weight.parse().expect("a number"),
        };
        (name.to_owned(), preference)
    };
    Preferences { rebalance, clusters: text.split_whitespace().map(read).collect() }
}

fn numbers(text: &str) -> BTreeMap<String, i64> {
    let read = |entry: &str| {
        let (name, number) = entry.split_at(1);
        (name.to_owned(), number.parse().expect("a number"))
    };
    text.split_whitespace().map(read).collect()
}

struct Case<'a> {
    total: i64,
    clusters: &'a str,
    preferences: &'a str,
    rebalance: bool,
    current: &'a str,
    capacity: &'a str,
    key: &'a str,
}

impl Case<'_> {
    fn divide(&self) -> Division {
        let (current, capacity) = (numbers(self.current), numbers(self.capacity));
        let names: Vec<String> = self.clusters.chars().map(String::from).collect();
        let candidates: Vec<Candidate<'_>> = names
            .iter()
            .map(|name| Candidate {
                name,
                current: current.get(name).copied().unwrap_or_default(),
                capacity: capacity.get(name).copied(),
            })
            .collect();
        divide(self.total, &preferences(self.preferences, self.rebalance), &candidates, self.key)
    }
}

#[test]
fn replicas_are_divided_as_the_planner_of_federation_v1_does() {
    // Total, clusters, preferences, key, result.
    for (total, clusters, preferences, key, want) in [
        (9, "ABC", "*w1", KEY, "A3 B3 C3"),
        (10, "ABC", "*w1", KEY, "A4 B4 C2"),
        (50, "ABC", "*w1", "", "A16 B17 C17"),
        (1, "ABCD", "*w1", "", "A0 B0 C0 D1"),
        (9, "ABC", "Aw1 Bw2", KEY, "A3 B6 C0"),
        (9, "ABC", "A4-6w1 B4-8w2", KEY, "A4 B5 C0"),
        (50, "ABC", "*w1 C-20w1", KEY, "A17 B17 C16"),
        (50, "ABC", "*w1 C-10w1", KEY, "A20 B20 C10"),
        (60, "ABC", "Aw1 Bw2", "", "A20 B40 C0"),
        (50, "ABC", "Aw10000 Bw1", "", "A50 B0 C0"),
        (91, "ABCDE", "A-10w10000 Bw1 C-21w1 D-10w1 Ew1", "", "A10 B25 C21 D10 E25"),
        (50, "ABC", "*20w0", "", "A10 B20 C20"),
        (50, "ABC", "*10-12w1", "", "A12 B12 C12"),
        (5, "ABC", "*3w1", KEY, "A2 B3 C0"),
    ] {
        let case = Case { total, clusters, preferences, key, rebalance: false, current: "", capacity: "" };
        assert_eq!(case.divide().replicas, numbers(want), "{total} over {clusters} by {preferences}");
    }
}

#[test]
fn replicas_that_run_stay_unless_they_may_be_moved() {
    for (total, clusters, current, rebalance, key, want) in [
        (50, "ABC", "C30", false, "", "A10 B10 C30"),
        (15, "AB", "A0 B8", false, "", "A7 B8"),
        (50, "AB", "A10 B70", false, "", "A0 B50"),
        (9, "AB", "A3 B3", false, KEY, "A4 B5"),
        (9, "ABC", "A5 B4", false, KEY, "A5 B4 C0"),
        (9, "ABC", "A5 B4", true, KEY, "A3 B3 C3"),
    ] {
        let case = Case { total, clusters, preferences: "*w1", key, rebalance, current, capacity: "" };
        assert_eq!(case.divide().replicas, numbers(want), "{total} over {clusters} with {current}");
    }
}

#[test]
fn what_exceeds_the_capacity_is_reported() {
    for (total, clusters, preferences, capacity, rebalance, want, overflow) in [
        (50, "ABC", "*w1", "C10", true, "A20 B20 C10", "C7"),
        (60, "ABC", "Aw1 Bw2", "B10", true, "A50 B10 C0", "B30"),
        (60, "ABC", "Aw1 Bw1", "A10 B10", false, "A10 B10 C0", "A20 B20"),
        (60, "ABC", "Aw1 Bw5", "B10", false, "A50 B10 C0", ""),
        (71, "ABCD", "A-10w10000 Bw1 C-21w1 D-10w1", "C10", true, "A10 B41 C10 D10", "C11"),
    ] {
        let case = Case { total, clusters, preferences, capacity, rebalance, current: "", key: "" };
        let found = case.divide();
        let want = (numbers(want), numbers(overflow));
        assert_eq!((found.replicas, found.overflow), want, "{total} over {clusters} by {preferences}");
    }
}

#[test]
fn numbers_of_users_never_overflow() {
    let case = Case {
        total: i64::from(i32::MAX),
        clusters: "AB",
        preferences: "Aw9223372036854775807 Bw0",
        key: "",
        rebalance: false,
        current: "",
        capacity: "",
    };
    assert_eq!(case.divide().replicas.values().sum::<i64>(), i64::from(i32::MAX));
}
