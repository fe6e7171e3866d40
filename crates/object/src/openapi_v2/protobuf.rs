//! The protobuf form of OpenAPI v2, in which client-go reads it (gnostic-models openapiv2/OpenAPIv2.proto).

mod paths;

use serde_json::Value;

pub use paths::named_path;

/// A `Document` with these paths and definitions, made by [`named_path`] and [`named_definition`].
pub fn document(title: &str, version: &str, paths: &[u8], definitions: &[u8]) -> Vec<u8> {
    let mut info = Vec::new();
    text(&mut info, 1, title);
    text(&mut info, 2, version);
    let mut document = Vec::new();
    text(&mut document, 1, "2.0");
    message(&mut document, 2, &info);
    message(&mut document, 8, paths);
    message(&mut document, 9, definitions);
    document
}

/// An entry of `Definitions`.
pub fn named_definition(name: &str, definition: &Value) -> Vec<u8> {
    let mut entry = Vec::new();
    named(&mut entry, 1, name, definition);
    entry
}

/// A `NamedSchema`.
fn named(out: &mut Vec<u8>, field: u64, name: &str, schema: &Value) {
    let mut entry = Vec::new();
    text(&mut entry, 1, name);
    message(&mut entry, 2, &encode(schema));
    message(out, field, &entry);
}

/// A `Schema`.
fn encode(schema: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for (field, keyword) in [(1, "$ref"), (2, "format"), (3, "title"), (4, "description")] {
        if let Some(value) = schema.get(keyword).and_then(Value::as_str) {
            text(&mut out, field, value);
        }
    }
    numbers(&mut out, schema);
    for name in
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    {
        text(&mut out, 19, name);
    }
    for value in schema.get("enum").and_then(Value::as_array).into_iter().flatten() {
        message(&mut out, 20, &any(value));
    }
    if let Some(additional) = schema.get("additionalProperties") {
        let mut item = Vec::new();
        match additional.as_bool() {
            Some(allowed) => boolean(&mut item, 2, allowed),
            None => message(&mut item, 1, &encode(additional)),
        }
        message(&mut out, 21, &item);
    }
    if let Some(kind) = schema.get("type").and_then(Value::as_str) {
        let mut item = Vec::new();
        text(&mut item, 1, kind);
        message(&mut out, 22, &item);
    }
    if let Some(items) = schema.get("items") {
        let mut item = Vec::new();
        message(&mut item, 1, &encode(items));
        message(&mut out, 23, &item);
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let mut list = Vec::new();
        properties.iter().for_each(|(name, schema)| named(&mut list, 1, name, schema));
        message(&mut out, 25, &list);
    }
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        if keyword.starts_with("x-") {
            let mut extension = Vec::new();
            text(&mut extension, 1, keyword);
            message(&mut extension, 2, &any(value));
            message(&mut out, 31, &extension);
        }
    }
    out
}

fn numbers(out: &mut Vec<u8>, schema: &Value) {
    for (field, keyword) in [(6, "multipleOf"), (7, "maximum"), (9, "minimum")] {
        if let Some(number) = schema.get(keyword).and_then(Value::as_f64) {
            varint(out, field << 3 | 1);
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
    for (field, keyword) in [(8, "exclusiveMaximum"), (10, "exclusiveMinimum"), (16, "uniqueItems")] {
        if let Some(holds) = schema.get(keyword).and_then(Value::as_bool) {
            boolean(out, field, holds);
        }
    }
    let counts = [
        (11, "maxLength"),
        (12, "minLength"),
        (14, "maxItems"),
        (15, "minItems"),
        (17, "maxProperties"),
        (18, "minProperties"),
    ];
    for (field, keyword) in counts {
        if let Some(count) = schema.get(keyword).and_then(Value::as_u64) {
            varint(out, field << 3);
            varint(out, count);
        }
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
        text(out, 13, pattern);
    }
}

/// An `Any`: its YAML, of which JSON is a part.
fn any(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    text(&mut out, 2, &value.to_string());
    out
}

fn text(out: &mut Vec<u8>, field: u64, value: &str) {
    message(out, field, value.as_bytes());
}

fn boolean(out: &mut Vec<u8>, field: u64, value: bool) {
    varint(out, field << 3);
    varint(out, u64::from(value));
}

/// A length-delimited field.
fn message(out: &mut Vec<u8>, field: u64, content: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_messages_of_gnostic() {
        assert_eq!(
            document("Kubernetes", "v1", b"", b""),
            b"\x0a\x032.0\x12\x10\x0a\x0aKubernetes\x12\x02v1\x42\x00\x4a\x00"
        );
        let named = named_definition("a", &json!({ "type": "string", "maxLength": 300, "x-b": [1] }));
        assert_eq!(
            named,
            b"\x0a\x22\x0a\x01a\x12\x1d\x58\xac\x02\xb2\x01\x08\x0a\x06string\xfa\x01\x0c\x0a\x03x-b\x12\x05\x12\x03[1]"
        );
    }
}
