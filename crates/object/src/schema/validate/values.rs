//! Checks every value against the constraints of its node.

use serde_json::{Map, Number, Value, json};

use super::{expected_type, type_name, wrong_type};
use crate::budget::Budget;
use crate::schema::correlation::OldElements;
use crate::schema::findings::Findings;
use crate::schema::formats::Format;
use crate::schema::path::Path;
use crate::schema::{Checks, NodeId, Schema, Shape};
use crate::status::{FieldError, FieldErrorKind};

/// One pass over an object.
pub(super) struct Values<'p> {
    /// Path of the whole value; only errors about defaults have one.
    prefix: &'p str,
    path: Path,
    errors: Findings,
    /// Schemas that were applied; the alternative of `anyOf` that got furthest is reported.
    applied: usize,
    budget: &'p Budget,
}

impl<'p> Values<'p> {
    pub(super) fn new(prefix: &'p str, budget: &'p Budget) -> Self {
        Self { prefix, path: Path::default(), errors: Findings::default(), applied: 0, budget }
    }

    pub(super) fn into_findings(self) -> Findings {
        self.errors
    }

    /// Checks a value. What equals its `old` counterpart is not checked.
    pub(super) fn check(&mut self, value: &Value, old: Option<&Value>, schema: Schema<'_>) {
        let node = schema.node();
        if node.native.is_some() || old == Some(value) {
            return;
        }
        // When it is used up, one error says so at the end.
        if self.budget.spend(1).is_err() || self.errors.is_complete() {
            return;
        }
        self.applied += 1;
        let checks = node.checks.as_deref();
        self.check_type(value, schema, checks);
        if value.is_null() {
            self.check_enum(value, checks);
            return;
        }
        if let Some(checks) = checks {
            self.check_operators(value, schema, checks);
        }
        match value {
            Value::String(text) => self.check_text(text, checks),
            Value::Number(number) => self.check_number(number, &node.shape, checks),
            Value::Array(list) => self.check_list(list, old, schema, checks),
            _ => {}
        }
        self.check_enum(value, checks);
        if let Value::Object(map) = value {
            self.check_object(map, old, schema, checks);
        }
    }

    fn check_type(&mut self, value: &Value, schema: Schema<'_>, checks: Option<&Checks>) {
        let node = schema.node();
        let (false, Some(expected)) =
            (checks.is_some_and(|checks| checks.untyped), expected_type(&node.shape))
        else {
            return;
        };
        let is_whole = value.as_number().is_some_and(is_whole);
        let fits = match (&node.shape, value) {
            (_, Value::Null) => node.nullable,
            (Shape::Object(_) | Shape::Map(_), Value::Object(_))
            | (Shape::Array(_), Value::Array(_))
            | (Shape::String | Shape::IntOrString, Value::String(_))
            | (Shape::Number, Value::Number(_))
            | (Shape::Boolean, Value::Bool(_)) => true,
            (Shape::Integer | Shape::IntOrString, Value::Number(_)) => is_whole,
            _ => false,
        };
        if fits {
            return;
        }
        let format = checks.and_then(|checks| checks.format.as_deref());
        let (expected, found) = match (format, value) {
            (None, _) | (_, Value::Null | Value::String(_) | Value::Array(_)) => (expected, type_name(value)),
            // Where a format is declared, upstream compares formats instead of types.
            (Some(format), Value::Number(number)) => {
                (format, if number.is_f64() { "float64" } else { "int64" })
            }
            (Some(format), _) => (format, ""),
        };
        let error = wrong_type(self.field(), self.path.as_str(), expected, found);
        self.errors.push(error);
    }

    fn check_text(&mut self, text: &str, checks: Option<&Checks>) {
        let Some(checks) = checks else { return };
        if self.budget.spend_bytes(text.len()).is_err() {
            return;
        }
        let length = text.chars().count() as u64;
        // Only the first of these is reported.
        if let Some(limit) = checks.max_length.filter(|limit| length > *limit) {
            self.errors.push(FieldError::new(self.field(), FieldErrorKind::TooLong(limit)));
        } else if let Some(limit) = checks.min_length.filter(|limit| length < *limit) {
            self.invalid(&json!(text), &format!("should be at least {limit} chars long"));
        } else if let Some(pattern) = checks.pattern.as_ref().filter(|pattern| !pattern.regex.is_match(text))
        {
            self.invalid(&json!(text), &format!("should match '{}'", pattern.source));
        }
        let format = checks.format.as_deref();
        if let Some(format) =
            format.filter(|name| Format::parse(name).is_some_and(|format| !format.matches(text)))
        {
            let error = wrong_type(self.field(), self.path.as_str(), format, text);
            self.errors.push(error);
        }
    }

