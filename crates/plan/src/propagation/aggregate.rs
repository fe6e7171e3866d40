//! Aggregating: the status of a template from the reports of all members.
//!
//! Where Karmada's result is a defect (the `observedGeneration` of a StatefulSet never advances) Portolan's differs, and
//! `docs/differences.md` lists it.

use portolan_object::Object;
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

#[cfg(test)]
mod convergence;
#[cfg(test)]
mod tests;
