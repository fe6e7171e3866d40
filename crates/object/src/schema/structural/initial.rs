//! Checks the defaults that a schema declares: they must validate, and hold nothing that pruning would drop.

use serde_json::Value;

use super::super::{prune, validate};
use super::Structural;
use super::props::Props;
use crate::schema::{NodeId, Shape};
use crate::status::FieldError;

/// All defaults that cannot be used, with the path of each in the definition.
pub(super) fn check(structural: &Structural, schema: Props<'_>, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    check_node(structural, structural.root, schema, path, &mut errors);
    errors
}

fn check_node(
    structural: &Structural,
    id: NodeId,
    schema: Props<'_>,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    let view = structural.set.view(id);
    if let Some(default) = schema.get("default") {
        check_default(structural, id, default, &format!("{path}.default"), errors);
    }
    match (&view.node().shape, schema.schema("items")) {
        (Shape::Array(items), Some(part)) => {
            check_node(structural, *items, part, &format!("{path}.items"), errors)
        }
        (Shape::Object(properties), _) => {
            for (name, part) in schema.named("properties") {
                let Some(property) = properties.get(name.as_str()) else { continue };
                check_node(structural, *property, part, &format!("{path}.properties[{name}]"), errors);
            }
        }
        // Upstream does not follow additionalProperties either.
        _ => {}
    }
}

fn check_default(
    structural: &Structural,
    id: NodeId,
    default: &Value,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    let view = structural.set.view(id);
    let mut pruned = default.clone();
    prune::prune_part(&mut pruned, view);
    if pruned != *default {
        errors.push(FieldError::invalid(path, default, "must not have unknown fields"));
    }
    errors.extend(validate::validate_at(default, view, path));
}
