//! Admission of KubeFed's kinds: what has no effect is refused or warned about (kubefed pkg/controller/webhook).

use portolan_object::{FieldError, Status};
use serde_json::{Value, json};

use super::typed;
use crate::kind::Kind;
use crate::kubefed::{
    ApiResource, CONFIG_NAME, ClusterPreferences, FederatedServiceStatus, FederatedTypeConfig, KubeFedConfig,
    ReplicaSchedulingPreference, SYSTEM_NAMESPACE, Scope,
};

/// Names of the feature gates of KubeFed.
const FEATURE_GATES: [&str; 3] = ["PushReconciler", "RawResourceStatusCollection", "SchedulerPreferences"];

/// Validates a KubeFedConfig. Returns warnings about settings without an effect.
///
/// # Errors
/// 422 for settings that cannot be honoured.
pub(super) fn admit_config(object: &Value, namespace: &str) -> Result<Vec<String>, Status> {
    let Some(config) = typed::<KubeFedConfig>(object) else { return Ok(Vec::new()) };
    let mut errors = Vec::new();
    let spec = &config.spec;
    if spec.scope != Scope::Cluster {
        let detail = "only Cluster is supported: federated objects of all namespaces are propagated";
        errors.push(FieldError::invalid("spec.scope", &json!(spec.scope), detail));
    }
    for (index, gate) in spec.feature_gates.iter().enumerate() {
        let field = format!("spec.featureGates[{index}].name");
        let is_repeated = spec.feature_gates[..index].iter().any(|earlier| earlier.name == gate.name);
        if !FEATURE_GATES.contains(&gate.name.as_str()) {
            let detail = format!("has to be one of {}", FEATURE_GATES.join(", "));
            errors.push(FieldError::invalid(field, &json!(gate.name), detail));
        } else if is_repeated {
            errors.push(FieldError::invalid(field, &json!(gate.name), "is listed twice"));
        }
    }
    if !errors.is_empty() {
        let name = &config.metadata.name;
        return Err(Status::invalid(KubeFedConfig::GROUP, KubeFedConfig::KIND, name, &errors));
    }
    if namespace != SYSTEM_NAMESPACE || config.metadata.name != CONFIG_NAME {
        return Ok(vec![format!("this has no effect: only {SYSTEM_NAMESPACE}/{CONFIG_NAME} counts")]);
    }
    let sync = spec.sync_controller.as_ref();
    let unused = [
        ("spec.controllerDuration", spec.controller_duration.is_some()),
        ("spec.leaderElect", spec.leader_elect.is_some()),
        ("spec.clusterHealthCheck", spec.cluster_health_check.is_some()),
        ("spec.statusController", spec.status_controller.is_some()),
        (
            "spec.syncController.maxConcurrentReconciles",
            sync.is_some_and(|sync| sync.max_concurrent_reconciles.is_some()),
        ),
    ];
    let unused = unused.into_iter().filter(|(_, is_set)| *is_set);
    Ok(unused
        .map(|(field, _)| format!("{field} has no effect: the flags of `portolan server` say this"))
        .collect())
}

/// Warnings about a FederatedTypeConfig.
pub(super) fn type_config_warnings(object: &Value, namespace: &str) -> Vec<String> {
    let Some(config) = typed::<FederatedTypeConfig>(object) else { return Vec::new() };
    let mut warnings = Vec::new();
    if namespace != SYSTEM_NAMESPACE {
        warnings.push(format!("this has no effect: only those in the namespace {SYSTEM_NAMESPACE} count"));
    }
    let has_effect = |named: &ApiResource| {
        FederatedServiceStatus::is_named_by(named) && config.metadata.name == "services"
    };
    if config.spec.status_type.as_ref().is_some_and(|named| !has_effect(named)) {
        let text =
            "spec.statusType has no effect: the status of members is in status.clusters of federated objects";
        warnings.push(text.to_owned());
    }
    warnings
}

