//! The configurations as typed objects (`admissionregistration.k8s.io/v1`). The schema has checked them.

use serde::Deserialize;
use serde_json::Value;

/// `ValidatingWebhookConfiguration` or `MutatingWebhookConfiguration`.
#[derive(Debug, Deserialize)]
pub(super) struct WebhookConfiguration {
    #[serde(default)]
    pub(super) webhooks: Vec<WebhookSpec>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhookSpec {
    pub(super) name: String,
    pub(super) client_config: ClientConfig,
    #[serde(default)]
    pub(super) rules: Vec<Rule>,
    pub(super) failure_policy: FailurePolicy,
    pub(super) match_policy: MatchPolicy,
    #[serde(default)]
    pub(super) namespace_selector: Value,
    #[serde(default)]
    pub(super) object_selector: Value,
    #[serde(default)]
    pub(super) reinvocation_policy: ReinvocationPolicy,
    /// Seconds, 1 to 30.
    pub(super) timeout_seconds: u32,
    #[serde(default)]
    pub(super) admission_review_versions: Vec<String>,
    #[serde(default)]
    pub(super) match_conditions: Vec<NamedExpression>,
}

/// What a failed call or expression means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum FailurePolicy {
    /// The write is refused.
    Fail,
    /// The webhook or policy is skipped.
    Ignore,
}

/// Whether a rule for one version is for the others of the same resource, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(super) enum MatchPolicy {
    Exact,
    #[default]
    Equivalent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(super) enum ReinvocationPolicy {
    #[default]
    Never,
    /// Called again when a later webhook or policy has changed the object.
    IfNeeded,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClientConfig {
    pub(super) url: Option<String>,
    pub(super) service: Option<ServiceReference>,
    /// PEM in base64.
    #[serde(default)]
    pub(super) ca_bundle: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ServiceReference {
    pub(super) namespace: String,
    pub(super) name: String,
    #[serde(default)]
    pub(super) path: String,
    pub(super) port: Option<u16>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Rule {
    pub(super) operations: Vec<String>,
    pub(super) api_groups: Vec<String>,
    pub(super) api_versions: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) resource_names: Vec<String>,
    /// `*`, `Cluster` or `Namespaced`; empty is `*`.
    pub(super) scope: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct NamedExpression {
    pub(super) name: String,
    pub(super) expression: String,
}

/// `spec` of a `ValidatingAdmissionPolicy` or a `MutatingAdmissionPolicy`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicySpec {
    pub(super) failure_policy: FailurePolicy,
    #[serde(default)]
    pub(super) match_constraints: MatchResources,
    pub(super) param_kind: Option<ParamKind>,
    #[serde(default)]
    pub(super) match_conditions: Vec<NamedExpression>,
    #[serde(default)]
    pub(super) variables: Vec<NamedExpression>,
    #[serde(default)]
    pub(super) validations: Vec<Validation>,
    #[serde(default)]
    pub(super) mutations: Vec<Mutation>,
    #[serde(default)]
    pub(super) reinvocation_policy: ReinvocationPolicy,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ParamKind {
    pub(super) api_version: String,
    pub(super) kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Validation {
    pub(super) expression: String,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) message_expression: String,
    #[serde(default)]
    pub(super) reason: String,
}

/// A change of a `MutatingAdmissionPolicy`: the expression of one of the two kinds of patches.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mutation {
    pub(super) apply_configuration: Option<PatchExpression>,
    pub(super) json_patch: Option<PatchExpression>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PatchExpression {
    #[serde(default)]
    pub(super) expression: String,
}

/// Which requests a policy or a binding is about.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MatchResources {
    pub(super) resource_rules: Vec<Rule>,
    pub(super) exclude_resource_rules: Vec<Rule>,
    pub(super) namespace_selector: Value,
    pub(super) object_selector: Value,
    pub(super) match_policy: MatchPolicy,
}

/// `spec` of a binding of either kind of policy.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BindingSpec {
    pub(super) policy_name: String,
    pub(super) param_ref: Option<ParamRef>,
    pub(super) match_resources: Option<MatchResources>,
    #[serde(default)]
    pub(super) validation_actions: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ParamRef {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    pub(super) selector: Option<Value>,
    /// `Allow` or `Deny`.
    #[serde(default)]
    pub(super) parameter_not_found_action: String,
}
