//! Fields by which objects of a kind can be selected, besides name and namespace.
//!
//! # Source
//! The field label conversions of kube-apiserver (kube-api-contract 2.7).

use serde_json::Value;

/// One selectable field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    /// Name in the selector.
    pub(super) name: &'static str,
    /// Where its value is.
    path: &'static [&'static str],
    /// Its value when nothing is there.
    missing: &'static str,
}

const fn field(name: &'static str, path: &'static [&'static str]) -> Field {
    Field { name, path, missing: "" }
}

impl Field {
    const fn or(mut self, missing: &'static str) -> Self {
        self.missing = missing;
        self
    }

    fn read(&self, object: &Value) -> String {
        let found = self.path.iter().try_fold(object, |value, name| value.get(name));
        match (self.name, found.map(text)) {
            // An event reports its component in either of two places.
            ("source", None) => text(&object["reportingComponent"]),
            ("status.podIPs", _) => text(&object["status"]["podIPs"][0]["ip"]),
            (_, found) => found.filter(|value| !value.is_empty()).unwrap_or_else(|| self.missing.to_owned()),
        }
    }
}

/// The value of a field as selectors see it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => String::new(),
    }
}

const POD: &[Field] = &[
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

const CORE_EVENT: &[Field] = &[
    field("involvedObject.kind", &["involvedObject", "kind"]),
    field("involvedObject.namespace", &["involvedObject", "namespace"]),
    field("involvedObject.name", &["involvedObject", "name"]),
    field("involvedObject.uid", &["involvedObject", "uid"]),
    field("involvedObject.apiVersion", &["involvedObject", "apiVersion"]),
    field("involvedObject.resourceVersion", &["involvedObject", "resourceVersion"]),
    field("involvedObject.fieldPath", &["involvedObject", "fieldPath"]),
    field("reason", &["reason"]),
    field("reportingComponent", &["reportingComponent"]),
    field("source", &["source", "component"]),
    field("type", &["type"]),
];

/// Events are stored in the form of the core group, whatever group they are read through.
const EVENT: &[Field] = &[
    field("regarding.kind", &["involvedObject", "kind"]),
    field("regarding.namespace", &["involvedObject", "namespace"]),
    field("regarding.name", &["involvedObject", "name"]),
    field("regarding.uid", &["involvedObject", "uid"]),
    field("regarding.apiVersion", &["involvedObject", "apiVersion"]),
    field("regarding.resourceVersion", &["involvedObject", "resourceVersion"]),
    field("regarding.fieldPath", &["involvedObject", "fieldPath"]),
    field("reason", &["reason"]),
    field("reportingController", &["reportingComponent"]),
    field("type", &["type"]),
];

const SERVICE: &[Field] =
    &[field("spec.clusterIP", &["spec", "clusterIP"]), field("spec.type", &["spec", "type"])];
const SECRET: &[Field] = &[field("type", &["type"])];
const NAMESPACE: &[Field] = &[field("status.phase", &["status", "phase"])];
const NODE: &[Field] = &[field("spec.unschedulable", &["spec", "unschedulable"]).or("false")];
const REPLICAS: &[Field] = &[field("status.replicas", &["status", "replicas"]).or("0")];
const JOB: &[Field] = &[field("status.successful", &["status", "succeeded"]).or("0")];
const SIGNING_REQUEST: &[Field] = &[field("spec.signerName", &["spec", "signerName"])];

/// The list of a built-in kind; `None` when only name and namespace can be selected.
pub(super) fn of(group: &str, kind: &str) -> Option<&'static [Field]> {
    Some(match (group, kind) {
        ("", "Pod") => POD,
        ("", "Event") => CORE_EVENT,
        ("events.k8s.io", "Event") => EVENT,
        ("", "Service") => SERVICE,
        ("", "Secret") => SECRET,
        ("", "Namespace") => NAMESPACE,
        ("", "Node") => NODE,
        ("", "ReplicationController") | ("apps", "ReplicaSet") => REPLICAS,
        ("batch", "Job") => JOB,
        ("certificates.k8s.io", "CertificateSigningRequest") => SIGNING_REQUEST,
        _ => return None,
    })
}

/// The values of a list of fields, in its order.
pub(super) fn values(fields: &[Field], object: &Value) -> Vec<String> {
    fields.iter().map(|field| field.read(object)).collect()
}
