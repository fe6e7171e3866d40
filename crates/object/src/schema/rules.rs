//! Validation rules in CEL (`x-kubernetes-validations`).
//!
//! The API server compiles the rules of a schema once and evaluates them on every write, after `validate` found
//! nothing that [`super::validate::blocks_rules`]. A rule that the library cannot compile or evaluate refuses
//! nothing: it becomes a warning, so that a definition that a real cluster accepts works here, too.
//!
//! Work is bounded twice, with the numbers of kube-apiserver: a definition is refused when the estimated cost of its
//! rules is too high, and evaluation ends when an object has cost too much.

mod compiling;
mod report;
mod total_cost;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::correlation::OldElements;
use super::findings::Findings;
use super::path::Path;
use super::{ListKind, NodeId, Schema};
use crate::budget::{Budget, Interrupt};
use crate::cel::{Key, Program, Regexes, Value as CelValue, absent, present};
use crate::status::FieldError;

pub use compiling::{Compilation, compile};
pub(crate) use values::plain;

#[cfg(test)]
mod cost_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod type_tests;

/// Cost that all rules on one object may cause, in units of CEL (`RuntimeCELCostBudget` in
/// k8s.io/apiserver/pkg/apis/cel/config.go): about a second.
pub const OBJECT_COST_LIMIT: u64 = 10_000_000;

/// The compiled rules of one schema.
#[derive(Debug, Default)]
pub struct Rules {
    by_node: BTreeMap<NodeId, Vec<Rule>>,
    /// Nodes at or above a rule; others are not visited.
    reached: BTreeSet<NodeId>,
}

/// Errors and warnings of rules about an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evaluation {
    /// Rules that do not hold.
    pub errors: Vec<FieldError>,
    /// Rules that could not be evaluated, and rules broken by values that were so before.
    pub warnings: Vec<String>,
    /// What evaluation cost, in units of CEL.
    pub cost: u64,
}

#[derive(Debug)]
struct Rule {
    program: Program,
    uses_old: bool,
    old_is_optional: bool,
    /// The reported text: the message, or the rule itself.
    message: String,
    /// The message or the rule, as errors of evaluation name it.
    name: String,
    message_expression: Option<Program>,
    reason: Reason,
    field_path: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Reason {
    Invalid,
    Forbidden,
    Required,
    Duplicate,
}

impl Rules {
    /// Whether there is nothing to evaluate.
    pub fn is_empty(&self) -> bool {
        self.by_node.is_empty()
    }

    /// Evaluates all rules of the schema that they were compiled from.
    ///
    /// `old` is the object that is replaced, if any; rules on `oldSelf` are skipped where there is no old value.
    /// Evaluation ends with an error at [`OBJECT_COST_LIMIT`] and when the interrupt is set.
    pub fn evaluate(
        &self,
        value: &Value,
        old: Option<&Value>,
        schema: Schema<'_>,
        interrupt: &Interrupt,
    ) -> Evaluation {
        let mut pass = Pass {
            rules: self,
            path: Path::default(),
            budget: Budget::new(OBJECT_COST_LIMIT, interrupt),
            regexes: Regexes::default(),
            findings: Findings::default(),
            warnings: Vec::new(),
        };
        pass.visit(value, old, schema, None);
        Evaluation { cost: pass.budget.spent(), errors: pass.findings.into_errors(), warnings: pass.warnings }
    }
}

struct Pass<'r> {
    rules: &'r Rules,
    path: Path,
    budget: Budget,
    regexes: Regexes,
    findings: Findings,
    warnings: Vec<String>,
}

/// A value and its old counterpart as rules see them. They are converted once, at the outermost rule.
#[derive(Clone)]
struct Seen {
    current: CelValue,
    previous: Option<CelValue>,
}

impl Seen {
    fn convert(value: &Value, old: Option<&Value>, schema: Schema<'_>) -> Self {
        let previous = old.map(|old| values::convert(old, schema));
        Self { current: values::convert(value, schema), previous }
    }

    /// What rules on a property or entry see.
    fn entry(&self, name: &str, schema: Schema<'_>) -> Option<Self> {
        let key = Key::from(values::visible_name(name, schema));
        let of = |value: &CelValue| match value {
            CelValue::Map(map) => map.map.get(&key).cloned(),
            _ => None,
        };
        Some(Self { current: of(&self.current)?, previous: self.previous.as_ref().and_then(of) })
    }

    /// What rules on an element see. The elements of a set have other positions here, so they are converted again.
    fn element(&self, position: usize, old: Option<usize>, kind: &ListKind) -> Option<Self> {
        let of = |value: &CelValue, position: usize| match value {
            CelValue::List(list) if *kind != ListKind::Set => list.get(position).cloned(),
            _ => None,
        };
        let previous = old.and_then(|old| of(self.previous.as_ref()?, old));
        Some(Self { current: of(&self.current, position)?, previous })
    }
}

impl Pass<'_> {
    fn visit(&mut self, value: &Value, old: Option<&Value>, schema: Schema<'_>, seen: Option<Seen>) {
        if self.findings.is_complete() || value.is_null() || !self.rules.reached.contains(&schema.id()) {
            return;
        }
        let old = old.filter(|old| !old.is_null());
        let mut seen = seen;
        if let Some(rules) = self.rules.by_node.get(&schema.id()) {
            let seen = seen.get_or_insert_with(|| Seen::convert(value, old, schema));
            self.apply(rules, value, old, schema, seen);
        }
        match value {
            Value::Object(map) => {
                for (name, value) in map {
                    let Some(property) = schema.property(name) else { continue };
                    let mark =
                        if schema.is_map() { self.path.enter_key(name) } else { self.path.enter(name) };
                    let inner = seen.as_ref().and_then(|seen| seen.entry(name, schema));
                    self.visit(value, old.and_then(|old| old.get(name)), property, inner);
                    self.path.leave(mark);
                }
            }
            Value::Array(list) => {
                let Some(items) = schema.items() else { return };
                let kind = &schema.node().list;
                let old_elements = OldElements::new(old, kind);
                for (index, element) in list.iter().enumerate() {
                    let mark = self.path.enter_index(index);
                    let position = old_elements.position(element);
                    let inner = seen.as_ref().and_then(|seen| seen.element(index, position, kind));
                    self.visit(element, old_elements.counterpart(element), items, inner);
                    self.path.leave(mark);
                }
            }
            _ => {}
        }
    }

    fn apply(&mut self, rules: &[Rule], value: &Value, old: Option<&Value>, schema: Schema<'_>, seen: &Seen) {
        for rule in rules.iter().filter(|rule| !rule.uses_old || old.is_some() || rule.old_is_optional) {
            if self.findings.is_complete() {
                return;
            }
            let mut variables = vec![("self", seen.current.clone())];
            variables.extend(match (&seen.previous, rule.old_is_optional) {
                (Some(previous), true) => Some(("oldSelf", present(previous.clone()))),
                (None, true) => Some(("oldSelf", absent())),
                (previous, false) => previous.clone().map(|previous| ("oldSelf", previous)),
            });
            match rule.program.evaluate(&variables, &self.budget, &mut self.regexes) {
                Ok(CelValue::Bool(true)) => {}
                Ok(CelValue::Bool(false)) => self.report(rule, &variables, value, old, schema),
                Ok(_) => self.warn_unevaluated(rule, "the result is not a truth value"),
                Err(failure) => self.fail(rule, &failure, schema),
            }
        }
    }
}
