//! Checks the defaults that a schema declares: they must validate, and hold nothing that pruning would drop.

use serde_json::Value;

use super::super::{defaults, prune, validate};
use super::Structural;
use super::props::Props;
use crate::budget::{Budget, Interrupt};
use crate::schema::{NodeId, Shape};
use crate::status::FieldError;

/// All defaults that cannot be used, with the path of each in the definition.
pub(super) fn check(structural: &Structural, schema: Props<'_>, path: &str) -> Vec<FieldError> {
    let mut defaults = Defaults {
        structural,
        allowance: defaults::Allowance::default(),
        budget: Budget::new(validate::WORK_LIMIT, &Interrupt::never()),
        errors: Vec::new(),
    };
    defaults.check_node(structural.root, schema, path);
    defaults.errors
}

struct Defaults<'a> {
    structural: &'a Structural,
    /// For the defaults inside of defaults, all together.
    allowance: defaults::Allowance,
    budget: Budget,
    errors: Vec<FieldError>,
}

impl Defaults<'_> {
    fn check_node(&mut self, id: NodeId, schema: Props<'_>, path: &str) {
        let view = self.structural.set.view(id);
        if let Some(default) = schema.get("default") {
            self.check_default(id, default, &format!("{path}.default"));
        }
        match (&view.node().shape, schema.schema("items")) {
            (Shape::Array(items), Some(part)) => self.check_node(*items, part, &format!("{path}.items")),
            (Shape::Object(properties), _) => {
                for (name, part) in schema.named("properties") {
                    let Some(property) = properties.get(name.as_str()) else { continue };
                    self.check_node(*property, part, &format!("{path}.properties[{name}]"));
                }
            }
            // Upstream does not follow additionalProperties either.
            _ => {}
        }
    }

    fn check_default(&mut self, id: NodeId, default: &Value, path: &str) {
        let view = self.structural.set.view(id);
        let mut pruned = default.clone();
        prune::prune_part(&mut pruned, view);
        if pruned != *default {
            self.errors.push(FieldError::invalid(path, default, "must not have unknown fields"));
        }
        if self.allowance.is_sufficient() {
            defaults::default_within(&mut default.clone(), view, &mut self.allowance);
            if !self.allowance.is_sufficient() {
                let detail = format!(
                    "the defaults of the schema, filled into each other, must not take more than {} bytes",
                    defaults::MAX_INSERTED
                );
                self.errors.push(FieldError::forbidden(path, detail));
            }
        }
        self.errors.extend(validate::validate_at(default, view, path, &self.budget));
    }
}
