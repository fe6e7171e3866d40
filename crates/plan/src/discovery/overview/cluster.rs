//! What one cluster holds of the federation's services, and how to find the parts of one service in it.

use portolan_api::labels::endpoint_slice::{IMPORT_NAME, SERVICE_NAME, SOURCE_CLUSTER};
use portolan_object::{Object, ObjectKey};
use serde_json::Value;

use crate::discovery::slices::is_exportable;
use crate::kubernetes::pods::condition;

/// One member.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its name in the federation.
    pub name: String,
    /// Its id in the clusterset, where it has one: what the slices of its endpoints are labelled with.
    pub id: Option<String>,
    /// What it holds, or why it could not be read.
    pub contents: Result<Contents, String>,
}

/// What a member holds.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Its ServiceExports.
    pub exports: Vec<Object>,
    /// Its ServiceImports.
    pub imports: Vec<Object>,
    /// Its EndpointSlices, own and imported ones.
    pub slices: Vec<Object>,
}

impl Cluster {
    /// Whether a source-cluster label names this cluster.
    pub(super) fn is_called(&self, label: &str) -> bool {
        label == self.name || self.id.as_deref() == Some(label)
    }
}

impl Contents {
    pub(super) fn export(&self, key: &ObjectKey) -> Option<&Object> {
        self.exports.iter().find(|export| export.key() == *key && !export.is_deleting())
    }

    pub(super) fn import(&self, key: &ObjectKey) -> Option<&Object> {
        self.imports.iter().find(|import| import.key() == *key)
    }

    /// Slices of the cluster's own Service.
    pub(super) fn own_slices<'a>(&'a self, key: &'a ObjectKey) -> impl Iterator<Item = &'a Object> {
        self.slices.iter().filter(move |slice| is_own_slice(slice, key))
    }

    /// Slices that came from another cluster.
    pub(super) fn slices_from<'a>(
        &'a self,
        key: &'a ObjectKey,
        source: &'a Cluster,
    ) -> impl Iterator<Item = &'a Object> {
        self.slices.iter().filter(move |slice| {
            is_imported_slice(slice, key) && source.is_called(slice.label(SOURCE_CLUSTER).unwrap_or_default())
        })
    }

    /// Everything that belongs to a service.
    pub(super) fn parts<'a>(&'a self, key: &'a ObjectKey) -> impl Iterator<Item = &'a Object> {
        let slices =
            self.slices.iter().filter(|slice| is_own_slice(slice, key) || is_imported_slice(slice, key));
        let objects = self.exports.iter().chain(&self.imports).filter(|object| object.key() == *key);
        objects.chain(slices)
    }
}

/// Whether a slice holds endpoints of the Service `key` of its own cluster.
pub(crate) fn is_own_slice(slice: &Object, key: &ObjectKey) -> bool {
    slice.namespace() == key.namespace
        && slice.label(SERVICE_NAME) == Some(&key.name)
        && slice.label(SOURCE_CLUSTER).is_none()
        && is_exportable(slice)
}

/// Whether a slice was put there for the import `key`.
pub(crate) fn is_imported_slice(slice: &Object, key: &ObjectKey) -> bool {
    slice.namespace() == key.namespace
        && slice.label(IMPORT_NAME) == Some(&key.name)
        && slice.label(SOURCE_CLUSTER).is_some()
        && !slice.is_deleting()
}

/// Whether what a cluster holds says that `source` exports the service.
pub(super) fn exported_by(contents: &Contents, key: &ObjectKey, source: &Cluster) -> bool {
    let listed = contents.import(key).and_then(|import| import.at(&["status", "clusters"])?.as_array());
    let is_listed = |entry: &Value| entry["cluster"].as_str().is_some_and(|name| source.is_called(name));
    listed.into_iter().flatten().any(is_listed) || contents.slices_from(key, source).next().is_some()
}

/// Endpoints that get traffic, and all. An unset condition counts as ready (EndpointSlice API).
pub(super) fn endpoints<'a>(slices: impl Iterator<Item = &'a Object>) -> (usize, usize) {
    let (mut ready, mut all) = (0, 0);
    for endpoint in slices.filter_map(|slice| slice.at(&["endpoints"])?.as_array()).flatten() {
        all += 1;
        ready += usize::from(endpoint["conditions"]["ready"] != false);
    }
    (ready, all)
}

/// Why an export is not valid: reason and message of its condition.
pub(super) fn invalid(export: &Object) -> String {
    match condition(export, "Valid") {
        Some("False") => {
            let (reason, message) = said(export, "Valid");
            if message.is_empty() { reason } else { format!("{reason}: {message}") }
        }
        _ => String::new(),
    }
}

/// Reasons and message of an export's conflict.
pub(super) fn conflict(export: &Object) -> (String, String) {
    match condition(export, "Conflict") {
        Some("True") => said(export, "Conflict"),
        _ => (String::new(), String::new()),
    }
}

/// Reason and message of a condition.
pub(crate) fn said(object: &Object, kind: &str) -> (String, String) {
    let conditions = object.at(&["status", "conditions"]).and_then(Value::as_array);
    let found = conditions.into_iter().flatten().find(|condition| condition["type"] == kind);
    let text = |field: &str| found.and_then(|found| found[field].as_str()).unwrap_or_default().to_owned();
    (text("reason"), text("message"))
}

/// The strings of a list.
pub(super) fn texts(object: &Object, path: &[&str]) -> Vec<String> {
    let list = object.at(path).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The ports of an import, as `name:number/protocol`.
pub(super) fn ports(import: &Object) -> Vec<String> {
    let list = import.at(&["spec", "ports"]).and_then(Value::as_array);
    let text = |port: &Value| {
        let protocol = port["protocol"].as_str().unwrap_or("TCP");
        match port["name"].as_str() {
            Some(name) if !name.is_empty() => format!("{name}:{}/{protocol}", port["port"]),
            _ => format!("{}/{protocol}", port["port"]),
        }
    };
    list.into_iter().flatten().map(text).collect()
}

/// The latest time on an object: creation, deletion, writes, conditions. All are RFC 3339 in UTC with whole seconds,
/// so that the latest is the greatest text.
pub(super) fn last_change(object: &Object) -> String {
    let entries = |path: &[&str], field: &'static str| -> Vec<String> {
        let list = object.at(path).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|entry| entry[field].as_str()).map(str::to_owned).collect()
    };
    let own = ["creationTimestamp", "deletionTimestamp"]
        .map(|field| object.str_at(&["metadata", field]).to_owned());
    let writes = entries(&["metadata", "managedFields"], "time");
    let conditions = entries(&["status", "conditions"], "lastTransitionTime");
    own.into_iter().chain(writes).chain(conditions).max().unwrap_or_default()
}
