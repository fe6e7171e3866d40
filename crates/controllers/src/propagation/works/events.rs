//! Events about the Works of a binding, on the template, the binding and the override policies.

use portolan_api::conditions::binding::OVERRIDE_POLICY_FAILED;
use portolan_api::policy::{ClusterOverridePolicy, OverridePolicy};
use portolan_api::work::Work;
use portolan_api::{Kind, annotations, names};
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::overrides::OverrideError;
use portolan_runtime::events::{Regarding, Severity};

use crate::hub::Hub;
use crate::propagation::scoped::Binding;

/// Emits an event on the template and one on the binding.
pub(in crate::propagation) fn report_failure(hub: &Hub, template: &Object, binding: &Binding, message: &str) {
    for about in [Regarding::object(template), binding.regarding()] {
        hub.events.record(about, Severity::Warning, "SyncWorkFailed", message.to_owned());
    }
}

/// Emits an event on the template and one on the policy.
pub(in crate::propagation) fn report_failed_override(hub: &Hub, template: &Object, error: &OverrideError) {
    let gvk = match error.policy_namespace.as_str() {
        "" => ClusterOverridePolicy::gvk(),
        _ => OverridePolicy::gvk(),
    };
    let key = ObjectKey::namespaced(&*error.policy_namespace, &*error.policy);
    let policy = Regarding { gvk, key, uid: String::new() };
    for about in [Regarding::object(template), policy] {
        hub.events.record(about, Severity::Warning, OVERRIDE_POLICY_FAILED, error.to_string());
    }
}

/// Emits events about the written Works of a binding.
pub(in crate::propagation) fn report_success(hub: &Hub, template: &Object, binding: &Binding) {
    let key = binding.metadata.key();
    let message = format!("Sync work of {}({}/{}) successful.", binding.kind, key.namespace, key.name);
    for about in [binding.regarding(), Regarding::object(template)] {
        hub.events.success(about, "SyncWorkSucceed", message.clone());
    }
}

/// Emits an event on the template for each override policy that changed something in a Work.
pub(in crate::propagation) fn report_overrides(hub: &Hub, template: &Object, work: &Work) {
    let Some(cluster) = names::cluster_of_execution_namespace(&work.metadata.namespace) else { return };
    let namespace = template.namespace();
    let records = [
        (annotations::policy::APPLIED_CLUSTER_OVERRIDES, "cluster override policy", String::new()),
        (annotations::policy::APPLIED_OVERRIDES, "override policy", format!("{namespace}/")),
    ];
    for (record, kind, prefix) in records {
        let applied = work.metadata.annotation(record).unwrap_or("[]");
        let applied: Vec<serde_json::Value> = serde_json::from_str(applied).unwrap_or_default();
        for policy in applied.iter().filter_map(|policy| policy["policyName"].as_str()) {
            let message = format!("Apply {kind}({prefix}{policy}) for cluster({cluster}) succeed.");
            hub.events.success(Regarding::object(template), "ApplyOverridePolicySucceed", message);
        }
    }
}
