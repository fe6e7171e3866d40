//! What `portolan why` has read: objects of the hub and of the members, or the reason why an object was not read.

use std::collections::BTreeMap;

use portolan_api::cluster::Cluster;
use portolan_api::work::Work;
use portolan_object::{GroupVersionKind, Object, ObjectKey};

use crate::discovery::ReadError;
use crate::propagation::snapshot::{Binding, Override, Policy};

/// The result of one read.
pub type Read<T> = Result<T, ReadError>;

/// Everything about one template.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The kind, in the version that the hub prefers.
    pub kind: GroupVersionKind,
    /// Namespace and name.
    pub key: ObjectKey,
    /// Whether the hub can delete objects of the kind; others are never propagated.
    pub is_deletable: bool,
    /// Whether a customised interpreter may handle the kind, so that the built-in rules do not tell what its manifests are.
    pub is_customised: bool,
    /// The object; `None` if it does not exist.
    pub template: Read<Option<Object>>,
    /// Namespaces with an object of the kind and name, read when the template does not exist.
    pub namesakes: Vec<String>,
    /// The propagation policies of all namespaces, and the cluster-wide ones.
    pub policies: Read<Vec<Policy>>,
    /// The override policies of the namespace, and the cluster-wide ones.
    pub overrides: Read<Vec<Override>>,
    /// The names of the PriorityClasses; read only if a policy gives a scheduling priority.
    pub priority_classes: Read<Vec<String>>,
    /// Warning events about the template; read while it has no binding.
    pub warnings: Read<Vec<Object>>,
    /// The binding.
    pub binding: Read<Option<Binding>>,
    /// The clusters.
    pub clusters: Read<Vec<Cluster>>,
    /// The Works of the template, by cluster.
    pub works: Read<BTreeMap<String, Work>>,
    /// The object in each cluster that has, or is to have, it.
    pub members: BTreeMap<String, MemberFacts>,
    /// Only this cluster is asked about.
    pub only: Option<String>,
}

/// What a member has.
#[derive(Debug, Clone)]
pub struct MemberFacts {
    /// The object; `None` if it does not exist there.
    pub object: Read<Option<Object>>,
    /// The objects that it owns there, directly or through others, parents first: ReplicaSets, Jobs, Pods.
    pub below: Read<Vec<Object>>,
    /// Warning events about the object there. Read of objects that are not healthy only.
    pub warnings: Read<Vec<Object>>,
}

impl Facts {
    /// How the object is written on a command line, such as `deployment/web -n shop`.
    pub fn argument(&self) -> String {
        let kind = self.kind.kind.to_lowercase();
        match self.key.namespace.as_str() {
            "" => format!("{kind}/{}", self.key.name),
            namespace => format!("{kind}/{} -n {namespace}", self.key.name),
        }
    }

    /// A cluster of the federation.
    pub fn cluster(&self, name: &str) -> Option<&Cluster> {
        self.clusters.as_ref().ok()?.iter().find(|cluster| cluster.metadata.name == name)
    }

    /// Whether the question is about this cluster.
    pub fn asks_about(&self, cluster: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == cluster)
    }
}
