//! Patches and entries that are as hostile as a client can make them.

use super::*;
use crate::test_schemas;

fn writer<'a>(manager: &'a str, now: &'a str) -> Writer<'a> {
    Writer { manager, subresource: "", scope: Scope::Whole, now }
}

/// Takes minutes if each change is looked for in each entry.
#[test]
fn thousands_of_entries_and_thousands_of_changes_do_not_multiply() {
    let schema = test_schemas::built_in("v1", "ConfigMap");
    let entries: Vec<Value> = (0..20_000)
        .map(|index| {
            json!({"manager": "m", "operation": "Update", "apiVersion": format!("v{index}"),
                "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {format!("f:k{index}"): {}}}})
        })
        .collect();
    let data: serde_json::Map<String, Value> =
        (0..20_000).map(|index| (format!("k{index}"), "x".into())).collect();
    let old = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"managedFields": entries}});
    let mut new = old.clone();
    new["data"] = Value::Object(data);
    update(Some(&old), &mut new, schema, writer("w", "2026-01-01T00:00:00Z"));
    assert_eq!(
        new["metadata"]["managedFields"].as_array().map(Vec::len),
        Some(1),
        "all fields are the writer's"
    );
}

#[test]
fn the_errors_of_a_patch_are_not_much_longer_than_the_patch() {
    let schema = test_schemas::built_in("v1", "Pod");
    let duplicates = vec![json!({"name": "x".repeat(10_000)}); 1000];
    let patch = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"containers": duplicates}});
    let refused = apply(None, &patch, schema, writer("w", "2026-01-01T00:00:00Z"), OnConflict::Fail);
    let text = refused.unwrap_err().to_string();
    assert!(text.len() < 2 << 20, "{} bytes", text.len());
}
