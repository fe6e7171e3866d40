//! Interpreters: what Portolan knows about the kinds it propagates, beyond what all objects have in common.
//!
//! One file per kind with all its hooks; [`interpreter`] finds the one of a kind. A kind without an interpreter is
//! propagated by the rules for every kind, which stand beside the calls of the hooks:
//!
//! | hook | question | caller |
//! | --- | --- | --- |
//! | `replicas` | how many replicas does a template want, and where is a cluster's share written? | `replicas.rs` |
//! | `components` | which components does a template with several pod templates have? | `replicas.rs` |
//! | `prune` | which fields of a template must not reach a member? | `prune.rs` |
//! | `retain` | which fields of the object in the member survive an update? | `retain.rs` |
//! | `reflect` | which part of the status goes to the control plane? | `reflect.rs` |
//! | `health` | does the object do its job in the member? | `health.rs` |
//! | `aggregate` | how do the reports of all members make the status of the template? | `aggregate.rs` |
//! | `dependencies` | which other objects does a template refer to? | `references.rs` |
//!
//! # How to add an interpreter for a kind
//!
//! 1. Add the resource to `portolan_api::resources`, and a view to `portolan_api::kubernetes` if a hook reads fields
//!    that are not in a view yet.
//! 2. Add a file here with a constant `INTERPRETER`. Every hook is named: either a function, or [`Hook::Default`] for
//!    a kind that needs none. Status fields that the hooks name go into `status_fields`, which a test checks against
//!    the schema.
//! 3. Add the constant to [`ALL`], and its row to the table in `interpreter/tests.rs`.
//!
//! The hooks are those of Karmada's native interpreter (karmada pkg/resourceinterpreter/default/native). Customised
//! interpreters come before these; `controllers/src/propagation/interpreters.rs` chooses.

mod conditions;
mod counters;
mod cron_job;
mod daemon_set;
mod deployment;
mod hooks;
mod horizontal_pod_autoscaler;
mod ingress;
mod job;
mod load_balancer;
mod persistent_volume;
mod persistent_volume_claim;
mod pod;
mod pod_disruption_budget;
pub mod pod_references;
mod replica_set;
mod secret;
mod service;
mod service_account;
mod service_import;
mod stateful_set;
mod third_party;

#[cfg(test)]
mod tests;

pub use hooks::{Aggregate, Dependencies, Health, Hook, Interpreter, Replicas, Report, Requirements};

use portolan_object::GroupVersionKind;

/// The interpreters of built-in kinds, by group and kind; those of other projects are in `third_party`.
const ALL: &[Interpreter] = &[
    persistent_volume::INTERPRETER,
    persistent_volume_claim::INTERPRETER,
    pod::INTERPRETER,
    secret::INTERPRETER,
    service::INTERPRETER,
    service_account::INTERPRETER,
    daemon_set::INTERPRETER,
    deployment::INTERPRETER,
    replica_set::INTERPRETER,
    stateful_set::INTERPRETER,
    horizontal_pod_autoscaler::INTERPRETER,
    cron_job::INTERPRETER,
    job::INTERPRETER,
    ingress::INTERPRETER,
    pod_disruption_budget::INTERPRETER,
    service_import::INTERPRETER,
];

/// The interpreter of a kind; `None` for kinds that are propagated by the rules for every kind.
///
/// The versions of a built-in kind have the fields that the hooks use in common, so the version does not decide.
pub fn interpreter(kind: &GroupVersionKind) -> Option<&'static Interpreter> {
    ALL.iter().chain(third_party::ALL).find(|interpreter| interpreter.resource.is_kind(kind))
}
