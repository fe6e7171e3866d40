//! Printer columns of custom resources.

use jiff::Timestamp;
use portolan_object::age;
use portolan_object::jsonpath::JsonPath;
use serde_json::{Value, json};

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
    fn cell(&self, object: &Value, now: Timestamp) -> Value {
        let Some(value) = self.path.first(object) else { return Value::Null };
        match (self.kind, value) {
            (Kind::Text, value) => json!(text(value)),
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
    std::iter::once(name).chain(columns.iter().map(|column| column.cell(object, now))).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<no value>".to_owned(),
        other => other.to_string(),
    }
}

/// How long ago a time was.
fn since(time: &str, now: Timestamp) -> String {
    match time.parse::<Timestamp>() {
        Ok(then) => age::human(now.duration_since(then)),
        Err(_) => "<unknown>".to_owned(),
    }
}
