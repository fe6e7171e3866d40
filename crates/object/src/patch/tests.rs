//! The work of patches grows as their size does.

use serde_json::{Value, json};

use super::*;
use crate::test_schemas;

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix}/{index}")).collect()
}

fn containers(count: usize, image: &str) -> Vec<Value> {
    (0..count).map(|index| json!({"name": format!("c{index}"), "image": image})).collect()
}

fn pod(spec: &Value) -> Value {
    json!({"spec": {"template": {"spec": spec}}})
}

/// A name, and an original and a patch of a size.
type Case = (&'static str, fn(usize) -> (Value, Value));

/// The steps of a strategic merge patch.
fn merge_steps(original: &Value, patch: &Value) -> u64 {
    let work = default_budget();
    let schema = test_schemas::built_in("apps/v1", "Deployment");
    strategic::merge_within(original, patch, schema, &work).unwrap();
    work.spent()
}

#[test]
fn twice_the_patch_takes_twice_the_steps() {
    let cases: [Case; 7] = [
        ("values deleted from a list", |n| {
            let patch = json!({"metadata": {
                "$deleteFromPrimitiveList/finalizers": names("x", n), "finalizers": names("q", n)}});
            (json!({"metadata": {"finalizers": names("q", n)}}), patch)
        }),
        ("an order of values", |n| {
            let patch = json!({"metadata": {
                "$setElementOrder/finalizers": names("q", n), "finalizers": names("q", n)}});
            (json!({"metadata": {"finalizers": names("x", n)}}), patch)
        }),
        ("elements merged by key", |n| {
            (pod(&json!({"containers": containers(n, "a")})), pod(&json!({"containers": containers(n, "b")})))
        }),
        ("elements in an order", |n| {
            let order: Vec<Value> = (0..n).rev().map(|index| json!({"name": format!("c{index}")})).collect();
            (
                pod(&json!({"containers": containers(n, "a")})),
                pod(&json!({"$setElementOrder/containers": order})),
            )
        }),
        ("elements deleted", |n| {
            let deleted: Vec<Value> =
                (0..n).map(|index| json!({"$patch": "delete", "name": format!("c{index}")})).collect();
            (pod(&json!({"containers": containers(n, "a")})), pod(&json!({"containers": deleted})))
        }),
        ("retained keys", |n| {
            let labels: serde_json::Map<String, Value> =
                names("x", n).into_iter().map(|name| (name, "1".into())).collect();
            let patch = json!({"metadata": {"labels": {"$retainKeys": names("x", n)}}});
            (json!({"metadata": {"labels": labels}}), patch)
        }),
        ("labels", |n| {
            let labels: serde_json::Map<String, Value> =
                names("x", n).into_iter().map(|name| (name, "1".into())).collect();
            (json!({}), json!({"metadata": {"labels": labels}}))
        }),
    ];
    for (name, case) in cases {
        let [small, large] = [1000, 2000].map(|size| {
            let (original, patch) = case(size);
            merge_steps(&original, &patch)
        });
        assert!(large <= small * 5 / 2, "{name}: {small} steps, then {large}");
    }
}

#[test]
fn a_list_that_is_merged_again_and_again_is_too_much() {
    let ports =
        |count: usize| -> Vec<Value> { (1..=count).map(|port| json!({"containerPort": port})).collect() };
    let original = pod(&json!({"containers": [{"name": "a", "ports": ports(5000)}]}));
    let repeated = vec![json!({"name": "a", "ports": [{"containerPort": 1}]}); 5000];
    let work = default_budget();
    let schema = test_schemas::built_in("apps/v1", "Deployment");
    let merged = strategic::merge_within(&original, &pod(&json!({"containers": repeated})), schema, &work);
    assert_eq!(merged, Err(PatchError::TooMuchWork { limit: WORK_LIMIT }));
}

#[test]
fn insertions_at_the_front_count_the_elements_that_move() {
    let insert = |operations: usize, length: usize| {
        let document = json!({"list": vec![1; length]});
        let operations = vec![json!({"op": "add", "path": "/list/0", "value": 0}); operations];
        json_patch_within(&document, &Value::from(operations), &default_budget()).map(drop)
    };
    assert_eq!(insert(10_000, 1000), Ok(()));
    assert_eq!(insert(10_000, 200_000), Err(PatchError::TooMuchWork { limit: WORK_LIMIT }));
}
