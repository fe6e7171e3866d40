//! Resources of the core group.

use super::{BuiltinResource, CREATE_ONLY, Generation, NameRule, Subresource};

const CONNECT: &[&str] = &["create", "get"];
const PROXY: &[&str] = &["create", "delete", "get", "patch", "update"];
const WITHOUT_COLLECTION: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];

const fn core(kind: &'static str, plural: &'static str, singular: &'static str) -> BuiltinResource {
    BuiltinResource::new("", "v1", kind, plural).singular(singular)
}

pub(super) const RESOURCES: &[BuiltinResource] = &[
    core("Binding", "bindings", "binding").namespaced().verbs(CREATE_ONLY),
    core("ConfigMap", "configmaps", "configmap").namespaced().short(&["cm"]),
    core("Endpoints", "endpoints", "endpoints").namespaced().short(&["ep"]).create_on_update(),
    core("Event", "events", "event")
        .namespaced()
        .short(&["ev"])
        .names(NameRule::PathSegment)
        .create_on_update(),
    core("LimitRange", "limitranges", "limitrange").namespaced().short(&["limits"]).create_on_update(),
    core("Namespace", "namespaces", "namespace")
        .short(&["ns"])
        .verbs(WITHOUT_COLLECTION)
        .names(NameRule::Label)
        .delete_returns_object()
        .parts(&[Subresource::new("finalize", "Namespace", &["update"]), Subresource::status("Namespace")]),
    core("Node", "nodes", "node")
        .short(&["no"])
        .keeps_status_on_create()
        .parts(&[Subresource::new("proxy", "NodeProxyOptions", PROXY), Subresource::status("Node")]),
    core("PersistentVolumeClaim", "persistentvolumeclaims", "persistentvolumeclaim")
        .namespaced()
        .short(&["pvc"])
        .delete_returns_object()
        .parts(&[Subresource::status("PersistentVolumeClaim")]),
    core("PersistentVolume", "persistentvolumes", "persistentvolume")
        .short(&["pv"])
        .delete_returns_object()
        .parts(&[Subresource::status("PersistentVolume")]),
    core("Pod", "pods", "pod")
        .namespaced()
        .short(&["po"])
        .category(&["all"])
        .generation(Generation::Spec)
        .delete_returns_object()
        .parts(&[
            Subresource::new("attach", "PodAttachOptions", CONNECT),
            Subresource::new("binding", "Binding", CREATE_ONLY),
            Subresource::new("ephemeralcontainers", "Pod", super::PART_VERBS),
            Subresource {
                name: "eviction",
                kind: "Eviction",
                group: "policy",
                version: "v1",
                verbs: CREATE_ONLY,
            },
            Subresource::new("exec", "PodExecOptions", CONNECT),
            Subresource::new("log", "Pod", &["get"]),
            Subresource::new("portforward", "PodPortForwardOptions", CONNECT),
            Subresource::new("proxy", "PodProxyOptions", PROXY),
            Subresource::new("resize", "Pod", super::PART_VERBS),
            Subresource::status("Pod"),
        ]),
    core("PodTemplate", "podtemplates", "podtemplate")
        .namespaced()
        .generation(Generation::All)
        .delete_returns_object(),
    core("ReplicationController", "replicationcontrollers", "replicationcontroller")
        .namespaced()
        .short(&["rc"])
        .category(&["all"])
        .generation(Generation::Spec)
        .parts(&[Subresource::scale(), Subresource::status("ReplicationController")]),
    core("ResourceQuota", "resourcequotas", "resourcequota")
        .namespaced()
        .short(&["quota"])
        .delete_returns_object()
        .parts(&[Subresource::status("ResourceQuota")]),
    core("Secret", "secrets", "secret").namespaced(),
    core("ServiceAccount", "serviceaccounts", "serviceaccount")
        .namespaced()
        .short(&["sa"])
        .delete_returns_object()
        .parts(&[Subresource {
            name: "token",
            kind: "TokenRequest",
            group: "authentication.k8s.io",
            version: "v1",
            verbs: CREATE_ONLY,
        }]),
    core("Service", "services", "service")
        .namespaced()
        .short(&["svc"])
        .category(&["all"])
        .names(NameRule::Label)
        .create_on_update()
        .delete_returns_object()
        .parts(&[Subresource::new("proxy", "ServiceProxyOptions", PROXY), Subresource::status("Service")]),
];
