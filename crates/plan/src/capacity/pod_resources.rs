//! What one pod asks for, from its spec.
//!
//! # Source
//! kubernetes staging/src/k8s.io/component-helpers/resource/helpers.go: containers and sidecars are summed, each init
//! container runs beside the sidecars before it, the larger of both counts, and the overhead is added.

use serde::Deserialize;

use super::amounts::{Amounts, ResourceName};

/// The fields of a pod spec that decide its request.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodResources {
    /// The node; empty until the pod is scheduled.
    pub node_name: String,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    overhead: Amounts,
    resources: Resources,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    restart_policy: String,
    resources: Resources,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Resources {
    requests: Amounts,
    limits: Amounts,
}

impl Resources {
    /// The requests; a missing request is the limit, as the API server defaults it.
    fn effective(&self) -> Amounts {
        let mut requests = self.requests.clone();
        requests.complete_from(&self.limits);
        requests
    }
}

impl PodResources {
    /// The request of the whole pod, without resources of which it asks for nothing.
    pub fn request(&self) -> Amounts {
        self.sum(Resources::effective)
    }

    /// The limit of the whole pod, without resources of which it has no limit.
    pub fn limit(&self) -> Amounts {
        self.sum(|resources| resources.limits.clone())
    }

    fn sum(&self, of: impl Fn(&Resources) -> Amounts) -> Amounts {
        let mut running = Amounts::default();
        for container in &self.containers {
            running.add(&of(&container.resources), 1);
        }
        let mut sidecars = Amounts::default();
        let mut starting = Amounts::default();
        for container in &self.init_containers {
            let request = of(&container.resources);
            if container.restart_policy == "Always" {
                sidecars.add(&request, 1);
                starting.raise_to(&sidecars);
            } else {
                let mut beside = sidecars.clone();
                beside.add(&request, 1);
                starting.raise_to(&beside);
            }
        }
        running.add(&sidecars, 1);
        running.raise_to(&starting);
        // Those of the pod as a whole replace the sum.
        for (name, number) in of(&self.resources).iter() {
            running = running.with(name.clone(), number);
        }
        running.add(&self.overhead, 1);
        running.without_zeros()
    }

    /// The same with the place of the pod itself.
    pub fn request_with_pod(&self) -> Amounts {
        self.request().with(ResourceName::Pods, 1)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_request_of_a_pod() {
        let container = |requests: Value| json!({ "resources": { "requests": requests } });
        let sidecar = json!({ "restartPolicy": "Always", "resources": { "requests": { "cpu": "200m" } } });
        for (name, spec, want) in [
            (
                "containers are summed",
                json!({ "containers": [container(json!({ "cpu": "100m" })), container(json!({ "cpu": "1" }))] }),
                json!({ "cpu": "1100m" }),
            ),
            (
                "a missing request is the limit",
                json!({ "containers": [{ "resources": { "requests": { "cpu": "100m" }, "limits": { "cpu": "1", "memory": "1Gi" } } }] }),
                json!({ "cpu": "100m", "memory": "1Gi" }),
            ),
            (
                "the largest init container",
                json!({ "containers": [container(json!({ "cpu": "100m", "memory": "1Gi" }))],
                        "initContainers": [container(json!({ "cpu": "500m" })), container(json!({ "cpu": "300m" }))] }),
                json!({ "cpu": "500m", "memory": "1Gi" }),
            ),
            (
                "sidecars are summed",
                json!({ "containers": [container(json!({ "cpu": "100m" }))], "initContainers": [sidecar] }),
                json!({ "cpu": "300m" }),
            ),
            (
                "an init container beside a sidecar",
                json!({ "containers": [container(json!({ "cpu": "100m" }))],
                        "initContainers": [sidecar, container(json!({ "cpu": "500m" }))] }),
                json!({ "cpu": "700m" }),
            ),
            (
                "overhead is added",
                json!({ "containers": [container(json!({ "cpu": "100m" }))], "overhead": { "cpu": "50m" } }),
                json!({ "cpu": "150m" }),
            ),
            (
                "requests of the pod",
                json!({ "containers": [container(json!({ "cpu": "100m" }))],
                        "resources": { "requests": { "cpu": "2" } } }),
                json!({ "cpu": "2" }),
            ),
            ("nothing", json!({ "containers": [container(json!({ "cpu": "0" }))] }), json!({})),
        ] {
            let read: PodResources = serde_json::from_value(spec).expect("a pod spec");
            assert_eq!(serde_json::to_value(read.request().to_list()).expect("JSON"), want, "{name}");
        }
    }
}
