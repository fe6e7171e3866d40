//! Asks interpreter webhooks (karmada pkg/resourceinterpreter/customized/webhook).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use portolan_api::config::{
    InterpreterContext, InterpreterKind, InterpreterOperation, InterpreterRequest, InterpreterResponse,
    WebhookClientConfig,
};
use portolan_api::work::AggregatedStatusItem;
use portolan_object::{Object, patch};
use portolan_plan::propagation::customized::Webhook;
use portolan_runtime::Client;
use portolan_runtime::client::{Credential, Endpoint};
use serde_json::Value;
use tokio::sync::Semaphore;

/// Time for an answer unless the webhook sets another (karmada `timeoutSeconds`).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Questions to one webhook at the same time. Further passes are tried again later.
const MAX_CALLS: usize = 16;
/// Number of webhooks for which an open connection is kept.
const MAX_CALLERS: usize = 64;
/// The version of the questions.
const API_VERSION: &str = "config.karmada.io/v1alpha1";

/// A webhook gave no answer.
#[derive(Debug, thiserror::Error)]
#[error(
    "webhook {webhook} of ResourceInterpreterWebhookConfiguration {configuration}, operation {operation}: {cause}"
)]
pub(crate) struct WebhookError {
    configuration: String,
    webhook: String,
    operation: InterpreterOperation,
    cause: String,
}

/// A question about an object.
pub(super) struct Question {
    operation: InterpreterOperation,
    request: InterpreterRequest,
}

impl Question {
    pub(super) fn about(operation: InterpreterOperation, object: &Object) -> Self {
        let kind = object.group_version_kind();
        let request = InterpreterRequest {
            uid: uuid::Uuid::new_v4().to_string(),
            kind: InterpreterKind { group: kind.group, version: kind.version, kind: kind.kind },
            name: object.name().to_owned(),
            namespace: object.namespace().to_owned(),
            operation: operation.as_str().to_owned(),
            object: object.0.clone(),
            ..InterpreterRequest::default()
        };
        Self { operation, request }
    }

    pub(super) fn replicas(mut self, share: i64) -> Self {
        self.request.desired_replicas = Some(share);
        self
    }

    pub(super) fn observed(mut self, object: &Object) -> Self {
        self.request.observed_object = Some(object.0.clone());
        self
    }

    pub(super) fn aggregated(mut self, items: &[AggregatedStatusItem]) -> Self {
        self.request.aggregated_status = items.to_vec();
        self
    }
}

/// Connections to webhooks. Clones share state.
#[derive(Clone, Default)]
pub(super) struct Callers(Arc<Mutex<HashMap<WebhookClientConfigKey, Caller>>>);

type WebhookClientConfigKey = (String, Option<String>);

#[derive(Clone)]
struct Caller {
    client: Client,
    calls: Arc<Semaphore>,
}

impl Callers {
    /// The answer to a question.
    pub(super) async fn ask(
        &self,
        webhook: &Webhook,
        question: Question,
    ) -> Result<InterpreterResponse, WebhookError> {
        let operation = question.operation;
        let answer = self.exchange(webhook, question).await;
        answer.map_err(|cause| error(webhook, operation, cause))
    }

    /// The object with the patch that the webhook answers.
    pub(super) async fn patched(
        &self,
        webhook: &Webhook,
        question: Question,
        object: &Object,
    ) -> Result<Object, WebhookError> {
        let operation = question.operation;
        let answer = self.ask(webhook, question).await?;
        apply(&answer, object).map_err(|cause| error(webhook, operation, cause))
    }

    async fn exchange(&self, webhook: &Webhook, question: Question) -> Result<InterpreterResponse, String> {
        let (url, path) = address(&webhook.webhook.client_config)?;
        let caller = self.caller(url, webhook.webhook.client_config.ca_bundle.clone())?;
        let _permit = caller
            .calls
            .try_acquire()
            .map_err(|_| format!("{MAX_CALLS} questions to it have no answer yet; this is tried again"))?;
        let seconds = webhook.webhook.timeout_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let limit = seconds.map_or(DEFAULT_TIMEOUT, |seconds| Duration::from_secs(seconds.clamp(1, 30)));
        let uid = question.request.uid.clone();
        let asked = InterpreterContext {
            api_version: API_VERSION.to_owned(),
            kind: "ResourceInterpreterContext".to_owned(),
            request: Some(question.request),
            response: None,
        };
        let client = caller.client.with_timeout(limit);
        let answer: InterpreterContext =
            client.post(&path, &asked).await.map_err(|error| error.to_string())?;
        let answer = answer.response.ok_or("its answer has no response")?;
        if answer.uid != uid {
            return Err(format!("its answer is for the question {:?}, not for {uid:?}", answer.uid));
        }
        if !answer.successful {
            let status = answer.status.unwrap_or_default();
            return Err(format!("it refuses with code {}: {}", status.code, status.message));
        }
        Ok(answer)
    }

