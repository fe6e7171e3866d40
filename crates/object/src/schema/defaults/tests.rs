use serde_json::json;

use super::*;
use crate::builtin;
use crate::key::GroupVersionKind;
use crate::schema::structural;

#[test]
fn absent_values_are_filled_in_and_null_is_absent() {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "replicas": {"type": "integer", "default": 1},
        "nested": {"type": "object", "default": {}, "properties": {"mode": {"type": "string", "default": "auto"}}},
        "plain": {"type": "string"},
        "nullable": {"type": "string", "nullable": true, "default": "x"},
        "list": {"type": "array", "items": {"type": "object", "properties": {"port": {"type": "integer", "default": 80}}}},
        "map": {"type": "object", "additionalProperties": {"type": "object", "properties": {"on": {"type": "boolean", "default": true}}}},
    }}}});
    let compiled = structural::compile(&schema, "").expect("structural");
    let cases = [
        ("absent", json!({}), json!({"replicas": 1, "nested": {"mode": "auto"}, "nullable": "x"})),
        (
            "null",
            json!({"replicas": null, "plain": null, "nullable": null, "nested": {"mode": null}}),
            json!({"replicas": 1, "nested": {"mode": "auto"}, "nullable": null}),
        ),
        (
            "given",
            json!({"replicas": 0, "nested": {"mode": ""}, "nullable": "y", "list": [{}, {"port": 1}], "map": {"a": {}}}),
            json!({"replicas": 0, "nested": {"mode": ""}, "nullable": "y", "list": [{"port": 80}, {"port": 1}], "map": {"a": {"on": true}}}),
        ),
    ];
    for (name, spec, want) in cases {
        let mut value = json!({"spec": spec});
        default(&mut value, compiled.schema());
        assert_eq!(value, json!({"spec": want}), "{name}");
    }
}

#[test]
fn built_in_kinds_get_what_go_prints() {
    let schema = builtin::schema(&GroupVersionKind::new("", "v1", "Service")).expect("built in");
    let mut value = json!({"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}});
    default(&mut value, schema);
    let want = json!({
        "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80, "protocol": "TCP"}]}, "status": {"loadBalancer": {}},
    });
    assert_eq!(value, want);
}
