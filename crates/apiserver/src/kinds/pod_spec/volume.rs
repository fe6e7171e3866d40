//! Volumes of pods.

use std::collections::BTreeSet;

use portolan_object::quantity::Quantity;
use serde_json::Value;

use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names, resources};

/// Names of the volumes that containers may mount.
pub(crate) type Volumes<'a> = BTreeSet<&'a str>;

const FILE_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// Checks the volumes of a pod; the names of the sound ones come back.
pub(crate) fn volumes<'a>(path: &Path<'_>, spec: &'a Value, errors: &mut FieldErrors) -> Volumes<'a> {
    let mut known = BTreeSet::new();
    for (index, volume) in tree::list(spec, "/volumes").iter().enumerate() {
        let at = path.index(index);
        let before = errors.len();
        source(&at, volume, errors);
        let name = tree::str_at(volume, "/name");
        match name {
            "" => errors.required(&at.child("name"), ""),
            name => errors.texts(&at.child("name"), name, names::label(name)),
        }
        if known.contains(name) {
            errors.duplicate(&at.child("name"), name);
        }
        if errors.len() == before {
            known.insert(name);
        }
    }
    known
}

fn source(path: &Path<'_>, volume: &Value, errors: &mut FieldErrors) {
    let members = tree::map(volume, "").into_iter().flatten();
    let mut sources = members.filter(|(name, value)| name.as_str() != "name" && !value.is_null());
    let Some((kind, first)) = sources.next() else {
        errors.required(path, "must specify a volume type");
        return;
    };
    let at = path.child(kind);
    let need = |errors: &mut FieldErrors, field: &str| {
        if tree::str_at(first, &format!("/{field}")).is_empty() {
            errors.required(&at.child(field), "");
        }
    };
    let limit = tree::present(first, "/sizeLimit").and_then(resources::quantity);
    match kind.as_str() {
        "emptyDir" if limit.is_some_and(Quantity::is_negative) => {
            let detail = "SizeLimit field must be a valid resource quantity";
            errors.forbidden(&at.child("sizeLimit"), detail);
        }
        "hostPath" => {
            need(errors, "path");
            if tree::str_at(first, "/path").split('/').any(|part| part == "..") {
                errors.invalid(&at.child("path"), tree::str_at(first, "/path"), "must not contain '..'");
            }
        }
        "secret" => {
            need(errors, "secretName");
            files(&at, first, errors);
        }
        "configMap" => {
            need(errors, "name");
            files(&at, first, errors);
        }
        "persistentVolumeClaim" => need(errors, "claimName"),
        "nfs" => {
            need(errors, "server");
            need(errors, "path");
            let path = tree::str_at(first, "/path");
            if !path.starts_with('/') {
                errors.invalid(&at.child("path"), path, "must be an absolute path");
            }
        }
        "csi" => need(errors, "driver"),
        "projected" | "downwardAPI" => mode(&at.child("defaultMode"), first.get("defaultMode"), errors),
        _ => {}
    }
    for (kind, _) in sources {
        errors.forbidden(&path.child(kind), "may not specify more than 1 volume type");
    }
}

fn files(path: &Path<'_>, source: &Value, errors: &mut FieldErrors) {
    mode(&path.child("defaultMode"), source.get("defaultMode"), errors);
    let items = path.child("items");
    for (index, item) in tree::list(source, "/items").iter().enumerate() {
        let at = items.index(index);
        for field in ["key", "path"] {
            if tree::str_at(item, &format!("/{field}")).is_empty() {
                errors.required(&at.child(field), "");
            }
        }
        path_inside(&at.child("path"), tree::str_at(item, "/path"), errors);
        mode(&at.child("mode"), item.get("mode"), errors);
    }
}

fn mode(path: &Path<'_>, mode: Option<&Value>, errors: &mut FieldErrors) {
    if let Some(mode) = mode.and_then(Value::as_i64)
        && !(0..=0o777).contains(&mode)
    {
        errors.invalid(path, mode, FILE_MODE);
    }
}

/// A path that stays inside its volume.
pub(crate) fn path_inside(path: &Path<'_>, inner: &str, errors: &mut FieldErrors) {
    if inner.starts_with('/') {
        errors.invalid(path, inner, "must be a relative path");
    }
    if inner.split('/').any(|part| part == "..") {
        errors.invalid(path, inner, "must not contain '..'");
    }
}
