//! One line of the log: an `Event` of `audit.k8s.io/v1`, with the fields in Kubernetes' order.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::auth::User;
use crate::request::RequestInfo;
use crate::tree;

/// An event.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    pub(super) kind: &'static str,
    pub(super) api_version: &'static str,
    pub(super) level: &'static str,
    #[serde(rename = "auditID")]
    pub(super) audit_id: String,
    pub(super) stage: &'static str,
    #[serde(rename = "requestURI")]
    pub(super) request_uri: String,
    pub(super) verb: &'static str,
    pub(super) user: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) impersonated_user: Option<Value>,
    #[serde(rename = "sourceIPs", skip_serializing_if = "Vec::is_empty")]
    pub(super) source_ips: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) user_agent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) object_ref: Option<ObjectRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_status: Option<Value>,
    /// Bytes of the body of `request_object`.
    #[serde(skip)]
    pub(super) request_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_object: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) response_object: Option<Value>,
    pub(super) request_received_timestamp: String,
    pub(super) stage_timestamp: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<&'static str, String>,
}

/// The object of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectRef {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) resource: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) uid: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) api_group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) api_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) resource_version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) subresource: String,
}

impl ObjectRef {
    /// The object that a path names; `None` for paths that are not resources.
    pub(super) fn of(info: &RequestInfo) -> Option<Self> {
        info.is_resource.then(|| Self {
            resource: info.resource.clone(),
            namespace: info.namespace.clone(),
            name: info.name.clone(),
            uid: String::new(),
            api_group: info.group.clone(),
            api_version: info.version.clone(),
            resource_version: String::new(),
            subresource: info.subresource.clone(),
        })
    }

    /// Takes from the body what the path does not say.
    pub(super) fn complete(&mut self, body: &Value) {
        for (field, pointer) in [
            (&mut self.namespace, "/metadata/namespace"),
            (&mut self.name, "/metadata/name"),
            (&mut self.uid, "/metadata/uid"),
            (&mut self.resource_version, "/metadata/resourceVersion"),
        ] {
            if field.is_empty() {
                tree::str_at(body, pointer).clone_into(field);
            }
        }
    }
}

/// The user of an event; an empty object for a request without valid credentials.
pub(super) fn user(user: Option<&User>) -> Value {
    user.map_or_else(|| Value::Object(Map::new()), User::to_value)
}

/// The status of an answer: all of a failure, the code of a success.
pub(super) fn response_status(code: u16, body: Option<&Value>) -> Value {
    let mut status = Map::new();
    status.insert("metadata".to_owned(), Value::Object(Map::new()));
    let failure = body.filter(|body| body["kind"] == "Status" && code >= 400);
    for field in ["status", "message", "reason", "details"] {
        if let Some(value) = failure.and_then(|failure| failure.get(field)) {
            status.insert(field.to_owned(), value.clone());
        }
    }
    status.insert("code".to_owned(), Value::from(code));
    Value::Object(status)
}

/// Removes `metadata.managedFields` of an object and of the items of a list.
pub(super) fn drop_managed_fields(object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    if let Some(items) = object.get_mut("items").and_then(Value::as_array_mut) {
        items.iter_mut().for_each(drop_managed_fields);
    }
}
