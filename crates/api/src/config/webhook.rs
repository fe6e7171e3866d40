//! ResourceInterpreterWebhookConfiguration: HTTP servers that interpret kinds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::InterpreterOperation;
use crate::kind::kind;
use crate::schema::is_default;
use portolan_object::GroupVersionKind;

kind! {
    /// HTTP servers that interpret kinds.
    ResourceInterpreterWebhookConfiguration, "config.karmada.io", "v1alpha1",
    "resourceinterpreterwebhookconfigurations", Cluster {
        /// The servers.
        webhooks: Vec<InterpreterWebhook>,
    }
}

/// One server and the kinds that it interprets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct InterpreterWebhook {
    /// Full name, such as `workloads.example.com`.
    pub name: String,
    /// Its address.
    pub client_config: WebhookClientConfig,
    /// Operations and kinds; without any the webhook is never called.
    #[serde(skip_serializing_if = "is_default")]
    pub rules: Vec<RuleWithOperations>,
    /// Seconds that the server has for an answer, 1 to 30; 10 if absent.
    #[serde(skip_serializing_if = "is_default")]
    pub timeout_seconds: Option<i32>,
    /// Versions of ResourceInterpreterContext that the server understands, the preferred one first.
    pub interpreter_context_versions: Vec<String>,
}

/// Address of a webhook: either `url` or `service`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WebhookClientConfig {
    /// An `https` URL.
    #[serde(skip_serializing_if = "is_default")]
    pub url: Option<String>,
    /// A Service of the cluster in which the control plane runs.
    #[serde(skip_serializing_if = "is_default")]
    pub service: Option<ServiceReference>,
    /// CA certificates in PEM, base64.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("format" = "byte"))]
    pub ca_bundle: Option<String>,
}

/// A Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceReference {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Path of the URL.
    #[serde(skip_serializing_if = "is_default")]
    pub path: Option<String>,
    /// Port; 443 if absent.
    #[serde(skip_serializing_if = "is_default")]
    pub port: Option<i32>,
}

/// Operations on kinds. In each list, `*` stands for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RuleWithOperations {
    /// Operations.
    pub operations: Vec<String>,
    /// API groups.
    pub api_groups: Vec<String>,
    /// API versions.
    pub api_versions: Vec<String>,
    /// Kinds.
    pub kinds: Vec<String>,
}

impl RuleWithOperations {
    /// Whether the rule is about an operation on a kind.
    pub fn matches(&self, kind: &GroupVersionKind, operation: InterpreterOperation) -> bool {
        let has = |list: &[String], wanted: &str| list.iter().any(|one| one == "*" || one == wanted);
        has(&self.operations, operation.as_str())
            && has(&self.api_groups, &kind.group)
            && has(&self.api_versions, &kind.version)
            && has(&self.kinds, &kind.kind)
    }
}
