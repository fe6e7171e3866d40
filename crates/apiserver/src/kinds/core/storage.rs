//! Rules that volumes and their claims share.

use serde_json::Value;

use crate::kinds::table::cells::{Row, joined};
use crate::tree;
use crate::validation::path::Path;
use crate::validation::{FieldErrors, names};

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
pub(crate) const VOLUME_MODES: [&str; 2] = ["Block", "Filesystem"];

pub(crate) fn validate_access_modes(path: &Path<'_>, spec: &Value, missing: &str, errors: &mut FieldErrors) {
    let at = path.child("accessModes");
    let modes: Vec<&str> = tree::strings_at(spec, "/accessModes").collect();
    if modes.is_empty() {
        errors.required(&at, missing);
    }
    for mode in modes.iter().filter(|mode| !ACCESS_MODES.contains(mode)) {
        errors.not_supported(&at, *mode, &ACCESS_MODES);
    }
    if modes.contains(&"ReadWriteOncePod") && modes.len() > 1 {
        errors.forbidden(&at, "may not use ReadWriteOncePod with other access modes");
    }
}

pub(crate) fn validate_class_name(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    let class = tree::str_at(spec, "/storageClassName");
    if !class.is_empty() {
        errors.texts(&path.child("storageClassName"), class, names::subdomain(class));
    }
}

/// The abbreviations of access modes, in a fixed order.
pub(crate) fn access_modes_cell(row: Row<'_>, pointer: &str) -> String {
    const SHORT: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let modes: Vec<&str> = tree::strings_at(row.object, pointer).collect();
    joined(SHORT.iter().filter(|(mode, _)| modes.contains(mode)).map(|(_, short)| *short))
}

/// The class of a volume or claim; the old annotation wins.
pub(crate) fn class_cell(row: Row<'_>) -> &str {
    match row.object.pointer("/metadata/annotations/volume.beta.kubernetes.io~1storage-class") {
        Some(class) => class.as_str().unwrap_or_default(),
        None => row.text("/spec/storageClassName"),
    }
}

pub(crate) fn phase_cell(row: Row<'_>) -> &str {
    if row.is_deleting() { "Terminating" } else { row.text("/status/phase") }
}
