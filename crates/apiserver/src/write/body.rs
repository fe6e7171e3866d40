//! From the bytes of a request to the tree of an object of the expected kind.

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
    /// Unknown and repeated fields, as the texts that clients get.
    pub(super) findings: Vec<String>,
}

/// Reads an object of a resource.
///
/// # Errors
/// 400 with the texts of kube-api-contract 2.12 for what is no such object.
pub(super) fn object(resource: &Resource, bytes: &Bytes, body_type: BodyType) -> Result<Decoded, Status> {
    let kind = &resource.kind;
    match &resource.source {
        Source::Builtin(_) => typed(kind, resource.schema(), bytes, body_type),
        Source::Custom(_) => {
            let mut decoded = untyped(&kind.kind, bytes, body_type, None)?;
            check_custom_type(kind, &mut decoded.value, bytes)?;
            let unknown = conform(resource, &mut decoded.value, decode::Source::Json);
            decoded.findings.extend(unknown.map_err(|text| unmarshallable(kind, &text))?);
            Ok(decoded)
        }
    }
}

/// Reads an object of a built-in kind, which need not be that of a resource.
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

/// Checks that a value is an object of a built-in kind, and completes its type.
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

/// Reads any object; with a schema, unknown fields of JSON and YAML are noted. Errors name the expected kind unless it
/// is empty.
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
            if !parsed.value.is_object() {
                return Err(unrecognized(expected, &not_an_object(&parsed.value, bytes)));
            }
            let findings = parsed.findings.iter().map(ToString::to_string).collect();
            Ok(Decoded { value: parsed.value, findings })
        }
        BodyType::Yaml => {
            let mut decoded = yaml_value(bytes).map_err(|text| unrecognized(expected, &text))?;
            if let Some(schema) = schema {
                let unknown = schema::unknown_fields(&decoded.value, schema);
                decoded.findings.extend(unknown.iter().map(|path| unknown_field(path)));
            }
            Ok(decoded)
        }
        BodyType::Protobuf => {
            let value = portolan_object::proto::decode(bytes)
                .map_err(|error| unrecognized(expected, &error.to_string()))?;
            Ok(Decoded { value, findings: Vec::new() })
        }
    }
}

/// Reads YAML, of which JSON is a part.
pub(super) fn yaml_value(bytes: &Bytes) -> Result<Decoded, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let document = yaml::read_document(text).map_err(|error| error.to_string())?;
    let repeated: Vec<String> = document
        .duplicates
        .iter()
        .map(|repeated| format!("line {}: key {:?} already set in map", repeated.line, repeated.key))
        .collect();
    let findings = match repeated.as_slice() {
        [] => Vec::new(),
        lines => vec![format!("yaml: unmarshal errors:\n  {}", lines.join("\n  "))],
    };
    Ok(Decoded { value: document.value, findings })
}

/// Brings an object of a built-in kind or custom resource in line with its schema, after a patch. The answer is what
/// was unknown in it.
///
/// # Errors
/// The text that says why the object cannot be of its kind.
pub(super) fn conform(
    resource: &Resource,
    value: &mut Value,
    source: decode::Source,
) -> Result<Vec<String>, String> {
    match (&resource.source, resource.schema()) {
        (Source::Custom(version), _) => {
            let unknown = version.conform(value)?;
            Ok(unknown.iter().map(|path| unknown_field(path)).collect())
        }
        (Source::Builtin(_), Some(schema)) => {
            let unknown = schema::unknown_fields(value, schema);
            decode::decode(value, schema, source).map_err(|error| error.to_string())?;
            Ok(unknown.iter().map(|path| unknown_field(path)).collect())
        }
        (Source::Builtin(_), None) => Ok(Vec::new()),
    }
}

fn unknown_field(path: &str) -> String {
    json::Finding::Unknown(path.to_owned()).to_string()
}

/// The beginning of a body, as errors show it.
fn excerpt(bytes: &[u8]) -> String {
    const LONGEST: usize = 30;
    let shown = &bytes[..bytes.len().min(LONGEST)];
    let dots = if bytes.len() > LONGEST { " ..." } else { "" };
    match shown.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{dots}", String::from_utf8_lossy(shown)),
        Some(_) => shown.iter().map(|byte| format!("{byte:02x}")).chain([dots.to_owned()]).collect(),
    }
}

/// What Go says when it looks for the type of something that is no object.
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

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// A built-in kind may leave its type out; another one is refused as upstream fails to convert it.
fn check_builtin_type(expected: &GroupVersionKind, value: &mut Value) -> Result<(), Status> {
    let name = &expected.kind;
    let Some(object) = value.as_object() else {
        return Err(unmarshallable(expected, "json: the body is not an object"));
    };
    let member = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (member("apiVersion"), member("kind"));
    if !kind.is_empty() && kind != name {
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

/// A custom resource must say what it is.
fn check_custom_type(expected: &GroupVersionKind, value: &mut Value, bytes: &Bytes) -> Result<(), Status> {
    let (api_version, kind) = (text(value, "apiVersion"), text(value, "kind"));
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
    let kind = text(value, "kind");
    let fault = FieldError::invalid("kind", &Value::from(kind), format!("must be {}", expected.kind));
    Status::invalid(&expected.group, kind, super::metadata::name_of(value), &[fault])
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
