//! Validation of the rules of roles and cluster roles.

use serde_json::Value;

use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

pub(crate) fn validate(role: &Value, is_namespaced: bool, errors: &mut FieldErrors) {
    let list = Path::root("rules");
    for (index, rule) in tree::list(role, "/rules").iter().enumerate() {
        let at = list.index(index);
        let is_empty = |field: &str| tree::list(rule, field).is_empty();
        if is_empty("/verbs") {
            errors.required(&at.child("verbs"), "verbs must contain at least one value");
        }
        if !is_empty("/nonResourceURLs") {
            let urls = rule["nonResourceURLs"].clone();
            let path = at.child("nonResourceURLs");
            if is_namespaced {
                errors.invalid(&path, urls.clone(), "namespaced rules cannot apply to non-resource URLs");
            }
            if !(is_empty("/apiGroups") && is_empty("/resources") && is_empty("/resourceNames")) {
                let detail = "rules cannot apply to both regular resources and non-resource URLs";
                errors.invalid(&path, urls, detail);
            }
            continue;
        }
        if is_empty("/apiGroups") {
            errors.required(&at.child("apiGroups"), "resource rules must supply at least one api group");
        }
        if is_empty("/resources") {
            errors.required(&at.child("resources"), "resource rules must supply at least one resource");
        }
    }
}
