//! `AdmissionReview`: the question to a webhook and its answer. Pure (kubernetes
//! staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/request/admissionreview.go).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portolan_object::Status;
use portolan_object::patch::json_patch;
use serde::Deserialize;
use serde_json::{Value, json};

use super::matching::{Facts, converted};
use crate::admission::Operation;
use crate::auth::User;
use crate::resources::Resource;

/// Versions of reviews that are spoken, the preferred one first.
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

/// The version of the review for a webhook that understands these; `None` if it understands neither.
pub(super) fn version(understood: &[String]) -> Option<&'static str> {
    let first = understood.iter().find_map(|version| VERSIONS.iter().find(|known| **known == *version));
    first.copied()
}

/// The `request` of a review, which match conditions see as well. `resource` is the version that the webhook asks for.
pub(super) fn request(
    uid: &str,
    facts: &Facts<'_>,
    resource: &Resource,
    user: &User,
    [new, old]: [Option<&Value>; 2],
) -> Value {
    let kind = |resource: &Resource| {
        let kind = &resource.kind;
        json!({ "group": kind.group, "version": kind.version, "kind": kind.kind })
    };
    let named = |resource: &Resource| {
        let kind = &resource.kind;
        json!({ "group": kind.group, "version": kind.version, "resource": resource.plural })
    };
    let object = |object: Option<&Value>| {
        object.map_or(Value::Null, |object| converted(object, facts.resource, resource))
    };
    let mut request = json!({
        "uid": uid,
        "kind": kind(resource),
        "resource": named(resource),
        "requestKind": kind(facts.resource),
        "requestResource": named(facts.resource),
        "operation": facts.asked.operation.word(),
        "userInfo": user.to_value(),
        "object": object(new),
        "oldObject": object(old),
        "dryRun": facts.asked.is_dry_run,
        "options": options(facts),
    });
    for (field, text) in [
        ("name", facts.asked.name),
        ("namespace", facts.namespace),
        ("subResource", facts.subresource),
        ("requestSubResource", facts.subresource),
    ] {
        if !text.is_empty() {
            request[field] = json!(text);
        }
    }
    request
}

fn options(facts: &Facts<'_>) -> Value {
    let kind = match facts.asked.operation {
        Operation::Create => "CreateOptions",
        Operation::Update => "UpdateOptions",
        Operation::Delete => "DeleteOptions",
    };
    let mut options = json!({ "apiVersion": "meta.k8s.io/v1", "kind": kind });
    if facts.asked.is_dry_run {
        options["dryRun"] = json!(["All"]);
    }
    options
}

/// The review with a request.
pub(super) fn review(version: &str, request: &Value) -> Value {
    json!({ "kind": "AdmissionReview", "apiVersion": format!("admission.k8s.io/{version}"), "request": request })
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnsweredReview {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    response: Option<Response>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    #[serde(default)]
    uid: String,
    allowed: bool,
    status: Option<Refusal>,
    #[serde(default)]
    patch: String,
    #[serde(default)]
    patch_type: String,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    message: String,
    reason: String,
    code: u16,
}

/// What a webhook decided.
#[derive(Debug, PartialEq)]
pub(super) struct Decision {
    /// The status for the client if the write is refused.
    pub(super) refusal: Option<Status>,
    /// Operations of a JSON patch; null for none.
    pub(super) patch: Value,
    /// Texts for `Warning` headers.
    pub(super) warnings: Vec<String>,
}

/// Reads the answer to a request with this uid.
///
/// # Errors
/// Why it is no answer to it.
pub(super) fn decision(webhook: &str, version: &str, uid: &str, bytes: &[u8]) -> Result<Decision, String> {
    let answered: AnsweredReview = serde_json::from_slice(bytes)
        .map_err(|error| format!("couldn't get version/kind; json parse error: {error}"))?;
    let wanted = format!("admission.k8s.io/{version}");
    let is_typed = !answered.api_version.is_empty() || !answered.kind.is_empty();
    // Webhooks of v1beta1 may leave the type out.
    if (version == "v1" || is_typed) && (answered.api_version != wanted || answered.kind != "AdmissionReview")
    {
        return Err(format!(
            "expected webhook response of {wanted}, Kind=AdmissionReview, got {}, Kind={}",
            answered.api_version, answered.kind
        ));
    }
    let Some(response) = answered.response else { return Err("webhook response was absent".to_owned()) };
    if version == "v1" && response.uid != uid {
        return Err(format!("expected response.uid={uid:?}, got {:?}", response.uid));
    }
    if !response.patch.is_empty() && response.patch_type != "JSONPatch" && version == "v1" {
        return Err("webhook returned response.patch but not response.patchType".to_owned());
    }
    let patch = match response.patch.as_str() {
        "" => Value::Null,
        text => {
            let bytes = STANDARD.decode(text).map_err(|error| format!("response.patch: {error}"))?;
            serde_json::from_slice(&bytes).map_err(|error| format!("response.patch: {error}"))?
        }
    };
    let refusal = (!response.allowed).then(|| refusal(webhook, response.status.unwrap_or_default()));
    Ok(Decision { refusal, patch, warnings: response.warnings })
}

fn refusal(webhook: &str, status: Refusal) -> Status {
    let refused = format!("admission webhook {webhook:?} denied the request");
    let message = match (status.message.as_str(), status.reason.as_str()) {
        ("", "") => format!("{refused} without explanation"),
        ("", reason) => format!("{refused}: {reason}"),
        (message, _) => format!("{refused}: {message}"),
    };
    Status::new(if status.code < 400 { 400 } else { status.code }, &status.reason, message)
}

/// Applies the patch of a webhook to an object.
///
/// # Errors
/// Why it cannot be applied.
pub(super) fn patched(object: &Value, patch: &Value) -> Result<Value, String> {
    json_patch(object, patch).map_err(|error| error.to_string())
}
