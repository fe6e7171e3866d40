//! The resource metrics of a member (`metrics.k8s.io`), as metrics-server serves them: for `kubectl top` and autoscalers.
//!
//! They are objects of two definitions, because the API server of a member aggregates no other. What is played uses next to
//! nothing and is not measured. Every container counts with the same small amount; the first container of a pod counts with
//! a fixed CPU time more for each HTTP request that the pod answers, so that autoscalers follow the load.

use std::collections::{BTreeMap, HashMap};
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

use crate::network::{ClusterName, Network};

/// Time between two measurements.
const PERIOD: Duration = Duration::from_secs(15);
/// Thousandths of a CPU that a container counts with.
const CPU_MILLI: u64 = 1;
/// CPU time that an answered HTTP request counts with.
const CPU_PER_REQUEST: Duration = Duration::from_micros(100);
/// MiB of memory that a container counts with.
const MEMORY_MIB: u64 = 8;

struct Metrics {
    pods_api: Api<Object>,
    nodes_api: Api<Object>,
    pods: Cache<Object>,
    nodes: Cache<Object>,
    clock: Clock,
    network: Network,
    cluster: ClusterName,
}

/// The HTTP requests that each pod had answered at the measurement before, by its uid.
type Answered = HashMap<String, u64>;

/// What a node's pods use together.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    cpu_milli: u64,
    memory_mib: u64,
}

/// Defines the kinds and measures until `scope` stops.
pub(super) fn start(
    client: &Client,
    caches: &Caches,
    (network, cluster): (&Network, ClusterName),
    clock: &Clock,
    scope: &Shutdown,
) {
    let (client, clock, network) = (client.clone(), clock.clone(), network.clone());
    let pods = caches.of(&resources::POD.into());
    let nodes = caches.of(&resources::NODE.into());
    spawn_until_stop(scope, async move {
        let metrics = Metrics {
            pods_api: client.resource(&resource("PodMetrics", "pods", true)),
            nodes_api: client.resource(&resource("NodeMetrics", "nodes", false)),
            pods,
            nodes,
            clock,
            network,
            cluster,
        };
        if !(metrics.pods.synced().await && metrics.nodes.synced().await) {
            return;
        }
        let mut answered = Answered::new();
        loop {
            // The definitions are made again if a user deletes them, and the first measurement may come before they are served.
            let measured = async {
                define(&client).await?;
                metrics.measure(&mut answered).await
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
    async fn measure(&self, before: &mut Answered) -> Result<(), ClientError> {
        let now = format_time(self.clock.now());
        let mut usage_of: BTreeMap<String, Usage> = BTreeMap::new();
        let mut answered = Answered::new();
        let mut measured = Vec::new();
        for pod in self.pods.list() {
            let view = Pod::read(&pod).unwrap_or_default();
            if view.status.phase != "Running" || pod.is_deleting() {
                continue;
            }
            let address = view.status.pod_ip.parse();
            let total = address.map_or(0, |address| self.network.answered(&self.cluster, address));
            // A pod that is measured for the first time may have answered for longer than the period.
            let new = before.get(pod.uid()).map_or(0, |before| total.saturating_sub(*before));
            answered.insert(pod.uid().to_owned(), total);
            let containers: Vec<(&str, Usage)> = containers(&view, requests_milli(new, PERIOD)).collect();
            let node = usage_of.entry(view.spec.node_name.to_owned()).or_default();
            for (_, usage) in &containers {
                node.cpu_milli += usage.cpu_milli;
                node.memory_mib += usage.memory_mib;
            }
            measured.push(pod_metrics(&pod, &containers, &now));
        }
        *before = answered;
        for metrics in measured {
            write(&self.pods_api, &metrics).await?;
        }
        for node in self.nodes.list() {
            let usage = usage_of.get(node.name()).copied().unwrap_or_default();
            write(&self.nodes_api, &node_metrics(&node, usage, &now)).await?;
        }
        Ok(())
    }
}

/// The containers of a pod, each with what it uses.
fn containers<'a>(pod: &Pod<'a>, requests_milli: u64) -> impl Iterator<Item = (&'a str, Usage)> {
    let extra = std::iter::once(requests_milli).chain(std::iter::repeat(0));
    pod.spec.containers.iter().zip(extra).map(|(container, extra)| {
        (container.name, Usage { cpu_milli: CPU_MILLI + extra, memory_mib: MEMORY_MIB })
    })
}

/// Thousandths of a CPU that the requests of a period count with.
fn requests_milli(requests: u64, period: Duration) -> u64 {
    let cpu = u128::from(requests) * CPU_PER_REQUEST.as_micros() * 1000;
    u64::try_from(cpu / period.as_micros()).unwrap_or(u64::MAX)
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

impl Usage {
    fn to_value(self) -> Value {
        json!({ "cpu": format!("{}m", self.cpu_milli), "memory": format!("{}Mi", self.memory_mib) })
    }
}

fn metadata(of: &Object) -> Value {
    // The garbage collector removes the metrics of what is gone.
    let owner = json!({ "apiVersion": "v1", "kind": of.kind(), "name": of.name(), "uid": of.uid() });
    json!({ "name": of.name(), "labels": of.labels(), "ownerReferences": [owner] })
}

fn pod_metrics(pod: &Object, containers: &[(&str, Usage)], now: &str) -> Object {
    let mut metadata = metadata(pod);
    metadata["namespace"] = json!(pod.namespace());
    let containers: Vec<Value> =
        containers.iter().map(|(name, usage)| json!({ "name": name, "usage": usage.to_value() })).collect();
    Object(
        json!({ "apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics", "metadata": metadata, "timestamp": now,
        "window": "15s", "containers": containers }),
    )
}

fn node_metrics(node: &Object, pods: Usage, now: &str) -> Object {
    // The node itself uses something, too.
    let usage =
        Usage { cpu_milli: pods.cpu_milli.max(CPU_MILLI), memory_mib: pods.memory_mib.max(MEMORY_MIB) };
    Object(
        json!({ "apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetrics", "metadata": metadata(node), "timestamp": now,
        "window": "15s", "usage": usage.to_value() }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_count_with_their_share_of_the_period() {
        let cases = [
            ("none", 0, 0),
            ("less than a thousandth", 149, 0),
            ("one each second", 15, 0),
            ("two hundred each second", 3000, 20),
            ("ten thousand each second", 150_000, 1000),
        ];
        for (name, requests, milli) in cases {
            assert_eq!(requests_milli(requests, PERIOD), milli, "{name}");
        }
    }
}
