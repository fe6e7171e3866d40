use proptest::prelude::*;
use serde_json::json;

use super::super::usage::NotUsed;
use super::*;

fn supply_of(of: &[(&str, usize, usize)]) -> BTreeMap<String, Supply> {
    of.iter()
        .map(|(source, ready, total)| ((*source).to_owned(), Supply { ready: *ready, total: *total }))
        .collect()
}

/// What is done with each source, such as `a:Keep b:Part(2)`.
fn text(allotted: &BTreeMap<String, Allotment>) -> String {
    let one = |(source, allotment): (&String, &Allotment)| match allotment.usage {
        Usage::Part => format!("{source}:Part({})", allotment.part),
        usage => format!("{source}:{usage:?}"),
    };
    allotted.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn not_used(of: &[(&str, Usage)]) -> BTreeMap<String, NotUsed> {
    let one = |(source, usage): &(&str, Usage)| {
        (
            (*source).to_owned(),
            NotUsed { usage: *usage, since: "t0".to_owned(), cause: "it is dead".to_owned() },
        )
    };
    of.iter().map(one).collect()
}

fn tiers(of: &[(&str, usize)], minimum: usize) -> Routing {
    let tiers = of.iter().map(|(source, tier)| ((*source).to_owned(), *tier)).collect();
    Routing { tiers, minimum_ready_percent: minimum, ..Routing::default() }
}

#[test]
fn some_endpoint_stays_in_use() {
    use Usage::{Drain, Withdraw};
    let cases = [
        ("another source", vec![("a", 2), ("b", 1)], vec![("a", Withdraw)], "a:Withdraw b:Keep"),
        ("without a ready endpoint", vec![("a", 2), ("b", 0)], vec![("a", Withdraw)], "a:Keep b:Keep"),
        ("both would go", vec![("a", 2), ("b", 3)], vec![("a", Withdraw), ("b", Withdraw)], "a:Keep b:Keep"),
        (
            "a drained one rather than a dead one",
            vec![("a", 2), ("b", 3)],
            vec![("a", Withdraw), ("b", Drain)],
            "a:Withdraw b:Keep",
        ),
        ("nothing is ready", vec![("a", 0), ("b", 0)], vec![("a", Withdraw)], "a:Keep b:Keep"),
    ];
    for (name, ready, unused, want) in cases {
        let supply: Vec<_> = ready.into_iter().map(|(source, ready)| (source, ready, 4)).collect();
        let routing = Routing { not_used: not_used(&unused), ..Routing::default() };
        assert_eq!(text(&allot(&supply_of(&supply), &routing, None)), want, "{name}");
    }
}

#[test]
fn the_next_tier_is_used_when_the_nearer_one_has_too_few_ready_endpoints() {
    let of = [("a", 0), ("b", 1), ("c", 1)];
    let cases = [
        (
            "one is enough",
            0,
            [("a", 1, 4), ("b", 2, 2), ("c", 1, 2), ("d", 9, 9)],
            "a:Keep b:Standby c:Standby d:Standby",
        ),
        (
            "half are asked for",
            50,
            [("a", 2, 4), ("b", 2, 2), ("c", 1, 2), ("d", 9, 9)],
            "a:Keep b:Standby c:Standby d:Standby",
        ),
        (
            "less than half",
            50,
            [("a", 1, 4), ("b", 2, 2), ("c", 1, 2), ("d", 9, 9)],
            "a:Keep b:Keep c:Keep d:Standby",
        ),
        (
            "no tier has enough",
            100,
            [("a", 1, 4), ("b", 1, 2), ("c", 1, 2), ("d", 8, 9)],
            "a:Keep b:Keep c:Keep d:Keep",
        ),
        (
            "none near",
            0,
            [("a", 0, 4), ("b", 0, 2), ("c", 1, 2), ("d", 9, 9)],
            "a:Keep b:Keep c:Keep d:Standby",
        ),
        (
            "only far ones",
            0,
            [("a", 0, 0), ("b", 0, 0), ("c", 0, 2), ("d", 9, 9)],
            "a:Keep b:Keep c:Keep d:Keep",
        ),
    ];
    for (name, minimum, supply, want) in cases {
        assert_eq!(text(&allot(&supply_of(&supply), &tiers(&of, minimum), None)), want, "{name}");
    }
    let mut dead = tiers(&of, 0);
    dead.not_used = not_used(&[("a", Usage::Withdraw)]);
    let supply = supply_of(&[("a", 4, 4), ("b", 1, 2), ("d", 9, 9)]);
    assert_eq!(
        text(&allot(&supply, &dead, None)),
        "a:Withdraw b:Keep d:Standby",
        "a dead cluster is no tier"
    );
    let own = supply_of(&[("b", 1, 1), ("d", 3, 3)]);
    assert_eq!(
        text(&allot(&own, &tiers(&of, 0), Some("d"))),
        "b:Keep d:Keep",
        "own endpoints cannot be left out"
    );
}

#[test]
fn parts_are_as_the_weights_as_far_as_whole_endpoints_can_be() {
    let cases = [
        ("three to one", vec![("a", 4), ("b", 4)], vec![("a", 3)], None, "a:Part(3) b:Part(1)"),
        ("enough of each", vec![("a", 6), ("b", 2)], vec![("a", 3)], None, "a:Keep b:Keep"),
        ("one endpoint each", vec![("a", 1), ("b", 1)], vec![("a", 3)], None, "a:Keep b:Keep"),
        ("none of it", vec![("a", 4), ("b", 4)], vec![("a", 0)], None, "a:Standby b:Keep"),
        ("the others have none", vec![("a", 4), ("b", 0)], vec![("a", 0)], None, "a:Keep b:Keep"),
        ("nine to one", vec![("a", 20), ("b", 20)], vec![("a", 9)], None, "a:Part(18) b:Part(2)"),
        ("a canary", vec![("a", 300), ("b", 100)], vec![("a", 99)], None, "a:Part(297) b:Part(3)"),
        ("own endpoints are all used", vec![("a", 4), ("b", 8)], vec![("b", 3)], Some("a"), "a:Keep b:Keep"),
        ("a part of the others", vec![("a", 4), ("b", 8)], vec![("a", 2)], Some("a"), "a:Keep b:Part(2)"),
    ];
    for (name, ready, weights, fixed, want) in cases {
        let supply: Vec<_> = ready.into_iter().map(|(source, ready)| (source, ready, ready)).collect();
        let weights = weights.into_iter().map(|(source, weight)| (source.to_owned(), weight)).collect();
        let routing = Routing { weights, ..Routing::default() };
        assert_eq!(text(&allot(&supply_of(&supply), &routing, fixed)), want, "{name}");
    }
}

fn slice(source: &str, kind: &str, addresses: &[&str]) -> Object {
    let endpoint = |address: &&str| json!({ "addresses": [address], "conditions": { "ready": true } });
    Object(
        json!({ "metadata": { "name": source, "labels": { "multicluster.kubernetes.io/source-cluster": source } },
        "addressType": kind, "endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>() }),
    )
}

fn used(slices: &[Object]) -> Vec<String> {
    let views = slices.iter().map(|slice| EndpointSlice::read(slice).expect("a slice"));
    let ready = views.flat_map(|view| view.endpoints).filter(|endpoint| endpoint.is_ready());
    ready.map(|endpoint| endpoint.addresses[0].to_owned()).collect()
}

#[test]
fn the_chosen_endpoints_stay_while_others_come_and_go() {
    let addresses: Vec<String> = (1..=8).map(|number| format!("10.0.0.{number}")).collect();
    let all: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let part =
        |part, ready| BTreeMap::from([("a".to_owned(), Allotment { usage: Usage::Part, part, ready })]);
    let chosen = |all: &[&str], half: &BTreeMap<String, Allotment>| {
        let (one, other) = all.split_at(all.len() / 2);
        let mut slices =
            [slice("a", "IPv4", one), slice("a", "IPv4", other), slice("b", "IPv4", &["10.9.9.9"])];
        set_usages(&mut slices, half, None);
        used(&slices)
    };
    let four = chosen(&all, &part(4, 8));
    assert_eq!(four.len(), 5, "four of a, and the one of b: {four:?}");
    let fewer: Vec<&str> = all.iter().copied().filter(|address| *address != four[0]).collect();
    let after = chosen(&fewer, &part(4, 7));
    assert_eq!(four.iter().filter(|address| !after.contains(address)).count(), 1, "{four:?} {after:?}");

    let mut both =
        [slice("a", "IPv4", &all), slice("a", "IPv6", &["fd00::1", "fd00::2", "fd00::3", "fd00::4"])];
    set_usages(&mut both, &part(6, 12), None);
    assert_eq!(used(&both).len(), 6, "of each family the same share");
    let once = both.clone();
    set_usages(&mut both, &part(6, 12), None);
    assert_eq!(both, once, "again changes nothing");
}

fn any_routing() -> impl Strategy<Value = Routing> {
    let names = || prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(str::to_owned);
    let usages = prop::sample::select(vec![Usage::Drain, Usage::Withdraw]);
    let unused = prop::collection::btree_map(names(), usages, 0..4);
    let tiers = prop::collection::btree_map(names(), 0usize..3, 0..4);
    let weights = prop::collection::btree_map(names(), 0u32..5, 0..4);
    (unused, tiers, weights, 0usize..=100, prop::option::of(prop::collection::btree_set(names(), 0..4)))
        .prop_map(|(unused, tiers, weights, minimum_ready_percent, inside)| {
            let cause = |usage| NotUsed { usage, since: String::new(), cause: String::new() };
            let not_used = unused.into_iter().map(|(source, usage)| (source, cause(usage))).collect();
            Routing { not_used, inside, tiers, weights, minimum_ready_percent, ..Routing::default() }
        })
}

proptest! {
    #[test]
    fn whatever_happens_nothing_outside_is_used_and_something_inside_is(
        ready in prop::collection::btree_map(
            prop::sample::select(vec!["a", "b", "c", "d"]).prop_map(str::to_owned), (0usize..9, 0usize..3), 0..5),
        routing in any_routing(),
    ) {
        let supply: BTreeMap<String, Supply> = ready
            .into_iter()
            .map(|(source, (ready, more))| (source, Supply { ready, total: ready + more }))
            .collect();
        let allotted = allot(&supply, &routing, None);
        prop_assert!(allotted.keys().all(|source| !routing.is_outside(source)), "{:?}", allotted);
        let gets_traffic = |allotment: &Allotment| match allotment.usage {
            Usage::Keep => allotment.ready > 0,
            Usage::Part => (1..allotment.ready).contains(&allotment.part),
            _ => false,
        };
        let can = supply.iter().any(|(source, supply)| supply.ready > 0 && !routing.is_outside(source));
        prop_assert_eq!(can, allotted.values().any(gets_traffic), "{:?}", allotted);
    }
}
