//! Config maps and secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::errors::FieldErrors;
use super::names;
use super::path::Path;
use crate::tree;

/// All entries of a config map or secret together may not be larger.
const LIMIT: usize = 1024 * 1024;
const FROZEN: &str = "field is immutable when `immutable` is set";
const REDACTED: &str = "<secret contents redacted>";

pub(crate) fn config_map(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    frozen(new, old, &["data", "binaryData"], errors);
    let mut size = 0;
    let binary = tree::map(new, "/binaryData");
    let data = Path::root("data");
    for (key, value) in tree::entries(new, "/data") {
        errors.texts(&data.key(key), key, names::config_key(key));
        if binary.is_some_and(|binary| binary.contains_key(key)) {
            errors.invalid(&data.key(key), key, "duplicate of key present in binaryData");
        }
        size += value.as_str().map_or(0, str::len);
    }
    let data = Path::root("binaryData");
    for (key, value) in tree::entries(new, "/binaryData") {
        errors.texts(&data.key(key), key, names::config_key(key));
        size += decoded_length(value);
    }
    if size > LIMIT {
        // About the whole object: there is no path to name, and this is how clients know that.
        errors.too_long("[]", LIMIT as u64);
    }
}

pub(crate) fn secret(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    if let Some(old) = old {
        errors.immutable(&Path::root("type"), new, old, "/type");
    }
    frozen(new, old, &["data"], errors);
    let data = Path::root("data");
    let mut size = 0;
    for (key, value) in tree::entries(new, "/data") {
        errors.texts(&data.key(key), key, names::config_key(key));
        size += decoded_length(value);
    }
    if size > LIMIT {
        errors.too_long("data", LIMIT as u64);
    }
    typed(new, errors);
}

/// What secrets of well-known types must hold.
fn typed(secret: &Value, errors: &mut FieldErrors) {
    let data = Path::root("data");
    let empty = Map::new();
    let entries = tree::map(secret, "/data").unwrap_or(&empty);
    let need = |errors: &mut FieldErrors, key: &str| {
        if !entries.contains_key(key) {
            errors.required(&data.key(key), "");
        }
    };
    match tree::text(secret, "/type") {
        "kubernetes.io/service-account-token" => {
            let name = "kubernetes.io/service-account.name";
            if tree::text(secret, "/metadata/annotations/kubernetes.io~1service-account.name").is_empty() {
                let metadata = Path::root("metadata");
                errors.required(&metadata.child("annotations").key(name), "");
            }
        }
        "kubernetes.io/tls" => {
            need(errors, "tls.crt");
            need(errors, "tls.key");
        }
        "kubernetes.io/dockercfg" => docker(entries, ".dockercfg", errors),
        "kubernetes.io/dockerconfigjson" => docker(entries, ".dockerconfigjson", errors),
        "kubernetes.io/basic-auth"
            if !entries.contains_key("username") && !entries.contains_key("password") =>
        {
            need(errors, "username");
            need(errors, "password");
        }
        "kubernetes.io/ssh-auth"
            if entries.get("ssh-privatekey").and_then(Value::as_str).is_none_or(str::is_empty) =>
        {
            errors.required(&data.key("ssh-privatekey"), "");
        }
        _ => {}
    }
}

/// Registry credentials must be JSON; what is wrong with them is told without showing them.
fn docker(entries: &Map<String, Value>, key: &str, errors: &mut FieldErrors) {
    let data = Path::root("data");
    let Some(content) = entries.get(key).and_then(Value::as_str) else {
        errors.required(&data.key(key), "");
        return;
    };
    let parsed =
        STANDARD.decode(content).ok().map(|bytes| serde_json::from_slice::<Map<String, Value>>(&bytes));
    if let Some(Err(error)) = parsed {
        let detail = if error.is_eof() { "unexpected end of JSON input" } else { "invalid JSON object" };
        errors.invalid(&data.key(key), REDACTED, detail);
    }
}

fn frozen(new: &Value, old: Option<&Value>, fields: &[&str], errors: &mut FieldErrors) {
    let Some(old) = old.filter(|old| tree::is_true(old, "/immutable")) else { return };
    if !tree::is_true(new, "/immutable") {
        errors.forbidden(&Path::root("immutable"), FROZEN);
    }
    for field in fields {
        let of = |object: &Value| object.get(*field).filter(|value| !value.is_null()).cloned();
        if of(new) != of(old) {
            errors.forbidden(&Path::root(field), FROZEN);
        }
    }
}

/// How many bytes an encoded entry holds.
fn decoded_length(value: &Value) -> usize {
    let text = value.as_str().unwrap_or_default().trim_end_matches('=');
    text.len() * 3 / 4
}
