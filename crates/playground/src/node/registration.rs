//! Node objects and their Leases.
//!
//! Building the objects is pure. [`Registration`] creates or updates them at start, renews their Leases and posts the status
//! periodically, as kubelets do, so that a node lifecycle controller keeps them Ready.

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use portolan_api::resources;
use portolan_net::Clock;
use portolan_object::time::{format_micro_time, format_time};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::Patch;
use portolan_runtime::{Api, Client, ClientError};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use crate::node::NodeSetting;

/// Interval of Lease renewals, and duration of a Lease (kubelet defaults).
const LEASE_RENEW_INTERVAL: Duration = Duration::from_secs(10);
const LEASE_SECONDS: u64 = 40;
/// Lease renewals between two posts of the status (kubelet: 5 min).
const RENEWALS_PER_STATUS: u32 = 30;
const LEASE_NAMESPACE: &str = "kube-node-lease";
/// Taint of new nodes, set by API servers. Removed here, because there may be no node lifecycle controller.
const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// Version and address of the kubelet, the same for all nodes of a cluster.
#[derive(Debug, Clone)]
pub(crate) struct KubeletInfo {
    /// `kubeletVersion`: the version of the API server.
    pub(crate) version: String,
    pub(crate) kubelet_port: u16,
    /// Address of the kubelet endpoints for the API server.
    pub(crate) kubelet_host: IpAddr,
}

/// A new Node object, without status.
pub(crate) fn node(setting: &NodeSetting) -> Object {
    let mut labels = json!({
        "kubernetes.io/hostname": setting.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture(),
    });
    for (key, value) in
        [("topology.kubernetes.io/region", &setting.region), ("topology.kubernetes.io/zone", &setting.zone)]
    {
        if !value.is_empty() {
            labels[key] = json!(value);
        }
    }
    for (key, value) in &setting.labels {
        labels[key] = json!(value);
    }
    let mut spec =
        json!({ "podCIDR": setting.pod_range.v4, "podCIDRs": setting.pod_range.iter().collect::<Vec<_>>() });
    if !setting.taints.is_empty() {
        spec["taints"] = json!(setting.taints);
    }
    Object(json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": { "name": setting.name, "labels": labels }, "spec": spec,
    }))
}

/// The status of a healthy node. Conditions keep the time of their last change.
pub(crate) fn status(setting: &NodeSetting, kubelet: &KubeletInfo, last: &Value, now: Timestamp) -> Value {
    let resources = json!({ "cpu": "4", "memory": "8Gi", "ephemeral-storage": "64Gi", "pods": "110" });
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        let old = last["conditions"].as_array().into_iter().flatten().find(|old| old["type"] == kind);
        let since =
            old.filter(|old| old["status"] == status).and_then(|old| old["lastTransitionTime"].as_str());
        let since = since.map_or_else(|| format_time(now), str::to_owned);
        json!({ "type": kind, "status": status, "reason": reason, "message": message,
                "lastHeartbeatTime": format_time(now), "lastTransitionTime": since })
    };
    json!({
        "addresses": [
            { "type": "InternalIP", "address": setting.address.to_string() },
            // API servers call kubelets by the host name first.
            { "type": "Hostname", "address": kubelet.kubelet_host.to_string() },
        ],
        "capacity": resources,
        "allocatable": resources,
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ],
        "daemonEndpoints": { "kubeletEndpoint": { "Port": kubelet.kubelet_port } },
        "nodeInfo": {
            "architecture": architecture(), "operatingSystem": "linux", "osImage": "Portolan playground",
            "kernelVersion": "none", "containerRuntimeVersion": concat!("portolan://", env!("CARGO_PKG_VERSION")),
            "kubeletVersion": kubelet.version, "kubeProxyVersion": "",
            "machineID": setting.name, "systemUUID": setting.name, "bootID": setting.name,
        },
    })
}

/// The taints of a node without the not-ready taint; `None` when it does not have it.
fn without_not_ready(node: &Object) -> Option<Value> {
    let taints = node.at(&["spec", "taints"])?.as_array()?;
    let left: Vec<&Value> = taints.iter().filter(|taint| taint["key"] != NOT_READY).collect();
    (left.len() < taints.len()).then(|| json!(left))
}

fn lease(node: &Object, now: Timestamp) -> Object {
    Object(json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {
            "name": node.name(), "namespace": LEASE_NAMESPACE,
            "ownerReferences": [{ "apiVersion": "v1", "kind": "Node", "name": node.name(), "uid": node.uid() }],
        },
        "spec": { "holderIdentity": node.name(), "leaseDurationSeconds": LEASE_SECONDS, "renewTime": format_micro_time(now) },
    }))
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Registration of one node.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    nodes: Api<Object>,
    leases: Api<Object>,
    setting: NodeSetting,
    kubelet: KubeletInfo,
    clock: Clock,
}