    fn caller(&self, url: String, ca_bundle: Option<String>) -> Result<Caller, String> {
        let key = (url, ca_bundle);
        let mut callers = self.0.lock();
        if let Some(caller) = callers.get(&key) {
            return Ok(caller.clone());
        }
        let ca_pem = STANDARD
            .decode(key.1.as_deref().unwrap_or_default())
            .map_err(|error| format!("its caBundle is not base64: {error}"))?;
        let endpoint = Endpoint {
            url: key.0.clone(),
            ca_pem,
            credential: Credential::Anonymous,
            insecure_skip_verify: false,
            ..Endpoint::default()
        };
        let client = Client::connect(endpoint).map_err(|error| error.to_string())?;
        let caller = Caller { client, calls: Arc::new(Semaphore::new(MAX_CALLS)) };
        if callers.len() >= MAX_CALLERS {
            callers.clear();
        }
        callers.insert(key, caller.clone());
        Ok(caller)
    }
}

/// The server of a webhook, and the path on it.
fn address(config: &WebhookClientConfig) -> Result<(String, String), String> {
    if let Some(url) = &config.url {
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let path = url[after_scheme..].find('/').map_or(url.len(), |at| at + after_scheme);
        let (server, path) = url.split_at(path);
        return Ok((server.to_owned(), if path.is_empty() { "/".to_owned() } else { path.to_owned() }));
    }
    let service = config.service.as_ref().ok_or("its clientConfig has neither url nor service")?;
    let port = service.port.unwrap_or(443);
    let path = service.path.as_deref().unwrap_or("/");
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Ok((format!("https://{}.{}.svc:{port}", service.name, service.namespace), path))
}

fn apply(answer: &InterpreterResponse, object: &Object) -> Result<Object, String> {
    let Some(encoded) = &answer.patch else { return Ok(object.clone()) };
    if let Some(kind) = answer.patch_type.as_deref().filter(|kind| *kind != "JSONPatch") {
        return Err(format!("its patch has the type {kind:?}; only JSONPatch is known"));
    }
    let bytes = STANDARD.decode(encoded).map_err(|error| format!("its patch is not base64: {error}"))?;
    let patch: Value =
        serde_json::from_slice(&bytes).map_err(|error| format!("its patch is not JSON: {error}"))?;
    let patched =
        patch::json_patch(&object.0, &patch).map_err(|error| format!("its patch does not fit: {error}"))?;
    Ok(Object(patched))
}

/// The error for an answer without a field that the operation needs.
pub(super) fn lacks(webhook: &Webhook, operation: InterpreterOperation, field: &str) -> WebhookError {
    error(webhook, operation, format!("its answer has no {field}"))
}

fn error(webhook: &Webhook, operation: InterpreterOperation, cause: String) -> WebhookError {
    WebhookError {
        configuration: webhook.configuration.clone(),
        webhook: webhook.webhook.name.clone(),
        operation,
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_api::config::ServiceReference;
    use serde_json::json;

    #[test]
    fn the_address_of_a_webhook() {
        let url =
            |url: &str| WebhookClientConfig { url: Some(url.to_owned()), ..WebhookClientConfig::default() };
        let service = |path: Option<&str>, port: Option<i32>| {
            let path = path.map(str::to_owned);
            let service =
                ServiceReference { namespace: "ops".to_owned(), name: "hook".to_owned(), path, port };
            WebhookClientConfig { service: Some(service), ..WebhookClientConfig::default() }
        };
        let cases = [
            (
                url("https://hook.example.com/interpreter-workload"),
                "https://hook.example.com",
                "/interpreter-workload",
            ),
            (url("https://hook.example.com:8443"), "https://hook.example.com:8443", "/"),
            (service(Some("interpret"), None), "https://hook.ops.svc:443", "/interpret"),
            (service(None, Some(8443)), "https://hook.ops.svc:8443", "/"),
        ];
        for (config, server, path) in cases {
            assert_eq!(address(&config), Ok((server.to_owned(), path.to_owned())));
        }
        assert!(address(&WebhookClientConfig::default()).unwrap_err().contains("neither url nor service"));
    }

    #[test]
    fn an_answer_patches_the_object() {
        let object = Object(json!({"spec": {"replicas": 1}}));
        let patch = json!([{"op": "replace", "path": "/spec/replicas", "value": 3}]).to_string();
        let answer = |patch: Option<String>, kind: &str| InterpreterResponse {
            patch,
            patch_type: Some(kind.to_owned()),
            ..InterpreterResponse::default()
        };
        let patched = apply(&answer(Some(STANDARD.encode(&patch)), "JSONPatch"), &object);
        assert_eq!(patched.unwrap().0, json!({"spec": {"replicas": 3}}));
        assert_eq!(apply(&answer(None, "JSONPatch"), &object).unwrap().0, object.0);
        let faults = [
            (Some(STANDARD.encode(&patch)), "MergePatch", "only JSONPatch"),
            (Some("%".to_owned()), "JSONPatch", "not base64"),
            (Some(STANDARD.encode("{")), "JSONPatch", "not JSON"),
        ];
        for (patch, kind, want) in faults {
            let error = apply(&answer(patch, kind), &object).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
    }
}
