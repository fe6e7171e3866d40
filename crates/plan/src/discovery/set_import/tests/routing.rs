//! What TrafficPolicies do to the objects of an import.

use proptest::prelude::*;

use super::*;
use crate::discovery::usage::NotUsed;

/// The world with an export of `west`, too.
fn both() -> World {
    let mut world = World::new();
    let ports = json!([{ "name": "http", "port": 80 }]);
    world.exports.push(export("west", "2026-01-02T00:00:00Z", "10.12.0.9", ports));
    world.sources.push(("west", vec![slice("serve-b", "10.20.0.5")]));
    world.run();
    world
}

fn inside(names: &[&str]) -> Option<BTreeSet<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

/// Sources with an EndpointSlice, each with the readiness of its first endpoint.
fn held(world: &World) -> Vec<(String, bool)> {
    let held = world.cluster.slices.values().map(|slice| {
        let source = slice.label(labels::endpoint_slice::SOURCE_CLUSTER).unwrap_or_default();
        (source.to_owned(), slice.0["endpoints"][0]["conditions"]["ready"] == true)
    });
    let mut held: Vec<_> = held.collect();
    held.sort();
    held
}

fn conditions(world: &World) -> String {
    world.cluster.import.as_ref().expect("an import").0["status"]["conditions"].to_string()
}

#[test]
fn an_exporter_outside_the_boundary_has_no_slice_even_if_it_cannot_be_read() {
    let mut world = both();
    world.routing.inside = inside(&["west"]);
    world.run();
    assert_eq!(held(&world), [("west".to_owned(), true)]);

    let mut world = both();
    world.exports.remove(0);
    world.sources.remove(0);
    world.unknown.insert("east".to_owned());
    world.run();
    assert_eq!(held(&world).len(), 2, "last known endpoints stay");
    world.routing.inside = inside(&["west"]);
    world.run();
    assert_eq!(held(&world), [("west".to_owned(), true)]);

    let mut world = both();
    world.control_plane = "second";
    world.routing.inside = inside(&[]);
    world.run();
    assert_eq!(held(&world), [], "also the endpoints of an earlier control plane");
    assert!(
        world.cluster.import.is_some() && conditions(&world).contains("OutsideBoundary"),
        "{}",
        conditions(&world)
    );
}

#[test]
fn a_member_that_does_not_see_the_service_has_nothing_of_it_and_gets_it_back() {
    let mut world = both();
    world.routing.is_hidden = true;
    world.run();
    assert!(
        world.cluster.import.is_none() && world.cluster.derived.is_none() && world.cluster.slices.is_empty()
    );
    world.routing.is_hidden = false;
    world.run();
    assert_eq!(held(&world).len(), 2);
    // What an earlier control plane has left, of an exporter that cannot be read.
    (world.control_plane, world.routing.is_hidden) = ("second", true);
    world.unknown.insert("east".to_owned());
    world.run();
    assert!(
        world.cluster.import.is_none() && world.cluster.derived.is_none() && world.cluster.slices.is_empty()
    );
}

