//! Horizontal pod autoscalers, in both versions.

use serde_json::{Map, Value, json};

use super::pod::quantity;
use crate::tree::{child, child_if_present, children, default};

/// Share of the requested processor time that pods should use, in percent.
const PROCESSOR_TARGET: i64 = 80;

pub(crate) fn autoscaler(object: &mut Map<String, Value>) {
    let version = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let is_first = version == "autoscaling/v1";
    let Some(spec) = child(object, "spec") else { return };
    default(spec, "minReplicas", 1);
    if is_first {
        default(spec, "targetCPUUtilizationPercentage", PROCESSOR_TARGET);
        return;
    }
    if spec.get("metrics").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let target = json!({ "type": "Utilization", "averageUtilization": PROCESSOR_TARGET });
        let metric = json!({ "type": "Resource", "resource": { "name": "cpu", "target": target } });
        spec.insert("metrics".to_owned(), json!([metric]));
    }
    for metric in children(spec, "metrics") {
        for source in ["resource", "containerResource", "pods", "object", "external"] {
            let source = child_if_present(metric, source);
            if let Some(target) = source.and_then(|source| child_if_present(source, "target")) {
                quantity(target, "value");
                quantity(target, "averageValue");
            }
        }
    }
    if let Some(behavior) = child_if_present(spec, "behavior") {
        scale_up(behavior);
        scale_down(behavior);
    }
}

fn scale_up(behavior: &mut Map<String, Value>) {
    let policies = json!([
        { "type": "Pods", "value": 4, "periodSeconds": 15 },
        { "type": "Percent", "value": 100, "periodSeconds": 15 },
    ]);
    if let Some(rules) = child(behavior, "scaleUp") {
        default(rules, "stabilizationWindowSeconds", 0);
        default(rules, "selectPolicy", "Max");
        default(rules, "policies", policies);
    }
}

fn scale_down(behavior: &mut Map<String, Value>) {
    let policies = json!([{ "type": "Percent", "value": 100, "periodSeconds": 15 }]);
    if let Some(rules) = child(behavior, "scaleDown") {
        default(rules, "selectPolicy", "Max");
        default(rules, "policies", policies);
    }
}
