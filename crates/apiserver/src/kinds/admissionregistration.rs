//! `admissionregistration.k8s.io`: webhooks and policies of admission. They are stored for the clusters that they are
//! propagated to, and not called here; a warning says so.

mod configurations;
mod mutating_admission_policy;
mod mutating_admission_policy_binding;
mod mutating_webhook_configuration;
mod policies;
mod rules;
pub(crate) mod run_here;
mod validating_admission_policy;
mod validating_admission_policy_binding;
mod validating_webhook_configuration;

use super::Group;

const GROUP: &str = "admissionregistration.k8s.io";

pub(super) static API_GROUP: Group = Group {
    name: GROUP,
    versions: &["v1"],
    priority: 16700,
    kinds: &[
        &mutating_admission_policy::KIND,
        &mutating_admission_policy_binding::KIND,
        &mutating_webhook_configuration::KIND,
        &validating_admission_policy::KIND,
        &validating_admission_policy_binding::KIND,
        &validating_webhook_configuration::KIND,
    ],
};
