//! A federated object as a template with a PropagationPolicy and an OverridePolicy: the clusters get exactly the same.

mod resume;

use std::collections::BTreeSet;

use portolan_api::annotations::policy::MIGRATED_FROM;
use portolan_api::cluster::Cluster;
use portolan_api::kubefed::{FederatedSpec, FederatedType, MANAGED, OverrideOperation};
use portolan_api::labels::template::RETAIN_REPLICAS;
use portolan_api::meta::{ObjectMeta, Toleration};
use portolan_api::policy::{
    ClusterAffinity, ClusterOverridePolicy, OverrideOperator, OverridePolicy, OverrideRule, OverrideSpec,
    Overriders, Placement, PlaintextOverrider,
};
use portolan_api::{Kind, labels};
use portolan_object::Object;
use serde_json::Value;

use super::changes::{ChangeError, Changes};
use super::patch;
use super::template::{self, TemplateError};
use crate::adoption::policy_of_federated;
use crate::propagation::overrides::{self, Policy};
use crate::propagation::prune::prune;

pub use resume::{Existing, Exists, Step, overrides_beside, steps};

/// What takes the place of a federated object.
#[derive(Debug, Clone, PartialEq)]
pub struct Migrated {
    /// The template.
    pub template: Object,
    /// The PropagationPolicy or ClusterPropagationPolicy that places it.
    pub policy: Object,
    /// The OverridePolicy or ClusterOverridePolicy with its changes for single clusters, if it has any.
    pub overrides: Option<Object>,
}

/// A federated object stays one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MigrateError {
    /// Its template cannot be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Its overrides cannot be applied.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// A namespace.
    #[error(
        "policies do not limit where a namespace is: migrate what is in it, then delete the FederatedNamespace; the namespace \
         goes to every cluster then, unless it has the label namespace.karmada.io/skip-auto-propagation"
    )]
    Namespace,
    /// It is in no cluster.
    #[error("it is in no cluster: there is nothing to migrate")]
    NoClusters,
    /// An override policy would make another object of it.
    #[error("an OverridePolicy cannot say its overrides for cluster {cluster}: {reason}")]
    Differs {
        /// The cluster.
        cluster: String,
        /// Why.
        reason: String,
    },
}

/// Where a federated object goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clusters {
    /// The clusters that it is in.
    pub names: BTreeSet<String>,
    /// Whether its selector alone says so, and keeps saying so for clusters to come.
    pub by_selector: bool,
}

/// The objects that take the place of a federated object.
///
/// # Errors
/// Why it cannot be migrated.
pub fn migrate(
    federated: &Object,
    of: &FederatedType,
    clusters: &Clusters,
) -> Result<Migrated, MigrateError> {
    if of.is_namespace() {
        return Err(MigrateError::Namespace);
    }
    if clusters.names.is_empty() {
        return Err(MigrateError::NoClusters);
    }
    let spec = template::spec(federated)?;
    let mut template = template::template(federated, &spec, of)?;
    prune(&mut template);
    let plain = template.clone();
    if spec.retain_replicas {
        template.set_label(RETAIN_REPLICAS, labels::TRUE);
    }
    let changes = Changes::of(&spec);
    let mut rules = Vec::new();
    for cluster in &clusters.names {
        let mut wanted = plain.clone();
        changes.apply(&mut wanted, cluster)?;
        let plaintext = overriders(&spec, &template, cluster)?;
        if !plaintext.is_empty() {
            let overriders = Overriders { plaintext, ..Overriders::default() };
            rules.push(OverrideRule { target_cluster: Some(named([cluster.clone()])), overriders });
        }
        verify(&template, &rules, cluster, wanted)?;
    }
    let mut policy = policy_of_federated(&template, placement(&spec, clusters));
    let mut overrides = (!rules.is_empty()).then(|| override_policy(&template, &policy, rules));
    for made in overrides.iter_mut().chain([&mut policy]) {
        made.set_annotation(MIGRATED_FROM, federated.uid());
    }
    Ok(Migrated { template, policy, overrides })
}

fn named(names: impl IntoIterator<Item = String>) -> ClusterAffinity {
    ClusterAffinity { cluster_names: names.into_iter().collect(), ..ClusterAffinity::default() }
}

