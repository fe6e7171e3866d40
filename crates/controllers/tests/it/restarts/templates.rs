//! The templates of a seed: a ConfigMap, a Deployment and a ClusterRole, each with a policy of its own.

use portolan_api::names;
use portolan_object::Object;
use serde_json::{Value, json};

use crate::federation::{BINDING, CONFIG_MAP, DEPLOYMENT, config_map, deployment, policy};

pub(super) const CLUSTER_ROLE: &str = "rbac.authorization.k8s.io/v1/ClusterRole";
const CLUSTER_BINDING: &str = "work.karmada.io/v1alpha2/ClusterResourceBinding";
const POLICY: &str = "policy.karmada.io/v1alpha1/PropagationPolicy";
const CLUSTER_POLICY: &str = "policy.karmada.io/v1alpha1/ClusterPropagationPolicy";
const OVERRIDE: &str = "policy.karmada.io/v1alpha1/OverridePolicy";
const CLUSTER_OVERRIDE: &str = "policy.karmada.io/v1alpha1/ClusterOverridePolicy";
/// Label with the content of a template.
const CONTENT: &str = "content";
/// Label that an override adds.
const TUNED: &str = "tuned";

/// The kinds of the three templates of every seed.
pub(super) const KINDS: [&str; 3] = [CONFIG_MAP, DEPLOYMENT, CLUSTER_ROLE];

/// One template of a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Template {
    pub(super) seed: u64,
    pub(super) kind: &'static str,
}

impl Template {
    pub(super) fn name(self) -> String {
        format!("s{}", self.seed)
    }

    fn is_cluster_scoped(self) -> bool {
        self.kind == CLUSTER_ROLE
    }

    /// Namespace and name, of the template and of everything that belongs to it.
    pub(super) fn path(self) -> String {
        if self.is_cluster_scoped() { self.name() } else { format!("default/{}", self.name()) }
    }

    fn short_kind(self) -> &'static str {
        self.kind.rsplit_once('/').map_or(self.kind, |(_, kind)| kind)
    }

    /// The name of its policies: one namespace has those of two kinds.
    fn policy_path(self) -> String {
        format!("{}-{}", self.path(), self.short_kind().to_lowercase())
    }

    pub(super) fn object(self, content: &str) -> Value {
        let mut object = match self.kind {
            CONFIG_MAP => config_map(&self.name(), "0"),
            DEPLOYMENT => deployment(&self.name(), 1),
            _ => json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
                "metadata": { "name": self.name() },
                "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }] }),
        };
        object["metadata"]["labels"] = json!({ CONTENT: content });
        object
    }

    pub(super) fn edit(content: &str) -> Value {
        json!({ "metadata": { "labels": { CONTENT: content } } })
    }

    /// Whether a copy has this content, and the override or none.
    pub(super) fn is_copy(copy: &Object, content: &str, is_tuned: bool) -> bool {
        copy.label(CONTENT) == Some(content) && copy.label(TUNED).is_some() == is_tuned
    }

    /// Kind, path and object of its policy.
    pub(super) fn policy(self, clusters: &[&str]) -> (&'static str, String, Value) {
        let mut policy = policy("", self.kind, &self.name(), clusters);
        let (kind, path) = self.scoped(&mut policy, POLICY, CLUSTER_POLICY);
        (kind, path, policy)
    }

    /// Kind, path and object of an override policy that adds a label.
    pub(super) fn override_policy(self) -> (&'static str, String, Value) {
        let (api_version, kind) = self.kind.rsplit_once('/').expect("apiVersion/Kind");
        let selector = json!({ "apiVersion": api_version, "kind": kind, "name": self.name() });
        let labels = json!([{ "operator": "add", "value": { TUNED: "yes" } }]);
        let mut policy = json!({ "apiVersion": "policy.karmada.io/v1alpha1", "kind": "OverridePolicy",
            "metadata": { "namespace": "default" },
            "spec": { "resourceSelectors": [selector], "overrideRules": [{ "overriders": { "labelsOverrider": labels } }] } });
        let (kind, path) = self.scoped(&mut policy, OVERRIDE, CLUSTER_OVERRIDE);
        (kind, path, policy)
    }

    /// Gives a policy its name and the kind for the scope of the template.
    fn scoped(
        self,
        policy: &mut Value,
        namespaced: &'static str,
        cluster: &'static str,
    ) -> (&'static str, String) {
        let path = self.policy_path();
        policy["metadata"]["name"] = json!(path.rsplit_once('/').map_or(&*path, |(_, name)| name));
        if !self.is_cluster_scoped() {
            return (namespaced, path);
        }
        policy["kind"] = json!(cluster.rsplit_once('/').map_or(cluster, |(_, kind)| kind));
        if let Some(metadata) = policy["metadata"].as_object_mut() {
            metadata.remove("namespace");
        }
        (cluster, path)
    }

    /// Kind and path of its binding.
    pub(super) fn binding(self) -> (&'static str, String) {
        let name = names::binding(self.short_kind(), &self.name());
        match self.is_cluster_scoped() {
            true => (CLUSTER_BINDING, name),
            false => (BINDING, format!("default/{name}")),
        }
    }

    /// Path of its Work for a cluster.
    pub(super) fn work(self, cluster: &str) -> String {
        let namespace = if self.is_cluster_scoped() { "" } else { "default" };
        format!("karmada-es-{cluster}/{}", names::work(self.short_kind(), &self.name(), namespace))
    }
}
