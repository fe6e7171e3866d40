//! Aggregating: the status of a template from the reports of all members.
//!
//! Where Karmada's result is a defect (the `observedGeneration` of a StatefulSet never advances) Portolan's differs, and
//! `docs/differences.md` lists it.

use portolan_object::Object;
use portolan_object::patch::difference;
use serde_json::{Value, json};

use super::interpreter::{Report, interpreter};

/// Computes the template's new status; `None` when its kind is not aggregated.
///
/// `reports` are sorted by cluster. Fields that no member reports keep the template's value.
pub fn aggregate(template: &Object, reports: &[Report]) -> Option<Value> {
    let aggregate = interpreter(&template.group_version_kind())?.aggregate.custom()?;
    let status = template.at(&["status"]).cloned().unwrap_or_else(|| json!({}));
    aggregate(template, status, reports)
}

/// The merge patch that gives a template an aggregated status; `None` when nothing is to be written.
///
/// It is the difference to the status in `template`, so it is valid for this version of the template only and names it: on
/// any other version it would make a mixture of two statuses.
pub fn status_patch(template: &Object, status: &Value) -> Option<Value> {
    let patch = difference(template.at(&["status"]).unwrap_or(&Value::Null), status);
    let is_empty = patch.as_object().is_none_or(serde_json::Map::is_empty);
    let metadata = json!({ "resourceVersion": template.resource_version() });
    (!is_empty).then(|| json!({ "metadata": metadata, "status": patch }))
}

#[cfg(test)]
mod convergence;
#[cfg(test)]
mod lag;
#[cfg(test)]
mod tests;
