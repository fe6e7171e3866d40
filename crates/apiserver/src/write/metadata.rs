//! The server's share of `metadata`: what it fills in, restores and refuses (kube-api-contract 2.1, 2.4).
//!
//! Pure: the uid, the time and the random letters come from the caller.

use portolan_object::{FieldError, Status};
use serde_json::{Map, Value, json};

use crate::resources::Resource;

/// Letters of generated names: no vowels, so that no words appear, and no digits that look like letters.
const NAME_LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Random letters at the end of a generated name.
pub(super) const RANDOM_LETTERS: usize = 5;

/// Longest base of a generated name.
const LONGEST_BASE: usize = 63 - RANDOM_LETTERS;

/// What the server gives to a new object.
#[derive(Debug, Clone)]
pub(super) struct Birth {
    /// `metadata.uid`.
    pub(super) uid: String,
    /// `metadata.creationTimestamp`.
    pub(super) created: String,
    /// Numbers that choose the letters of a generated name.
    pub(super) random: [u8; RANDOM_LETTERS],
}

/// The `metadata` of an object, made when missing.
pub(super) fn metadata_of(object: &mut Value) -> &mut Map<String, Value> {
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    object["metadata"].as_object_mut().expect("the line above made it an object")
}

/// The name in an object, empty when there is none.
pub(super) fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// Completes the metadata of a new object.
///
/// # Errors
/// 400 for a namespace other than the one of the URL, 500 for a resourceVersion.
pub(super) fn create(
    resource: &Resource,
    namespace: &str,
    object: &mut Value,
    birth: &Birth,
) -> Result<(), Status> {
    place(resource, namespace, object)?;
    let metadata = metadata_of(object);
    if metadata.get("resourceVersion").is_some_and(|version| !is_empty(version)) {
        return Err(Status::new(500, "", "resourceVersion should not be set on objects to be created"));
    }
    for name in
        ["resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"]
    {
        metadata.remove(name);
    }
    metadata.insert("uid".to_owned(), json!(birth.uid));
    metadata.insert("creationTimestamp".to_owned(), json!(birth.created));
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("name").is_empty() && !text("generateName").is_empty() {
        let name = generated_name(text("generateName"), &birth.random);
        metadata.insert("name".to_owned(), json!(name));
    }
    if let Some(generation) = super::generation::first(resource) {
        metadata.insert("generation".to_owned(), json!(generation));
    }
    drop_empty(metadata);
    Ok(())
}

/// What a client is told whose object belongs elsewhere.
pub(super) const OTHER_NAMESPACE: &str =
    "the namespace of the provided object does not match the namespace sent on the request";

/// Puts the object into the namespace of the URL.
fn place(resource: &Resource, namespace: &str, object: &mut Value) -> Result<(), Status> {
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
    let mut cut = base.len().min(LONGEST_BASE);
    while !base.is_char_boundary(cut) {
        cut -= 1;
    }
    let letters =
        random.iter().map(|&number| char::from(NAME_LETTERS[usize::from(number) % NAME_LETTERS.len()]));
    base[..cut].chars().chain(letters).collect()
}

/// How the name and version of an update are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The body of a PUT.
    Replacement,
    /// What a patch made of the stored object.
    Patched,
}

/// Brings the metadata of a changed object in line with the stored one.
///
/// # Errors
/// 400 for another name or namespace, 409 for a lost race, 422 for what cannot be changed.
pub(super) fn update(
    resource: &Resource,
    old: &Value,
    new: &mut Value,
    origin: Origin,
) -> Result<(), Status> {
    let name = name_of(old).to_owned();
    check_name(&name, name_of(new))?;
    place(resource, old["metadata"]["namespace"].as_str().unwrap_or_default(), new)?;
    check_version(resource, &name, old, new)?;
    check_uid(resource, &name, old, new, origin)?;
    let stored = &old["metadata"];
    let metadata = metadata_of(new);
    for kept in ["uid", "creationTimestamp", "generation", "deletionGracePeriodSeconds", "generateName"] {
        restore(metadata, stored, kept);
    }
    // A client may send back what it read, but deletion is asked for by DELETE and never taken back.
    let asked = metadata.get("deletionTimestamp").filter(|asked| !is_empty(asked));
    if let Some(asked) = asked
        && *asked != stored["deletionTimestamp"]
    {
        let fault = FieldError::invalid("metadata.deletionTimestamp", asked, "field is immutable");
        return Err(resource.invalid(&name, &[fault]));
    }
    restore(metadata, stored, "deletionTimestamp");
    restore(metadata, stored, "resourceVersion");
    metadata.remove("selfLink");
    drop_empty(metadata);
    Ok(())
}

/// The name in the body must be that of the URL.
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

/// What a client that lost a race is told.
pub(super) const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

fn check_version(resource: &Resource, name: &str, old: &Value, new: &Value) -> Result<(), Status> {
    let sent = new["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    if matches!(sent, "" | "0") {
        if resource.rules.update_requires_version {
            let fault =
                FieldError::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
            // Upstream puts the plural here, where other faults have the kind.
            return Err(Status::invalid(&resource.kind.group, &resource.plural, name, &[fault]));
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
            let fault = FieldError::invalid("metadata.uid", &json!(sent), "field is immutable");
            Err(resource.invalid(name, &[fault]))
        }
    }
}

fn restore(metadata: &mut Map<String, Value>, stored: &Value, name: &str) {
    match stored.get(name) {
        Some(value) => metadata.insert(name.to_owned(), value.clone()),
        None => metadata.remove(name),
    };
}

/// Empty maps and lists of metadata are as good as none, and none is what is stored. An empty list of managers means
/// something and is left to those who know.
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
