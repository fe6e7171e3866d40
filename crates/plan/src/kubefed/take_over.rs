//! What a running KubeFed host has, as objects of this control plane: nothing in a member is deleted or made again for it.
//!
//! Members keep the objects that KubeFed made; the federated objects adopt them. ReplicaSchedulingPreferences come last, when every
//! cluster is ready: with only some of the clusters they would divide the replicas differently.

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::crd::federated_definition;
use portolan_api::kubefed::{
    BUILT_IN, FederatedType, FederatedTypeConfig, KubeFedCluster, KubeFedConfig, SYSTEM_NAMESPACE, Scope,
    is_federated,
};
use portolan_api::labels::namespace::SKIP_AUTO_PROPAGATION;
use portolan_api::{Kind, labels, names, resources};
use portolan_object::{GroupKind, Object, ObjectKey};
use serde_json::{Value, json};

use super::changes::{ChangeError, Changes};
use super::placement::is_system_namespace;
use super::template::{self, TemplateError};
use super::type_config::read;
use crate::propagation::prune::prune;
use crate::propagation::retain::retain;

/// What a KubeFed host has, as it was read.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// The KubeFedConfig `kubefed`.
    pub config: Option<KubeFedConfig>,
    /// The FederatedTypeConfigs.
    pub type_configs: Vec<FederatedTypeConfig>,
    /// The CustomResourceDefinitions of federated kinds.
    pub definitions: Vec<Object>,
    /// The KubeFedClusters.
    pub clusters: Vec<KubeFedCluster>,
    /// The Secrets of the system namespace.
    pub secrets: Vec<Object>,
    /// The namespaces.
    pub namespaces: Vec<Object>,
    /// Federated objects of every kind.
    pub federated: Vec<Object>,
    /// ReplicaSchedulingPreferences, Domains and DNS records.
    pub others: Vec<Object>,
}

/// What is created on the control plane, in the order of the fields.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TakeOver {
    /// Namespaces, tokens, configuration, and the federated kinds.
    pub foundation: Vec<Object>,
    /// KubeFedClusters.
    pub clusters: Vec<Object>,
    /// Federated objects, FederatedNamespaces first.
    pub federated: Vec<Object>,
    /// ReplicaSchedulingPreferences, Domains and DNS records: when every cluster is ready.
    pub others: Vec<Object>,
    /// What is not taken over, and why.
    pub left_out: Vec<String>,
}

/// What is created on the control plane for a host.
pub fn take_over(host: &Host) -> TakeOver {
    let mut plan = TakeOver::default();
    let types = types(host, &mut plan);
    plan.federated = federated(host, &types, &mut plan.left_out);
    for object in &host.others {
        if !is_leaving(object, &mut plan.left_out) {
            plan.others.push(carried(object));
        }
    }
    let mut foundation = namespaces(host, &plan);
    foundation.extend(config(host, &mut plan.left_out));
    foundation.append(&mut plan.foundation);
    plan.foundation = foundation;
    clusters(host, &mut plan);
    plan
}

/// An object without what its API server and KubeFed wrote.
fn carried(object: &Object) -> Object {
    let mut object = object.clone();
    prune(&mut object);
    object
}

fn title(object: &Object) -> String {
    format!("{} {}", object.kind(), object.key())
}

fn is_leaving(object: &Object, left_out: &mut Vec<String>) -> bool {
    if object.is_deleting() {
        left_out.push(format!("{}: it is being deleted on the host", title(object)));
    }
    object.is_deleting()
}

/// The federated types, by federated kind. Their FederatedTypeConfigs and definitions go into the foundation.
fn types(host: &Host, plan: &mut TakeOver) -> BTreeMap<GroupKind, FederatedType> {
    let mut types: BTreeMap<GroupKind, FederatedType> = BTreeMap::new();
    for config in &host.type_configs {
        let configured = match read(config) {
            Ok(configured) => configured,
            Err(error) => {
                plan.left_out.push(format!("FederatedTypeConfig {}: {error}", config.metadata.name));
                continue;
            }
        };
        let of = configured.of;
        if let Some(other) = types.get(&of.federated.gvk.group_kind()) {
            let (name, kind) = (&config.metadata.name, &of.federated.gvk.kind);
            plan.left_out.push(format!(
                "FederatedTypeConfig {name}: {kind} is the federated form of {} already",
                other.name()
            ));
            continue;
        }
        if !BUILT_IN.iter().any(|one| one.target.is_kind(&of.target.gvk)) {
            plan.foundation.push(Object(definition(host, &of)));
        }
        let mut carried = FederatedTypeConfig::of(&of, config.spec.propagation);
        carried.spec.status_collection = config.spec.status_collection;
        carried.spec.status_type.clone_from(&config.spec.status_type);
        plan.foundation.push(carried.to_object());
        types.insert(of.federated.gvk.group_kind(), of);
    }
    types
}

