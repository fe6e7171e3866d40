//! Volumes of pods.

use std::collections::BTreeSet;

use serde_json::Value;

use super::faults::Faults;
use super::path::Path;
use super::{container, names, resources};
use crate::quantity::Quantity;
use crate::tree;

/// Names of the volumes that containers may mount.
pub(super) type Volumes<'a> = BTreeSet<&'a str>;

const FILE_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// Checks the volumes of a pod; the names of the sound ones come back.
pub(super) fn volumes<'a>(path: &Path<'_>, spec: &'a Value, faults: &mut Faults) -> Volumes<'a> {
    let mut known = BTreeSet::new();
    for (index, volume) in tree::list(spec, "/volumes").iter().enumerate() {
        let at = path.index(index);
        let before = faults.len();
        source(&at, volume, faults);
        let name = tree::text(volume, "/name");
        match name {
            "" => faults.required(&at.child("name"), ""),
            name => faults.texts(&at.child("name"), name, names::label(name)),
        }
        if known.contains(name) {
            faults.duplicate(&at.child("name"), name);
        }
        if faults.len() == before {
            known.insert(name);
        }
    }
    known
}

fn source(path: &Path<'_>, volume: &Value, faults: &mut Faults) {
    let members = tree::map(volume, "").into_iter().flatten();
    let mut sources = members.filter(|(name, value)| name.as_str() != "name" && !value.is_null());
    let Some((kind, first)) = sources.next() else {
        faults.required(path, "must specify a volume type");
        return;
    };
    let at = path.child(kind);
    let need = |faults: &mut Faults, field: &str| {
        if tree::text(first, &format!("/{field}")).is_empty() {
            faults.required(&at.child(field), "");
        }
    };
    let limit = tree::present(first, "/sizeLimit").and_then(resources::quantity);
    match kind.as_str() {
        "emptyDir" if limit.is_some_and(Quantity::is_negative) => {
            let detail = "SizeLimit field must be a valid resource quantity";
            faults.forbidden(&at.child("sizeLimit"), detail);
        }
        "hostPath" => {
            need(faults, "path");
            if tree::text(first, "/path").split('/').any(|part| part == "..") {
                faults.invalid(&at.child("path"), tree::text(first, "/path"), "must not contain '..'");
            }
        }
        "secret" => {
            need(faults, "secretName");
            files(&at, first, faults);
        }
        "configMap" => {
            need(faults, "name");
            files(&at, first, faults);
        }
        "persistentVolumeClaim" => need(faults, "claimName"),
        "nfs" => {
            need(faults, "server");
            need(faults, "path");
            let path = tree::text(first, "/path");
            if !path.starts_with('/') {
                faults.invalid(&at.child("path"), path, "must be an absolute path");
            }
        }
        "csi" => need(faults, "driver"),
        "projected" | "downwardAPI" => mode(&at.child("defaultMode"), first.get("defaultMode"), faults),
        _ => {}
    }
    for (kind, _) in sources {
        faults.forbidden(&path.child(kind), "may not specify more than 1 volume type");
    }
}

fn files(path: &Path<'_>, source: &Value, faults: &mut Faults) {
    mode(&path.child("defaultMode"), source.get("defaultMode"), faults);
    let items = path.child("items");
    for (index, item) in tree::list(source, "/items").iter().enumerate() {
        let at = items.index(index);
        for field in ["key", "path"] {
            if tree::text(item, &format!("/{field}")).is_empty() {
                faults.required(&at.child(field), "");
            }
        }
        container::inside(&at.child("path"), tree::text(item, "/path"), faults);
        mode(&at.child("mode"), item.get("mode"), faults);
    }
}

fn mode(path: &Path<'_>, mode: Option<&Value>, faults: &mut Faults) {
    if let Some(mode) = mode.and_then(Value::as_i64)
        && !(0..=0o777).contains(&mode)
    {
        faults.invalid(path, mode, FILE_MODE);
    }
}
