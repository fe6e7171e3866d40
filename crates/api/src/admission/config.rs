//! Admission of customised interpreters (karmada pkg/webhook/configuration, pkg/webhook/resourceinterpretercustomization).

use std::collections::BTreeSet;

use portolan_object::{FieldError, FieldErrorKind, Status, dns_label};
use serde_json::{Value, json};

use super::{denied, deny_for, typed};
use crate::config::{
    InterpreterOperation, InterpreterWebhook, ResourceInterpreterCustomization,
    ResourceInterpreterWebhookConfiguration, RuleWithOperations, WebhookClientConfig,
};

const CUSTOMIZATION: &str = "resourceinterpretercustomization.karmada.io";
const CONFIGURATION: &str = "resourceinterpreterwebhookconfiguration.karmada.io";

/// Refuses webhooks that cannot be called.
pub(super) fn admit_webhooks(object: &Value) -> Result<(), Status> {
    let Some(configuration) = typed::<ResourceInterpreterWebhookConfiguration>(object) else { return Ok(()) };
    let (mut errors, mut names) = (Vec::new(), BTreeSet::new());
    for (index, webhook) in configuration.webhooks.iter().enumerate() {
        let path = format!("webhooks[{index}]");
        check_webhook(webhook, &path, &mut errors);
        if !names.insert(&webhook.name) {
            let kind = FieldErrorKind::Duplicate(json!(webhook.name).to_string());
            errors.push(FieldError::new(format!("{path}.name"), kind));
        }
    }
    deny_for(CONFIGURATION, &errors)
}

fn check_webhook(webhook: &InterpreterWebhook, path: &str, errors: &mut Vec<FieldError>) {
    let is_qualified = webhook.name.split('.').count() > 1 && dns_label::is_subdomain(&webhook.name);
    if !is_qualified {
        let detail = "should be a domain with at least two segments separated by dots";
        errors.push(FieldError::invalid(format!("{path}.name"), &json!(webhook.name), detail));
    }
    for (index, rule) in webhook.rules.iter().enumerate() {
        check_rule(rule, &format!("{path}.rules[{index}]"), errors);
    }
    if let Some(seconds) = webhook.timeout_seconds.filter(|seconds| !(1..=30).contains(seconds)) {
        let detail = "the timeout value must be between 1 and 30 seconds";
        errors.push(FieldError::invalid(format!("{path}.timeoutSeconds"), &json!(seconds), detail));
    }
    check_client(&webhook.client_config, &format!("{path}.clientConfig"), errors);
    if !webhook.interpreter_context_versions.iter().any(|version| version == "v1alpha1") {
        let field = format!("{path}.interpreterContextVersions");
        let versions = json!(webhook.interpreter_context_versions);
        errors.push(FieldError::invalid(field, &versions, "must include at least one of v1alpha1"));
    }
}

fn check_rule(rule: &RuleWithOperations, path: &str, errors: &mut Vec<FieldError>) {
    let lists = [
        ("operations", &rule.operations),
        ("apiGroups", &rule.api_groups),
        ("apiVersions", &rule.api_versions),
        ("kinds", &rule.kinds),
    ];
    for (field, list) in lists {
        let field = format!("{path}.{field}");
        if list.is_empty() {
            errors.push(FieldError::required(field, ""));
        } else if list.len() > 1 && list.iter().any(|one| one == "*") {
            let detail = "if '*' is present, must not specify others";
            errors.push(FieldError::invalid(field, &json!(list), detail));
        }
    }
    let known: Vec<&str> =
        ["*"].into_iter().chain(InterpreterOperation::ALL.map(InterpreterOperation::as_str)).collect();
    for (index, operation) in rule.operations.iter().enumerate() {
        if !known.contains(&operation.as_str()) {
            let field = format!("{path}.operations[{index}]");
            errors.push(FieldError::not_supported(field, &json!(operation), &known));
        }
    }
}

/// Unlike Karmada, a server needs a CA: there are no others that this process trusts.
fn check_client(client: &WebhookClientConfig, path: &str, errors: &mut Vec<FieldError>) {
    match (&client.url, &client.service) {
        (Some(url), None) => {
            let field = format!("{path}.url");
            let rest = url.strip_prefix("https://");
            if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
                errors.push(FieldError::invalid(field, &json!(url), "must be an https URL with a host"));
            } else if url.contains(['?', '#', '@']) {
                let detail = "must have no user, query or fragment";
                errors.push(FieldError::invalid(field, &json!(url), detail));
            }
        }
        (None, Some(service)) => {
            for (name, value) in [("namespace", &service.namespace), ("name", &service.name)] {
                if value.is_empty() {
                    errors.push(FieldError::required(format!("{path}.service.{name}"), ""));
                }
            }
            if let Some(port) = service.port.filter(|port| !(1..=65_535).contains(port)) {
                let detail = "must be between 1 and 65535";
                errors.push(FieldError::invalid(format!("{path}.service.port"), &json!(port), detail));
            }
        }
        _ => errors.push(FieldError::required(path, "exactly one of url or service is required")),
    }
    if client.ca_bundle.as_deref().unwrap_or_default().is_empty() {
        let detail = "the CA of the webhook's certificate, PEM in base64; the CAs of the system are not used";
        errors.push(FieldError::required(format!("{path}.caBundle"), detail));
    }
}

/// Refuses a customization without `target.apiVersion` or `target.kind`. The caller compiles its scripts.
pub(super) fn admit_customization(object: &Value) -> Result<(), Status> {
    let Some(customization) = typed::<ResourceInterpreterCustomization>(object) else { return Ok(()) };
    let target = &customization.spec.target;
    let mut errors = Vec::new();
    for (field, value) in [("apiVersion", &target.api_version), ("kind", &target.kind)] {
        if value.is_empty() {
            errors.push(FieldError::required(format!("spec.target.{field}"), ""));
        }
    }
    deny_for(CUSTOMIZATION, &errors)
}

/// Refuses a customization with a script for an operation and kind for which another customization has one.
///
/// # Errors
/// 403, with the operation and the name of the other one.
pub fn refuse_conflicts<'a>(
    new: &ResourceInterpreterCustomization,
    others: impl IntoIterator<Item = &'a ResourceInterpreterCustomization>,
) -> Result<(), Status> {
    let rivals = others
        .into_iter()
        .filter(|other| other.metadata.name != new.metadata.name && other.spec.target == new.spec.target);
    for other in rivals {
        let has_both = |operation: &InterpreterOperation| {
            // Dependencies of several customizations are joined.
            *operation != InterpreterOperation::InterpretDependency
                && new.spec.customizations.script(*operation).is_some()
                && other.spec.customizations.script(*operation).is_some()
        };
        if let Some(operation) = InterpreterOperation::ALL.iter().find(|operation| has_both(operation)) {
            let cause = format!(
                "conflicting with InterpreterOperation({operation}) of existing \
                 ResourceInterpreterCustomization({})",
                other.metadata.name
            );
            return Err(denied(CUSTOMIZATION, &cause));
        }
    }
    Ok(())
}

/// The refusal of a customization with a script that does not compile.
pub fn faulty_script(operation: InterpreterOperation, cause: &str) -> Status {
    denied(CUSTOMIZATION, &format!("InterpreterOperation({operation}) Lua script error: {cause}"))
}
