//! Compiles the rules of a schema, and finds those that cannot work.

use serde_json::{Value, json};

use super::{Program, Reason, Rule, Rules};
use crate::schema::structural::Structural;
use crate::schema::{ListKind, NodeId, Schema, Shape, field_path};
use crate::status::FieldError;

/// Longer rules are not compiled. Parser and interpreter recurse, and rules come from users.
const MAX_LENGTH: usize = 10_240;
/// Rules with more operators and brackets than this are not compiled, for the same reason.
const MAX_OPERATORS: usize = 600;

/// The outcome of compiling the rules of a schema.
#[derive(Debug, Default)]
pub struct Compilation {
    /// The rules that will be evaluated.
    pub rules: Rules,
    /// Rules that upstream refuses, too; they refuse the definition.
    pub errors: Vec<FieldError>,
    /// Rules that will not be evaluated.
    pub warnings: Vec<String>,
}

/// Compiles all rules of a schema.
///
/// `path` is where the schema stands in its definition, such as `spec.versions[0].schema.openAPIV3Schema`.
pub fn compile(structural: &Structural, path: &str) -> Compilation {
    let mut compiler = Compiler { compilation: Compilation::default(), uncorrelated: None };
    compiler.node(structural.schema(), path);
    compiler.compilation
}

struct Compiler {
    compilation: Compilation,
    /// The outermost schema below which old and new values cannot be matched.
    uncorrelated: Option<String>,
}

impl Compiler {
    /// Compiles the rules at and below a node; answers whether there are any.
    fn node(&mut self, schema: Schema<'_>, path: &str) -> bool {
        let node = schema.node();
        if node.native.is_some() {
            return false;
        }
        let mut reached = self.rules(schema, path);
        let matches_elements = match &node.shape {
            Shape::Array(_) => matches!(node.list, ListKind::Map(_)),
            _ => !node.atomic,
        };
        let is_outermost = !matches_elements && self.uncorrelated.is_none();
        if is_outermost {
            self.uncorrelated = Some(path.to_owned());
        }
        for (part, part_path) in parts(schema, path) {
            reached |= self.node(part, &part_path);
        }
        if is_outermost {
            self.uncorrelated = None;
        }
        if reached {
            self.compilation.rules.reached.insert(schema.id());
        }
        reached
    }

    fn rules(&mut self, schema: Schema<'_>, path: &str) -> bool {
        let Some(checks) = schema.node().checks.as_deref() else { return false };
        let mut compiled = Vec::new();
        for (at, rule) in checks.rules.iter().enumerate() {
            compiled.extend(self.rule(rule, &format!("{path}.x-kubernetes-validations[{at}]")));
        }
        if compiled.is_empty() {
            return false;
        }
        self.insert(schema.id(), compiled);
        true
    }

    fn insert(&mut self, node: NodeId, rules: Vec<Rule>) {
        self.compilation.rules.by_node.insert(node, rules);
    }

    fn rule(&mut self, rule: &Value, path: &str) -> Option<Rule> {
        let text = |name: &str| rule[name].as_str().map(str::trim).filter(|text| !text.is_empty());
        let source = text("rule")?;
        let program = self.program(source, &format!("{path}.rule"))?;
        let uses_old = program.mentions("oldSelf");
        if let (true, Some(above)) = (uses_old, &self.uncorrelated) {
            let detail =
                format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {above}");
            self.compilation.errors.push(FieldError::invalid(format!("{path}.rule"), &json!(source), detail));
        }
        let old_is_optional = &rule["optionalOldSelf"];
        if !uses_old && !old_is_optional.is_null() {
            let detail = "may not be set if oldSelf is not used in rule";
            self.compilation.errors.push(FieldError::invalid(
                format!("{path}.optionalOldSelf"),
                old_is_optional,
                detail,
            ));
        }
        let message_expression = text("messageExpression");
        let message_expression =
            message_expression.and_then(|source| self.program(source, &format!("{path}.messageExpression")));
        Some(Rule {
            program,
            uses_old,
            old_is_optional: *old_is_optional == true,
            message: text("message").map_or_else(|| format!("failed rule: {source}"), str::to_owned),
            name: text("message").unwrap_or(source).to_owned(),
            message_expression,
            reason: match text("reason") {
                Some("FieldValueForbidden") => Reason::Forbidden,
                Some("FieldValueRequired") => Reason::Required,
                Some("FieldValueDuplicate") => Reason::Duplicate,
                _ => Reason::Invalid,
            },
            field_path: rule["fieldPath"].as_str().and_then(field_path::parse).unwrap_or_default(),
        })
    }

    /// Compiles an expression, or warns that it will have no effect.
    fn program(&mut self, source: &str, path: &str) -> Option<Program> {
        let operators = source.bytes().filter(|byte| b"!-+*/%?.,:<>=&|([{".contains(byte)).count();
        let outcome = if source.len() > MAX_LENGTH || operators > MAX_OPERATORS {
            Err("too long".to_owned())
        } else {
            Program::parse(source)
        };
        outcome
            .map_err(|cause| {
                let cause = cause.lines().next().unwrap_or_default();
                self.compilation.warnings.push(format!("{path}: not enforced: {source:?}: {cause}"));
            })
            .ok()
    }
}

/// The schemas directly below a node, with their paths.
fn parts<'a>(schema: Schema<'a>, path: &str) -> Vec<(Schema<'a>, String)> {
    match &schema.node().shape {
        Shape::Object(properties) => {
            let named = properties.iter().map(|(name, id)| (schema.sibling(*id), name));
            named.map(|(part, name)| (part, format!("{path}.properties[{name}]"))).collect()
        }
        Shape::Map(values) => vec![(schema.sibling(*values), format!("{path}.additionalProperties"))],
        Shape::Array(items) => vec![(schema.sibling(*items), format!("{path}.items"))],
        _ => Vec::new(),
    }
}
