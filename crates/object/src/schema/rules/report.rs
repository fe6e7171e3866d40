//! What is reported about a rule that does not hold, or that has no value.

use serde_json::Value;

use super::{Pass, Reason, Rule};
use crate::budget::Exhausted;
use crate::cel::{ExecutionError, Failure, Value as CelValue, Variables};
use crate::schema::Schema;
use crate::schema::validate::expected_type;
use crate::status::{FieldError, FieldErrorKind};

/// Longest text of a `messageExpression`; longer ones give way to the message
/// (`MaxEvaluatedMessageExpressionSizeBytes` in k8s.io/apiserver/pkg/apis/cel/config.go).
const MAX_MESSAGE_BYTES: usize = 5 * 1024;

impl Pass<'_> {
    /// A rule does not hold. What was so before is only warned about, unless the rule compares.
    pub(super) fn report(
        &mut self,
        rule: &Rule,
        variables: Variables<'_>,
        value: &Value,
        old: Option<&Value>,
        schema: Schema<'_>,
    ) {
        let detail = self.message(rule, variables);
        let printed = match value {
            Value::Object(_) | Value::Array(_) => String::new(),
            other => other.to_string(),
        };
        let error = match rule.reason {
            Reason::Invalid => FieldErrorKind::Invalid(printed, detail),
            Reason::Forbidden => FieldErrorKind::Forbidden(detail),
            Reason::Required => FieldErrorKind::Required(detail),
            Reason::Duplicate => FieldErrorKind::Duplicate(printed),
        };
        let mut field = self.field();
        if !rule.field_path.is_empty() {
            let relative = rule.field_path.join(".");
            field = if field == "<nil>" { relative } else { format!("{field}.{relative}") };
        }
        let error = FieldError::new(field, error);
        if !rule.uses_old && old == Some(value) {
            self.warn(error.to_string());
        } else {
            self.findings.push(error);
        }
        if let Some(exhausted) = self.budget.exhausted() {
            self.end(exhausted, schema);
        }
    }

    /// The text of the message expression if it has a usable one, or the message.
    fn message(&mut self, rule: &Rule, variables: Variables<'_>) -> String {
        let Some(program) = &rule.message_expression else { return rule.message.clone() };
        match program.evaluate(variables, &self.budget, &mut self.regexes) {
            Ok(CelValue::String(text)) if text.len() <= MAX_MESSAGE_BYTES => match text.trim() {
                "" => rule.message.clone(),
                text if text.contains(['\n', '\r']) => rule.message.clone(),
                text => text.to_owned(),
            },
            _ => rule.message.clone(),
        }
    }

    /// Evaluation failed: by the object's doing, which refuses it, or for want of something in the library.
    pub(super) fn fail(&mut self, rule: &Rule, failure: &Failure, schema: Schema<'_>) {
        let error = match failure {
            Failure::Error(error) => error,
            Failure::CallLimit => {
                let detail = format!(
                    "'operation cancelled: actual cost limit exceeded': no further validation rules will be run \
                     due to call cost exceeds limit for rule: {}",
                    rule.name
                );
                self.findings.push(self.typed_error(schema, detail));
                self.findings.stop();
                return;
            }
            Failure::Exhausted(exhausted) => return self.end(*exhausted, schema),
        };
        let cause = match &**error {
            ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
            ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
            ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
            ExecutionError::Overflow(..) => "integer overflow".to_owned(),
            ExecutionError::IndexOutOfBounds(CelValue::Int(index)) => format!("index out of bounds: {index}"),
            other => return self.warn_unevaluated(rule, &other.to_string()),
        };
        let detail = format!("{cause} evaluating rule: {}", rule.name);
        self.findings.push(self.typed_error(schema, detail));
    }

    /// Nothing more is evaluated.
    fn end(&mut self, exhausted: Exhausted, schema: Schema<'_>) {
        match exhausted {
            Exhausted::Limit { .. } => {
                let detail = "validation failed due to running out of cost budget, no further validation rules \
                              will be run";
                self.findings.push(self.typed_error(schema, detail.to_owned()));
                self.findings.stop();
            }
            Exhausted::Interrupted => self.findings.end_by(exhausted),
        }
    }

    /// An error with the declared type in place of the value, as upstream prints it.
    fn typed_error(&self, schema: Schema<'_>, detail: String) -> FieldError {
        let kind = expected_type(&schema.node().shape).filter(|kind| !kind.contains(','));
        FieldError::invalid(self.field(), &kind.unwrap_or_default().into(), detail)
    }

    pub(super) fn warn_unevaluated(&mut self, rule: &Rule, cause: &str) {
        self.warn(format!("{}: rule not enforced: {:?}: {cause}", self.field(), rule.name));
    }

    fn warn(&mut self, text: String) {
        /// More than these are not read.
        const MAX_WARNINGS: usize = 100;
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(shortened(text));
        }
    }

    fn field(&self) -> String {
        match self.path.as_str() {
            "" => "<nil>".to_owned(),
            path => path.to_owned(),
        }
    }
}

/// Texts of warnings have paths and values, which may be as large as the object.
fn shortened(mut text: String) -> String {
    const MAX_BYTES: usize = 4_000;
    if text.len() > MAX_BYTES {
        let end = (0..=MAX_BYTES).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str("...");
    }
    text
}
