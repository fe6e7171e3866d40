//! What the control plane and an interpreter webhook send each other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::meta::LabelSelector;
use crate::schema::is_default;
use crate::work::{AggregatedStatusItem, Component, ReplicaRequirements};

/// A reference to one object by name, or to several by labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct DependentObjectReference {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for cluster-scoped objects.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// Name; empty if the labels select.
    #[serde(skip_serializing_if = "is_default")]
    pub name: String,
    /// Labels of the objects; not used if there is a name.
    #[serde(skip_serializing_if = "is_default")]
    pub label_selector: Option<LabelSelector>,
}

/// The body of a request to a webhook, and of its answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InterpreterContext {
    /// `config.karmada.io/v1alpha1`.
    pub api_version: String,
    /// `ResourceInterpreterContext`.
    pub kind: String,
    /// The question.
    #[serde(skip_serializing_if = "is_default")]
    pub request: Option<InterpreterRequest>,
    /// The answer.
    #[serde(skip_serializing_if = "is_default")]
    pub response: Option<InterpreterResponse>,
}

/// A question to a webhook.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InterpreterRequest {
    /// Identity of the question; the answer has the same.
    pub uid: String,
    /// The kind.
    pub kind: InterpreterKind,
    /// Name of the object.
    pub name: String,
    /// Its namespace.
    #[serde(skip_serializing_if = "is_default")]
    pub namespace: String,
    /// The operation.
    pub operation: String,
    /// The template, or the object in the member for status and health.
    #[serde(skip_serializing_if = "is_default")]
    pub object: Value,
    /// The object in the member, for the operation `Retain`.
    #[serde(skip_serializing_if = "is_default")]
    pub observed_object: Option<Value>,
    /// The share of a cluster, for the operation `ReviseReplica`.
    #[serde(skip_serializing_if = "is_default", rename = "replicas")]
    pub desired_replicas: Option<i64>,
    /// The reports of all members, for the operation `AggregateStatus`.
    #[serde(skip_serializing_if = "is_default")]
    pub aggregated_status: Vec<AggregatedStatusItem>,
}

/// Group, version and kind of the object of a question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterpreterKind {
    /// Group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
}

/// The answer of a webhook.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InterpreterResponse {
    /// Identity of the question.
    pub uid: String,
    /// Whether the webhook could answer.
    pub successful: bool,
    /// Why it could not.
    #[serde(skip_serializing_if = "is_default")]
    pub status: Option<RequestStatus>,
    /// A JSON patch (RFC 6902) of the object, base64.
    #[serde(skip_serializing_if = "is_default")]
    pub patch: Option<String>,
    /// `JSONPatch`.
    #[serde(skip_serializing_if = "is_default")]
    pub patch_type: Option<String>,
    /// Requirements of one replica.
    #[serde(skip_serializing_if = "is_default")]
    pub replica_requirements: Option<ReplicaRequirements>,
    /// Replicas.
    #[serde(skip_serializing_if = "is_default")]
    pub replicas: Option<i32>,
    /// Components.
    #[serde(skip_serializing_if = "is_default")]
    pub components: Vec<Component>,
    /// References to other objects.
    #[serde(skip_serializing_if = "is_default")]
    pub dependencies: Vec<DependentObjectReference>,
    /// The status to report.
    #[serde(skip_serializing_if = "is_default")]
    pub raw_status: Option<Value>,
    /// Whether the object is healthy.
    #[serde(skip_serializing_if = "is_default")]
    pub healthy: Option<bool>,
}

/// Why a webhook could not answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestStatus {
    /// Message for people.
    #[serde(skip_serializing_if = "is_default")]
    pub message: String,
    /// An HTTP status code.
    #[serde(skip_serializing_if = "is_default")]
    pub code: i32,
}
