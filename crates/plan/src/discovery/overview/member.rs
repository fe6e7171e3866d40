//! Objects of one cluster that belong to exported services.

use portolan_api::conditions::multicluster;
use portolan_api::kubernetes::{Condition, EndpointSlice, ServicePort, View, condition};
use portolan_api::labels::endpoint_slice::{IMPORT_NAME, SERVICE_NAME, SOURCE_CLUSTER};
use portolan_api::multicluster::ServiceImportView;
use portolan_api::probes::ProbeReport;
use portolan_object::{Object, ObjectKey};
use serde_json::Value;

use crate::discovery::Lost;
use crate::discovery::slices::is_exportable;

/// One member.
#[derive(Debug, Clone)]
pub struct MemberSnapshot {
    /// Name in the federation.
    pub name: String,
    /// Id in its clusterset; the value of the source-cluster label on its endpoints.
    pub id: Option<String>,
    /// Its objects.
    pub objects: Result<MemberObjects, Lost>,
}

/// Objects of a member.
#[derive(Debug, Clone, Default)]
pub struct MemberObjects {
    /// ServiceExports.
    pub exports: Vec<Object>,
    /// ServiceImports.
    pub imports: Vec<Object>,
    /// EndpointSlices, imported ones included.
    pub slices: Vec<Object>,
    /// What its agents see of imported endpoints.
    pub probes: Vec<ProbeReport>,
}

impl MemberSnapshot {
    /// Whether the value of a source-cluster label is its name or its id.
    pub(super) fn is_called(&self, label: &str) -> bool {
        label == self.name || self.id.as_deref() == Some(label)
    }
}

impl MemberObjects {
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
        source: &'a MemberSnapshot,
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
pub(super) fn exported_by(objects: &MemberObjects, key: &ObjectKey, source: &MemberSnapshot) -> bool {
    let import = objects.import(key).and_then(|import| ServiceImportView::read(import).ok());
    let mut listed = import.into_iter().flat_map(|import| import.status.clusters);
    listed.any(|listed| source.is_called(listed.cluster)) || objects.slices_from(key, source).next().is_some()
}

/// Number of ready endpoints, and of all. Absent `ready` means ready (EndpointSlice API).
pub(super) fn endpoints<'a>(slices: impl Iterator<Item = &'a Object>) -> (usize, usize) {
    let (mut ready, mut all) = (0, 0);
    for slice in slices.filter_map(|slice| EndpointSlice::read(slice).ok()) {
        all += slice.endpoints.len();
        ready += slice.endpoints.iter().filter(|endpoint| endpoint.is_ready()).count();
    }
    (ready, all)
}

/// Reason and message of condition `Valid` if it is false; otherwise empty.
pub(super) fn invalid(export: &Object) -> String {
    match condition(export, multicluster::VALID).filter(|condition| condition.status == "False") {
        Some(Condition { reason, message: "", .. }) => reason.to_owned(),
        Some(Condition { reason, message, .. }) => format!("{reason}: {message}"),
        None => String::new(),
    }
}

/// Reasons and message of condition `Conflict` if it is true; otherwise empty.
pub(super) fn conflict(export: &Object) -> (String, String) {
    let conflict = condition(export, multicluster::CONFLICT).filter(Condition::is_true);
    conflict.map(|found| (found.reason.to_owned(), found.message.to_owned())).unwrap_or_default()
}

/// Ports of an import, as `name:number/protocol`.
pub(super) fn ports(import: &ServiceImportView<'_>) -> Vec<String> {
    let text = |port: &ServicePort<'_>| {
        let protocol = port.protocol.unwrap_or("TCP");
        match port.name {
            "" => format!("{}/{protocol}", port.port),
            name => format!("{name}:{}/{protocol}", port.port),
        }
    };
    import.spec.ports.iter().map(text).collect()
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
