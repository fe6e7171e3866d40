//! The mark of configurations that this API server runs itself, and the rules that only these have to keep.

use portolan_object::expression::Expression;
use serde_json::Value;

use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

/// The annotation of a configuration that this API server runs itself, with the value `true`.
pub(crate) const RUN_HERE: &str = "portolan.dev/run-here";

/// Text about what would go into an audit log.
pub(super) const NO_AUDIT: &str = "nothing goes into the audit log of this API server";

/// Variables of expressions of a policy.
pub(crate) const POLICY_VARIABLES: [&str; 6] =
    ["object", "oldObject", "request", "params", "namespaceObject", "variables"];

/// Variables of match conditions of a webhook.
pub(crate) const WEBHOOK_VARIABLES: [&str; 3] = ["object", "oldObject", "request"];

/// Whether a configuration is one that this API server runs.
pub(crate) fn is_run_here(object: &Value) -> bool {
    tree::map(object, "/metadata/annotations")
        .and_then(|annotations| annotations.get(RUN_HERE))
        .is_some_and(|value| value == "true")
}

/// The warning about a configuration that is only stored.
pub(super) fn warn(object: &Value, _: Option<&Value>) -> Vec<String> {
    if is_run_here(object) {
        return Vec::new();
    }
    let kind = tree::str_at(object, "/kind");
    vec![format!(
        "this API server stores the {kind} and does not run it; a policy can propagate it to clusters that do, and the \
         annotation {RUN_HERE}=true makes this API server run it"
    )]
}

/// Checks an expression of a configuration that is run here.
pub(super) fn check_expression(path: &Path<'_>, source: &str, variables: &[&str], errors: &mut FieldErrors) {
    if let Err(error) = Expression::compile(source, variables) {
        errors.invalid(path, source, error);
    }
}

/// Checks an expression that makes a patch.
pub(super) fn check_patch(path: &Path<'_>, source: &str, errors: &mut FieldErrors) {
    if let Err(error) = Expression::compile_patch(source, &POLICY_VARIABLES) {
        errors.invalid(path, source, error);
    }
}
