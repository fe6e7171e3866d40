//! Ordinary writes, and what apply does around them.

use serde_json::{Value, json};

use super::{Scope, World};
use crate::test_schemas;

fn custom() -> World {
    World::new(test_schemas::custom(), "ex.io/v1", "Foo", "f1")
}

#[test]
fn a_write_takes_what_it_changes() {
    let mut world = custom();
    world.update(
        "creator",
        json!({"spec": {"text": "a", "map": {"k": "v"}, "list": [{"name": "x", "value": "1"}]}}),
    );
    let x = r#".spec.list[name="x"]"#;
    assert_eq!(
        world.owners(),
        [format!("creator*: .spec .spec.list .spec.map .spec.text {x} {x}.name {x}.value .spec.map.k")]
    );
    world.update("editor", json!({"spec": {"text": "b", "map": {"l": "w"}}}));
    assert_eq!(
        world.owners(),
        [
            format!("creator*: .spec .spec.list .spec.map {x} {x}.name {x}.value .spec.map.k"),
            "editor*: .spec.text .spec.map.l".to_owned(),
        ]
    );
    world.update("remover", json!({"spec": {"text": null, "list": null, "map": null}}));
    assert_eq!(world.owners(), ["creator*: .spec"]);
}

#[test]
fn times_change_with_the_set() {
    let mut world = custom();
    world.update("m", json!({"spec": {"text": "a"}}));
    world.minute = 1;
    world.update("m", json!({"metadata": {"resourceVersion": "7", "generation": 2}}));
    assert_eq!(
        world.at("/metadata/managedFields/0/time"),
        "2026-01-01T00:00:00Z",
        "bookkeeping is not owned"
    );
    world.update("m", json!({"spec": {"number": 1}}));
    assert_eq!(world.at("/metadata/managedFields/0/time"), "2026-01-01T00:01:00Z");
    world.minute = 2;
    world.update("n", json!({"spec": {"number": null}}));
    assert_eq!(world.at("/metadata/managedFields/0/time"), "2026-01-01T00:01:00Z", "a loss is no write");
    world.update("n", json!({"spec": {"text": "b"}}));
    let names: Vec<Value> =
        (0..2).map(|index| world.at(&format!("/metadata/managedFields/{index}/manager"))).collect();
    assert_eq!(names, ["m", "n"], "older first");
}

#[test]
fn clients_may_send_entries_or_leave_them_out() {
    let written = || {
        let mut world = custom();
        world.update("m", json!({"spec": {"text": "a", "number": 1}}));
        world
    };
    let mut world = written();
    world.update("n", json!({"metadata": {"managedFields": null}, "spec": {"number": 2}}));
    assert_eq!(world.owners(), ["m*: .spec .spec.text", "n*: .spec.number"], "left out");

    for reset in [json!([]), json!([{}])] {
        let mut world = written();
        world.update("n", json!({"metadata": {"managedFields": reset}, "spec": {"number": 2}}));
        assert_eq!(world.at("/metadata/managedFields"), Value::Null, "reset");
        world.update("n", json!({"spec": {"number": 3}}));
        assert_eq!(world.at("/metadata/managedFields"), Value::Null, "not tracked any more");
        world.force("a", json!({"spec": {"text": "b"}}));
        assert_eq!(
            world.owners(),
            ["a: .spec.text", "before-first-apply*: .spec .spec.number"],
            "until applied"
        );
    }

    let mut world = written();
    let entry = json!({"manager": "m", "operation": "Apply", "apiVersion": "ex.io/v1", "fieldsType": "FieldsV1",
                       "time": "2026-01-01T02:00:00+02:00", "fieldsV1": {"f:spec": {"f:text": {".": {}}}}});
    world.update("n", json!({"metadata": {"managedFields": [entry]}}));
    assert_eq!(world.owners(), ["m: .spec.text"], "replaced");
    assert_eq!(world.at("/metadata/managedFields/0/time"), "2026-01-01T00:00:00Z");

    for (name, bad) in [("operation", "Eat"), ("apiVersion", ""), ("fieldsType", "FieldsV9")] {
        let mut world = written();
        let mut entry = entry.clone();
        entry[name] = json!(bad);
        world.update("n", json!({"metadata": {"managedFields": [entry]}}));
        assert_eq!(world.owners(), ["m*: .spec .spec.number .spec.text"], "invalid {name}");
    }
}