    fn check_number(&mut self, number: &Number, shape: &Shape, checks: Option<&Checks>) {
        let Some(value) = number.as_f64() else { return };
        if *shape == Shape::Integer {
            let format = checks.and_then(|checks| checks.format.as_deref());
            let fits_32 = value.abs() < f64::from(i32::MAX) + 1.0;
            if !is_whole(number) || (format == Some("int32") && !fits_32) {
                let format =
                    format.map_or("(default format)".to_owned(), |format| format!("with format {format}"));
                let name = self.path.as_str();
                self.composite(format!("Checked value must be of type integer {format} in {name}"));
            }
        }
        let Some(checks) = checks else { return };
        let plain = |limit: f64| if number.is_f64() { go_float(limit) } else { limit.to_string() };
        if let Some(factor) = checks.multiple_of.filter(|factor| (value / factor).fract() != 0.0) {
            self.invalid_number(number, &format!("should be a multiple of {}", plain(factor)));
        }
        match checks.minimum {
            Some((limit, false)) if value < limit => {
                self.invalid_number(number, &format!("should be greater than or equal to {}", plain(limit)));
            }
            Some((limit, true)) if value <= limit => {
                self.invalid_number(number, &format!("should be greater than {}", plain(limit)));
            }
            _ => {}
        }
        match checks.maximum {
            Some((limit, false)) if value > limit => {
                self.invalid_number(number, &format!("should be less than or equal to {}", plain(limit)));
            }
            Some((limit, true)) if value >= limit => {
                self.invalid_number(number, &format!("should be less than {}", plain(limit)));
            }
            _ => {}
        }
    }

    fn check_list(
        &mut self,
        list: &[Value],
        old: Option<&Value>,
        schema: Schema<'_>,
        checks: Option<&Checks>,
    ) {
        if let Some(items) = schema.items() {
            let old_elements = OldElements::new(old, &schema.node().list);
            for (index, element) in list.iter().enumerate() {
                if self.budget.exhausted().is_some() {
                    break;
                }
                let mark = self.path.enter_index(index);
                self.check(element, old_elements.counterpart(element), items);
                self.path.leave(mark);
            }
        }
        let Some(checks) = checks else { return };
        let count = list.len() as u64;
        if let Some(limit) = checks.min_items.filter(|limit| count < *limit) {
            self.invalid(&json!(count), &format!("should have at least {limit} items"));
        }
        if let Some(limit) = checks.max_items.filter(|limit| count > *limit) {
            self.errors.push(FieldError::new(self.field(), FieldErrorKind::TooMany(count, limit)));
        }
    }