impl Registration {
    pub(crate) fn new(client: &Client, setting: NodeSetting, kubelet: KubeletInfo, clock: Clock) -> Self {
        Self {
            nodes: client.resource(&resources::NODE.into()),
            leases: client.resource(&resources::LEASE.into()),
            setting,
            kubelet,
            clock,
        }
    }

    /// Creates the Node unless it exists, and posts its status.
    pub(crate) async fn register(&self) -> Result<(), ClientError> {
        let key = ObjectKey::cluster(self.setting.name.as_str());
        let node = match self.nodes.create(&node(&self.setting)).await {
            Err(ClientError::AlreadyExists(_)) => self.nodes.get(&key).await?,
            created => created?,
        };
        let status = status(&self.setting, &self.kubelet, &node.0["status"], self.clock.now());
        self.nodes.patch_status(&key, &Patch::Merge(json!({ "status": status }))).await?;
        if let Some(taints) = without_not_ready(&node) {
            self.nodes.patch(&key, &Patch::Merge(json!({ "spec": { "taints": taints } }))).await?;
        }
        self.renew(&node).await
    }

    /// Renews the Lease until dropped. A deleted node is registered again.
    pub(crate) async fn renew_forever(&self) {
        let mut ticks = tokio::time::interval(LEASE_RENEW_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.tick().await;
        let mut renewals = 0;
        loop {
            ticks.tick().await;
            renewals = (renewals + 1) % RENEWALS_PER_STATUS;
            if let Err(error) = self.heartbeat(renewals == 0).await {
                tracing::warn!(node = self.setting.name, %error, "node cannot renew its Lease");
            }
        }
    }

    async fn heartbeat(&self, with_status: bool) -> Result<(), ClientError> {
        if with_status {
            return self.register().await;
        }
        match self.nodes.get(&ObjectKey::cluster(self.setting.name.as_str())).await {
            Ok(node) => self.renew(&node).await,
            Err(ClientError::NotFound(_)) => self.register().await,
            Err(error) => Err(error),
        }
    }

    async fn renew(&self, node: &Object) -> Result<(), ClientError> {
        let lease = lease(node, self.clock.now());
        let patch = Patch::Merge(json!({ "spec": lease.0["spec"] }));
        match self.leases.patch(&lease.key(), &patch).await {
            Err(ClientError::NotFound(_)) => match self.leases.create(&lease).await {
                Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
                Err(error) => Err(error),
            },
            renewed => renewed.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn setting() -> NodeSetting {
        NodeSetting {
            name: "member1-control-plane".to_owned(),
            address: "172.18.0.2".parse().expect("an address"),
            pod_range: "10.10.0.0/16".parse().expect("a range"),
            region: "eu".to_owned(),
            zone: String::new(),
            labels: BTreeMap::from([("disk".to_owned(), "ssd".to_owned())]),
            taints: vec![],
        }
    }

    #[test]
    fn a_node_has_topology_labels() {
        let node = node(&setting());
        assert_eq!(node.label("kubernetes.io/hostname"), Some("member1-control-plane"));
        assert_eq!(node.label("topology.kubernetes.io/region"), Some("eu"));
        assert_eq!(node.label("topology.kubernetes.io/zone"), None);
        assert_eq!(node.label("disk"), Some("ssd"));
        assert_eq!(node.str_at(&["spec", "podCIDR"]), "10.10.0.0/16");
    }

    #[test]
    fn a_status_keeps_the_time_of_the_last_change() {
        let kubelet = KubeletInfo {
            version: "v1.36.2".to_owned(),
            kubelet_port: 10250,
            kubelet_host: "127.0.0.1".parse().expect("an address"),
        };
        let at = |second| Timestamp::from_second(second).expect("in range");
        let first = status(&setting(), &kubelet, &Value::Null, at(10));
        let second = status(&setting(), &kubelet, &first, at(310));
        let ready = &second["conditions"][3];
        assert_eq!(ready["lastTransitionTime"], "1970-01-01T00:00:10Z");
        assert_eq!(ready["lastHeartbeatTime"], "1970-01-01T00:05:10Z");
        assert_eq!(second["daemonEndpoints"]["kubeletEndpoint"]["Port"], 10250);
    }

    #[test]
    fn only_the_not_ready_taint_is_removed() {
        let node = |taints: Value| Object(json!({ "spec": { "taints": taints } }));
        assert_eq!(without_not_ready(&node(json!([{ "key": "dedicated" }]))), None);
        let both = node(json!([{ "key": NOT_READY, "effect": "NoSchedule" }, { "key": "dedicated" }]));
        assert_eq!(without_not_ready(&both), Some(json!([{ "key": "dedicated" }])));
    }

    #[test]
    fn a_lease_belongs_to_its_node() {
        let node = Object(json!({ "metadata": { "name": "node1", "uid": "u1" } }));
        let lease = lease(&node, Timestamp::from_millisecond(1_500).expect("in range"));
        assert_eq!(lease.str_at(&["spec", "renewTime"]), "1970-01-01T00:00:01.500000Z");
        assert_eq!(lease.0["metadata"]["ownerReferences"][0]["uid"], "u1");
    }
}
