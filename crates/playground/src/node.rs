//! Nodes of one cluster: scheduler, kubelets and service proxy in one.
//!
//! They use only the Kubernetes API and the network, so the same nodes serve an embedded API server and a real one.
//!
//! | file | purpose |
//! | --- | --- |
//! | `registration` | Node objects and their Leases |
//! | `schedule` (pure), `binding` | scheduler |
//! | `lifecycle` | pods: address, containers, status, deletion |
//! | `record`, `status`, `environment`, `expansion`, `volumes` | pure: state of a container, pod status, environment variables, files of volumes |
//! | `health` | probes |
//! | `service_proxy` | forwarding rules from Services and EndpointSlices |
//! | `pod_spec` | the fields of a pod that nodes read |
//!
//! This room uses `kubelet`, `pods`, `sandbox`, `programs` and `network`. To support another field of a pod, add it to
//! `pod_spec`, then use it in `lifecycle` or in one of the pure files.

mod binding;
mod environment;
mod expansion;
mod health;
mod lifecycle;
mod pod_spec;
mod record;
mod registration;
mod schedule;
mod service_proxy;
mod status;
mod volumes;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use portolan_api::meta::Taint;
use portolan_api::resources;
use portolan_net::server::{ListenError, Server, listen};
use portolan_net::tls::ServerTls;
use portolan_net::{Clock, Shutdown};
use portolan_object::Object;
use portolan_runtime::cache::Caches;
use portolan_runtime::{Backoff, Cache, Client};
use serde_json::Value;
use tokio::sync::watch;

use crate::kubelet::Kubelet;
use crate::network::{AttachError, ClusterName, Network, Ranges};
use crate::pods::Pods;
use crate::sandbox::Host;

use self::lifecycle::NodeContext;
use self::registration::{KubeletInfo, Registration};

/// Name under which persistent volumes are made.
pub(crate) const PROVISIONER: &str = "portolan.dev/local";
/// Back-off between attempts to register.
const REGISTER_BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
/// `kubeletVersion` when the API server does not report its version.
const UNKNOWN_VERSION: &str = "v0.0.0";

/// One node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSetting {
    /// Name of the Node object.
    pub name: String,
    /// Address of its host network, and `hostIP` of its pods.
    pub address: IpAddr,
    /// Range of its pods: that of the cluster.
    pub pod_range: Ranges,
    /// Region; may be empty.
    pub region: String,
    /// Zone; may be empty.
    pub zone: String,
    /// Additional labels.
    pub labels: BTreeMap<String, String>,
    /// Taints of a new Node object.
    pub taints: Vec<Taint>,
}

/// Settings of the nodes of a cluster.
pub struct Settings {
    /// Name of the cluster on the network.
    pub cluster: ClusterName,
    /// Caches of the API server, with administrator rights.
    pub caches: Caches,
    /// The network of all clusters.
    pub network: Network,
    /// The host of pods in namespaces mode.
    pub host: Option<Host>,
    /// Directory of the cluster's persistent volumes.
    pub storage: PathBuf,
    /// Address of the cluster's DNS server.
    pub dns: Option<IpAddr>,
    /// The nodes.
    pub nodes: Vec<NodeSetting>,
    /// TLS of the kubelet endpoints, which trust clients with a certificate of its authorities.
    pub tls: ServerTls,
    /// The clock.
    pub clock: Clock,
}

/// Why the nodes do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address of a node is not available.
    #[error("node {node}")]
    Network {
        /// Name of the node.
        node: String,
        /// Cause.
        #[source]
        source: AttachError,
    },
    /// The kubelet endpoints cannot listen.
    #[error("the kubelet endpoints")]
    Listen(#[source] ListenError),
    /// The listener has no address.
    #[error("the kubelet endpoints have no address")]
    Address(#[source] io::Error),
}

/// Running nodes. They end with the scope they were started in.
pub struct Nodes {
    /// Address of the kubelet endpoints.
    pub kubelet: SocketAddr,
    registered: Vec<watch::Receiver<bool>>,
    caches: Vec<Cache<Object>>,
}

impl Nodes {
    /// Starts the nodes. The API server may be unreachable at first, or for some time later.
    ///
    /// # Errors
    /// [`StartError`] when an address is in use.
    pub fn start(settings: Settings, scope: &Shutdown) -> Result<Self, StartError> {
        let Settings { cluster, caches, network, host, storage, dns, nodes, tls, clock } = settings;
        let client = caches.client().clone();
        let mut interfaces = BTreeMap::new();
        for node in &nodes {
            let attached = network.attach_node(&cluster, node.address);
            let source = |source| StartError::Network { node: node.name.clone(), source };
            interfaces.insert(node.name.clone(), attached.map_err(source)?);
        }
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).map_err(StartError::Listen)?;
        let kubelet = listener.local_addr().map_err(StartError::Address)?;
        let register = Pods::default();
        Server::tls(listener, tls).spawn(Kubelet::new(register.clone(), clock.clone(), scope), scope);

        let pods = caches.of(&resources::POD.into());
        let services = caches.of(&resources::SERVICE.into());
        let node_objects = caches.of(&resources::NODE.into());
        let addresses = nodes.iter().map(|node| node.address).collect();
        let slices = service_proxy::start(
            &caches,
            services.clone(),
            network.clone(),
            cluster.clone(),
            addresses,
            scope,
        );
        binding::start(&client, pods.clone(), node_objects.clone(), clock.clone(), scope);
        let context = NodeContext {
            client: client.clone(),
            cluster,
            network,
            host,
            storage,
            dns,
            nodes: interfaces,
            pods: pods.clone(),
            services: services.clone(),
            register,
            clock: clock.clone(),
        };
        lifecycle::start(context, scope);
        let registered =
            nodes.into_iter().map(|node| register_node(&client, node, kubelet, &clock, scope)).collect();
        Ok(Self { kubelet, registered, caches: vec![pods, services, node_objects, slices] })
    }

    /// Waits until all nodes are registered and all caches are synced. False when they were stopped before.
    pub async fn ready(&self) -> bool {
        for registered in &self.registered {
            if registered.clone().wait_for(|registered| *registered).await.is_err() {
                return false;
            }
        }
        for cache in &self.caches {
            if !cache.synced().await {
                return false;
            }
        }
        true
    }
}

/// Registers a node, with retries, and keeps its Lease.
fn register_node(
    client: &Client,
    setting: NodeSetting,
    kubelet: SocketAddr,
    clock: &Clock,
    scope: &Shutdown,
) -> watch::Receiver<bool> {
    let (done, registered) = watch::channel(false);
    let (client, clock) = (client.clone(), clock.clone());
    portolan_runtime::scope::spawn_until_stop(scope, async move {
        let mut failures = 0;
        loop {
            let version = client.json::<Value>("/version").await;
            let version = version.ok().and_then(|version| version["gitVersion"].as_str().map(str::to_owned));
            let kubelet = KubeletInfo {
                version: version.unwrap_or_else(|| UNKNOWN_VERSION.to_owned()),
                kubelet_port: kubelet.port(),
                kubelet_host: kubelet.ip(),
            };
            let registration = Registration::new(&client, setting.clone(), kubelet, clock.clone());
            match registration.register().await {
                Ok(()) => {
                    done.send_replace(true);
                    return registration.renew_forever().await;
                }
                Err(error) => {
                    tracing::debug!(node = setting.name, %error, "node cannot register yet");
                    tokio::time::sleep(REGISTER_BACKOFF.delay(failures, 0.5)).await;
                    failures += 1;
                }
            }
        }
    });
    registered
}

#[cfg(test)]
mod tests;
