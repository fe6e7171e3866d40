//! Pods.

pub(crate) mod account;
pub(crate) mod priority;
pub(crate) mod resources;
pub(crate) mod runtime_class;
mod table;
mod validation;

use portolan_object::FieldError;
use portolan_object::quantity::Quantity;
use serde_json::{Map, Value, json};

use super::{CONNECT_VERBS, GROUP, PROXY_VERBS};
use crate::kinds::Hook::{Defined, NotNeeded};
use crate::kinds::selectable::{SelectableField, field};
use crate::kinds::{
    BuiltinKind, BuiltinResource, CREATE_ONLY, FinalizerRule, Generation, NO_DELETION_STATE, NO_KEPT_STATE,
    NO_WARNINGS, NameRule, ONE_FORM, SUBRESOURCE_VERBS, StatusRule, Subresource, pod_spec, status,
};
use crate::tree;
use crate::tree::{child, child_if_present, children, default};

pub(in crate::kinds) static KIND: BuiltinKind = BuiltinKind {
    resource: BuiltinResource::new(GROUP, "v1", "Pod", "pods")
        .singular("pod")
        .namespaced()
        .short(&["po"])
        .category(&["all"])
        .delete_returns_object()
        .subresources(&[
            Subresource::new("attach", "PodAttachOptions", CONNECT_VERBS),
            Subresource::new("binding", "Binding", CREATE_ONLY),
            Subresource::new("ephemeralcontainers", "Pod", SUBRESOURCE_VERBS),
            Subresource::new("eviction", "Eviction", CREATE_ONLY).in_group("policy", "v1"),
            Subresource::new("exec", "PodExecOptions", CONNECT_VERBS),
            Subresource::new("log", "Pod", &["get"]),
            Subresource::new("portforward", "PodPortForwardOptions", CONNECT_VERBS),
            Subresource::new("proxy", "PodProxyOptions", PROXY_VERBS),
            Subresource::new("resize", "Pod", SUBRESOURCE_VERBS),
            Subresource::status("Pod"),
        ]),
    names: NameRule::Subdomain,
    generation: Generation::Spec,
    status: StatusRule::DroppedOnCreate,
    finalizers: FinalizerRule::Standard,
    defaults: Defined(defaults),
    prepare_for_create: Defined(prepare_for_create),
    prepare_for_update: NotNeeded(NO_KEPT_STATE),
    prepare_for_delete: NotNeeded(NO_DELETION_STATE),
    validate: Defined(validation::validate),
    warnings: NotNeeded(NO_WARNINGS),
    table: Defined(&table::TABLE),
    selectable: Defined(SELECTABLE),
    conversion: NotNeeded(ONE_FORM),
};

/// A pod itself; it gets more than a template does.
fn defaults(object: &mut Map<String, Value>) {
    let Some(spec) = child(object, "spec") else { return };
    pod_spec::default_pod_spec(spec);
    for name in ["initContainers", "containers"] {
        for container in children(spec, name) {
            requests_from_limits(container);
        }
    }
    default(spec, "enableServiceLinks", true);
    tolerate(spec, "node.kubernetes.io/not-ready");
    tolerate(spec, "node.kubernetes.io/unreachable");
    if spec.get("hostNetwork").and_then(Value::as_bool) == Some(true) {
        for name in ["initContainers", "containers"] {
            for container in children(spec, name) {
                host_ports(container);
            }
        }
    }
}

/// Taints that come and go within minutes do not drive a pod away.
fn tolerate(spec: &mut Map<String, Value>, taint: &str) {
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    if tolerations.is_null() {
        *tolerations = json!([]);
    }
    let Some(tolerations) = tolerations.as_array_mut() else { return };
    let covers = |toleration: &Value| {
        let (key, effect) = (tree::str_at(toleration, "/key"), tree::str_at(toleration, "/effect"));
        (key == taint || key.is_empty()) && (effect == "NoExecute" || effect.is_empty())
    };
    if !tolerations.iter().any(covers) {
        tolerations.push(json!({
            "key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300
        }));
    }
}

/// A container that says how much it may use, but not how much it needs, needs as much as it may use.
fn requests_from_limits(container: &mut Map<String, Value>) {
    let Some(resources) = child_if_present(container, "resources") else { return };
    let Some(limits) = resources.get("limits").and_then(Value::as_object).cloned() else { return };
    let Some(requests) = child(resources, "requests") else { return };
    for (name, limit) in limits {
        requests.entry(name).or_insert(limit);
    }
}

/// In the network of the node, a port of a container is a port of the node.
fn host_ports(container: &mut Map<String, Value>) {
    for port in children(container, "ports") {
        let number = port.get("containerPort").cloned().unwrap_or(Value::Null);
        let host_port = port.get("hostPort").and_then(Value::as_i64).unwrap_or_default();
        if host_port == 0 && !number.is_null() {
            port.insert("hostPort".to_owned(), number);
        }
    }
}

/// A pod waits at first, and what scheduling needs is settled.
fn prepare_for_create(object: &mut Value) {
    let class = quality_of_service(object);
    status::phase(object, "Pending");
    object["status"]["qosClass"] = json!(class);
}

/// Quality of service class: the order of eviction when a node runs out of resources.
///
/// # Source
/// Kubernetes documentation, "Pod Quality of Service Classes".
pub(crate) fn quality_of_service(pod: &Value) -> &'static str {
    let containers = ["/spec/initContainers", "/spec/containers"];
    let containers: Vec<&Value> =
        containers.into_iter().flat_map(|pointer| tree::list(pod, pointer)).collect();
    let amount = |container: &Value, kind: &str, resource: &str| {
        let text = tree::str_at(container, &format!("/resources/{kind}/{resource}"));
        Quantity::parse(text).ok().filter(|amount| !amount.is_zero())
    };
    let has_any = containers.iter().any(|container| {
        let mut pairs = ["requests", "limits"].into_iter().flat_map(|kind| [(kind, "cpu"), (kind, "memory")]);
        pairs.any(|(kind, resource)| amount(container, kind, resource).is_some())
    });
    let is_guaranteed = containers.iter().all(|container| {
        ["cpu", "memory"].into_iter().all(|resource| {
            let limit = amount(container, "limits", resource);
            let request = amount(container, "requests", resource);
            limit.is_some() && (request.is_none() || request == limit)
        })
    });
    match (has_any, is_guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// A resize keeps the class (`ValidatePodResize` of kubernetes pkg/apis/core/validation/validation.go).
pub(crate) fn check_resize(new: &Value, old: &Value) -> Option<FieldError> {
    let class = quality_of_service(old);
    let detail = "Pod QOS Class may not change as a result of resizing";
    (class != quality_of_service(new)).then(|| FieldError::invalid("spec", &json!(class), detail))
}

const SELECTABLE: &[SelectableField] = &[
    field("spec.nodeName", &["spec", "nodeName"]),
    field("spec.host", &["spec", "nodeName"]),
    field("spec.restartPolicy", &["spec", "restartPolicy"]),
    field("spec.schedulerName", &["spec", "schedulerName"]),
    field("spec.serviceAccountName", &["spec", "serviceAccountName"]),
    field("spec.hostNetwork", &["spec", "hostNetwork"]).or("false"),
    field("status.phase", &["status", "phase"]),
    field("status.podIP", &["status", "podIP"]),
    field("status.podIPs", &["status", "podIPs"]),
    field("status.nominatedNodeName", &["status", "nominatedNodeName"]),
];
