//! Status counters: picking, summing, and the generations that say whether they are up to date.

use portolan_api::{annotations, labels};
use portolan_object::Object;
use serde_json::{Map, Value, json};

use super::Report;
use crate::propagation::fields;

/// The reports that have a status.
pub(super) fn statuses(reports: &[Report]) -> impl Iterator<Item = &Value> {
    reports.iter().filter_map(|report| report.status.as_ref())
}

/// The named fields of an object's status.
pub(super) fn pick(object: &Object, fields: &[&str]) -> Option<Map<String, Value>> {
    let status = object.at(&["status"])?;
    let present = fields.iter().filter_map(|field| Some(((*field).to_owned(), status.get(field)?.clone())));
    Some(present.collect())
}

/// The named fields of a workload's status, with the generations of the object and of its template.
///
/// [`sum_observed`] compares them to tell whether the member has caught up with the template.
pub(super) fn pick_with_generations(object: &Object, fields: &[&str]) -> Option<Value> {
    let mut status = pick(object, fields)?;
    if object.generation() > 0 {
        status.insert("generation".to_owned(), json!(object.generation()));
    }
    let template =
        object.annotation(annotations::template::GENERATION).and_then(|text| text.parse::<i64>().ok());
    if let Some(generation) = template {
        status.insert("resourceTemplateGeneration".to_owned(), json!(generation));
    }
    Some(Value::Object(status))
}

/// Keeps the member's `spec.replicas` if the template's label says so: an autoscaler of the member writes them.
pub(super) fn retain_replicas(manifest: &mut Object, observed: &Object) {
    if manifest.label(labels::template::RETAIN_REPLICAS) == Some("true") {
        fields::copy(manifest, observed, &["spec", "replicas"]);
    }
}

/// Sums counters into `status`; a sum of zero is left out, as Go's `omitempty` does.
pub(super) fn sum(status: Value, reports: &[Report], counters: &[&str]) -> Value {
    let mut status = match status {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    for counter in counters {
        let sum: i64 = statuses(reports).map(|report| number(report, counter)).sum();
        if sum == 0 {
            status.remove(*counter);
        } else {
            status.insert((*counter).to_owned(), json!(sum));
        }
    }
    Value::Object(status)
}

/// Sums the counters of a workload, and sets `observedGeneration` once every member runs the template's generation.
pub(super) fn sum_observed(template: &Object, status: Value, reports: &[Report], counters: &[&str]) -> Value {
    let mut status = sum(status, reports, counters);
    observe_generation(template, &mut status, reports);
    status
}

/// Sets `observedGeneration` once every member runs the template's generation.
pub(super) fn observe_generation(template: &Object, status: &mut Value, reports: &[Report]) {
    let caught_up = statuses(reports).filter(|report| {
        number(report, "observedGeneration") >= number(report, "generation")
            && number(report, "resourceTemplateGeneration") >= template.generation()
    });
    if caught_up.count() == reports.len() && template.generation() > 0 {
        status["observedGeneration"] = json!(template.generation());
    }
}

fn number(status: &Value, field: &str) -> i64 {
    status.get(field).and_then(Value::as_i64).unwrap_or_default()
}

/// Writes the share of a workload that counts in `spec.replicas`.
pub(super) fn set_spec_replicas(manifest: &mut Object, share: i64) {
    set_in_spec(manifest, "replicas", share);
}

/// Writes a number into `spec`, if there is one.
pub(super) fn set_in_spec(manifest: &mut Object, field: &str, number: i64) {
    if let Some(spec) = manifest.0.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert(field.to_owned(), json!(number));
    }
}