/// Warnings about a ReplicaSchedulingPreference: bounds that contradict each other. KubeFed accepts them.
pub(super) fn preference_warnings(object: &Value) -> Vec<String> {
    let Some(preference) = typed::<ReplicaSchedulingPreference>(object) else { return Vec::new() };
    let contradicts =
        |bounds: &ClusterPreferences| bounds.max_replicas.is_some_and(|most| bounds.min_replicas > most);
    let contradictory = preference.spec.clusters.iter().filter(|(_, bounds)| contradicts(bounds));
    let say = |name: &String| {
        format!(
            "spec.clusters[{name}]: minReplicas is more than maxReplicas; the cluster may get fewer than minReplicas or more \
             than maxReplicas"
        )
    };
    contradictory.map(|(name, _)| say(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_that_contradict_each_other_are_warned_about() {
        let warnings = |bounds: Value| {
            preference_warnings(&json!({ "apiVersion": "scheduling.kubefed.io/v1alpha1",
                "kind": "ReplicaSchedulingPreference", "metadata": { "namespace": "shop", "name": "web" },
                "spec": { "targetKind": "FederatedDeployment", "totalReplicas": 9, "clusters": { "eu": bounds } } }))
        };
        assert_eq!(warnings(json!({ "minReplicas": 3, "maxReplicas": 3 })), Vec::<String>::new());
        assert_eq!(warnings(json!({ "minReplicas": 3 })), Vec::<String>::new());
        let said = warnings(json!({ "minReplicas": 3, "maxReplicas": 2 }));
        assert!(said[0].starts_with("spec.clusters[eu]: minReplicas is more than maxReplicas"), "{said:?}");
    }

    fn config(spec: Value, key: (&str, &str)) -> Result<Vec<String>, Status> {
        let object = json!({ "apiVersion": "core.kubefed.io/v1beta1", "kind": "KubeFedConfig",
            "metadata": { "namespace": key.0, "name": key.1 }, "spec": spec });
        admit_config(&object, key.0)
    }

    #[test]
    fn a_status_type_counts_for_services_only() {
        let warnings = |name: &str, kind: &str| {
            let object = json!({ "apiVersion": "core.kubefed.io/v1beta1", "kind": "FederatedTypeConfig",
                "metadata": { "namespace": SYSTEM_NAMESPACE, "name": name },
                "spec": { "statusType": { "group": "core.kubefed.io", "kind": kind } } });
            type_config_warnings(&object, SYSTEM_NAMESPACE).len()
        };
        assert_eq!(warnings("services", "FederatedServiceStatus"), 0);
        assert_eq!(warnings("services", "FederatedBoatStatus"), 1);
        assert_eq!(warnings("deployments.apps", "FederatedServiceStatus"), 1);
    }

    #[test]
    fn settings_without_effect_are_warned_about_and_others_are_refused() {
        let ours = (SYSTEM_NAMESPACE, CONFIG_NAME);
        let fine = json!({ "scope": "Cluster", "syncController": { "adoptResources": "Enabled" } });
        assert_eq!(config(fine.clone(), ours), Ok(Vec::new()));
        let elsewhere = config(fine, ("default", "kubefed")).expect("admitted");
        assert!(elsewhere[0].contains("has no effect"), "{elsewhere:?}");
        let chart = json!({ "scope": "Cluster", "leaderElect": {}, "syncController": { "maxConcurrentReconciles": 1 } });
        assert_eq!(config(chart, ours).map(|warnings| warnings.len()), Ok(2));
        for spec in [
            json!({ "scope": "Namespaced" }),
            json!({ "scope": "Cluster", "featureGates": [{ "name": "Other", "configuration": "Enabled" }] }),
            json!({ "scope": "Cluster", "featureGates": [
                { "name": "PushReconciler", "configuration": "Enabled" },
                { "name": "PushReconciler", "configuration": "Disabled" }] }),
        ] {
            assert_eq!(config(spec.clone(), ours).expect_err("refused").code, 422, "{spec}");
        }
    }
}
