//! Decodes request bodies into objects of the expected kind.

use std::str::Utf8Error;

use bytes::Bytes;
use portolan_object::schema::{self, Schema, decode, json};
use portolan_object::{FieldError, GroupVersion, GroupVersionKind, Status, builtin, yaml};
use serde_json::Value;

use crate::negotiate::BodyType;
use crate::resources::{Resource, Source};

/// A decoded body.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) value: Value,
    /// Texts about unknown and duplicate fields: errors or warnings, by `fieldValidation`.
    pub(super) strict_errors: Vec<String>,
}

/// Decodes an object of a resource.
///
/// # Errors
/// 400 for anything else, with the texts of upstream's decoders (kubernetes
/// staging/src/k8s.io/apimachinery/pkg/runtime/serializer).
pub(super) fn object(resource: &Resource, bytes: &Bytes, body_type: BodyType) -> Result<Decoded, Status> {
    let kind = &resource.kind;
    match &resource.source {
        Source::Builtin(_) => typed(kind, resource.schema(), bytes, body_type),
        Source::Custom(_) => {
            let mut decoded = untyped(&kind.kind, bytes, body_type, None)?;
            check_custom_type(kind, &mut decoded.value, bytes)?;
            let unknown = conform(resource, &mut decoded.value, decode::Source::Json);
            decoded.strict_errors.extend(unknown.map_err(|error| unmarshallable(kind, &error.to_string()))?);
            Ok(decoded)
        }
    }
}

/// Decodes an object of a built-in kind, which need not have a resource.
pub(super) fn typed(
    kind: &GroupVersionKind,
    schema: Option<Schema<'_>>,
    bytes: &Bytes,
    body_type: BodyType,
) -> Result<Decoded, Status> {
    let mut decoded = untyped(&kind.kind, bytes, body_type, schema)?;
    check_typed(kind, schema, &mut decoded.value)?;
    Ok(decoded)
}

/// Checks that a value is an object of a built-in kind, and sets missing type fields.
pub(super) fn check_typed(
    kind: &GroupVersionKind,
    schema: Option<Schema<'_>>,
    value: &mut Value,
) -> Result<(), Status> {
    check_builtin_type(kind, value)?;
    if let Some(schema) = schema {
        decode::decode(value, schema, decode::Source::Json)
            .map_err(|error| unmarshallable(kind, &error.to_string()))?;
    }
    Ok(())
}

/// Decodes any object. With a schema, unknown fields of JSON and YAML are reported. Errors name the expected kind
/// unless it is empty.
pub(super) fn untyped(
    expected: &str,
    bytes: &Bytes,
    body_type: BodyType,
    schema: Option<Schema<'_>>,
) -> Result<Decoded, Status> {
    match body_type {
        BodyType::Json => {
            let parsed = match schema {
                Some(schema) => json::parse_as(bytes, schema),
                None => json::parse(bytes),
            };
            let parsed = parsed.map_err(|error| {
                let cause =
                    format!("couldn't get version/kind; json parse error: {error} ({})", excerpt(bytes));
                unrecognized(expected, &cause)
            })?;
            let value = match parsed.value {
                // Go reads null into an object without fields.
                Value::Null => Value::Object(serde_json::Map::new()),
                value if value.is_object() => value,
                other => return Err(unrecognized(expected, &not_an_object(&other, bytes))),
            };
            let strict_errors = parsed.findings.iter().map(ToString::to_string).collect();
            Ok(Decoded { value, strict_errors })
        }
        BodyType::Yaml => {
            let mut decoded =
                yaml_value(bytes).map_err(|error| unrecognized(expected, &error.to_string()))?;
            if let Some(schema) = schema {
                let unknown = schema::unknown_fields(&decoded.value, schema);
                decoded.strict_errors.extend(unknown.iter().map(|path| unknown_field(path)));
            }
            Ok(decoded)
        }
        BodyType::Protobuf => {
            let value = portolan_object::proto::decode(bytes)
                .map_err(|error| unrecognized(expected, &error.to_string()))?;
            Ok(Decoded { value, strict_errors: Vec::new() })
        }
    }
}

