//! Rows of kinds that steer the number of pods: autoscalers, scales, disruption budgets.

use serde_json::{Value, json};

use super::cells::{Source, shortened};
use super::{AGE, Column, NAME, Table};
use crate::tree;

pub(crate) static AUTOSCALER: Table = Table {
    columns: &[
        NAME,
        Column::text("Reference", "Workload that is scaled."),
        Column::text("Targets", "Measured and wanted value of each metric."),
        Column::text("MinPods", "Fewest pods."),
        Column::text("MaxPods", "Most pods."),
        Column::text("Replicas", "Pods at the last look."),
        AGE,
    ],
    cells: autoscaler,
};

pub(crate) static SCALE: Table = Table {
    columns: &[
        Column::text("Name", "Name of the scaled object."),
        Column::integer("Desired", "Pods that should exist."),
        Column::integer("Available", "Pods that exist."),
        AGE,
    ],
    cells: scale,
};

pub(crate) static DISRUPTION_BUDGET: Table = Table {
    columns: &[
        NAME,
        Column::text("Min Available", "Pods that must stay available."),
        Column::text("Max Unavailable", "Pods that may be unavailable."),
        Column::integer("Allowed Disruptions", "Pods that may be disrupted now."),
        AGE,
    ],
    cells: disruption_budget,
};

fn autoscaler(source: Source<'_>) -> Vec<Value> {
    let target = source.object.pointer("/spec/scaleTargetRef").unwrap_or(&Value::Null);
    let reference = format!("{}/{}", tree::text(target, "/kind"), tree::text(target, "/name"));
    let least = tree::integer(source.object, "/spec/minReplicas");
    vec![
        source.name(),
        json!(reference),
        json!(metrics(source)),
        json!(least.map_or_else(|| "<unset>".to_owned(), |least| least.to_string())),
        json!(source.integer("/spec/maxReplicas")),
        json!(source.integer("/status/currentReplicas")),
        source.age(),
    ]
}

fn metrics(source: Source<'_>) -> String {
    let current = source.list("/status/currentMetrics");
    let wanted = source.list("/spec/metrics").iter().enumerate();
    let mut cells: Vec<String> = wanted
        .map(|(index, metric)| metric_cell(metric, current.get(index).unwrap_or(&Value::Null)))
        .collect();
    // The first version of the kind knows one metric only.
    if let Some(target) = tree::integer(source.object, "/spec/targetCPUUtilizationPercentage") {
        let current = tree::integer(source.object, "/status/currentCPUUtilizationPercentage");
        let current = current.map_or_else(|| "<unknown>".to_owned(), |current| format!("{current}%"));
        cells.push(format!("cpu: {current}/{target}%"));
    }
    match cells.as_slice() {
        [] => "<none>".to_owned(),
        cells => shortened(cells, 2, ", "),
    }
}

fn metric_cell(metric: &Value, status: &Value) -> String {
    let (field, named) = match tree::text(metric, "/type") {
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
        let name = tree::text(metric, &format!("/{field}/name"));
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

/// A number or a text as it is written.
fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn scale(source: Source<'_>) -> Vec<Value> {
    vec![
        source.name(),
        json!(source.integer("/spec/replicas")),
        json!(source.integer("/status/replicas")),
        source.age(),
    ]
}

fn disruption_budget(source: Source<'_>) -> Vec<Value> {
    let limit = |pointer| tree::present(source.object, pointer).map_or_else(|| "N/A".to_owned(), scalar);
    vec![
        source.name(),
        json!(limit("/spec/minAvailable")),
        json!(limit("/spec/maxUnavailable")),
        json!(source.integer("/status/disruptionsAllowed")),
        source.age(),
    ]
}
