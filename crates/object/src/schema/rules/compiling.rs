//! Compiles the rules of a schema, and finds those that cannot work.

use std::sync::Arc;

use serde_json::{Value, json};

use super::total_cost::TotalCost;
use super::{Program, Reason, Rule, Rules, values};
use crate::cel::{Declaration, Declarations, Expected, Mistake, Unparsed, check, estimate};
use crate::schema::structural::Structural;
use crate::schema::{ListKind, NodeId, Schema, Shape, field_path};
use crate::status::{FieldError, FieldErrorKind};

/// Bytes of a rule that are shown in a warning.
const MAX_SHOWN: usize = 200;

/// How often a value without a declaration fits into a request of 3 MiB.
const UNDECLARED_CARDINALITY: u64 = 1 << 20;

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
    let mut compiler = Compiler {
        compilation: Compilation::default(),
        uncorrelated: None,
        declarations: Declarations::default(),
        total_cost: TotalCost::default(),
    };
    compiler.node(structural.schema(), path, Some(1));
    let errors = compiler.total_cost.errors(path);
    compiler.compilation.errors.extend(errors);
    compiler.compilation
}

struct Compiler {
    compilation: Compilation,
    /// The outermost schema below which old and new values cannot be matched.
    uncorrelated: Option<String>,
    declarations: Declarations,
    total_cost: TotalCost,
}

/// What a rule is estimated by.
struct Place {
    declaration: Option<Arc<Declaration>>,
    /// How often the value may occur in an object.
    cardinality: u64,
}

/// What an expression sees, and what it has to result in.
#[derive(Clone, Copy)]
struct Sees<'a> {
    rule: &'a Value,
    place: &'a Place,
    old_is_optional: bool,
    expected: Expected,
}

impl Compiler {
    /// Compiles the rules at and below a node; answers whether there are any. `cardinality` is how often the value may
    /// occur in an object, if the lists and maps around it have limits.
    fn node(&mut self, schema: Schema<'_>, path: &str, cardinality: Option<u64>) -> bool {
        let node = schema.node();
        if node.native.is_some() {
            return false;
        }
        let mut reached = self.rules(schema, path, cardinality);
        let matches_elements = match &node.shape {
            Shape::Array(_) => matches!(node.list, ListKind::Map(_)),
            _ => !node.atomic,
        };
        let is_outermost = !matches_elements && self.uncorrelated.is_none();
        if is_outermost {
            self.uncorrelated = Some(path.to_owned());
        }
        let cardinality = cardinality.and_then(|cardinality| {
            max_elements(schema).map(|elements| cardinality.saturating_mul(elements))
        });
        for (part, part_path) in parts(schema, path) {
            reached |= self.node(part, &part_path, cardinality);
        }
        if is_outermost {
            self.uncorrelated = None;
        }
        if reached {
            self.compilation.rules.reached.insert(schema.id());
        }
        reached
    }

