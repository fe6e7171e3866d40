//! Volumes, claims and storage classes.

use serde_json::{Map, Value, json};

use super::pod::{quantities, resources};
use crate::tree::{child, child_if_present, default};

pub(crate) fn volume(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    default(spec, "persistentVolumeReclaimPolicy", "Retain");
    default(spec, "volumeMode", "Filesystem");
    quantities(spec, "capacity");
    if let Some(path) = child_if_present(spec, "hostPath")
        && path.get("type").is_none_or(Value::is_null)
    {
        path.insert("type".to_owned(), json!(""));
    }
    if let Some(status) = child(object, "status") {
        default(status, "phase", "Pending");
    }
}

pub(crate) fn claim(object: &mut Map<String, Value>) {
    if let Some(spec) = child(object, "spec") {
        claim_spec(spec);
    }
    if let Some(status) = child(object, "status") {
        default(status, "phase", "Pending");
        quantities(status, "capacity");
    }
}

pub(crate) fn claim_spec(spec: &mut Map<String, Value>) {
    default(spec, "volumeMode", "Filesystem");
    if let Some(amounts) = child(spec, "resources") {
        resources(amounts);
    }
}

pub(crate) fn storage_class(object: &mut Map<String, Value>) {
    default(object, "reclaimPolicy", "Delete");
    default(object, "volumeBindingMode", "Immediate");
}

pub(crate) fn csi_driver(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    default(spec, "attachRequired", true);
    default(spec, "podInfoOnMount", false);
    default(spec, "storageCapacity", false);
    default(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    default(spec, "requiresRepublish", false);
    default(spec, "seLinuxMount", false);
    if spec.get("volumeLifecycleModes").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        spec.insert("volumeLifecycleModes".to_owned(), json!(["Persistent"]));
    }
}
