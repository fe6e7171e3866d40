//! Label selectors: the parsed form, matching, and reading a `metav1.LabelSelector`.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::{InvalidSelector, label_key_errors, label_value_errors, parse};
use crate::object::Object;
use crate::status::FieldError;

/// Requirements on labels that must all hold; the default has none and selects everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSelector {
    /// `None` selects nothing at all, as an absent `metav1.LabelSelector` does.
    requirements: Option<Vec<Requirement>>,
}

/// One requirement on the label `key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    key: String,
    operator: Operator,
    /// Sorted and without duplicates; empty for the operators that take none.
    values: Vec<String>,
}

/// Comparison of a label's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `key=value`, and `key==value`.
    Equals,
    /// `key!=value`; an absent label matches.
    NotEquals,
    /// `key in (a,b)`.
    In,
    /// `key notin (a,b)`; an absent label matches.
    NotIn,
    /// `key`.
    Exists,
    /// `!key`.
    DoesNotExist,
    /// `key>1`, compared as 64-bit integers.
    GreaterThan,
    /// `key<1`, compared as 64-bit integers.
    LessThan,
}

impl Default for LabelSelector {
    fn default() -> Self {
        Self { requirements: Some(Vec::new()) }
    }
}

impl LabelSelector {
    /// Parses the query form, such as `tier in (web,api),!canary`; the empty text selects everything.
    ///
    /// # Errors
    /// The message is the one that an API server answers with.
    pub fn parse(text: &str) -> Result<Self, InvalidSelector> {
        Ok(Self::from_requirements(parse::requirements(text)?))
    }

    /// Reads a `metav1.LabelSelector`: `null` selects nothing, `{}` everything.
    ///
    /// # Errors
    /// An unknown operator, an invalid key or value, or a member of the wrong type.
    pub fn from_value(value: &Value) -> Result<Self, InvalidSelector> {
        let fields = match value {
            Value::Null => return Ok(Self::nothing()),
            Value::Object(fields) => fields,
            _ => return Err(InvalidSelector("a label selector must be a map".to_owned())),
        };
        let mut requirements = Vec::new();
        for (key, value) in map_of(fields, "matchLabels")?.into_iter().flatten() {
            let value = text_of(value, "matchLabels")?;
            requirements.push(Requirement::new(key.clone(), Operator::Equals, vec![value])?);
        }
        for expression in list_of(fields, "matchExpressions")?.into_iter().flatten() {
            requirements.push(Requirement::from_expression(expression)?);
        }
        Ok(Self::from_requirements(requirements))
    }

    /// Requires each of these labels, which the caller has checked.
    pub fn from_labels(labels: &BTreeMap<String, String>) -> Self {
        let requirement = |(key, value): (&String, &String)| Requirement {
            key: key.clone(),
            operator: Operator::Equals,
            values: vec![value.clone()],
        };
        Self::from_requirements(labels.iter().map(requirement).collect())
    }

    /// Selects no object at all.
    pub fn nothing() -> Self {
        Self { requirements: None }
    }

    /// Whether every object matches.
    pub fn is_everything(&self) -> bool {
        self.requirements.as_ref().is_some_and(Vec::is_empty)
    }

    /// The requirements, sorted by key; none when nothing is selected.
    pub fn requirements(&self) -> &[Requirement] {
        self.requirements.as_deref().unwrap_or_default()
    }

    /// Whether these labels satisfy every requirement.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matches_with(|key| labels.get(key).map(String::as_str))
    }

    /// Whether the object's labels satisfy every requirement.
    pub fn matches_object(&self, object: &Object) -> bool {
        self.matches_with(|key| object.label(key))
    }

    /// Whether the labels that `lookup` finds satisfy every requirement.
    pub fn matches_with<'a>(&self, lookup: impl Fn(&str) -> Option<&'a str>) -> bool {
        let holds = |requirement: &Requirement| requirement.matches(lookup(&requirement.key));
        self.requirements.as_ref().is_some_and(|requirements| requirements.iter().all(holds))
    }

    fn from_requirements(mut requirements: Vec<Requirement>) -> Self {
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Self { requirements: Some(requirements) }
    }
}

