//! Printer columns of custom resources.

use jiff::Timestamp;
use portolan_object::jsonpath::JsonPath;
use portolan_object::{Budget, Interrupt, age};
use serde_json::{Value, json};

/// Steps that all columns of one object may take together: a step for each value that a path looks at, and for each 16
/// bytes that are printed. Cells beyond that are empty.
const ROW_WORK_LIMIT: u64 = 200_000;

/// A column that a definition asks for.
#[derive(Debug)]
pub(crate) struct Column {
    /// The entry of a table's `columnDefinitions`.
    definition: Value,
    kind: Kind,
    path: JsonPath,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    Date,
}

impl Column {
    /// Reads `additionalPrinterColumns` of a version. Paths were checked when the definition was written; one that is
    /// unreadable all the same prints nothing.
    pub(crate) fn list(version: &Value) -> Vec<Self> {
        match version["additionalPrinterColumns"].as_array() {
            Some(columns) if !columns.is_empty() => columns.iter().filter_map(Self::parse).collect(),
            _ => Self::parse(&json!({
                "name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp",
                "description": "CreationTimestamp is a timestamp representing the server time when this object was \
                                created.",
            }))
            .into_iter()
            .collect(),
        }
    }

    fn parse(column: &Value) -> Option<Self> {
        let text = |member: &str| column[member].as_str().unwrap_or_default();
        let path = text("jsonPath");
        let kind = match text("type") {
            "integer" => Kind::Integer,
            "number" => Kind::Number,
            "boolean" => Kind::Boolean,
            "date" => Kind::Date,
            _ => Kind::Text,
        };
        let description = match text("description") {
            "" => format!("Custom resource definition column (in JSONPath format): {path}"),
            text => text.to_owned(),
        };
        let definition = json!({
            "name": text("name"), "type": text("type"), "format": text("format"), "description": description,
            "priority": column["priority"].as_i64().unwrap_or(0),
        });
        Some(Self { definition, kind, path: JsonPath::parse(path).ok()? })
    }

    /// The cell of an object.
    fn cell(&self, object: &Value, now: Timestamp, budget: &Budget) -> Value {
        let Some(value) = self.path.first(object, budget) else { return Value::Null };
        match (self.kind, value) {
            (Kind::Text, value) => {
                let text = printed(value);
                if budget.spend_bytes(text.len()).is_ok() { json!(text) } else { Value::Null }
            }
            (Kind::Integer, Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => json!(whole),
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "a fraction is cut off, as upstream does"
                )]
                (None, Some(number)) => json!(number as i64),
                (None, None) => Value::Null,
            },
            (Kind::Number, Value::Number(_)) | (Kind::Boolean, Value::Bool(_)) => value.clone(),
            (Kind::Date, Value::String(time)) => json!(since(time, now)),
            _ => Value::Null,
        }
    }
}

/// The definitions of all columns, the name first.
pub(crate) fn definitions(columns: &[Column]) -> Vec<Value> {
    let name = json!({
        "name": "Name", "type": "string", "format": "name", "priority": 0,
        "description": "Name must be unique within a namespace. Is required when creating resources, although some \
                        resources may allow a client to request the generation of an appropriate name automatically.",
    });
    std::iter::once(name).chain(columns.iter().map(|column| column.definition.clone())).collect()
}

/// The cells of one object, the name first.
pub(crate) fn row(columns: &[Column], object: &Value, now: Timestamp) -> Vec<Value> {
    let name = object["metadata"]["name"].clone();
    let budget = Budget::new(ROW_WORK_LIMIT, &Interrupt::never());
    std::iter::once(name).chain(columns.iter().map(|column| column.cell(object, now, &budget))).collect()
}

fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<no value>".to_owned(),
        other => other.to_string(),
    }
}

