//! Rules that webhook configurations and admission policies share.

use serde_json::{Value, json};

use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::tree;
use crate::validation::FieldErrors;
use crate::validation::path::Path;

/// Admission webhooks and policies are not run here; storing one would promise checks that never happen.
pub(crate) fn validate(new: &Value, _: Option<&Value>, errors: &mut FieldErrors) {
    let kind = tree::str_at(new, "/kind");
    let field = if kind.ends_with("WebhookConfiguration") { "webhooks" } else { "spec" };
    let detail = format!(
        "this API server does not run admission webhooks and policies, so a {kind} would have no effect; check \
         objects with CustomResourceDefinition schemas and roles instead"
    );
    errors.forbidden(&Path::root(field), detail);
}

pub(super) static WEBHOOKS: Table = Table {
    columns: &[NAME, Column::integer("Webhooks", "Number of webhooks."), AGE],
    cells: |source| vec![source.name(), json!(source.list("/webhooks").len()), source.age()],
};