impl Requirement {
    /// Builds a requirement after checking key, operator and values against each other.
    ///
    /// # Errors
    /// All errors at once, in the words of an API server.
    pub fn new(key: String, operator: Operator, mut values: Vec<String>) -> Result<Self, InvalidSelector> {
        values.sort();
        values.dedup();
        let mut errors = Vec::new();
        let key_errors = label_key_errors(&key);
        if !key_errors.is_empty() {
            errors.push(FieldError::invalid("key", &Value::from(key.as_str()), key_errors.join("; ")));
        }
        errors.extend(operator.count_error(&values));
        for (index, value) in values.iter().enumerate() {
            if operator.is_ordering() && value.parse::<i64>().is_err() {
                let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
                errors.push(FieldError::invalid(
                    format!("values[{index}]"),
                    &Value::from(value.as_str()),
                    detail,
                ));
            }
        }
        for (index, value) in values.iter().enumerate() {
            let value_errors = label_value_errors(value);
            if !value_errors.is_empty() {
                let field = format!("values[{index}][{key}]");
                errors.push(FieldError::invalid(
                    field,
                    &Value::from(value.as_str()),
                    value_errors.join("; "),
                ));
            }
        }
        match errors.as_slice() {
            [] => Ok(Self { key, operator, values }),
            [error] => Err(InvalidSelector(error.to_string())),
            many => {
                let texts: Vec<String> = many.iter().map(ToString::to_string).collect();
                Err(InvalidSelector(format!("[{}]", texts.join(", "))))
            }
        }
    }

    fn from_expression(expression: &Value) -> Result<Self, InvalidSelector> {
        let Some(fields) = expression.as_object() else {
            return Err(InvalidSelector("matchExpressions must be a list of maps".to_owned()));
        };
        let text = |name: &str| fields.get(name).map_or(Ok(String::new()), |value| text_of(value, name));
        let operator = match text("operator")?.as_str() {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            other => {
                return Err(InvalidSelector(format!("{other:?} is not a valid label selector operator")));
            }
        };
        let values = list_of(fields, "values")?.into_iter().flatten();
        let values = values.map(|value| text_of(value, "values")).collect::<Result<_, _>>()?;
        Self::new(text("key")?, operator, values)
    }

    /// The label that this is about.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The comparison.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The values to compare with, sorted.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// Whether a label with this value, or its absence, satisfies the requirement.
    pub fn matches(&self, label: Option<&str>) -> bool {
        let listed = |label: &str| self.values.binary_search_by(|value| value.as_str().cmp(label)).is_ok();
        match self.operator {
            Operator::Equals | Operator::In => label.is_some_and(listed),
            Operator::NotEquals | Operator::NotIn => !label.is_some_and(listed),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::GreaterThan => self.compare(label, |label, bound| label > bound),
            Operator::LessThan => self.compare(label, |label, bound| label < bound),
        }
    }

    fn compare(&self, label: Option<&str>, holds: fn(i64, i64) -> bool) -> bool {
        let bound = self.values.first().and_then(|value| value.parse().ok());
        label
            .and_then(|label| label.parse().ok())
            .zip(bound)
            .is_some_and(|(label, bound)| holds(label, bound))
    }
}

impl Operator {
    fn is_ordering(self) -> bool {
        matches!(self, Self::GreaterThan | Self::LessThan)
    }

    fn count_error(self, values: &[String]) -> Option<FieldError> {
        let (holds, detail) = match self {
            Self::In | Self::NotIn => {
                (!values.is_empty(), "for 'in', 'notin' operators, values set can't be empty")
            }
            Self::Equals | Self::NotEquals => {
                (values.len() == 1, "exact-match compatibility requires one single value")
            }
            Self::Exists | Self::DoesNotExist => {
                (values.is_empty(), "values set must be empty for exists and does not exist")
            }
            Self::GreaterThan | Self::LessThan => {
                (values.len() == 1, "for 'Gt', 'Lt' operators, exactly one value is required")
            }
        };
        (!holds).then(|| FieldError::invalid("values", &Value::from(values.to_vec()), detail))
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.requirements().iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, values) = (&self.key, self.values.join(","));
        match self.operator {
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
        }
    }
}

fn map_of<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a Map<String, Value>>, InvalidSelector> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => Ok(Some(map)),
        Some(_) => Err(InvalidSelector(format!("{name} must be a map"))),
    }
}

fn list_of<'a>(
    fields: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a Vec<Value>>, InvalidSelector> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(_) => Err(InvalidSelector(format!("{name} must be a list"))),
    }
}

fn text_of(value: &Value, name: &str) -> Result<String, InvalidSelector> {
    value.as_str().map(str::to_owned).ok_or_else(|| InvalidSelector(format!("{name} must hold strings")))
}
