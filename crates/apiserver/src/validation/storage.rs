//! Volumes, claims and storage classes.

use serde_json::{Value, json};

use super::errors::FieldErrors;
use super::path::Path;
use super::{names, resources, selectors};
use crate::tree;

const SPEC: Path<'static> = Path::root("spec");
const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const VOLUME_MODES: [&str; 2] = ["Block", "Filesystem"];

/// Members of a volume's spec that do not say where the volume is.
const NOT_SOURCES: [&str; 10] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeAttributesClassName",
    "volumeMode",
    "status",
];

pub(crate) fn volume(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    access_modes(&SPEC, spec, "", errors);
    let path = SPEC.child("capacity");
    let capacity = tree::map(spec, "/capacity");
    if capacity.is_none_or(serde_json::Map::is_empty) {
        errors.required(&path, "");
    }
    if capacity.is_none_or(|capacity| capacity.len() != 1 || !capacity.contains_key("storage")) {
        errors.not_supported(&path, json!(capacity), &["storage"]);
    }
    for (name, amount) in tree::entries(spec, "/capacity") {
        if let Some(below) = resources::quantity(amount).filter(|amount| amount.is_negative()) {
            errors.invalid(&path.key(name), below.round_up(), "must be a valid resource quantity");
        }
        resources::positive(&path.key(name), amount, errors);
    }
    let policy = tree::text(spec, "/persistentVolumeReclaimPolicy");
    errors.one_of(&SPEC.child("persistentVolumeReclaimPolicy"), policy, &["Delete", "Recycle", "Retain"]);
    source(spec, errors);
    class_name(&SPEC, spec, errors);
    errors.one_of(&SPEC.child("volumeMode"), tree::text(spec, "/volumeMode"), &VOLUME_MODES);
    let Some(old) = old else { return };
    let sources = |object: &Value| {
        let members = tree::map(object, "/spec").cloned().unwrap_or_default().into_iter();
        members.filter(|(name, value)| is_source(name, value)).collect::<Vec<_>>()
    };
    if sources(new) != sources(old) {
        let detail = "spec.persistentvolumesource is immutable after creation";
        errors.forbidden(&SPEC.child("persistentvolumesource"), detail);
    }
    errors.immutable(&Path::root("volumeMode"), new, old, "/spec/volumeMode");
}

fn is_source(name: &str, value: &Value) -> bool {
    !NOT_SOURCES.contains(&name) && !value.is_null()
}

fn source(spec: &Value, errors: &mut FieldErrors) {
    let members = tree::map(spec, "").into_iter().flatten();
    let sources: Vec<&String> =
        members.filter(|(name, value)| is_source(name, value)).map(|(name, _)| name).collect();
    match sources.as_slice() {
        [] => errors.required(&SPEC, "must specify a volume type"),
        [one] => {
            if *one == "local" && tree::present(spec, "/nodeAffinity/required").is_none() {
                errors.required(&SPEC.child("nodeAffinity"), "Local volume requires node affinity");
            }
        }
        [_, others @ ..] => {
            for other in others {
                errors.forbidden(&SPEC.child(other), "may not specify more than 1 volume type");
            }
        }
    }
}

pub(crate) fn claim(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let spec = new.get("spec").unwrap_or(&Value::Null);
    claim_spec(&SPEC, spec, errors);
    let Some(old) = old else { return };
    let before = old.get("spec").unwrap_or(&Value::Null);
    let is_bound = tree::text(new, "/status/phase") == "Bound";
    if fixed_part(spec, before, is_bound) != fixed_part(before, before, is_bound) {
        let detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for \
                      bound claims";
        errors.forbidden(&SPEC, detail);
    }
    let size = |object: &Value, pointer: &str| tree::present(object, pointer).and_then(resources::quantity);
    let asked = size(spec, "/resources/requests/storage").unwrap_or_default();
    let given = size(old, "/status/capacity/storage").unwrap_or_default();
    if size(before, "/resources/requests/storage").is_some_and(|before| asked < before) && asked <= given {
        let detail = "field can not be less than status.capacity";
        errors.forbidden(&SPEC.child("resources").child("requests").child("storage"), detail);
    }
    errors.immutable(&Path::root("volumeMode"), new, old, "/spec/volumeMode");
}

/// The spec of a claim, also inside templates.
pub(crate) fn claim_spec(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    access_modes(path, spec, "at least 1 access mode is required", errors);
    if let Some(selector) = tree::present(spec, "/selector") {
        selectors::selector(&path.child("selector"), selector, errors);
    }
    let at = path.child("resources");
    match tree::present(spec, "/resources/requests/storage") {
        None => errors.required(&at.key("storage"), ""),
        Some(amount) => resources::positive(&at.key("storage"), amount, errors),
    }
    class_name(path, spec, errors);
    let mode = tree::text(spec, "/volumeMode");
    if !mode.is_empty() {
        errors.one_of(&path.child("volumeMode"), mode, &VOLUME_MODES);
    }
}

/// The spec without what may change: the volume once, the size and the class of attributes when it is bound.
fn fixed_part(spec: &Value, old: &Value, is_bound: bool) -> Value {
    let mut fixed = spec.clone();
    let Some(members) = fixed.as_object_mut() else { return fixed };
    if is_bound {
        members.remove("volumeAttributesClassName");
        let requests = members.get_mut("resources").and_then(|resources| resources.get_mut("requests"));
        if let Some(requests) = requests.and_then(Value::as_object_mut) {
            requests.remove("storage");
        }
    }
    if tree::text(old, "/volumeName").is_empty() {
        members.remove("volumeName");
    }
    if tree::present(old, "/storageClassName").is_none() {
        members.remove("storageClassName");
    }
    members.retain(|_, value| !value.is_null());
    fixed
}

fn access_modes(path: &Path<'_>, spec: &Value, missing: &str, errors: &mut FieldErrors) {
    let at = path.child("accessModes");
    let modes: Vec<&str> = tree::texts(spec, "/accessModes").collect();
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

fn class_name(path: &Path<'_>, spec: &Value, errors: &mut FieldErrors) {
    let class = tree::text(spec, "/storageClassName");
    if !class.is_empty() {
        errors.texts(&path.child("storageClassName"), class, names::subdomain(class));
    }
}

pub(crate) fn storage_class(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    if tree::text(new, "/provisioner").is_empty() {
        errors.required(&Path::root("provisioner"), "");
    }
    let policy = tree::text(new, "/reclaimPolicy");
    errors.one_of(&Path::root("reclaimPolicy"), policy, &["Delete", "Retain"]);
    let mode = tree::text(new, "/volumeBindingMode");
    errors.one_of(&Path::root("volumeBindingMode"), mode, &["Immediate", "WaitForFirstConsumer"]);
    let Some(old) = old else { return };
    for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        errors.immutable(&Path::root(field), new, old, &format!("/{field}"));
    }
}

pub(crate) fn csi_driver(new: &Value, old: Option<&Value>, errors: &mut FieldErrors) {
    let Some(old) = old else { return };
    errors.immutable(&SPEC.child("attachedRequired"), new, old, "/spec/attachRequired");
    errors.immutable(&SPEC.child("volumeLifecycleModes"), new, old, "/spec/volumeLifecycleModes");
}
