//! What bindings use: exact sums of quantities.

use std::collections::BTreeMap;

use portolan_api::policy::ResourceList;
use portolan_api::work::ResourceBindingSpec;
use portolan_object::quantity::Quantity as Amount;

/// Amounts by resource name, exact.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage(BTreeMap<String, Amount>);

impl Usage {
    /// What a binding uses: the replicas that it assigns to clusters times what one asks for; with components, what a
    /// set asks for in each cluster.
    pub fn of_binding(spec: &ResourceBindingSpec) -> Self {
        let mut usage = Self::default();
        if spec.components.is_empty() {
            let replicas = spec.clusters.iter().map(|target| i64::from(target.replicas)).sum();
            if let Some(requirements) = &spec.replica_requirements {
                usage.add_list(&requirements.resource_request, replicas);
            }
        } else {
            let clusters = i64::try_from(spec.clusters.len()).unwrap_or(i64::MAX);
            for component in &spec.components {
                if let Some(requirements) = &component.replica_requirements {
                    let pods = i64::from(component.replicas).saturating_mul(clusters);
                    usage.add_list(&requirements.resource_request, pods);
                }
            }
        }
        usage.0.retain(|_, amount| !amount.is_zero());
        usage
    }

    fn add_list(&mut self, list: &ResourceList, times: i64) {
        for (name, quantity) in list {
            let Some(amount) = quantity.amount() else { continue };
            let sum = self.0.entry(name.clone()).or_insert_with(|| amount.times(0));
            *sum = sum.plus(amount.times(times));
        }
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let sum = self.0.entry(name.clone()).or_insert_with(|| amount.times(0));
            *sum = sum.plus(*amount);
        }
    }

    /// Subtracts another one.
    pub fn subtract(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            let sum = self.0.entry(name.clone()).or_insert_with(|| amount.times(0));
            *sum = sum.minus(*amount);
        }
        self.0.retain(|_, amount| !amount.is_zero());
    }

    /// The amount of a resource; `None` if nothing of it is used.
    pub fn get(&self, name: &str) -> Option<Amount> {
        self.0.get(name).copied()
    }

    /// Whether nothing is used.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn used(spec: Value) -> BTreeMap<String, String> {
        let spec: ResourceBindingSpec = serde_json::from_value(spec).expect("a spec");
        let Usage(used) = Usage::of_binding(&spec);
        used.into_iter().map(|(name, amount)| (name, amount.to_string())).collect()
    }

    #[test]
    fn usage_of_bindings() {
        let request = json!({ "resourceRequest": { "cpu": "10m", "memory": "100Mi", "gpu": "0" } });
        let component = |replicas: i32, cpu: &str| {
            json!({ "name": cpu, "replicas": replicas,
                    "replicaRequirements": { "resourceRequest": { "cpu": cpu, "memory": "100m" } } })
        };
        for (name, spec, want) in [
            (
                "replicas",
                json!({ "replicaRequirements": request, "clusters": [{ "name": "a", "replicas": 2 }, { "name": "b", "replicas": 3 }] }),
                json!({ "cpu": "50m", "memory": "500Mi" }),
            ),
            ("not scheduled", json!({ "replicas": 3, "replicaRequirements": request }), json!({})),
            ("no requirements", json!({ "clusters": [{ "name": "a", "replicas": 2 }] }), json!({})),
            (
                "components, as the FlinkDeployment of karmada's tests",
                json!({ "components": [component(1, "50m"), component(1, "100m")], "clusters": [{ "name": "a" }] }),
                json!({ "cpu": "150m", "memory": "200m" }),
            ),
            (
                "components in two clusters",
                json!({ "components": [component(2, "50m")], "clusters": [{ "name": "a" }, { "name": "b" }] }),
                json!({ "cpu": "200m", "memory": "400m" }),
            ),
        ] {
            assert_eq!(json!(used(spec)), want, "{name}");
        }
    }
}
