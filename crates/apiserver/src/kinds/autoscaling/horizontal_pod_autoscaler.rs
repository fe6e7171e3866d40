//! Horizontal pod autoscalers of `autoscaling/v2`, the version that is stored.

pub(super) mod validation;

use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::table::cells::{Row, scalar, shortened};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NAME_AND_NAMESPACE, NO_DELETION_STATE,
    NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule, Subresource, quantities, status,
};
use crate::tree;
use crate::tree::{child, child_if_present, children, default};

/// Share of the requested processor time that pods should use, in percent.
const PROCESSOR_TARGET: i64 = 80;

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
        .singular("horizontalpodautoscaler")
        .namespaced()
        .short(&["hpa"])
        .category(&["all"])
        .subresources(&[Subresource::status("HorizontalPodAutoscaler")]),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(prepare_for_create),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validation::validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: NotNeeded(NAME_AND_NAMESPACE),
    conversion: NotNeeded(ONE_FORM),
};

pub(crate) fn defaults(object: &mut Map<String, Value>) {
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
                quantities::canonical_field(target, "value");
                quantities::canonical_field(target, "averageValue");
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

pub(crate) fn prepare_for_create(object: &mut Value) {
    if tree::str_at(object, "/apiVersion") == "autoscaling/v1" {
        status::counts(object, &["currentReplicas", "desiredReplicas"]);
    } else {
        status::counts(object, &["desiredReplicas"]);
    }
}

pub(crate) static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Reference", "Workload that is scaled."),
        Column::string("Targets", "Measured and wanted value of each metric."),
        Column::string("MinPods", "Fewest pods."),
        Column::string("MaxPods", "Most pods."),
        Column::string("Replicas", "Pods at the last look."),
        AGE,
    ],
    cells,
};

fn cells(row: Row<'_>) -> Vec<Value> {
    let target = row.object.pointer("/spec/scaleTargetRef").unwrap_or(&Value::Null);
    let reference = format!("{}/{}", tree::str_at(target, "/kind"), tree::str_at(target, "/name"));
    let least = tree::integer(row.object, "/spec/minReplicas");
    vec![
        row.name(),
        json!(reference),
        json!(metrics(row)),
        json!(least.map_or_else(|| "<unset>".to_owned(), |least| least.to_string())),
        json!(row.integer("/spec/maxReplicas")),
        json!(row.integer("/status/currentReplicas")),
        row.age(),
    ]
}

fn metrics(row: Row<'_>) -> String {
    let current = row.list("/status/currentMetrics");
    let wanted = row.list("/spec/metrics").iter().enumerate();
    let mut cells: Vec<String> = wanted
        .map(|(index, metric)| metric_cell(metric, current.get(index).unwrap_or(&Value::Null)))
        .collect();
    // The first version of the kind knows one metric only.
    if let Some(target) = tree::integer(row.object, "/spec/targetCPUUtilizationPercentage") {
        let current = tree::integer(row.object, "/status/currentCPUUtilizationPercentage");
        let current = current.map_or_else(|| "<unknown>".to_owned(), |current| format!("{current}%"));
        cells.push(format!("cpu: {current}/{target}%"));
    }
    match cells.as_slice() {
        [] => "<none>".to_owned(),
        cells => shortened(cells, 2, ", "),
    }
}

fn metric_cell(metric: &Value, status: &Value) -> String {
    let (field, named) = match tree::str_at(metric, "/type") {
        "External" => ("external", false),
        "Pods" => ("pods", false),
        "Object" => ("object", false),
        "Resource" => ("resource", true),
        "ContainerResource" => ("containerResource", true),
        _ => return "<unknown type>".to_owned(),
    };
    let target = |value: &str| metric.pointer(&format!("/{field}/target/{value}")).map(scalar);
    let current = |value: &str| {
        let found = status.pointer(&format!("/{field}/current/{value}")).map(scalar);
        found.unwrap_or_else(|| "<unknown>".to_owned())
    };
    let average = target("averageValue");
    if named {
        let name = tree::str_at(metric, &format!("/{field}/name"));
        if let Some(average) = average {
            return format!("{name}: {}/{average}", current("averageValue"));
        }
        let wanted =
            target("averageUtilization").map_or_else(|| "<auto>".to_owned(), |value| format!("{value}%"));
        let current = match current("averageUtilization").as_str() {
            "<unknown>" => "<unknown>".to_owned(),
            value => format!("{value}%"),
        };
        return format!("{name}: {current}/{wanted}");
    }
    match average {
        Some(average) if field == "pods" => format!("{}/{average}", current("averageValue")),
        Some(average) => format!("{}/{average} (avg)", current("averageValue")),
        None => format!("{}/{}", current("value"), target("value").unwrap_or_default()),
    }
}
