//! The ServiceImport of a set in one member, and an import as an export for unreachable exporters.
//!
//! KEP-1645 reserves writes of these imports to the controllers, so labels, annotations and spec are replaced as a
//! whole, which reverts other edits.

use std::collections::BTreeMap;

use portolan_api::multicluster::{
    ClientIpConfig, ServiceImport, ServiceImportSpec, ServiceImportType, SessionAffinityConfig,
};
use portolan_api::{Kind, annotations, labels};
use portolan_object::Object;
use serde_json::Value;

use super::Pass;
use crate::clusters::ownership::stamp;
use crate::discovery::export::ValidExport;

/// Addresses of an import, with their families in the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) ips: Vec<String>,
    pub(super) families: Vec<String>,
}

/// The desired import, without status.
pub(super) fn wanted(pass: &Pass<'_>, addresses: &Addresses) -> Object {
    let (key, merged) = (pass.service, pass.merged);
    let spec = ServiceImportSpec {
        ports: merged.ports.clone(),
        ips: addresses.ips.clone(),
        ip_families: addresses.families.clone(),
        kind: merged.kind,
        session_affinity: merged.session_affinity.clone(),
        session_affinity_config: merged.affinity_seconds.map(|seconds| SessionAffinityConfig {
            client_ip: Some(ClientIpConfig { timeout_seconds: Some(seconds) }),
        }),
        internal_traffic_policy: merged.internal_traffic_policy.clone(),
        traffic_distribution: merged.traffic_distribution.clone(),
    };
    let mut import = ServiceImport { spec, ..ServiceImport::default() };
    import.metadata.namespace.clone_from(&key.namespace);
    import.metadata.name.clone_from(&key.name);
    import.metadata.labels.clone_from(&merged.labels);
    import.metadata.labels.insert(labels::MANAGED.to_owned(), labels::TRUE.to_owned());
    import.metadata.labels.insert(labels::cluster_set::NAME.to_owned(), pass.exported.set.to_owned());
    import.metadata.labels.insert(labels::CONTROL_PLANE.to_owned(), pass.owner.to_owned());
    import.metadata.annotations.clone_from(&merged.annotations);
    if merged.kind == ServiceImportType::ClusterSetIP {
        let name = pass.derived_name();
        import.metadata.annotations.insert(annotations::service_import::DERIVED_SERVICE.to_owned(), name);
    }
    let mut object = import.to_object();
    object.0["apiVersion"] = pass.member.import_version.into();
    object
}

/// Whether a present import has the desired spec, labels and annotations.
pub(super) fn is_same(import: &Object, wanted: &Object) -> bool {
    import.0["spec"] == wanted.0["spec"]
        && import.labels() == wanted.labels()
        && import.annotations() == wanted.annotations()
}

/// `wanted` with the status and the server's metadata of the present import.
pub(super) fn replacement(present: &Object, mut wanted: Object) -> Object {
    for field in ["uid", "resourceVersion", "finalizers", "ownerReferences"] {
        if let Some(value) = present.at(&["metadata", field]) {
            wanted.metadata_mut().insert(field.to_owned(), value.clone());
        }
    }
    if let Some(status) = present.0.get("status") {
        wanted.0["status"] = status.clone();
    }
    wanted
}

/// The present import as an export that is older than all others, so that its values win conflicts.
pub(super) fn as_export(import: &Object) -> ValidExport {
    let typed = import.to_typed::<ServiceImport>().unwrap_or_default();
    let spec = typed.spec;
    let without = |map: BTreeMap<String, String>, keys: &[&str]| -> BTreeMap<String, String> {
        map.into_iter().filter(|(key, _)| !keys.contains(&key.as_str())).collect()
    };
    let seconds = spec.session_affinity_config.and_then(|config| config.client_ip?.timeout_seconds);
    ValidExport {
        cluster: String::new(),
        since: String::new(),
        kind: spec.kind,
        ports: spec.ports,
        session_affinity: spec.session_affinity,
        affinity_seconds: seconds,
        internal_traffic_policy: spec.internal_traffic_policy,
        traffic_distribution: spec.traffic_distribution,
        families: spec.ip_families,
        labels: without(
            typed.metadata.labels,
            &[labels::MANAGED, labels::cluster_set::NAME, labels::CONTROL_PLANE],
        ),
        annotations: without(typed.metadata.annotations, &[annotations::service_import::DERIVED_SERVICE]),
    }
}

/// Sets the labels of a set and of a control plane. Makes `import` the owner, so that the object is garbage-collected with it.
pub(super) fn set_marks(object: &mut Object, set: &str, owner: &str, import: Option<&Object>) {
    object.set_label(labels::MANAGED, labels::TRUE);
    object.set_label(labels::cluster_set::NAME, set);
    stamp(object, owner);
    if let Some(import) = import {
        let owner = crate::discovery::derived_service::owner_reference(import);
        object.metadata_mut().insert("ownerReferences".to_owned(), Value::Array(vec![owner]));
    }
}