/// Age of a time.
fn since(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(then) => age::human(now.duration_since(then)),
        Err(_) => age::INVALID.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cell of an object in a table with one column.
    fn cell(kind: &str, path: &str, object: &Value) -> Value {
        let version =
            json!({ "additionalPrinterColumns": [{ "name": "C", "type": kind, "jsonPath": path }] });
        row(&Column::list(&version), object, "2026-01-01T10:00:00Z".parse().unwrap()).remove(1)
    }

    /// The cells that a kube-apiserver 1.36 prints.
    #[test]
    fn cells_follow_the_type_of_their_column() {
        let object = json!({ "metadata": { "name": "a", "labels": { "a.b/c": "label" } }, "spec": {
            "s": "text", "l": ["a", "b", 3], "m": { "k": "v", "a": { "z": 1 } }, "n": 7, "b": true, "f": 2.5,
            "null": null, "empty": "", "c": [{ "type": "Other", "status": "x" }, { "type": "Ready", "status": "True" }],
            "then": "2026-01-01T00:00:00Z", "ago": "2026-01-01T00:00:00.123+02:00", "soon": "2026-01-01T11:00:00Z",
            "big": 9_007_199_254_740_993_i64, "html": "a<b>&\"q\"",
        } });
        let cases = [
            ("string", ".spec.s", json!("text")),
            ("string", ".spec.l", json!("[\"a\",\"b\",3]")),
            ("string", ".spec.m", json!("{\"a\":{\"z\":1},\"k\":\"v\"}")),
            ("string", ".spec.n", json!("7")),
            ("string", ".spec.b", json!("true")),
            ("string", ".spec.f", json!("2.5")),
            ("string", ".spec.null", json!("<no value>")),
            ("string", ".spec.empty", json!("")),
            ("string", ".spec.html", json!("a<b>&\"q\"")),
            ("string", ".spec.missing", Value::Null),
            ("string", ".spec.s.deeper", Value::Null),
            ("string", ".spec.l[*]", json!("a")),
            ("string", ".spec.l[0]", json!("a")),
            ("string", ".spec.l[9]", Value::Null),
            ("string", ".spec.c[?(@.type==\"Ready\")].status", json!("True")),
            ("string", ".metadata.labels.a\\.b/c", json!("label")),
            ("integer", ".spec.n", json!(7)),
            ("integer", ".spec.f", json!(2)),
            ("integer", ".spec.big", json!(9_007_199_254_740_993_i64)),
            ("integer", ".spec.s", Value::Null),
            ("integer", ".spec.null", Value::Null),
            ("number", ".spec.n", json!(7)),
            ("number", ".spec.f", json!(2.5)),
            ("number", ".spec.s", Value::Null),
            ("boolean", ".spec.b", json!(true)),
            ("boolean", ".spec.s", Value::Null),
            ("date", ".spec.then", json!("10h")),
            ("date", ".spec.ago", json!("11h")),
            ("date", ".spec.soon", json!("<invalid>")),
            ("date", ".spec.s", json!("<invalid>")),
            ("date", ".spec.n", Value::Null),
            ("date", ".spec.null", Value::Null),
        ];
        for (kind, path, want) in cases {
            assert_eq!(cell(kind, path, &object), want, "{kind} at {path}");
        }
    }

    #[test]
    fn without_columns_the_age_is_printed() {
        let columns = Column::list(&json!({}));
        let names: Vec<_> = definitions(&columns).into_iter().map(|column| column["name"].clone()).collect();
        assert_eq!(names, ["Name", "Age"]);
        let object = json!({ "metadata": { "name": "a", "creationTimestamp": "2026-01-01T00:00:00Z" } });
        assert_eq!(row(&columns, &object, "2026-01-01T10:00:00Z".parse().unwrap()), ["a", "10h"]);
    }

    #[test]
    fn columns_describe_themselves() {
        let column = json!({ "name": "C", "type": "string", "jsonPath": ".spec.c" });
        let described = json!({ "name": "D", "type": "integer", "jsonPath": ".spec.d", "description": "words",
                                "priority": 1, "format": "int32" });
        let version = json!({ "additionalPrinterColumns": [column, described] });
        let definitions = definitions(&Column::list(&version));
        assert_eq!(
            definitions[1],
            json!({
                "name": "C", "type": "string", "format": "", "priority": 0,
                "description": "Custom resource definition column (in JSONPath format): .spec.c",
            })
        );
        assert_eq!(
            definitions[2],
            json!({
                "name": "D", "type": "integer", "format": "int32", "priority": 1, "description": "words",
            })
        );
    }
}
