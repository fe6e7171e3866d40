//! The annotation by which an object of Federation v1 chooses its clusters.
//!
//! federation pkg/federation-controller/util/clusterselector/clusterselector.go

use portolan_api::annotations::federation::CLUSTER_SELECTOR;
use portolan_object::Object;
use serde::Deserialize;

/// A requirement on a label of a cluster; all must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    /// Key of the label.
    pub(super) key: String,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
    GreaterThan,
    LessThan,
}

/// The annotation cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// No JSON list of requirements.
    #[error(r#"not a JSON list such as [{{"key":"region","operator":"In","values":["eu"]}}]: {0}"#)]
    Syntax(String),
    /// An unknown operator.
    #[error(
        "unknown operator {operator:?} for the label {key:?}: use In, NotIn, Exists, DoesNotExist, Gt or Lt"
    )]
    Operator {
        /// The label.
        key: String,
        /// The text.
        operator: String,
    },
    /// The operator needs other values.
    #[error("the operator {operator} for the label {key:?} needs {needs}")]
    Values {
        /// The label.
        key: String,
        /// The operator.
        operator: String,
        /// What it needs.
        needs: &'static str,
    },
}

#[derive(Deserialize)]
struct Entry {
    key: String,
    operator: String,
    #[serde(default)]
    values: Vec<String>,
}

/// The requirements of an object; none without the annotation.
///
/// # Errors
/// When the annotation cannot be read.
pub(super) fn selector(template: &Object) -> Result<Vec<Requirement>, SelectorError> {
    let Some(text) = template.annotation(CLUSTER_SELECTOR) else { return Ok(Vec::new()) };
    let entries: Vec<Entry> =
        serde_json::from_str(text).map_err(|error| SelectorError::Syntax(error.to_string()))?;
    entries.into_iter().map(requirement).collect()
}

fn requirement(entry: Entry) -> Result<Requirement, SelectorError> {
    let Entry { key, operator: text, values } = entry;
    let operator = match text.as_str() {
        "in" | "In" | "=" | "==" => Operator::In,
        "notin" | "NotIn" | "!=" => Operator::NotIn,
        "exists" | "Exists" => Operator::Exists,
        "!" | "DoesNotExist" => Operator::DoesNotExist,
        "gt" | "Gt" | ">" => Operator::GreaterThan,
        "lt" | "Lt" | "<" => Operator::LessThan,
        _ => return Err(SelectorError::Operator { key, operator: text }),
    };
    let is_number = |value: &String| value.parse::<i64>().is_ok();
    let needs = match operator {
        Operator::In | Operator::NotIn if values.is_empty() => Some("at least one value"),
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => Some("no values"),
        Operator::GreaterThan | Operator::LessThan if !matches!(&values[..], [one] if is_number(one)) => {
            Some("one whole number as its value")
        }
        _ => None,
    };
    match needs {
        Some(needs) => Err(SelectorError::Values { key, operator: text, needs }),
        None => Ok(Requirement { key, operator, values }),
    }
}

impl Requirement {
    /// Whether a label with this value meets the requirement; `None` is a cluster without the label.
    pub(super) fn matches(&self, value: Option<&str>) -> bool {
        let is_listed = || value.is_some_and(|value| self.values.iter().any(|listed| listed == value));
        let number = |text: &str| text.parse::<i64>().ok();
        let compared = || Some((number(value?)?, number(self.values.first()?)?));
        match self.operator {
            Operator::In => is_listed(),
            Operator::NotIn => !is_listed(),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => compared().is_some_and(|(value, limit)| value > limit),
            Operator::LessThan => compared().is_some_and(|(value, limit)| value < limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Vec<Requirement>, SelectorError> {
        selector(&Object(json!({ "metadata": { "annotations": { CLUSTER_SELECTOR: text } } })))
    }

    #[test]
    fn every_operator_of_federation_v1_is_read() {
        for (operator, values, value, want) in [
            ("in", r#"["eu","us"]"#, Some("eu"), true),
            ("In", r#"["us"]"#, Some("eu"), false),
            ("=", r#"["eu"]"#, Some("eu"), true),
            ("==", r#"["eu"]"#, None, false),
            ("notin", r#"["eu"]"#, None, true),
            ("NotIn", r#"["eu"]"#, Some("eu"), false),
            ("!=", r#"["eu"]"#, Some("us"), true),
            ("exists", "[]", Some(""), true),
            ("Exists", "[]", None, false),
            ("!", "[]", None, true),
            ("DoesNotExist", "[]", Some("x"), false),
            ("gt", r#"["3"]"#, Some("4"), true),
            (">", r#"["3"]"#, Some("3"), false),
            ("Lt", r#"["3"]"#, Some("2"), true),
            ("<", r#"["3"]"#, Some("many"), false),
        ] {
            let text = format!(r#"[{{"key":"k","operator":"{operator}","values":{values}}}]"#);
            let requirements = read(&text).unwrap();
            assert_eq!(requirements[0].matches(value), want, "{text} with {value:?}");
        }
    }

    #[test]
    fn a_selector_that_cannot_be_read_is_an_error() {
        assert_eq!(read("[]"), Ok(Vec::new()));
        for text in [
            "{",
            r#"{"key":"k"}"#,
            r#"[{"key":"k","operator":"near","values":["a"]}]"#,
            r#"[{"key":"k","operator":"in"}]"#,
            r#"[{"key":"k","operator":"exists","values":["a"]}]"#,
            r#"[{"key":"k","operator":"gt","values":["a"]}]"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
