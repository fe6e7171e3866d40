//! Secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::GROUP;
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::core::data;
use crate::kinds::selectable::{SelectableField, field};
use crate::kinds::table::{AGE, Column, NAME, Table};
use crate::kinds::{
    BuiltinKind, BuiltinResource, FinalizerRule, Generation, NO_DELETION_STATE, NO_INITIAL_STATE,
    NO_KEPT_STATE, NO_WARNINGS, NameRule, ONE_FORM, StatusRule,
};
use crate::tree;
use crate::tree::{child, default};
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

const REDACTED: &str = "<secret contents redacted>";

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Secret", "secrets").singular("secret").namespaced(),
    names: NameRule::Subdomain,
    generation: Generation::None,
    status: StatusRule::None,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: NotNeeded(NO_INITIAL_STATE),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&TABLE),
    selectable: Defined(SELECTABLE),
    conversion: NotNeeded(ONE_FORM),
};

/// Secrets: what was given as text wins over what was given encoded, and is never stored as text.
fn defaults(object: &mut Map<String, Value>) {
    default(object, "type", "Opaque");
    let Some(Value::Object(texts)) = object.remove("stringData") else { return };
    if texts.is_empty() {
        return;
    }
    let Some(data) = child(object, "data") else { return };
    for (key, text) in texts {
        let text = text.as_str().unwrap_or_default();
        data.insert(key, json!(STANDARD.encode(text)));
    }
}

fn validate(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    if let Some(old) = old {
        errors.immutable(&Path::root("type"), new, old, "/type");
    }
    data::frozen(new, old, &["data"], errors);
    let data = Path::root("data");
    let mut size = 0;
    for (key, value) in tree::entries(new, "/data") {
        errors.texts(&data.key(key), key, names::config_key(key));
        size += data::decoded_length(value);
    }
    if size > data::LIMIT {
        errors.too_long("data", data::LIMIT as u64);
    }
    typed(new, errors);
}

/// Validates the required keys of secrets of well-known types.
fn typed(secret: &Value, errors: &mut FieldErrors) {
    let data = Path::root("data");
    let empty = Map::new();
    let entries = tree::map(secret, "/data").unwrap_or(&empty);
    let need = |errors: &mut FieldErrors, key: &str| {
        if !entries.contains_key(key) {
            errors.required(&data.key(key), "");
        }
    };
    match tree::str_at(secret, "/type") {
        "kubernetes.io/service-account-token" => {
            let name = "kubernetes.io/service-account.name";
            if tree::str_at(secret, "/metadata/annotations/kubernetes.io~1service-account.name").is_empty() {
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

static TABLE: Table = Table {
    columns: &[
        NAME,
        Column::string("Type", "What the entries are for."),
        Column::string("Data", "Number of entries."),
        AGE,
    ],
    cells: |source| {
        vec![source.name(), json!(source.text("/type")), json!(source.count("/data")), source.age()]
    },
};

const SELECTABLE: &[SelectableField] = &[field("type", &["type"])];