    fn rules(&mut self, schema: Schema<'_>, path: &str, cardinality: Option<u64>) -> bool {
        let Some(checks) = schema.node().checks.as_deref().filter(|checks| !checks.rules.is_empty()) else {
            return false;
        };
        let declaration = self.declarations.of(schema, values::escape);
        let fits =
            declaration.as_ref().map_or(UNDECLARED_CARDINALITY, |declaration| declaration.max_cardinality());
        let place = Place { declaration, cardinality: cardinality.unwrap_or(fits) };
        let mut compiled = Vec::new();
        for (at, rule) in checks.rules.iter().enumerate() {
            compiled.extend(self.rule(rule, &format!("{path}.x-kubernetes-validations[{at}]"), &place));
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

    fn rule(&mut self, rule: &Value, path: &str, place: &Place) -> Option<Rule> {
        let text = |name: &str| rule[name].as_str().map(str::trim).filter(|text| !text.is_empty());
        let source = text("rule")?;
        let old_is_optional = &rule["optionalOldSelf"];
        let sees = Sees { rule, place, old_is_optional: *old_is_optional == true, expected: Expected::Bool };
        let program = self.program(source, &format!("{path}.rule"), sees)?;
        let cost = place.estimate(&program, *old_is_optional == true).saturating_mul(place.cardinality);
        let over_limit = self.total_cost.add(&format!("{path}.rule"), "estimated rule cost", cost);
        self.compilation.errors.extend(over_limit);
        let uses_old = program.mentions("oldSelf");
        if let (true, Some(above)) = (uses_old, &self.uncorrelated) {
            let detail =
                format!("oldSelf cannot be used on the uncorrelatable portion of the schema within {above}");
            self.compilation.errors.push(FieldError::invalid(format!("{path}.rule"), &json!(source), detail));
        }
        if !uses_old && !old_is_optional.is_null() {
            let detail = "may not be set if oldSelf is not used in rule";
            self.compilation.errors.push(FieldError::invalid(
                format!("{path}.optionalOldSelf"),
                old_is_optional,
                detail,
            ));
        }
        let message_expression = text("messageExpression");
        let message_expression = message_expression.and_then(|source| {
            let path = format!("{path}.messageExpression");
            let program = self.program(source, &path, Sees { expected: Expected::String, ..sees })?;
            let cost = place.estimate(&program, *old_is_optional == true);
            let over_limit = self.total_cost.add(&path, "estimated messageExpression cost", cost);
            self.compilation.errors.extend(over_limit);
            Some(program)
        });
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

    /// Compiles an expression; refuses what kube-apiserver refuses, and warns about what it could evaluate.
    fn program(&mut self, source: &str, path: &str, sees: Sees<'_>) -> Option<Program> {
        let prefix = if sees.expected == Expected::Bool { "" } else { "messageExpression " };
        let refusal = match Program::parse(source) {
            Ok(program) => match sees.check(&program) {
                Ok(()) => return Some(program),
                Err(Mistake::Untyped(cause)) => format!("{prefix}compilation failed: {cause}"),
                Err(Mistake::OtherResult) if sees.expected == Expected::Bool => {
                    "cel expression must evaluate to a bool".to_owned()
                }
                Err(Mistake::OtherResult) => "messageExpression must evaluate to a string".to_owned(),
            },
            Err(Unparsed::Syntax(cause)) => format!("{prefix}compilation failed: {cause}"),
            Err(Unparsed::Unsupported(cause)) => {
                let shown: String = source.chars().take(MAX_SHOWN).collect();
                self.compilation.warnings.push(format!("{path}: not enforced: {shown:?}: {cause}"));
                return None;
            }
        };
        let refusal = FieldErrorKind::Invalid(whole(sees.rule), refusal);
        self.compilation.errors.push(FieldError::new(path, refusal));
        None
    }
}

impl Sees<'_> {
    fn check(&self, program: &Program) -> Result<(), Mistake> {
        check(program, self.place.declaration.as_ref(), self.old_is_optional, self.expected)
    }
}

impl Place {
    fn estimate(&self, program: &Program, old_is_optional: bool) -> u64 {
        estimate(program, self.declaration.as_ref(), old_is_optional).max
    }
}

/// A rule as upstream prints it: the Go structure, in the JSON of Go.
fn whole(rule: &Value) -> String {
    let text = |name: &str| json!(rule[name].as_str().unwrap_or_default());
    let printed = format!(
        "{{\"Rule\":{},\"Message\":{},\"MessageExpression\":{},\"Reason\":{},\"FieldPath\":{},\"OptionalOldSelf\":{}}}",
        text("rule"),
        text("message"),
        text("messageExpression"),
        rule["reason"],
        text("fieldPath"),
        rule["optionalOldSelf"]
    );
    printed.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// How many values of each part a value has; `None` without a limit.
fn max_elements(schema: Schema<'_>) -> Option<u64> {
    let checks = schema.node().checks.as_deref();
    match schema.node().shape {
        Shape::Array(_) => checks?.max_items,
        Shape::Map(_) => checks?.max_properties,
        _ => Some(1),
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
