//! `metadata` fields that the server sets, restores or refuses.
//!
//! Pure: the uid, the time and the random letters come from the caller. Upstream: kubernetes
//! staging/src/k8s.io/apiserver/pkg/registry/rest/{meta,create,update}.go.

use portolan_object::{FieldError, Status};
use serde_json::{Map, Value, json};

use crate::resources::Resource;

/// Letters of generated names, as upstream: no vowels, and no digits that look like letters.
const NAME_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Number of random letters at the end of a generated name.
pub(super) const RANDOM_LETTERS: usize = 5;

/// Maximum length of the base of a generated name, in bytes.
const MAX_BASE: usize = 63 - RANDOM_LETTERS;

/// Metadata that the server generates for a new object.
#[derive(Debug, Clone)]
pub(super) struct GeneratedMetadata {
    /// `metadata.uid`.
    pub(super) uid: String,
    /// `metadata.creationTimestamp`.
    pub(super) created: String,
    /// Random numbers for the letters of a generated name.
    pub(super) random: [u8; RANDOM_LETTERS],
}

/// The `metadata` of an object; added when missing.
pub(super) fn metadata_of(object: &mut Value) -> &mut Map<String, Value> {
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    object["metadata"].as_object_mut().expect("the line above made it an object")
}

/// The name of an object; empty when it has none.
pub(super) fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// Whether an object has a resourceVersion, which a new object must not have.
pub(super) fn has_version(object: &Value) -> bool {
    object["metadata"].get("resourceVersion").is_some_and(|version| !is_empty(version))
}

/// Sets the server-owned metadata of a new object.
///
/// # Errors
/// 400 for a namespace other than that of the URL.
pub(super) fn create(
    resource: &Resource,
    namespace: &str,
    object: &mut Value,
    generated: &GeneratedMetadata,
) -> Result<(), Status> {
    set_namespace(resource, namespace, object)?;
    let metadata = metadata_of(object);
    for name in
        ["resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"]
    {
        metadata.remove(name);
    }
    metadata.insert("uid".to_owned(), json!(generated.uid));
    metadata.insert("creationTimestamp".to_owned(), json!(generated.created));
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("name").is_empty() && !text("generateName").is_empty() {
        let name = generated_name(text("generateName"), &generated.random);
        metadata.insert("name".to_owned(), json!(name));
    }
    if let Some(generation) = super::generation::first(resource) {
        metadata.insert("generation".to_owned(), json!(generation));
    }
    drop_empty(metadata);
    Ok(())
}

/// The error text for an object of another namespace than that of the URL.
pub(super) const OTHER_NAMESPACE: &str =
    "the namespace of the provided object does not match the namespace sent on the request";

/// Sets the namespace of the URL.
fn set_namespace(resource: &Resource, namespace: &str, object: &mut Value) -> Result<(), Status> {
    let metadata = metadata_of(object);
    let own = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    if !resource.is_namespaced {
        metadata.remove("namespace");
        return Ok(());
    }
    if !own.is_empty() && own != namespace {
        return Err(Status::bad_request(OTHER_NAMESPACE));
    }
    metadata.insert("namespace".to_owned(), json!(namespace));
    Ok(())
}

fn generated_name(base: &str, random: &[u8; RANDOM_LETTERS]) -> String {
    let mut cut = base.len().min(MAX_BASE);
    while !base.is_char_boundary(cut) {
        cut -= 1;
    }
    let letters =
        random.iter().map(|&number| char::from(NAME_LETTERS[usize::from(number) % NAME_LETTERS.len()]));
    base[..cut].chars().chain(letters).collect()
}

/// How the new state of an update was made; some checks differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The body of a PUT.
    Replacement,
    /// The stored object, patched.
    Patched,
}