#[test]
fn status_and_the_rest_are_owned_apart() {
    let mut world = custom();
    world.update("user", json!({"spec": {"text": "a"}, "status": {"phase": "ignored"}}));
    assert_eq!(world.owners(), ["user*: .spec .spec.text"]);
    world.patch_through(
        "controller",
        "status",
        Scope::Status,
        json!({"metadata": {"labels": {"a": "b"}}, "spec": {"text": "ignored"}, "status": {"count": 1}}),
    );
    assert_eq!(world.owners()[0], "controller/status*: .status.count");
    assert_eq!(world.owners()[1], "user*: .spec .spec.text");
    world.apply_status("a", json!({"spec": {"text": "c"}, "status": {"phase": "p"}})).unwrap();
    assert_eq!(world.owners()[0], "a/status: .status.phase");
    assert_eq!(world.at("/spec/text"), "ignored", "apply through status leaves the rest alone");
    world.apply("b", json!({"spec": {"number": 1}, "status": {"phase": "q"}}));
    assert_eq!(world.at("/status/phase"), "p", "apply of the rest leaves the status alone");
    assert!(world.owners().contains(&"b: .spec.number".to_owned()));
}

#[test]
fn entries_through_a_subresource_are_not_the_clients() {
    let mut world = custom();
    world.update("user", json!({"spec": {"text": "a"}}));
    let patch = json!({"metadata": {"managedFields": []}, "status": {"count": 1}});
    world.patch_through("controller", "status", Scope::Status, patch);
    assert_eq!(world.owners(), ["controller/status*: .status .status.count", "user*: .spec .spec.text"]);
}

#[test]
fn old_entries_are_merged_above_ten() {
    let mut world = custom();
    for index in 0..14 {
        world.minute = index;
        world.update(&format!("m{index:02}"), json!({"spec": {"map": {format!("k{index:02}"): "v"}}}));
    }
    let owners = world.owners();
    assert_eq!(owners.len(), 10);
    assert_eq!(
        owners[0],
        "ancient-changes*: .spec .spec.map .spec.map.k00 .spec.map.k01 .spec.map.k02 .spec.map.k03 .spec.map.k04"
    );
    assert_eq!(world.at("/metadata/managedFields/0/time"), "2026-01-01T00:04:00Z");
    assert_eq!(owners[9], "m13*: .spec.map.k13");
    world.apply("applier", json!({"spec": {"text": "x"}}));
    assert_eq!(world.owners().len(), 11, "appliers do not count");
}

#[test]
fn what_a_patch_no_longer_says_goes() {
    let mut world = custom();
    world.apply(
        "m",
        json!({"spec": {"list": [{"name": "a", "value": "1"}, {"name": "b"}], "map": {"k": "v"}, "text": "t"}}),
    );
    world.update("n", json!({"spec": {"map": {"l": "w"}}}));
    world.update("n", json!({"spec": {"list": [{"name": "a", "value": "2"}, {"name": "b"}]}}));
    world.apply("m", json!({"spec": {"text": "t"}}));
    assert_eq!(
        world.at("/spec"),
        json!({"text": "t", "map": {"l": "w"}}),
        "element a is m's, though not its value"
    );
    world.apply("m", json!({}));
    assert_eq!(world.at("/spec"), json!({"map": {"l": "w"}}));
}

#[test]
fn lists_keep_the_order_of_the_patch() {
    let names =
        |list: &[&str]| Value::from(list.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>());
    let cases: [(&[&str], &[&str], &[&str]); 7] = [
        (&["a", "b"], &["c"], &["a", "b", "c"]),
        (&["a", "b"], &["b", "a"], &["b", "a"]),
        (&["a", "b", "c"], &["c", "a"], &["b", "c", "a"]),
        (&["a", "b", "c"], &["b"], &["a", "b", "c"]),
        (&["a", "b"], &["x", "a", "y", "b"], &["x", "a", "y", "b"]),
        (&["a", "b", "c"], &["x", "b"], &["a", "x", "b", "c"]),
        (&[], &["a"], &["a"]),
    ];
    for (live, patch, want) in cases {
        let mut world = custom();
        world.update("m", json!({"spec": {"list": names(live)}}));
        world.apply("n", json!({"spec": {"list": names(patch)}}));
        assert_eq!(world.at("/spec/list"), names(want), "{live:?} + {patch:?}");
    }
}

#[test]
fn unknown_schemas_are_deduced() {
    let mut world = custom();
    world.apply("m", json!({"spec": {"any": {"a": {"b": 1}, "l": [1, 2]}}}));
    world.apply("n", json!({"spec": {"any": {"a": {"c": 2}}}}));
    assert_eq!(world.at("/spec/any"), json!({"a": {"b": 1, "c": 2}, "l": [1, 2]}));
    assert_eq!(world.owners(), ["m: .spec.any.a .spec.any.l .spec.any.a.b", "n: .spec.any.a .spec.any.a.c",]);
}
