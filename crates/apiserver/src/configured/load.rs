//! From the stored configurations to what is in force, in the order of their names.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::policy::{Mutation, Policy, Rules, Validation};
use super::types::{BindingSpec, PolicySpec, WebhookConfiguration};
use super::webhook::Webhook;
use crate::kinds::admissionregistration::run_here::is_run_here;
use crate::tree;

/// Everything that is asked about a write.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    pub(super) mutating: Vec<Webhook>,
    pub(super) validating: Vec<Webhook>,
    pub(super) mutations: Vec<Policy<Mutation>>,
    pub(super) policies: Vec<Policy<Validation>>,
}

/// Reads all configurations; `objects` are in the order of their keys, which is that of kinds and names.
pub(super) fn in_force(objects: &[Value]) -> InForce {
    let mut found = InForce::default();
    let (mut validating, mut mutating) = (Parts::default(), Parts::default());
    for object in objects.iter().filter(|object| is_run_here(object)) {
        match tree::str_at(object, "/kind") {
            "MutatingWebhookConfiguration" => found.mutating.extend(webhooks(object)),
            "ValidatingWebhookConfiguration" => found.validating.extend(webhooks(object)),
            "ValidatingAdmissionPolicy" => validating.add(object, Rules::validating),
            "MutatingAdmissionPolicy" => mutating.add(object, Rules::mutating),
            "ValidatingAdmissionPolicyBinding" => validating.bind(object),
            "MutatingAdmissionPolicyBinding" => mutating.bind(object),
            _ => {}
        }
    }
    found.policies = validating.bound();
    found.mutations = mutating.bound();
    found
}

/// Policies of one kind by name, and their bindings.
struct Parts<T> {
    policies: BTreeMap<String, Arc<Rules<T>>>,
    bindings: Vec<(String, BindingSpec)>,
}

impl<T> Default for Parts<T> {
    fn default() -> Self {
        Self { policies: BTreeMap::new(), bindings: Vec::new() }
    }
}

impl<T> Parts<T> {
    fn add(&mut self, policy: &Value, compile: impl FnOnce(&str, PolicySpec) -> Rules<T>) {
        let name = tree::str_at(policy, "/metadata/name");
        if let Some(spec) = read::<PolicySpec>(policy, "/spec") {
            self.policies.insert(name.to_owned(), Arc::new(compile(name, spec)));
        }
    }

    fn bind(&mut self, binding: &Value) {
        if let Some(spec) = read::<BindingSpec>(binding, "/spec") {
            self.bindings.push((tree::str_at(binding, "/metadata/name").to_owned(), spec));
        }
    }

    fn bound(self) -> Vec<Policy<T>> {
        let bound = self.bindings.into_iter().filter_map(|(name, spec)| {
            let rules = self.policies.get(&spec.policy_name)?;
            Some(Policy::new(Arc::clone(rules), name, spec))
        });
        bound.collect()
    }
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