    fn check_enum(&mut self, value: &Value, checks: Option<&Checks>) {
        let Some(checks) = checks.filter(|checks| !checks.one_of.is_empty()) else { return };
        if self.budget.spend(checks.one_of.len() as u64).is_err() {
            return;
        }
        let is_same = |allowed: &Value| match (allowed.as_f64(), value.as_f64()) {
            (Some(allowed), Some(value)) => allowed == value,
            _ => allowed == value,
        };
        if !checks.one_of.iter().any(is_same) {
            let texts = checks.one_of.iter().map(|allowed| match allowed {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            let error = FieldErrorKind::NotSupported(value.to_string(), texts.collect());
            self.errors.push(FieldError::new(self.field(), error));
        }
    }

    fn check_object(
        &mut self,
        map: &Map<String, Value>,
        old: Option<&Value>,
        schema: Schema<'_>,
        checks: Option<&Checks>,
    ) {
        let count = map.len() as u64;
        if let Some(limit) = checks.and_then(|checks| checks.min_properties).filter(|limit| count < *limit) {
            self.invalid(&json!(count), &format!("should have at least {limit} properties"));
        }
        if let Some(limit) = checks.and_then(|checks| checks.max_properties).filter(|limit| count > *limit) {
            self.errors.push(FieldError::new(self.field(), FieldErrorKind::TooMany(count, limit)));
        }
        for (name, value) in map {
            let Some(property) = schema.property(name) else { continue };
            if self.budget.exhausted().is_some() {
                break;
            }
            let mark = self.path.enter(name);
            self.check(value, old.and_then(|old| old.get(name)), property);
            self.path.leave(mark);
        }
        for name in schema.node().required.iter().filter(|name| !map.contains_key(&***name)) {
            let mark = self.path.enter(name);
            self.errors.push(FieldError::required(self.field(), ""));
            self.path.leave(mark);
        }
    }

    fn check_operators(&mut self, value: &Value, schema: Schema<'_>, checks: &Checks) {
        let alternatives = [&checks.any_of, &checks.exactly_one_of, &checks.all_of].into_iter().map(Vec::len);
        let alternatives = alternatives.sum::<usize>() + usize::from(checks.not.is_some());
        // Each of them gets a copy of the path, which may be long.
        let copied = self.path.as_str().len().saturating_mul(alternatives);
        if alternatives == 0 || self.budget.spend_bytes(copied).is_err() {
            return;
        }
        let quoted = format!("{:?}", self.path.as_str());
        if !checks.any_of.is_empty() {
            let outcomes = self.outcomes(value, schema, &checks.any_of);
            if !outcomes.iter().any(Outcome::is_valid) {
                self.composite(format!("{quoted} must validate at least one schema (anyOf)"));
                self.blame_best(outcomes);
            }
        }
        if !checks.exactly_one_of.is_empty() {
            let outcomes = self.outcomes(value, schema, &checks.exactly_one_of);
            match outcomes.iter().filter(|outcome| outcome.is_valid()).count() {
                0 => {
                    self.composite(format!(
                        "{quoted} must validate one and only one schema (oneOf). Found none valid"
                    ));
                    self.blame_best(outcomes);
                }
                1 => {}
                valid => self.composite(format!(
                    "{quoted} must validate one and only one schema (oneOf). Found {valid} valid alternatives"
                )),
            }
        }
        if !checks.all_of.is_empty() {
            let outcomes = self.outcomes(value, schema, &checks.all_of);
            let invalid = outcomes.iter().filter(|outcome| !outcome.is_valid()).count();
            let none_validated = invalid == outcomes.len();
            outcomes.into_iter().for_each(|outcome| self.blame(outcome));
            if invalid > 0 {
                let none = if none_validated { ". None validated" } else { "" };
                self.composite(format!("{quoted} must validate all the schemas (allOf){none}"));
            }
        }
        if let Some(not) = checks.not
            && self.outcomes(value, schema, &[not]).iter().any(Outcome::is_valid)
        {
            self.composite(format!("{quoted} must not validate the schema (not)"));
        }
    }

    fn outcomes(&self, value: &Value, schema: Schema<'_>, nested: &[NodeId]) -> Vec<Outcome> {
        let apply = |id: &NodeId| {
            let mut values = Values { path: self.path.clone(), ..Values::new(self.prefix, self.budget) };
            values.check(value, None, schema.sibling(*id));
            Outcome { errors: values.errors.into_errors(), applied: values.applied }
        };
        nested.iter().map(apply).collect()
    }

    /// Reports the alternative that got furthest, the first of several.
    fn blame_best(&mut self, outcomes: Vec<Outcome>) {
        let best = outcomes.into_iter().rev().max_by_key(|outcome| outcome.applied);
        best.into_iter().for_each(|outcome| self.blame(outcome));
    }

    fn blame(&mut self, outcome: Outcome) {
        outcome.errors.into_iter().for_each(|error| self.errors.push(error));
    }

    /// An error with its field only in the text, as upstream words errors about several schemas.
    fn composite(&mut self, detail: String) {
        let field = if self.prefix.is_empty() { "<nil>" } else { self.prefix };
        self.errors.push(FieldError::invalid(field, &json!(""), detail));
    }

    fn invalid(&mut self, value: &Value, detail: &str) {
        let detail = format!("{} in body {detail}", self.path.as_str());
        self.errors.push(FieldError::invalid(self.field(), value, detail));
    }

    fn invalid_number(&mut self, number: &Number, detail: &str) {
        let printed =
            number.as_f64().filter(|_| number.is_f64()).map_or_else(|| number.to_string(), go_float);
        let detail = format!("{} in body {detail}", self.path.as_str());
        self.errors.push(FieldError::new(self.field(), FieldErrorKind::Invalid(printed, detail)));
    }

    fn field(&self) -> String {
        match (self.prefix, self.path.as_str()) {
            ("", "") => "<nil>".to_owned(),
            ("", path) => path.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}.{path}"),
        }
    }
}

/// Errors of one alternative.
struct Outcome {
    errors: Vec<FieldError>,
    applied: usize,
}

impl Outcome {
    fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Whether a number is an integer; beyond 53 bits floating point does not count as such.
fn is_whole(number: &Number) -> bool {
    const MAX_EXACT: f64 = 9_007_199_254_740_991.0;
    number.as_i64().is_some()
        || number.as_f64().is_some_and(|float| float.fract() == 0.0 && float.abs() <= MAX_EXACT)
}

/// A floating-point number as Go prints it: `1e+06` from a million on, `1e-05` below one ten-thousandth.
fn go_float(number: f64) -> String {
    let scientific = format!("{number:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(-4..6) => number.to_string(),
        Ok(exponent) => format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
        Err(_) => scientific,
    }
}