/// Restores the server-owned metadata of a changed object from the stored one.
///
/// # Errors
/// 400 for another name or namespace, 409 for another resourceVersion, 422 for a change of an immutable field.
pub(super) fn update(
    resource: &Resource,
    old: &Value,
    new: &mut Value,
    origin: Origin,
) -> Result<(), Status> {
    let name = name_of(old).to_owned();
    check_name(&name, name_of(new))?;
    set_namespace(resource, old["metadata"]["namespace"].as_str().unwrap_or_default(), new)?;
    check_uid(resource, &name, old, new, origin)?;
    check_version(resource, &name, old, new)?;
    let stored = &old["metadata"];
    let metadata = metadata_of(new);
    for kept in ["uid", "creationTimestamp", "generation", "deletionGracePeriodSeconds", "generateName"] {
        restore(metadata, stored, kept);
    }
    // Only DELETE sets deletionTimestamp; an update may repeat the stored one.
    let asked = metadata.get("deletionTimestamp").filter(|asked| !is_empty(asked));
    if let Some(asked) = asked
        && *asked != stored["deletionTimestamp"]
    {
        let error = FieldError::invalid("metadata.deletionTimestamp", asked, "field is immutable");
        return Err(resource.invalid(&name, &[error]));
    }
    restore(metadata, stored, "deletionTimestamp");
    restore(metadata, stored, "resourceVersion");
    metadata.remove("selfLink");
    drop_empty(metadata);
    Ok(())
}

/// Checks that the name in the body is that of the URL.
pub(super) fn check_name(wanted: &str, found: &str) -> Result<(), Status> {
    if found.is_empty() {
        return Err(Status::bad_request(format!(
            "the name of the object ({wanted} based on URL) was undeterminable: name must be provided"
        )));
    }
    if found != wanted {
        return Err(Status::bad_request(format!(
            "the name of the object ({found}) does not match the name on the URL ({wanted})"
        )));
    }
    Ok(())
}

/// The error text for a write that conflicts with another one.
pub(super) const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

fn check_version(resource: &Resource, name: &str, old: &Value, new: &Value) -> Result<(), Status> {
    let sent = new["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if matches!(sent, "" | "0") {
        if resource.rules.update_requires_version {
            let error =
                FieldError::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
            // Upstream names the plural here; other errors name the kind.
            return Err(Status::invalid(&resource.kind.group, &resource.plural, name, &[error]));
        }
        return Ok(());
    }
    if sent.parse::<u64>().is_err() {
        return Err(Status::new(500, "", format!("strconv.ParseUint: parsing {sent:?}: invalid syntax")));
    }
    if sent != old["metadata"]["resourceVersion"] {
        return Err(resource.conflict(name, MODIFIED));
    }
    Ok(())
}

fn check_uid(
    resource: &Resource,
    name: &str,
    old: &Value,
    new: &Value,
    origin: Origin,
) -> Result<(), Status> {
    let sent = new["metadata"]["uid"].as_str().unwrap_or_default();
    let own = old["metadata"]["uid"].as_str().unwrap_or_default();
    if sent.is_empty() || sent == own {
        return Ok(());
    }
    match origin {
        Origin::Replacement => {
            let cause =
                format!("Precondition failed: UID in precondition: {sent}, UID in object meta: {own}");
            Err(resource.conflict(name, &cause))
        }
        Origin::Patched => {
            let error = FieldError::invalid("metadata.uid", &json!(sent), "field is immutable");
            Err(resource.invalid(name, &[error]))
        }
    }
}

fn restore(metadata: &mut Map<String, Value>, stored: &Value, name: &str) {
    match stored.get(name) {
        Some(value) => metadata.insert(name.to_owned(), value.clone()),
        None => metadata.remove(name),
    };
}

/// Removes empty fields of metadata, as typed servers do. An empty `managedFields` has a meaning of its own for
/// server-side apply and is kept.
fn drop_empty(metadata: &mut Map<String, Value>) {
    metadata.retain(|name, value| name == "managedFields" || !is_empty(value));
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
