//! Warnings about Remedies. Karmada has no webhook for them, so nothing is refused.

use serde_json::Value;

use super::typed;
use crate::remedy::{Remedy, TRAFFIC_CONTROL};

/// What the author of a remedy should know about its actions.
pub(super) fn warnings(object: &Value) -> Vec<String> {
    let Some(remedy) = typed::<Remedy>(object) else { return Vec::new() };
    let mut warnings = Vec::new();
    for action in &remedy.spec.actions {
        let known = if action == TRAFFIC_CONTROL { "" } else { "unknown " };
        warnings.push(format!(
            "spec.actions: the {known}action {action} appears in status.remedyActions of the clusters; Portolan itself does \
             nothing about it"
        ));
    }
    if remedy.spec.actions.is_empty() {
        warnings.push("spec.actions: a remedy without actions has no effect".to_owned());
    }
    warnings
}
