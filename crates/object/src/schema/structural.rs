//! Compiles the schema of a custom resource: from `openAPIV3Schema` to a [`SchemaSet`], or to all that is wrong.
//!
//! The API server calls this when a CustomResourceDefinition is written and keeps the result as long as the definition
//! lives. Rules and texts are those of apiextensions-apiserver pkg/apiserver/schema/validation.go. Objects are checked
//! by `validate`, defaulted by `defaults` and pruned by `prune`.

mod build;
mod initial;
mod invariants;
mod keywords;
pub(crate) mod pattern;
mod props;

use serde_json::Value;

use super::{NodeId, Schema, SchemaSet};
use crate::status::FieldError;
use props::Props;

#[cfg(test)]
mod tests;

/// The compiled schema of one version of a custom resource.
#[derive(Debug, Clone)]
pub struct Structural {
    /// All nodes.
    pub set: SchemaSet,
    /// The node of the whole object, with `apiVersion`, `kind` and `metadata` added.
    pub root: NodeId,
    /// Warnings about keywords that are accepted and have no effect, such as unknown formats.
    pub warnings: Vec<String>,
}

impl Structural {
    /// The schema of the whole object.
    pub fn schema(&self) -> Schema<'_> {
        self.set.view(self.root)
    }
}

/// Compiles `openAPIV3Schema`.
///
/// `path` is where the schema stands in its definition, such as `spec.versions[0].schema.openAPIV3Schema`; errors
/// start with it.
///
/// # Errors
/// Everything that keeps the schema from being structural, in the order of upstream.
pub fn compile(schema: &Value, path: &str) -> Result<Structural, Vec<FieldError>> {
    let props = Props(schema);
    let mut errors = Vec::new();
    if props.flag("nullable") {
        errors.push(FieldError::forbidden(format!("{path}.nullable"), "nullable cannot be true at the root"));
    }
    let mut compiled = None;
    if !keywords::has_unsupported(props) {
        let violations = invariants::check(props, path);
        if violations.is_empty() {
            let structural = build::build(props);
            errors.extend(initial::check(&structural, props, path));
            compiled = Some(structural);
        }
        errors.extend(violations);
    }
    errors.extend(keywords::check(props, path));
    match compiled {
        Some(structural) if errors.is_empty() => Ok(structural),
        _ => Err(errors),
    }
}