/// The definition of a federated kind, with the short names and the optional field that it has on the host.
fn definition(host: &Host, of: &FederatedType) -> Value {
    let name = format!("{}.{}", of.federated.plural, of.federated.gvk.group);
    let found = host.definitions.iter().find(|definition| definition.name() == name);
    let short_names = found.and_then(|found| found.at(&["spec", "names", "shortNames"])?.as_array());
    let short_names: Vec<&str> = short_names.into_iter().flatten().filter_map(Value::as_str).collect();
    let retains = found.is_some_and(|found| {
        let versions = found.at(&["spec", "versions"]).and_then(Value::as_array);
        let field = "/schema/openAPIV3Schema/properties/spec/properties/retainReplicas";
        versions.into_iter().flatten().any(|version| version.pointer(field).is_some())
    });
    federated_definition(of, &short_names, retains)
}

fn federated(
    host: &Host,
    types: &BTreeMap<GroupKind, FederatedType>,
    left_out: &mut Vec<String>,
) -> Vec<Object> {
    let mut federated = Vec::new();
    for object in host.federated.iter().filter(|object| is_federated(&object.group_version_kind())) {
        if is_leaving(object, left_out) {
            continue;
        }
        if !types.contains_key(&object.group_version_kind().group_kind()) {
            left_out.push(format!("{}: the host has no FederatedTypeConfig for its kind", title(object)));
        } else if names::is_reserved_namespace(object.namespace()) {
            let namespace = object.namespace();
            left_out.push(format!("{}: {namespace} is a namespace of the control plane", title(object)));
        } else {
            federated.push(carried(object));
        }
    }
    let is_other = |object: &Object| object.kind() != "FederatedNamespace";
    federated.sort_by_key(|object| (is_other(object), object.kind().to_owned(), object.key()));
    federated
}

/// The namespaces of what is taken over. The control plane does not propagate them by itself, as the host does not either.
fn namespaces(host: &Host, plan: &TakeOver) -> Vec<Object> {
    let objects = plan.federated.iter().chain(&plan.others);
    let wanted: BTreeSet<&str> = objects.map(Object::namespace).chain([SYSTEM_NAMESPACE]).collect();
    let is_made = |name: &&str| !name.is_empty() && !is_system_namespace(name);
    let namespace = |name: &str| {
        let found = host.namespaces.iter().find(|namespace| namespace.name() == name);
        let mut labels = found.map(Object::labels).unwrap_or_default();
        labels.retain(|label, _| !label.contains("kubernetes.io/") && !label.contains("kubefed.io/"));
        labels.insert(SKIP_AUTO_PROPAGATION.to_owned(), labels::TRUE.to_owned());
        Object(json!({ "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": name, "labels": labels } }))
    };
    wanted.into_iter().filter(is_made).map(namespace).collect()
}

fn config(host: &Host, left_out: &mut Vec<String>) -> Option<Object> {
    let config = host.config.as_ref()?;
    if config.spec.scope == Scope::Namespaced {
        left_out.push(
            "KubeFedConfig kubefed: its scope is Namespaced; without it a namespace needs no FederatedNamespace, as on the host"
                .to_owned(),
        );
        return None;
    }
    Some(carried(&config.to_object()))
}

/// The KubeFedClusters, and in the foundation the Secrets that they refer to, with nothing but the token.
fn clusters(host: &Host, plan: &mut TakeOver) {
    for cluster in &host.clusters {
        let object = cluster.to_object();
        if is_leaving(&object, &mut plan.left_out) {
            continue;
        }
        plan.clusters.push(carried(&object));
        let key = ObjectKey::namespaced(SYSTEM_NAMESPACE, &*cluster.spec.secret_ref.name);
        if let Some(secret) = host.secrets.iter().find(|secret| secret.key() == key) {
            plan.foundation.push(Object(json!({ "apiVersion": "v1", "kind": "Secret",
                "metadata": { "namespace": &*key.namespace, "name": &*key.name },
                "data": { "token": secret.at(&["data", "token"]) } })));
        }
    }
}

/// An object in a member cannot be compared with its federated object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// The template cannot be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The overrides cannot be applied.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

/// The object that a federated object asks for in a cluster, over the one that the cluster has. An API server that replaces the
/// one by the other says what changes.
///
/// # Errors
/// When the template or the overrides cannot be used.
pub fn replacement(
    federated: &Object,
    of: &FederatedType,
    cluster: &str,
    observed: &Object,
) -> Result<Object, CompareError> {
    let spec = template::spec(federated)?;
    let mut manifest = template::template(federated, &spec, of)?;
    prune(&mut manifest);
    Changes::of(&spec).apply(&mut manifest, cluster)?;
    retain(&mut manifest, observed);
    Ok(manifest)
}

/// Whether a Deployment of the host is KubeFed's controllers and has replicas: two control planes would write into the
/// members.
pub fn runs_kubefed(deployment: &Object) -> bool {
    resources::DEPLOYMENT.is_kind_of(deployment)
        && deployment.name().contains("kubefed-controller-manager")
        && deployment.at(&["spec", "replicas"]) != Some(&json!(0))
}

#[cfg(test)]
mod tests;
