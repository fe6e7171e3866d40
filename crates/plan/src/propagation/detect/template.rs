//! Which objects are templates. Objects that the control plane makes for itself are not: every cluster makes its own.

use std::fmt;

use portolan_api::{agents, kubefed, kubernetes, labels, names, resources};
use portolan_object::Object;
use serde_json::Value;

use super::skipped::Skipped;

/// Why an object is not a template, though its kind can be propagated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusion {
    /// Its namespace belongs to the control plane or is skipped by a flag.
    Namespace,
    /// Another controller propagates it: it has the label `resourcetemplate.karmada.io/claimed-by`.
    ClaimedByController,
    /// Every API server, or a controller of every cluster, makes an object of this name.
    InEveryCluster,
    /// A controller makes it from its owner, in members as well.
    MadeFromOwner,
    /// It defines a kind of the federation, which only the control plane serves.
    OwnDefinition,
    /// It is a federated object, which says itself where its template goes.
    Federated,
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespace => "its namespace belongs to the control plane, or is skipped by a flag",
            Self::ClaimedByController => {
                "another controller propagates it (resourcetemplate.karmada.io/claimed-by)"
            }
            Self::InEveryCluster => "every cluster makes its own",
            Self::MadeFromOwner => "a controller makes it from its owner; propagate the owner",
            Self::OwnDefinition => "it defines a kind that only the control plane serves",
            Self::Federated => "it is a federated object of KubeFed; its spec.placement says where it goes",
        })
    }
}

/// Why an object is not a template; `None` for a template.
pub fn exclusion(object: &Object, skipped: &Skipped) -> Option<Exclusion> {
    if skipped.has_namespace(object.namespace()) {
        return Some(Exclusion::Namespace);
    }
    if object.label(labels::template::CLAIMED_BY).is_some() {
        return Some(Exclusion::ClaimedByController);
    }
    if is_in_every_cluster(object) {
        return Some(Exclusion::InEveryCluster);
    }
    if is_made_from_owner(object) {
        return Some(Exclusion::MadeFromOwner);
    }
    if object.group_version_kind().group == kubefed::TYPES_GROUP {
        return Some(Exclusion::Federated);
    }
    let defines_own = resources::CUSTOM_RESOURCE_DEFINITION.is_kind_of(object)
        && Skipped::is_own_group(object.str_at(&["spec", "group"]));
    defines_own.then_some(Exclusion::OwnDefinition)
}

/// Whether an object is a template.
pub fn is_template(object: &Object, skipped: &Skipped) -> bool {
    exclusion(object, skipped).is_none()
}

/// Whether API servers and controllers make the object in every cluster.
fn is_in_every_cluster(object: &Object) -> bool {
    let (namespace, name) = (object.namespace(), object.name());
    match (object.group_version_kind().group.as_str(), object.kind()) {
        ("", "ConfigMap") => {
            name == "kube-root-ca.crt"
                || (namespace == "kube-system" && name == "extension-apiserver-authentication")
        }
        ("", "Service" | "Endpoints") | ("discovery.k8s.io", "EndpointSlice") => {
            namespace == "default" && name == "kubernetes"
        }
        // One that a user changed is the user's.
        ("", "ServiceAccount") => name == "default" && is_untouched_account(object),
        ("rbac.authorization.k8s.io", _) => {
            object.label("kubernetes.io/bootstrapping") == Some("rbac-defaults")
                || name.starts_with(agents::roles::ROLES)
                || name == names::CLUSTER_PROXY_ADMIN
        }
        ("scheduling.k8s.io", "PriorityClass") => name.starts_with("system-"),
        _ => false,
    }
}

/// Whether a ServiceAccount has nothing but a name, and marks of the federation.
fn is_untouched_account(account: &Object) -> bool {
    let is_mark = |key: &str| key.contains(".karmada.io/") || key.starts_with("portolan.dev/");
    let no_more_than_marks = |field: &str| {
        let entries = account.at(&["metadata", field]).and_then(Value::as_object);
        entries.is_none_or(|entries| entries.keys().all(|key| is_mark(key)))
    };
    let is_known = |field: &String| matches!(field.as_str(), "apiVersion" | "kind" | "metadata");
    account.0.as_object().is_some_and(|fields| fields.keys().all(is_known))
        && no_more_than_marks("labels")
        && no_more_than_marks("annotations")
}