#[test]
fn the_nearer_exporter_is_used_and_the_other_one_is_on_standby() {
    let mut world = both();
    world.routing.tiers = BTreeMap::from([("west".to_owned(), 0), ("east".to_owned(), 1)]);
    world.routing.policy = "near".to_owned();
    world.run();
    assert_eq!(held(&world), [("east".to_owned(), false), ("west".to_owned(), true)]);
    let said = "east is on standby: nearer endpoints are ready (TrafficPolicy near)";
    assert!(conditions(&world).contains(said), "{}", conditions(&world));
    world.sources[1].1[0].0["endpoints"][0]["conditions"]["ready"] = json!(false);
    world.run();
    assert_eq!(held(&world), [("east".to_owned(), true), ("west".to_owned(), false)]);
}

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    /// The endpoints of an exporter become ready, or not.
    Ready(usize, bool),
    /// An exporter gets so many endpoints more.
    Endpoints(usize, usize),
    Withdrawn(&'static str, Option<Usage>),
    /// An exporter cannot be read, or can again.
    Unread(&'static str, bool),
    Boundary(Option<BTreeSet<String>>),
    Tiers(BTreeMap<String, usize>),
    Weights(BTreeMap<String, u32>),
    Hidden(bool),
    /// Another control plane takes the member over.
    ControlPlane(&'static str),
}

fn any_event() -> impl Strategy<Value = Event> {
    let source = || prop::sample::select(vec!["east", "west"]);
    let name = || source().prop_map(str::to_owned);
    let usage = prop::sample::select(vec![None, Some(Usage::Drain), Some(Usage::Withdraw)]);
    prop_oneof![
        (0usize..2, any::<bool>()).prop_map(|(source, ready)| Event::Ready(source, ready)),
        (0usize..2, 1usize..5).prop_map(|(source, count)| Event::Endpoints(source, count)),
        (source(), usage).prop_map(|(source, usage)| Event::Withdrawn(source, usage)),
        (source(), any::<bool>()).prop_map(|(source, unread)| Event::Unread(source, unread)),
        prop::option::of(prop::collection::btree_set(name(), 0..3)).prop_map(Event::Boundary),
        prop::collection::btree_map(name(), 0usize..3, 0..3).prop_map(Event::Tiers),
        prop::collection::btree_map(name(), 0u32..5, 0..3).prop_map(Event::Weights),
        any::<bool>().prop_map(Event::Hidden),
        prop::sample::select(vec!["first", "second"]).prop_map(Event::ControlPlane),
    ]
}

/// The exporters as they are; those that cannot be read are left out of the world.
struct Truth(Vec<(ValidExport, (&'static str, Vec<Object>))>);

fn happen(world: &mut World, truth: &mut Truth, event: Event) {
    match event {
        Event::Ready(source, ready) => {
            for endpoint in truth.0[source].1.1[0].0["endpoints"].as_array_mut().expect("endpoints") {
                endpoint["conditions"]["ready"] = json!(ready);
            }
        }
        Event::Endpoints(source, count) => {
            let endpoints: Vec<Value> = (1..=count)
                .map(|number| json!({ "addresses": [format!("10.{source}.1.{number}")], "conditions": { "ready": true } }))
                .collect();
            truth.0[source].1.1[0].0["endpoints"] = json!(endpoints);
        }
        Event::Withdrawn(source, None) => drop(world.routing.not_used.remove(source)),
        Event::Withdrawn(source, Some(usage)) => {
            let not_used = NotUsed { usage, since: "t0".to_owned(), cause: "it is dead".to_owned() };
            world.routing.not_used.insert(source.to_owned(), not_used);
        }
        Event::Unread(source, true) => drop(world.unknown.insert(source.to_owned())),
        Event::Unread(source, false) => drop(world.unknown.remove(source)),
        Event::Boundary(inside) => world.routing.inside = inside,
        Event::Tiers(tiers) => world.routing.tiers = tiers,
        Event::Weights(weights) => world.routing.weights = weights,
        Event::Hidden(is_hidden) => world.routing.is_hidden = is_hidden,
        Event::ControlPlane(control_plane) => world.control_plane = control_plane,
    }
    let read = truth.0.iter().filter(|(export, _)| !world.unknown.contains(&export.cluster));
    (world.exports, world.sources) = read.cloned().unzip();
}

proptest! {
    #[test]
    fn no_boundary_and_no_limit_is_violated_whatever_happens(events in prop::collection::vec(any_event(), 1..40)) {
        let mut world = both();
        let mut truth = Truth(world.exports.iter().cloned().zip(world.sources.iter().cloned()).collect());
        for event in events {
            happen(&mut world, &mut truth, event.clone());
            // Within one pass: the first plan writes nothing to a source outside, and deletes what is there.
            for action in world.plan() {
                if let SetImportAction::PutSlice(slice) = &action {
                    let source = slice.label(labels::endpoint_slice::SOURCE_CLUSTER).unwrap_or_default();
                    let is_stamp = world.cluster.slices.contains_key(slice.name());
                    prop_assert!(is_stamp || !world.routing.is_outside(source), "{:?}: {:?}", event, slice);
                }
            }
            world.run();
            for (source, _) in held(&world) {
                prop_assert!(!world.routing.is_outside(&source), "{:?}: {:?}", event, held(&world));
            }
            prop_assert!(!world.routing.is_hidden || world.cluster.import.is_none(), "{:?}", event);
        }
    }
}
