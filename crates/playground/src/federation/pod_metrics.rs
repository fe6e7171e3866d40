//! The resource metrics of a member (`metrics.k8s.io`), as metrics-server serves them: for `kubectl top` and autoscalers.
//!
//! They are objects of two definitions, because the API server of a member aggregates no other. What is played uses next to
//! nothing and is not measured: every container counts with the same small amount.

use std::collections::BTreeMap;
use std::time::Duration;

use portolan_api::kubernetes::{Pod, View};
use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::time::format_time;
use portolan_object::{GroupVersionKind, Object};
use portolan_runtime::cache::Caches;
use portolan_runtime::client::Patch;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Api, Cache, Client, ClientError, Resource};
use serde_json::{Value, json};

/// Time between two measurements.
const PERIOD: Duration = Duration::from_secs(15);
/// Thousandths of a CPU that a container counts with.
const CPU_MILLI: usize = 1;
/// MiB of memory that a container counts with.
const MEMORY_MIB: usize = 8;

struct Metrics {
    pods_api: Api<Object>,
    nodes_api: Api<Object>,
    pods: Cache<Object>,
    nodes: Cache<Object>,
    clock: Clock,
}

/// Defines the kinds and measures until `scope` stops.
pub(super) fn start(client: &Client, caches: &Caches, clock: &Clock, scope: &Shutdown) {
    let (client, clock) = (client.clone(), clock.clone());
    let pods = caches.of(&resources::POD.into());
    let nodes = caches.of(&resources::NODE.into());
    spawn_until_stop(scope, async move {
        let metrics = Metrics {
            pods_api: client.resource(&resource("PodMetrics", "pods", true)),
            nodes_api: client.resource(&resource("NodeMetrics", "nodes", false)),
            pods,
            nodes,
            clock,
        };
        if !(metrics.pods.synced().await && metrics.nodes.synced().await) {
            return;
        }
        loop {
            // The definitions are made again if a user deletes them, and the first measurement may come before they are served.
            let measured = async {
                define(&client).await?;
                metrics.measure().await
            };
            if let Err(error) = measured.await {
                tracing::debug!(%error, "the metrics of a member are not written");
            }
            tokio::time::sleep(PERIOD).await;
        }
    });
}

fn resource(kind: &str, plural: &str, namespaced: bool) -> Resource {
    Resource {
        gvk: GroupVersionKind::new("metrics.k8s.io", "v1beta1", kind),
        plural: plural.to_owned(),
        namespaced,
    }
}

async fn define(client: &Client) -> Result<(), ClientError> {
    let api = client.resource::<Object>(&resources::CUSTOM_RESOURCE_DEFINITION.into());
    for (kind, plural, scope) in [("PodMetrics", "pods", "Namespaced"), ("NodeMetrics", "nodes", "Cluster")] {
        match api.create(&definition(kind, plural, scope)).await {
            Ok(_) | Err(ClientError::AlreadyExists(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn definition(kind: &str, plural: &str, scope: &str) -> Object {
    let any = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    Object(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.metrics.k8s.io"),
            // A group of Kubernetes needs it.
            "annotations": { "api-approved.kubernetes.io": "https://github.com/kubernetes/metrics" },
        },
        "spec": {
            "group": "metrics.k8s.io",
            "scope": scope,
            "names": { "kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase() },
            "versions": [{ "name": "v1beta1", "served": true, "storage": true, "schema": { "openAPIV3Schema": any } }],
        },
    }))
}

impl Metrics {
    async fn measure(&self) -> Result<(), ClientError> {
        let now = format_time(self.clock.now());
        let mut containers_of: BTreeMap<String, usize> = BTreeMap::new();
        for pod in self.pods.list() {
            let view = Pod::read(&pod).unwrap_or_default();
            if view.status.phase != "Running" || pod.is_deleting() {
                continue;
            }
            *containers_of.entry(view.spec.node_name.to_owned()).or_default() += view.spec.containers.len();
            let names = view.spec.containers.iter().map(|container| container.name);
            write(&self.pods_api, &pod_metrics(&pod, names, &now)).await?;
        }
        for node in self.nodes.list() {
            let containers = containers_of.get(node.name()).copied().unwrap_or_default();
            write(&self.nodes_api, &node_metrics(&node, containers, &now)).await?;
        }
        Ok(())
    }
}

/// Creates or changes the metrics of an object.
async fn write(api: &Api<Object>, metrics: &Object) -> Result<(), ClientError> {
    let patch = json!({ "timestamp": metrics.0["timestamp"], "containers": metrics.0["containers"], "usage": metrics.0["usage"] });
    match api.patch(&metrics.key(), &Patch::Merge(patch)).await {
        Err(error) if error.is_not_found() => match api.create(metrics).await {
            // The object that owns them is gone, or others were faster.
            Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
            Err(error) => Err(error),
        },
        other => other.map(drop),
    }
}

fn usage(containers: usize) -> Value {
    json!({ "cpu": format!("{}m", containers * CPU_MILLI), "memory": format!("{}Mi", containers * MEMORY_MIB) })
}

fn metadata(of: &Object) -> Value {
    // The garbage collector removes the metrics of what is gone.
    let owner = json!({ "apiVersion": "v1", "kind": of.kind(), "name": of.name(), "uid": of.uid() });
    json!({ "name": of.name(), "labels": of.labels(), "ownerReferences": [owner] })
}

fn pod_metrics<'a>(pod: &Object, containers: impl Iterator<Item = &'a str>, now: &str) -> Object {
    let mut metadata = metadata(pod);
    metadata["namespace"] = json!(pod.namespace());
    let containers: Vec<Value> = containers.map(|name| json!({ "name": name, "usage": usage(1) })).collect();
    Object(
        json!({ "apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics", "metadata": metadata, "timestamp": now,
        "window": "15s", "containers": containers }),
    )
}

fn node_metrics(node: &Object, containers: usize, now: &str) -> Object {
    Object(
        json!({ "apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetrics", "metadata": metadata(node), "timestamp": now,
        "window": "15s", "usage": usage(containers.max(1)) }),
    )
}
