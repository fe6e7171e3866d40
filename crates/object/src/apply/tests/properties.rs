//! Properties that hold for all writes.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{FieldSet, World};
use crate::test_schemas;

fn any_set() -> impl Strategy<Value = FieldSet> {
    let element = prop_oneof![
        "[a-c]".prop_map(|name| format!("f:{name}")),
        "[a-c]".prop_map(|name| format!("v:{}", Value::from(name))),
        (0..3_i64).prop_map(|index| format!("i:{index}")),
        "[a-c]".prop_map(|name| format!("k:{}", json!({ "name": name }))),
    ];
    proptest::collection::vec(proptest::collection::vec(element, 1..4), 0..12).prop_map(|paths| {
        let mut set = FieldSet::default();
        for path in paths {
            set.insert(&path.iter().map(String::as_str).collect::<Vec<_>>());
        }
        set
    })
}

/// A spec of the custom resource with every kind of list and map.
fn any_spec() -> impl Strategy<Value = Value> {
    let names = || proptest::collection::btree_set("[a-d]", 0..4);
    let map = || proptest::collection::btree_map("[a-d]", "[x-y]", 0..4);
    let list =
        proptest::collection::btree_map("[a-d]", proptest::option::of("[x-y]"), 0..4).prop_shuffle_values();
    let optional = |value: Value| proptest::option::of(Just(value));
    (list, names(), names(), map(), map(), optional(json!("t")), optional(json!(1))).prop_map(
        |(list, set, atomic, amap, map, text, number)| {
            let mut spec = Map::new();
            spec.insert("list".to_owned(), list);
            for (name, value) in
                [("set", json!(set)), ("atomic", json!(atomic)), ("amap", json!(amap)), ("map", json!(map))]
            {
                if !(value == json!([]) || value == json!({})) {
                    spec.insert(name.to_owned(), value);
                }
            }
            spec.extend(text.map(|text| ("text".to_owned(), text)));
            spec.extend(number.map(|number| ("number".to_owned(), number)));
            Value::Object(spec)
        },
    )
}

trait ShuffleValues {
    fn prop_shuffle_values(self) -> BoxedStrategy<Value>;
}

impl<S> ShuffleValues for S
where
    S: Strategy<Value = std::collections::BTreeMap<String, Option<String>>> + 'static,
{
    fn prop_shuffle_values(self) -> BoxedStrategy<Value> {
        let elements = self.prop_map(|map| {
            let element = |(name, value): (String, Option<String>)| match value {
                Some(value) => json!({"name": name, "value": value}),
                None => json!({ "name": name }),
            };
            map.into_iter().map(element).collect::<Vec<_>>()
        });
        elements.prop_shuffle().prop_map(Value::from).boxed()
    }
}

proptest! {
    #[test]
    fn a_set_survives_its_text(set in any_set()) {
        let text = set.clone().into_value().to_string();
        let read = FieldSet::parse(&serde_json::from_str(&text).unwrap()).unwrap();
        prop_assert_eq!(&read, &set);
        let mut rebuilt = FieldSet::default();
        for path in set.paths() {
            prop_assert!(set.contains(&path));
            rebuilt.insert(&path);
        }
        prop_assert_eq!(rebuilt, set);
    }

    #[test]
    fn sets_obey_their_laws(a in any_set(), b in any_set()) {
        let mut union = a.clone();
        union.union(&b);
        let mut only_a = a.clone();
        only_a.subtract(&b);
        let both = a.intersection(&b);
        for path in union.paths() {
            let (in_a, in_b) = (a.contains(&path), b.contains(&path));
            prop_assert!(in_a || in_b);
            prop_assert_eq!(only_a.contains(&path), in_a && !in_b);
            prop_assert_eq!(both.contains(&path), in_a && in_b);
        }
        for path in a.paths().into_iter().chain(b.paths()) {
            prop_assert!(union.contains(&path));
        }
        prop_assert!(only_a.intersection(&b).is_empty());
    }

    #[test]
    fn apply_is_idempotent(first in any_spec(), second in any_spec(), third in any_spec()) {
        let mut world = World::new(test_schemas::custom(), "ex.io/v1", "Foo", "f1");
        world.force("m1", json!({ "spec": first }));
        world.update("m2", json!({ "spec": second }));
        world.force("m1", json!({ "spec": third }));
        let once = world.object.clone();
        world.minute = 1;
        world.force("m1", json!({ "spec": third }));
        prop_assert_eq!(world.object, once);
    }

    #[test]
    fn what_is_applied_is_there_and_owned(live in any_spec(), patch in any_spec()) {
        let mut world = World::new(test_schemas::custom(), "ex.io/v1", "Foo", "f1");
        world.update("m1", json!({ "spec": live }));
        world.force("m2", json!({ "spec": patch }));
        for name in ["atomic", "amap", "text", "number"] {
            if let Some(value) = patch.get(name) {
                prop_assert_eq!(&world.at(&format!("/spec/{name}")), value);
            }
        }
        // No other manager has a different value: the same apply without force goes through.
        world.apply("m2", json!({ "spec": patch }));
        // Withdrawing everything leaves nothing of it owned.
        world.apply("m2", json!({}));
        prop_assert!(world.owners().iter().all(|line| !line.starts_with("m2:")));
    }

    #[test]
    fn every_owned_leaf_exists(specs in proptest::collection::vec((0..4_usize, any_spec(), any::<bool>()), 1..8)) {
        let mut world = World::new(test_schemas::custom(), "ex.io/v1", "Foo", "f1");
        for (manager, spec, applies) in specs {
            let manager = format!("m{manager}");
            if applies {
                world.force(&manager, json!({ "spec": spec }));
            } else {
                let mut object = world.object.clone().unwrap_or_else(|| world.identity.clone());
                object["spec"] = spec;
                world.replace(&manager, object);
            }
            let object = world.object.clone().unwrap();
            let all = super::super::root::compare_objects(
                &Value::Null, &object, world.schema, super::Scope::Whole).touched;
            for entry in object["metadata"]["managedFields"].as_array().into_iter().flatten() {
                let set = FieldSet::parse(&entry["fieldsV1"]).unwrap();
                // Like upstream, a container that apply empties and takes away stays owned.
                let may_be_gone = |path: &[&str]| ["f:spec", "f:list", "f:set", "f:map"].contains(path.last().unwrap());
                for path in set.paths().into_iter().filter(|path| !may_be_gone(path)) {
                    prop_assert!(all.contains(&path), "{} owns {:?} of {}", entry["manager"], path, object);
                }
            }
        }
    }
}