/// Decodes an object of any kind.
///
/// # Errors
/// 400 for anything else.
pub(crate) fn decode_any(bytes: &Bytes, body_type: BodyType) -> Result<Value, Status> {
    untyped("", bytes, body_type, None).map(|decoded| decoded.value)
}

/// A body that is not YAML.
#[derive(Debug, thiserror::Error)]
pub(super) enum YamlBodyError {
    /// The bytes are not UTF-8.
    #[error(transparent)]
    Encoding(#[from] Utf8Error),
    /// The text is not one YAML document.
    #[error(transparent)]
    Syntax(#[from] yaml::YamlError),
}

/// A value that cannot have the type of its field.
#[derive(Debug, thiserror::Error)]
pub(super) enum TypeError {
    /// In an object of a built-in kind.
    #[error(transparent)]
    Builtin(#[from] decode::DecodeError),
    /// In the metadata of a custom resource.
    #[error("{0}")]
    Custom(String),
}

/// Parses YAML, which includes JSON.
///
/// # Errors
/// When the bytes are not one YAML document.
pub(super) fn yaml_value(bytes: &Bytes) -> Result<Decoded, YamlBodyError> {
    let document = yaml::read_document(std::str::from_utf8(bytes)?)?;
    let repeated: Vec<String> = document
        .duplicates
        .iter()
        .map(|repeated| format!("line {}: key {:?} already set in map", repeated.line, repeated.key))
        .collect();
    let strict_errors = match repeated.as_slice() {
        [] => Vec::new(),
        lines => vec![format!("yaml: unmarshal errors:\n  {}", lines.join("\n  "))],
    };
    Ok(Decoded { value: document.value, strict_errors })
}

/// Converts an object to the types of its schema after a patch; returns texts about unknown fields.
///
/// # Errors
/// When a value cannot have the type of its field.
pub(super) fn conform(
    resource: &Resource,
    value: &mut Value,
    source: decode::Source,
) -> Result<Vec<String>, TypeError> {
    match (&resource.source, resource.schema()) {
        (Source::Custom(version), _) => {
            let unknown = version.conform(value).map_err(TypeError::Custom)?;
            Ok(unknown.iter().map(|path| unknown_field(path)).collect())
        }
        (Source::Builtin(_), Some(schema)) => {
            let unknown = schema::unknown_fields(value, schema);
            decode::decode(value, schema, source)?;
            Ok(unknown.iter().map(|path| unknown_field(path)).collect())
        }
        (Source::Builtin(_), None) => Ok(Vec::new()),
    }
}

fn unknown_field(path: &str) -> String {
    json::Finding::Unknown(path.to_owned()).to_string()
}

/// The start of a body, as errors quote it.
fn excerpt(bytes: &[u8]) -> String {
    const MAX_EXCERPT: usize = 30;
    let shown = &bytes[..bytes.len().min(MAX_EXCERPT)];
    let dots = if bytes.len() > MAX_EXCERPT { " ..." } else { "" };
    match shown.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{dots}", String::from_utf8_lossy(shown)),
        Some(_) => shown.iter().map(|byte| format!("{byte:02x}")).chain([dots.to_owned()]).collect(),
    }
}

/// The text of Go's decoder for JSON that is not an object.
fn not_an_object(value: &Value, bytes: &[u8]) -> String {
    let found = match value {
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
        Value::Null | Value::Object(_) => "null",
    };
    format!(
        "couldn't get version/kind; json parse error: json: cannot unmarshal {found} into Go value of type struct \
         {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }} ({})",
        excerpt(bytes)
    )
}

fn unrecognized(kind: &str, cause: &str) -> Status {
    if kind.is_empty() {
        return Status::bad_request(cause);
    }
    Status::bad_request(format!("the object provided is unrecognized (must be of type {kind}): {cause}"))
}

fn unmarshallable(kind: &GroupVersionKind, cause: &str) -> Status {
    let (name, version) = (&kind.kind, &kind.version);
    Status::bad_request(format!("{name} in version {version:?} cannot be handled as a {name}: {cause}"))
}

fn str_field<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Sets missing type fields of a built-in kind; refuses other kinds with the text of upstream's conversion.
fn check_builtin_type(expected: &GroupVersionKind, value: &mut Value) -> Result<(), Status> {
    let name = &expected.kind;
    let Some(object) = value.as_object() else {
        return Err(unmarshallable(expected, "json: the body is not an object"));
    };
    let member = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (member("apiVersion"), member("kind"));
    if !kind.is_empty() && kind != name {
        let is_registered = |sent: GroupVersion| builtin::schema(&sent.kind(kind)).is_some();
        if !api_version.parse().is_ok_and(is_registered) {
            return Err(Status::bad_request(format!(
                "{kind} in version {:?} cannot be handled as a {name}: no kind {kind:?} is registered for version \
                 {api_version:?}",
                api_version.rsplit('/').next().unwrap_or_default()
            )));
        }
        let version = api_version.rsplit('/').next().unwrap_or_default();
        let group = expected.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("core");
        return Err(Status::bad_request(format!(
            "{kind} in version {version:?} cannot be handled as a {name}: \
             converting ({version}.{kind}) to ({group}.{name}): unknown conversion"
        )));
    }
    let is_known = |sent: GroupVersion| builtin::schema(&sent.kind(name.as_str())).is_some();
    if !api_version.is_empty() && !api_version.parse().is_ok_and(is_known) {
        let cause = format!("no kind {name:?} is registered for version {api_version:?}");
        return Err(unmarshallable(expected, &cause));
    }
    if !api_version.is_empty() {
        check_version(expected, api_version)?;
    }
    fill_type(expected, value);
    Ok(())
}

/// Requires apiVersion and kind of a custom resource.
fn check_custom_type(expected: &GroupVersionKind, value: &mut Value, bytes: &Bytes) -> Result<(), Status> {
    let (api_version, kind) = (str_field(value, "apiVersion"), str_field(value, "kind"));
    if kind.is_empty() {
        let body = String::from_utf8_lossy(bytes);
        let cause = format!("Object 'Kind' is missing in '{body}' ({})", excerpt(bytes));
        return Err(unrecognized(&expected.kind, &cause));
    }
    if api_version.is_empty() {
        return Err(wrong_version(expected, api_version));
    }
    if kind != expected.kind {
        return Err(other_custom_kind(expected, value));
    }
    check_version(expected, api_version)?;
    fill_type(expected, value);
    Ok(())
}

/// 422 for an object of another kind than the custom resource.
pub(super) fn other_custom_kind(expected: &GroupVersionKind, value: &Value) -> Status {
    let kind = str_field(value, "kind");
    let error = FieldError::invalid("kind", &Value::from(kind), format!("must be {}", expected.kind));
    Status::invalid(&expected.group, kind, super::metadata::name_of(value), &[error])
}

fn check_version(expected: &GroupVersionKind, found: &str) -> Result<(), Status> {
    if found.is_empty() || found == expected.api_version() {
        Ok(())
    } else {
        Err(wrong_version(expected, found))
    }
}

fn wrong_version(expected: &GroupVersionKind, found: &str) -> Status {
    let wanted = expected.api_version();
    Status::bad_request(format!(
        "the API version in the data ({found}) does not match the expected API version ({wanted})"
    ))
}

fn fill_type(expected: &GroupVersionKind, value: &mut Value) {
    value["apiVersion"] = Value::from(expected.api_version());
    value["kind"] = Value::from(expected.kind.as_str());
}