/// As in KubeFed, taints of clusters do not count.
fn placement(spec: &FederatedSpec, clusters: &Clusters) -> Placement {
    let selector = spec.placement.as_ref().and_then(|placement| placement.cluster_selector.clone());
    let affinity = match selector.filter(|_| clusters.by_selector) {
        Some(selector) => ClusterAffinity { label_selector: Some(selector), ..ClusterAffinity::default() },
        None => named(clusters.names.iter().cloned()),
    };
    let any = Toleration { operator: "Exists".to_owned(), ..Toleration::default() };
    Placement { cluster_affinity: Some(affinity), cluster_tolerations: vec![any], ..Placement::default() }
}

/// The overrides for a cluster, in the operations of RFC 6902.
fn overriders(
    spec: &FederatedSpec,
    template: &Object,
    cluster: &str,
) -> Result<Vec<PlaintextOverrider>, ChangeError> {
    let entry = spec.overrides.iter().find(|entry| entry.cluster_name == cluster);
    let changes = entry.map(|entry| entry.cluster_overrides.as_slice()).unwrap_or_default();
    let mut overriders = Vec::new();
    let mut object = template.clone();
    for change in changes {
        let failed = |fault| {
            let (cluster, path) = (cluster.to_owned(), change.path.clone());
            ChangeError::Override { cluster, path, fault }
        };
        let operation = change.operation();
        let operation = operation.ok_or_else(|| failed(patch::PatchFault::Operation(change.op.clone())))?;
        let path = absolute(&object.0, &change.path, operation);
        let operator = match operation {
            OverrideOperation::Remove => OverrideOperator::Remove,
            OverrideOperation::Replace if object.0.pointer(&path).is_some() => OverrideOperator::Replace,
            OverrideOperation::Add | OverrideOperation::Replace => OverrideOperator::Add,
        };
        patch::apply(&mut object.0, operation, &change.path, change.value.as_ref()).map_err(failed)?;
        let value = (operator != OverrideOperator::Remove).then(|| change.value.clone().unwrap_or_default());
        overriders.push(PlaintextOverrider { path, operator, value });
    }
    if spec.retain_replicas && changes.iter().any(|change| change.path == "/spec/replicas") {
        let path = format!("/metadata/labels/{}", RETAIN_REPLICAS.replace('/', "~1"));
        overriders.push(PlaintextOverrider { path, operator: OverrideOperator::Remove, value: None });
    }
    Ok(overriders)
}

/// The path with indices from the start of their lists.
fn absolute(object: &Value, path: &str, operation: OverrideOperation) -> String {
    let mut walked = String::new();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    for (place, part) in parts.iter().enumerate() {
        let is_last = place + 1 == parts.len();
        let list = object.pointer(&walked).and_then(Value::as_array);
        let end = usize::from(is_last && operation == OverrideOperation::Add);
        let index = list.and_then(|list| patch::index(part, list.len() + end));
        match index {
            Some(index) => walked.push_str(&format!("/{index}")),
            None => walked.push_str(&format!("/{part}")),
        }
    }
    walked
}

/// Whether the policies make what the federated object makes.
fn verify(
    template: &Object,
    rules: &[OverrideRule],
    cluster: &str,
    mut wanted: Object,
) -> Result<(), MigrateError> {
    let differs = |reason: String| MigrateError::Differs { cluster: cluster.to_owned(), reason };
    let spec = OverrideSpec { override_rules: rules.to_vec(), ..OverrideSpec::default() };
    let policy = Policy { metadata: &ObjectMeta::default(), spec: &spec };
    let place = Cluster { metadata: ObjectMeta::cluster(cluster), ..Cluster::default() };
    let mut made = template.clone();
    overrides::apply(&[policy], &mut made, &place).map_err(|error| differs(error.fault.to_string()))?;
    if let Some(labels) = wanted.0.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(MANAGED);
    }
    for object in [&mut made, &mut wanted] {
        prune(object);
    }
    match made == wanted {
        true => Ok(()),
        false => Err(differs("the result is another object".to_owned())),
    }
}

fn override_policy(template: &Object, policy: &Object, rules: Vec<OverrideRule>) -> Object {
    let name = policy.name().to_owned();
    let spec = OverrideSpec {
        resource_selectors: vec![crate::adoption::selector(template)],
        override_rules: rules,
        ..OverrideSpec::default()
    };
    match template.namespace() {
        "" => ClusterOverridePolicy { metadata: ObjectMeta::cluster(name), spec, ..Default::default() }
            .to_object(),
        namespace => {
            let metadata = ObjectMeta::namespaced(namespace, name);
            OverridePolicy { metadata, spec, ..Default::default() }.to_object()
        }
    }
}

#[cfg(test)]
mod tests;
