//! Fields by which objects of a kind can be selected, besides name and namespace.
//!
//! # Source
//! The field label conversions of kube-apiserver, `pkg/apis/*/v1/conversion.go`.

use serde_json::Value;

/// One selectable field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelectableField {
    /// Name in the selector.
    pub name: &'static str,
    /// Where its value is.
    path: &'static [&'static str],
    /// Its value when nothing is there.
    missing: &'static str,
}

const fn field(name: &'static str, path: &'static [&'static str]) -> SelectableField {
    SelectableField { name, path, missing: "" }
}

impl SelectableField {
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
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        _ => String::new(),
    }
}

pub(super) const POD: &[SelectableField] = &[
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

pub(super) const CORE_EVENT: &[SelectableField] = &[
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
pub(super) const EVENT: &[SelectableField] = &[
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

pub(super) const SERVICE: &[SelectableField] =
    &[field("spec.clusterIP", &["spec", "clusterIP"]), field("spec.type", &["spec", "type"])];
pub(super) const SECRET: &[SelectableField] = &[field("type", &["type"])];
pub(super) const NAMESPACE: &[SelectableField] = &[field("status.phase", &["status", "phase"])];
pub(super) const NODE: &[SelectableField] =
    &[field("spec.unschedulable", &["spec", "unschedulable"]).or("false")];
pub(super) const REPLICAS: &[SelectableField] = &[field("status.replicas", &["status", "replicas"]).or("0")];
pub(super) const JOB: &[SelectableField] = &[field("status.successful", &["status", "succeeded"]).or("0")];
pub(super) const SIGNING_REQUEST: &[SelectableField] = &[field("spec.signerName", &["spec", "signerName"])];

/// The values of a list of fields, in its order.
pub(crate) fn values(fields: &[SelectableField], object: &Value) -> Vec<String> {
    fields.iter().map(|field| field.read(object)).collect()
}
