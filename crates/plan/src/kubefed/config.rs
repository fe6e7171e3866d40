//! The settings of a KubeFedConfig that count.

use portolan_api::kubefed::{KubeFedConfigSpec, Scope, Switch};

/// What a KubeFedConfig decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether a federated object in a namespace needs a FederatedNamespace there.
    pub requires_namespaces: bool,
    /// Whether objects that exist in members are taken over.
    pub adopts: bool,
    /// Whether federated objects are propagated.
    pub propagates: bool,
    /// Whether ReplicaSchedulingPreferences count.
    pub divides_replicas: bool,
    /// Whether federated objects get the status of their objects in members.
    pub collects_status: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            requires_namespaces: false,
            adopts: true,
            propagates: true,
            divides_replicas: true,
            collects_status: false,
        }
    }
}

/// The settings; `config` is `None` if there is no KubeFedConfig.
pub fn settings(config: Option<&KubeFedConfigSpec>) -> Settings {
    let Some(config) = config else { return Settings::default() };
    let gate = |name: &str, default: bool| {
        let gate = config.feature_gates.iter().find(|gate| gate.name == name);
        gate.map_or(default, |gate| gate.configuration == Switch::Enabled)
    };
    let adoption = config.sync_controller.as_ref().and_then(|sync| sync.adopt_resources);
    Settings {
        requires_namespaces: config.scope == Scope::Cluster,
        adopts: adoption.unwrap_or_default() == Switch::Enabled,
        propagates: gate("PushReconciler", true),
        divides_replicas: gate("SchedulerPreferences", true),
        collects_status: gate("RawResourceStatusCollection", false),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_config_of_kubefeds_chart_asks_for_federated_namespaces() {
        let config: KubeFedConfigSpec = serde_json::from_value(json!({
            "scope": "Cluster",
            "controllerDuration": { "availableDelay": "20s", "unavailableDelay": "60s" },
            "leaderElect": { "leaseDuration": "15s", "resourceLock": "configmaps" },
            "featureGates": [
                { "name": "PushReconciler", "configuration": "Enabled" },
                { "name": "RawResourceStatusCollection", "configuration": "Enabled" },
                { "name": "SchedulerPreferences", "configuration": "Disabled" },
            ],
            "syncController": { "maxConcurrentReconciles": 1, "adoptResources": "Disabled" },
        }))
        .expect("a spec");
        let want = Settings {
            requires_namespaces: true,
            adopts: false,
            propagates: true,
            divides_replicas: false,
            collects_status: true,
        };
        assert_eq!(settings(Some(&config)), want);
        assert_eq!(settings(None), Settings::default());
        let short = KubeFedConfigSpec { scope: Scope::Cluster, ..KubeFedConfigSpec::default() };
        assert_eq!(settings(Some(&short)), Settings { requires_namespaces: true, ..Settings::default() });
    }
}
