//! Combines the statuses of members, and reads single fields.

use portolan_object::Object;
use serde_json::{Map, Value, json};

use crate::propagation::interpreter::Report;
use crate::propagation::interpreter::counters::{observe_generation, statuses};

/// How the fields of a workload's status are combined; `observedGeneration` follows the members.
pub(super) struct Fields {
    /// Summed, zero if no member reports any.
    pub(super) sums: &'static [&'static str],
    /// The value of the last member that has one; the template's if none has.
    pub(super) last: &'static [&'static str],
}

impl Fields {
    pub(super) fn combine(&self, template: &Object, status: Value, reports: &[Report]) -> Value {
        let mut status = map(status);
        sum(&mut status, reports, self.sums);
        last(&mut status, reports, self.last);
        let mut status = Value::Object(status);
        observe_generation(template, &mut status, reports);
        status
    }
}

/// Sets the sums of counters, zero included.
pub(super) fn sum(status: &mut Map<String, Value>, reports: &[Report], counters: &[&str]) {
    for counter in counters {
        let sum: i64 = statuses(reports).map(|report| number(report, &[counter])).sum();
        status.insert((*counter).to_owned(), json!(sum));
    }
}

/// Sets the values of the last members that have them. An empty text counts as missing.
pub(super) fn last(status: &mut Map<String, Value>, reports: &[Report], fields: &[&str]) {
    for field in fields {
        if let Some(value) = statuses(reports).filter_map(|report| present(report, field)).last() {
            status.insert((*field).to_owned(), value.clone());
        }
    }
}

/// Sets the value of the first member that has it.
pub(super) fn first(status: &mut Map<String, Value>, reports: &[Report], fields: &[&str]) {
    for field in fields {
        if let Some(value) = statuses(reports).find_map(|report| present(report, field)) {
            status.insert((*field).to_owned(), value.clone());
        }
    }
}

/// Sets the earliest time.
pub(super) fn earliest(status: &mut Map<String, Value>, reports: &[Report], field: &str) {
    let times = statuses(reports).map(|report| text(report, &[field])).filter(|time| !time.is_empty());
    if let Some(time) = times.min() {
        status.insert(field.to_owned(), json!(time));
    }
}

/// Sets the latest time.
pub(super) fn latest(status: &mut Map<String, Value>, reports: &[Report], field: &str) {
    let time = statuses(reports).map(|report| text(report, &[field])).max().unwrap_or_default();
    if !time.is_empty() {
        status.insert(field.to_owned(), json!(time));
    }
}

fn present<'a>(report: &'a Value, field: &str) -> Option<&'a Value> {
    report.get(field).filter(|value| !value.is_null() && value.as_str() != Some(""))
}

/// The conditions of all members. Those that agree in type, status and reason are one, with the message of each cluster.
pub(super) fn merge_conditions(reports: &[Report]) -> Vec<Value> {
    let mut merged: Vec<Value> = Vec::new();
    for report in reports {
        for condition in conditions(report.status.as_ref().unwrap_or(&Value::Null)) {
            let message = format!("{}={}", report.cluster, text(condition, &["message"]));
            let is_same = |one: &&mut Value| {
                ["type", "status", "reason"].iter().all(|field| one.get(field) == condition.get(field))
            };
            match merged.iter_mut().find(is_same) {
                Some(same) => {
                    same["message"] = json!(format!("{}, {message}", text(same, &["message"])));
                }
                None => {
                    let mut condition = condition.clone();
                    condition["message"] = json!(message);
                    merged.push(condition);
                }
            }
        }
    }
    merged
}

/// The newest condition of each type, by type.
pub(super) fn newest_conditions(reports: &[Report], time: impl Fn(&Value) -> String) -> Vec<Value> {
    let mut newest: std::collections::BTreeMap<String, &Value> = Default::default();
    for condition in statuses(reports).flat_map(conditions) {
        let kind = text(condition, &["type"]).to_owned();
        let is_newer = newest.get(&kind).is_none_or(|known| time(condition) > time(known));
        if is_newer {
            newest.insert(kind, condition);
        }
    }
    newest.into_values().cloned().collect()
}

/// The conditions of a status.
pub(super) fn conditions(status: &Value) -> &[Value] {
    status.get("conditions").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The true condition of a type.
pub(super) fn true_condition<'a>(status: &'a Value, kind: &str) -> Option<&'a Value> {
    let is_it = |one: &&Value| text(one, &["type"]) == kind && text(one, &["status"]) == "True";
    conditions(status).iter().find(is_it)
}

/// A condition as the aggregation writes it.
pub(super) fn condition(kind: &str, reason: &str, message: &str, time: &str) -> Value {
    let mut condition = json!({ "type": kind, "status": "True", "reason": reason, "message": message });
    if !time.is_empty() {
        condition["lastTransitionTime"] = json!(time);
    }
    condition
}

/// The status of an object; `null` if it has none.
pub(super) fn status_of(object: &Object) -> &Value {
    object.at(&["status"]).unwrap_or(&Value::Null)
}

/// A text; empty if there is none.
pub(super) fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number; zero if there is none.
pub(super) fn number(value: &Value, path: &[&str]) -> i64 {
    optional_number(value, path).unwrap_or_default()
}

/// A whole number, also if it is written as a text.
pub(super) fn optional_number(value: &Value, path: &[&str]) -> Option<i64> {
    match at(value, path)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// The value at a path.
pub(super) fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name)).filter(|value| !value.is_null())
}

/// The fields of a status.
pub(super) fn map(status: Value) -> Map<String, Value> {
    match status {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The status of the only member, which needs no combination.
pub(super) fn only(reports: &[Report]) -> Option<Value> {
    match reports {
        [one] => Some(one.status.clone().unwrap_or_else(|| json!({}))),
        _ => None,
    }
}

/// A value without empty maps, lists and texts, and without zeros.
pub(super) fn without_empty(value: Value) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            let kept: Map<String, Value> =
                fields.into_iter().filter_map(|(name, value)| Some((name, without_empty(value)?))).collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) => {
            let kept: Vec<Value> = items.into_iter().filter_map(without_empty).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        Value::String(text) => (!text.is_empty() && text != "0s").then_some(Value::String(text)),
        Value::Number(number) => (number.as_f64() != Some(0.0)).then_some(Value::Number(number)),
        Value::Null => None,
        Value::Bool(flag) => Some(Value::Bool(flag)),
    }
}
