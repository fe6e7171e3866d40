//! Objects of one cluster that belong to exported services.

use portolan_api::labels::endpoint_slice::{IMPORT_NAME, SERVICE_NAME, SOURCE_CLUSTER};
use portolan_object::{Object, ObjectKey};
use serde_json::Value;

use crate::discovery::slices::is_exportable;
use crate::kubernetes::pods::condition;

/// One member.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Name in the federation.
    pub name: String,
    /// Id in its clusterset; the value of the source-cluster label on its endpoints.
    pub id: Option<String>,
    /// Its objects, or the message of the error that prevented reading them.
    pub contents: Result<Contents, String>,
}

/// Objects of a member.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// ServiceExports.
    pub exports: Vec<Object>,
    /// ServiceImports.
    pub imports: Vec<Object>,
    /// EndpointSlices, imported ones included.
    pub slices: Vec<Object>,
}

impl Cluster {
    /// Whether the value of a source-cluster label is its name or its id.
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

    /// EndpointSlices of the Service in this cluster.
    pub(super) fn own_slices<'a>(&'a self, key: &'a ObjectKey) -> impl Iterator<Item = &'a Object> {
        self.slices.iter().filter(move |slice| is_own_slice(slice, key))
    }

    /// EndpointSlices imported from `source`.
    pub(super) fn slices_from<'a>(
        &'a self,
        key: &'a ObjectKey,
        source: &'a Cluster,
    ) -> impl Iterator<Item = &'a Object> {
        self.slices.iter().filter(move |slice| {
            is_imported_slice(slice, key) && source.is_called(slice.label(SOURCE_CLUSTER).unwrap_or_default())
        })
    }

    /// Exports, imports and EndpointSlices of a service.
    pub(super) fn objects_of<'a>(&'a self, key: &'a ObjectKey) -> impl Iterator<Item = &'a Object> {
        let slices =
            self.slices.iter().filter(|slice| is_own_slice(slice, key) || is_imported_slice(slice, key));
        let objects = self.exports.iter().chain(&self.imports).filter(|object| object.key() == *key);
        objects.chain(slices)
    }
}

/// Whether an EndpointSlice has endpoints of the Service `key` in its own cluster.
pub(crate) fn is_own_slice(slice: &Object, key: &ObjectKey) -> bool {
    slice.namespace() == key.namespace
        && slice.label(SERVICE_NAME) == Some(&key.name)
        && slice.label(SOURCE_CLUSTER).is_none()
        && is_exportable(slice)
}

/// Whether an EndpointSlice was imported for the import `key`.
pub(crate) fn is_imported_slice(slice: &Object, key: &ObjectKey) -> bool {
    slice.namespace() == key.namespace
        && slice.label(IMPORT_NAME) == Some(&key.name)
        && slice.label(SOURCE_CLUSTER).is_some()
        && !slice.is_deleting()
}

/// Whether the import or the EndpointSlices of a cluster name `source` as exporter.
pub(super) fn exported_by(contents: &Contents, key: &ObjectKey, source: &Cluster) -> bool {
    let listed = contents.import(key).and_then(|import| import.at(&["status", "clusters"])?.as_array());
    let is_listed = |entry: &Value| entry["cluster"].as_str().is_some_and(|name| source.is_called(name));
    listed.into_iter().flatten().any(is_listed) || contents.slices_from(key, source).next().is_some()
}

/// Number of ready endpoints, and of all. Absent `ready` means ready (EndpointSlice API).
pub(super) fn endpoints<'a>(slices: impl Iterator<Item = &'a Object>) -> (usize, usize) {
    let (mut ready, mut all) = (0, 0);
    for endpoint in slices.filter_map(|slice| slice.at(&["endpoints"])?.as_array()).flatten() {
        all += 1;
        ready += usize::from(endpoint["conditions"]["ready"] != false);
    }
    (ready, all)
}

/// Reason and message of condition `Valid` if it is false; otherwise empty.
pub(super) fn invalid(export: &Object) -> String {
    match condition(export, "Valid") {
        Some("False") => {
            let (reason, message) = said(export, "Valid");
            if message.is_empty() { reason } else { format!("{reason}: {message}") }
        }
        _ => String::new(),
    }
}

/// Reasons and message of condition `Conflict` if it is true; otherwise empty.
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

/// Latest of creation, deletion, writes and condition transitions of an object. All times are RFC 3339 in UTC with whole
/// seconds, so the lexicographic maximum is the latest.
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
