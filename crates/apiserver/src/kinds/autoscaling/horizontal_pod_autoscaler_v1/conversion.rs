//! Autoscalers of `autoscaling/v1`, which know only the CPU target, and of `v2`.
//!
//! Fields that `v1` does not have are kept in annotations, so that a client of `v1` that reads and writes loses
//! nothing.

use serde_json::{Value, json};

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
const CURRENT: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";

pub(crate) fn from_v2(autoscaler: &mut Value) {
    autoscaler["apiVersion"] = json!("autoscaling/v1");
    let metrics = take_list(&mut autoscaler["spec"], "metrics");
    let (cpu, others): (Vec<Value>, Vec<Value>) = metrics.into_iter().partition(is_cpu_utilization);
    if let Some(target) = cpu.first().map(|metric| metric["resource"]["target"]["averageUtilization"].clone())
    {
        autoscaler["spec"]["targetCPUUtilizationPercentage"] = target;
    }
    let current = take_list(&mut autoscaler["status"], "currentMetrics");
    let (cpu, other_current): (Vec<Value>, Vec<Value>) = current.into_iter().partition(is_cpu);
    if let Some(usage) = cpu.first().map(|metric| metric["resource"]["current"]["averageUtilization"].clone())
        && usage.is_number()
    {
        autoscaler["status"]["currentCPUUtilizationPercentage"] = usage;
    }
    let conditions = take_list(&mut autoscaler["status"], "conditions");
    for (annotation, list) in [(METRICS, others), (CURRENT, other_current), (CONDITIONS, conditions)] {
        if !list.is_empty() {
            annotate(autoscaler, annotation, &Value::Array(list));
        }
    }
    let behavior = autoscaler["spec"].as_object_mut().and_then(|spec| spec.remove("behavior"));
    if let Some(behavior) = behavior.filter(|behavior| !behavior.is_null()) {
        annotate(autoscaler, BEHAVIOR, &behavior);
    }
}

pub(crate) fn to_v2(autoscaler: &mut Value) {
    autoscaler["apiVersion"] = json!("autoscaling/v2");
    let mut metrics = Vec::new();
    if let Some(target) = take(&mut autoscaler["spec"], "targetCPUUtilizationPercentage") {
        let target = json!({ "type": "Utilization", "averageUtilization": target });
        metrics.push(json!({ "type": "Resource", "resource": { "name": "cpu", "target": target } }));
    }
    metrics.extend(take_annotated_list(autoscaler, METRICS));
    if !metrics.is_empty() {
        autoscaler["spec"]["metrics"] = Value::Array(metrics);
    }
    let mut current = Vec::new();
    if let Some(usage) = take(&mut autoscaler["status"], "currentCPUUtilizationPercentage") {
        let usage = json!({ "averageUtilization": usage });
        current.push(json!({ "type": "Resource", "resource": { "name": "cpu", "current": usage } }));
    }
    current.extend(take_annotated_list(autoscaler, CURRENT));
    for (member, list) in
        [("currentMetrics", current), ("conditions", take_annotated_list(autoscaler, CONDITIONS))]
    {
        if !list.is_empty() {
            autoscaler["status"][member] = Value::Array(list);
        }
    }
    if let Some(behavior) = take_annotation(autoscaler, BEHAVIOR) {
        autoscaler["spec"]["behavior"] = behavior;
    }
}

fn is_cpu(metric: &Value) -> bool {
    metric["type"] == "Resource" && metric["resource"]["name"] == "cpu"
}

fn is_cpu_utilization(metric: &Value) -> bool {
    is_cpu(metric) && metric["resource"]["target"]["averageUtilization"].is_number()
}

fn take(parent: &mut Value, member: &str) -> Option<Value> {
    parent.as_object_mut()?.remove(member).filter(|value| !value.is_null())
}

fn take_list(parent: &mut Value, member: &str) -> Vec<Value> {
    match take(parent, member) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

fn annotate(object: &mut Value, name: &str, value: &Value) {
    object["metadata"]["annotations"][name] = json!(value.to_string());
}

/// Takes the JSON in an annotation; what is no JSON stays.
fn take_annotation(object: &mut Value, name: &str) -> Option<Value> {
    let metadata = object["metadata"].as_object_mut()?;
    let annotations = metadata.get_mut("annotations")?.as_object_mut()?;
    let parsed = serde_json::from_str(annotations.get(name)?.as_str()?).ok()?;
    annotations.remove(name);
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
    Some(parsed)
}

fn take_annotated_list(object: &mut Value, name: &str) -> Vec<Value> {
    match take_annotation(object, name) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_on_the_way_through_v1() {
        let memory = json!({ "type": "Resource", "resource": {
            "name": "memory", "target": { "type": "AverageValue", "averageValue": "1Gi" } } });
        let cpu = json!({ "type": "Resource", "resource": {
            "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 80 } } });
        let stored = json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": { "name": "h" },
            "spec": { "maxReplicas": 3, "metrics": [cpu, memory], "behavior": { "scaleUp": {} } },
            "status": { "currentReplicas": 1, "conditions": [{ "type": "AbleToScale" }] },
        });
        let mut shown = stored.clone();
        from_v2(&mut shown);
        assert_eq!(shown["spec"]["targetCPUUtilizationPercentage"], 80);
        assert_eq!(shown["apiVersion"], "autoscaling/v1");
        assert!(shown["spec"].get("metrics").is_none());
        to_v2(&mut shown);
        assert_eq!(shown, stored);
    }
}
