//! Scale subresource of custom resources: paths of replicas and selector, and their validation.
//!
//! # Source
//! The scale subresource of apiextensions-apiserver, pkg/registry/customresource/etcd.go.

use portolan_object::FieldError;
use portolan_object::patch::go_text;
use serde_json::{Value, json};

/// Largest number of replicas.
const MOST: i64 = i32::MAX as i64;

/// Paths of the scale subresource, as JSON pointers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    /// `specReplicasPath`.
    pub replicas: String,
    /// `statusReplicasPath`.
    pub status_replicas: String,
    /// `labelSelectorPath`.
    pub selector: Option<String>,
}

impl Scale {
    /// Reads the subresource of a version, if it is there.
    pub(super) fn parse(scale: &Value) -> Option<Self> {
        let pointer = |member: &str| {
            let path = scale[member].as_str().filter(|path| !path.is_empty())?;
            Some(path.replace('.', "/"))
        };
        Some(Self {
            replicas: pointer("specReplicasPath")?,
            status_replicas: pointer("statusReplicasPath")?,
            selector: pointer("labelSelectorPath"),
        })
    }

    /// The path of the wanted replicas as the definition says it.
    pub(crate) fn replicas_path(&self) -> String {
        path(&self.replicas)
    }

    /// Validates `spec` replicas.
    pub(super) fn spec_errors(&self, object: &Value) -> Vec<FieldError> {
        check_count(object, &self.replicas).into_iter().collect()
    }

    /// Validates `status` replicas and selector.
    pub(super) fn status_errors(&self, object: &Value) -> Vec<FieldError> {
        let selector = self.selector.as_ref().and_then(|pointer| match find(object, pointer) {
            Ok(None | Some(Value::String(_))) => None,
            Ok(Some(other)) => Some(refuse(pointer, &json!(""), mismatch(pointer, other, "string"))),
            Err(detail) => Some(refuse(pointer, &json!(""), detail)),
        });
        check_count(object, &self.status_replicas).into_iter().chain(selector).collect()
    }
}

fn check_count(object: &Value, pointer: &str) -> Option<FieldError> {
    let value = match find(object, pointer) {
        Ok(value) => value?,
        Err(detail) => return Some(refuse(pointer, &json!(0), detail)),
    };
    match value.as_i64() {
        None => Some(refuse(pointer, &json!(0), mismatch(pointer, value, "int64"))),
        Some(count) if count < 0 => {
            Some(refuse(pointer, value, "should be a non-negative integer".to_owned()))
        }
        Some(count) if count > MOST => {
            Some(refuse(pointer, value, format!("should be less than or equal to {MOST}")))
        }
        Some(_) => None,
    }
}

/// The value at a pointer, or why there can be none.
fn find<'v>(object: &'v Value, pointer: &str) -> Result<Option<&'v Value>, String> {
    let mut value = object;
    let mut seen = String::new();
    for name in pointer.split('/').skip(1) {
        seen = format!("{seen}.{name}");
        value = match value {
            Value::Object(map) => match map.get(name) {
                Some(value) => value,
                None => return Ok(None),
            },
            Value::Null => return Ok(None),
            other => return Err(mismatch_at(&seen, other, "map[string]interface{}")),
        };
    }
    Ok(Some(value))
}

fn mismatch(pointer: &str, value: &Value, wanted: &str) -> String {
    mismatch_at(&path(pointer), value, wanted)
}

fn mismatch_at(path: &str, value: &Value, wanted: &str) -> String {
    let found = match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    format!("{path} accessor error: {} is of the type {found}, expected {wanted}", go_text(value))
}

fn refuse(pointer: &str, value: &Value, detail: String) -> FieldError {
    FieldError::invalid(path(pointer), value, detail)
}

/// `.spec.replicas` from `/spec/replicas`.
fn path(pointer: &str) -> String {
    pointer.replace('/', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale() -> Scale {
        let paths = json!({ "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector" });
        Scale::parse(&paths).unwrap()
    }

    #[test]
    fn replicas_are_counted() {
        let cases = [
            ("absent", json!({}), None),
            ("a count", json!({ "spec": { "replicas": 3 } }), None),
            ("negative", json!({ "spec": { "replicas": -1 } }), Some("-1: should be a non-negative integer")),
            (
                "too many",
                json!({ "spec": { "replicas": 3_000_000_000_u32 } }),
                Some("3000000000: should be less than or equal to 2147483647"),
            ),
            (
                "text",
                json!({ "spec": { "replicas": "x" } }),
                Some("0: .spec.replicas accessor error: x is of the type string, expected int64"),
            ),
            (
                "a fraction",
                json!({ "spec": { "replicas": 3.5 } }),
                Some("0: .spec.replicas accessor error: 3.5 is of the type float64, expected int64"),
            ),
            (
                "a map",
                json!({ "spec": { "replicas": {} } }),
                Some(
                    "0: .spec.replicas accessor error: map[] is of the type map[string]interface {}, expected int64",
                ),
            ),
            (
                "no way there",
                json!({ "spec": 3 }),
                Some(
                    "0: .spec.replicas accessor error: 3 is of the type int64, expected map[string]interface{}",
                ),
            ),
        ];
        for (name, object, want) in cases {
            let found: Vec<String> = scale().spec_errors(&object).iter().map(ToString::to_string).collect();
            let want: Vec<String> =
                want.iter().map(|detail| format!(".spec.replicas: Invalid value: {detail}")).collect();
            assert_eq!(found, want, "{name}");
        }
    }

    #[test]
    fn status_tells_replicas_and_selector() {
        let object = json!({ "status": { "replicas": -3, "selector": 1 } });
        let found: Vec<String> = scale().status_errors(&object).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                ".status.replicas: Invalid value: -3: should be a non-negative integer",
                ".status.selector: Invalid value: \"\": .status.selector accessor error: 1 is of the type int64, \
             expected string",
            ]
        );
        let usual = json!({ "status": { "replicas": 3, "selector": "a=b" } });
        assert_eq!(scale().status_errors(&usual), []);
    }
}
