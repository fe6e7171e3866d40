//! The nodes of one cluster: scheduler, kubelets and proxy in one, speaking to the API server as those do.
//!
//! Everything is done through the Kubernetes API and the network, so the same nodes serve an embedded API server and
//! a real one. Nodes register themselves, take the pods that nobody placed, play their containers, and answer the
//! API server's calls for logs, attach, exec and port forwarding.

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

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use portolan_api::meta::Taint;
use portolan_api::resources;
use portolan_net::server::{ListenError, Server, listen};
use portolan_net::{Clock, Shutdown};
use portolan_object::Object;
use portolan_runtime::cache::Caches;
use portolan_runtime::{Backoff, Cache, Client};
use rustls::ServerConfig;
use serde_json::Value;
use tokio::sync::watch;

use crate::containers::Pods;
use crate::kubelet::Kubelet;
use crate::network::{AttachError, ClusterName, Network, Ranges};
use crate::sandbox::Host;

use self::lifecycle::Surroundings;
use self::registration::{Common, Registration};

/// Attempts to register back off from here to there.
const REGISTERING: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
/// What nodes claim to be when the API server does not tell its version.
const UNKNOWN_VERSION: &str = "v0.0.0";

/// One node.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSetting {
    /// Its name.
    pub name: String,
    /// Its address: that of its host network, and the `hostIP` of its pods.
    pub address: IpAddr,
    /// Where its pods get their addresses: the range of the cluster.
    pub pod_range: Ranges,
    /// Region, empty for none.
    pub region: String,
    /// Zone, empty for none.
    pub zone: String,
    /// Further labels.
    pub labels: BTreeMap<String, String>,
    /// Taints of a node that does not exist yet.
    pub taints: Vec<Taint>,
}

/// What the nodes of a cluster need.
pub struct Settings {
    /// The cluster, which must be on the network already.
    pub cluster: ClusterName,
    /// What there is at the API server, with the rights of an administrator.
    pub caches: Caches,
    /// The network of all clusters.
    pub network: Network,
    /// What pods need of this machine when the network has namespaces.
    pub host: Option<Host>,
    /// Where pods look names up when it has.
    pub dns: Option<IpAddr>,
    /// The nodes.
    pub nodes: Vec<NodeSetting>,
    /// TLS of the kubelet endpoints. Clients with a certificate of its authorities are trusted.
    pub tls: Arc<ServerConfig>,
    /// The time.
    pub clock: Clock,
}

/// Why the nodes do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A node has no place on the network.
    #[error("node {node}")]
    Network {
        /// The node.
        node: String,
        /// Why.
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

/// Running nodes. They end with the scope that they were started in.
pub struct Nodes {
    /// Where the kubelet endpoints listen.
    pub kubelet: SocketAddr,
    registered: Vec<watch::Receiver<bool>>,
    caches: Vec<Cache<Object>>,
}

impl Nodes {
    /// Starts the nodes; the API server may come later, and may go and come back.
    ///
    /// # Errors
    /// [`StartError`] when an address is taken.
    pub fn start(settings: Settings, scope: &Shutdown) -> Result<Self, StartError> {
        let Settings { cluster, caches, network, host, dns, nodes, tls, clock } = settings;
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
        let around = Surroundings {
            client: client.clone(),
            cluster,
            network,
            host,
            dns,
            nodes: interfaces,
            pods: pods.clone(),
            services: services.clone(),
            register,
            clock: clock.clone(),
        };
        lifecycle::start(around, scope);
        let registered =
            nodes.into_iter().map(|node| register_node(&client, node, kubelet, &clock, scope)).collect();
        Ok(Self { kubelet, registered, caches: vec![pods, services, node_objects, slices] })
    }

    /// Waits until all nodes are registered and know what there is. False when they were stopped before.
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

/// Registers a node, however long that takes, and keeps it alive.
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
            let common = Common {
                version: version.unwrap_or_else(|| UNKNOWN_VERSION.to_owned()),
                kubelet_port: kubelet.port(),
                kubelet_host: kubelet.ip(),
            };
            let registration = Registration::new(&client, setting.clone(), common, clock.clone());
            match registration.register().await {
                Ok(()) => {
                    done.send_replace(true);
                    return registration.stay().await;
                }
                Err(error) => {
                    tracing::debug!(node = setting.name, %error, "node cannot register yet");
                    tokio::time::sleep(REGISTERING.delay(failures, 0.5)).await;
                    failures += 1;
                }
            }
        }
    });
    registered
}

#[cfg(test)]
mod tests;
