//! Bombs in patches of a ConfigMap.

use http::Method;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::{Bomb, Step, about};
use crate::client::media;

const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

fn target(number: u64) -> String {
    format!("{CONFIG_MAPS}/bomb{number}")
}

fn config_map(number: u64, data: &Value) -> Step {
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("bomb{number}")}, "data": data,
    });
    Step::create(CONFIG_MAPS, object.to_string())
}

fn patch(number: u64, media_type: &'static str, patch: &Value) -> Step {
    Step::new(Method::PATCH, target(number), media_type, patch.to_string())
}

fn texts(prefix: &str, number: usize) -> Vec<String> {
    (0..number).map(|index| format!("{prefix}{index}")).collect()
}

/// Many elements are deleted from many.
pub(super) fn delete_from_primitive_list(random: &mut StdRng, number: u64) -> Bomb {
    let elements = about(random, 60_000);
    let change = json!({"metadata": {
        "$deleteFromPrimitiveList/finalizers": texts("x/", elements),
        "finalizers": texts("q/f", elements),
    }});
    Bomb {
        name: "$deleteFromPrimitiveList",
        before: vec![config_map(number, &json!({})), patch(number, media::STRATEGIC_PATCH, &change)],
        request: patch(number, media::STRATEGIC_PATCH, &change),
    }
}

/// The order of many elements is given, reversed.
pub(super) fn set_element_order(random: &mut StdRng, number: u64) -> Bomb {
    let elements = about(random, 60_000);
    let mut order = texts("q/f", elements);
    order.reverse();
    let change = json!({"metadata": {
        "$setElementOrder/finalizers": order, "finalizers": texts("q/f", elements),
    }});
    Bomb {
        name: "$setElementOrder",
        before: vec![config_map(number, &json!({}))],
        request: patch(number, media::STRATEGIC_PATCH, &change),
    }
}

/// Each copy doubles a value.
pub(super) fn copies(random: &mut StdRng, number: u64) -> Bomb {
    let doublings = random.random_range(20..60);
    let mut operations =
        vec![json!({"op": "add", "path": "/metadata/annotations", "value": {"a": "x".repeat(1000)}})];
    for step in 0..doublings {
        operations.push(json!({"op": "copy", "from": "/metadata/annotations",
            "path": format!("/metadata/annotations/n{step}")}));
    }
    Bomb {
        name: "JSON patch that copies",
        before: vec![config_map(number, &json!({}))],
        request: patch(number, media::JSON_PATCH, &json!(operations)),
    }
}

/// Elements are inserted at the front of a long list.
pub(super) fn inserts(random: &mut StdRng, number: u64) -> Bomb {
    let operations: Vec<Value> = (0..about(random, 9_000))
        .map(|index| json!({"op": "add", "path": "/metadata/finalizers/0", "value": format!("q/f{index}")}))
        .collect();
    let change = json!({"metadata": {"finalizers": texts("q/g", 60_000)}});
    Bomb {
        name: "JSON patch that inserts",
        before: vec![config_map(number, &json!({})), patch(number, media::MERGE_PATCH, &change)],
        request: patch(number, media::JSON_PATCH, &json!(operations)),
    }
}

/// An applied configuration with very many fields.
pub(super) fn managed_fields(random: &mut StdRng, number: u64) -> Bomb {
    let fields = about(random, 40_000);
    let data: serde_json::Map<String, Value> =
        (0..fields).map(|index| (format!("k{index}"), json!("v"))).collect();
    let object = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("bomb{number}")}, "data": data,
    });
    let path = format!("{}?fieldManager=m{number}&force=true", target(number));
    let request = Step::new(Method::PATCH, path, media::APPLY_PATCH, object.to_string());
    Bomb { name: "apply with many fields", before: vec![request.clone()], request }
}