/// Whether a controller of Kubernetes makes the object from its owner, as the controllers of the members do.
fn is_made_from_owner(object: &Object) -> bool {
    let owner = kubernetes::controller(object).map(|owner| owner.kind).unwrap_or_default();
    match object.kind() {
        "ReplicaSet" => owner == "Deployment",
        "Pod" => {
            matches!(owner, "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "ReplicationController")
        }
        "Job" => owner == "CronJob",
        "ControllerRevision" => matches!(owner, "StatefulSet" | "DaemonSet"),
        "Endpoints" => object.label("endpoints.kubernetes.io/managed-by").is_some(),
        "EndpointSlice" => matches!(
            object.label("endpointslice.kubernetes.io/managed-by"),
            Some("endpointslice-controller.k8s.io" | "endpointslicemirroring-controller.k8s.io")
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(api_version: &str, kind: &str, key: &str, more: Value) -> Object {
        let (namespace, name) = key.split_once('/').unwrap_or(("", key));
        let mut object = json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name } });
        if !namespace.is_empty() {
            object["metadata"]["namespace"] = json!(namespace);
        }
        for (field, value) in more.as_object().into_iter().flatten() {
            match field.as_str() {
                "labels" | "annotations" | "ownerReferences" => object["metadata"][field] = value.clone(),
                _ => object[field] = value.clone(),
            }
        }
        Object(object)
    }

    fn owned(kind: &str) -> Value {
        json!({ "ownerReferences": [
            { "apiVersion": "apps/v1", "kind": kind, "name": "web", "uid": "1", "controller": true }] })
    }

    #[test]
    fn what_is_a_template() {
        use Exclusion::{
            ClaimedByController, Federated, InEveryCluster, MadeFromOwner, Namespace, OwnDefinition,
        };
        let rbac = "rbac.authorization.k8s.io/v1";
        let bootstrap = json!({ "labels": { "kubernetes.io/bootstrapping": "rbac-defaults" } });
        let slices = |by: &str| json!({ "labels": { "endpointslice.kubernetes.io/managed-by": by } });
        let claimed = json!({ "labels": { "resourcetemplate.karmada.io/claimed-by": "x" } });
        let definition = |group: &str| json!({ "spec": { "group": group } });
        let (core, crd) = ("v1", "apiextensions.k8s.io/v1");
        let cases = [
            (object(core, "ConfigMap", "shop/web", json!({})), None),
            (object(rbac, "ClusterRole", "reader", json!({})), None),
            (object("types.kubefed.io/v1beta1", "FederatedSecret", "shop/a", json!({})), Some(Federated)),
            (object(core, "ConfigMap", "kube-system/x", json!({})), Some(Namespace)),
            (object(core, "Secret", "karmada-es-eu/x", json!({})), Some(Namespace)),
            (object(core, "Service", "shop/web", claimed), Some(ClaimedByController)),
            (object(core, "ConfigMap", "shop/kube-root-ca.crt", json!({})), Some(InEveryCluster)),
            (object(core, "Service", "default/kubernetes", json!({})), Some(InEveryCluster)),
            (object(core, "Service", "shop/kubernetes", json!({})), None),
            (
                object("discovery.k8s.io/v1", "EndpointSlice", "default/kubernetes", json!({})),
                Some(InEveryCluster),
            ),
            (object(core, "ServiceAccount", "shop/default", json!({})), Some(InEveryCluster)),
            (
                object(
                    core,
                    "ServiceAccount",
                    "shop/default",
                    json!({ "labels": {
                    "propagationpolicy.karmada.io/permanent-id": "1" } }),
                ),
                Some(InEveryCluster),
            ),
            (
                object(
                    core,
                    "ServiceAccount",
                    "shop/default",
                    json!({ "imagePullSecrets": [{ "name": "r" }] }),
                ),
                None,
            ),
            (object(core, "ServiceAccount", "shop/ci", json!({})), None),
            (object(rbac, "ClusterRole", "cluster-admin", bootstrap.clone()), Some(InEveryCluster)),
            (object(rbac, "ClusterRoleBinding", "cluster-admin", bootstrap), Some(InEveryCluster)),
            (object(rbac, "ClusterRole", "cluster-proxy-admin", json!({})), Some(InEveryCluster)),
            (
                object(rbac, "ClusterRoleBinding", "system:karmada:agent-bootstrap", json!({})),
                Some(InEveryCluster),
            ),
            (object(rbac, "ClusterRole", "system:mine", json!({})), None),
            (
                object("scheduling.k8s.io/v1", "PriorityClass", "system-node-critical", json!({})),
                Some(InEveryCluster),
            ),
            (object("apps/v1", "ReplicaSet", "shop/web-1", owned("Deployment")), Some(MadeFromOwner)),
            (object("apps/v1", "ReplicaSet", "shop/web-1", owned("Rollout")), None),
            (object(core, "Pod", "shop/web-1", owned("ReplicaSet")), Some(MadeFromOwner)),
            (object(core, "Pod", "shop/web-1", json!({})), None),
            (
                object(
                    "discovery.k8s.io/v1",
                    "EndpointSlice",
                    "shop/w",
                    slices("endpointslice-controller.k8s.io"),
                ),
                Some(MadeFromOwner),
            ),
            (object("discovery.k8s.io/v1", "EndpointSlice", "shop/w", slices("staff")), None),
            (
                object(crd, "CustomResourceDefinition", "w", definition("work.karmada.io")),
                Some(OwnDefinition),
            ),
            (object(crd, "CustomResourceDefinition", "w", definition("example-x.karmada.io")), None),
            (object(crd, "CustomResourceDefinition", "w", definition("multicluster.x-k8s.io")), None),
        ];
        for (object, want) in cases {
            assert_eq!(exclusion(&object, &Skipped::default()), want, "{object:?}");
        }
    }
}
