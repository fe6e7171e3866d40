//! From the stored configurations to what is in force, in the order of their names.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::policy::{Policy, Rules};
use super::types::{BindingSpec, PolicySpec, WebhookConfiguration};
use super::webhook::Webhook;
use crate::kinds::admissionregistration::run_here::is_run_here;
use crate::tree;

/// Everything that is asked about a write.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    pub(super) mutating: Vec<Webhook>,
    pub(super) validating: Vec<Webhook>,
    pub(super) policies: Vec<Policy>,
}

/// Reads all configurations; `objects` are in the order of their keys, which is that of kinds and names.
pub(super) fn in_force(objects: &[Value]) -> InForce {
    let mut found = InForce::default();
    let mut policies = BTreeMap::new();
    let mut bindings = Vec::new();
    for object in objects.iter().filter(|object| is_run_here(object)) {
        let name = tree::str_at(object, "/metadata/name");
        match tree::str_at(object, "/kind") {
            "MutatingWebhookConfiguration" => found.mutating.extend(webhooks(object)),
            "ValidatingWebhookConfiguration" => found.validating.extend(webhooks(object)),
            "ValidatingAdmissionPolicy" => {
                if let Some(spec) = read::<PolicySpec>(object, "/spec") {
                    policies.insert(name.to_owned(), Arc::new(Rules::compile(name, spec)));
                }
            }
            "ValidatingAdmissionPolicyBinding" => {
                if let Some(spec) = read::<BindingSpec>(object, "/spec") {
                    bindings.push((name.to_owned(), spec));
                }
            }
            _ => {}
        }
    }
    let bound = bindings.into_iter().filter_map(|(name, spec)| {
        let rules = policies.get(&spec.policy_name)?;
        Some(Policy::new(Arc::clone(rules), name, spec))
    });
    found.policies = bound.collect();
    found
}

fn webhooks(object: &Value) -> Vec<Webhook> {
    let configuration = read::<WebhookConfiguration>(object, "");
    configuration.into_iter().flat_map(|configuration| configuration.webhooks).map(Webhook::new).collect()
}

/// The validation of the kind makes an unreadable one impossible; one that was written by an older version is reported.
fn read<T: DeserializeOwned>(object: &Value, place: &str) -> Option<T> {
    let value = object.pointer(place).cloned().unwrap_or_default();
    match serde_json::from_value(value) {
        Ok(read) => Some(read),
        Err(error) => {
            let (kind, name) = (tree::str_at(object, "/kind"), tree::str_at(object, "/metadata/name"));
            tracing::error!(kind, name, %error, "a configuration of admission cannot be read and is not run");
            None
        }
    }
}
