//! The nodes of a member: its addresses on the network, the way of pods to the API server, and the nodes themselves.

use std::io;
use std::net::IpAddr;

use portolan_net::Shutdown;
use portolan_net::tls::{ClientCertificates, ServerCertificate, TlsError, server_config};
use portolan_runtime::cache::Caches;

use crate::federation::api_relay;
use crate::federation::certificates::{CertificateError, KubeletCertificates};
use crate::federation::site::MemberSite;
use crate::network::namespaces::{ToolError, dns_address};
use crate::network::{AttachError, JoinError, ListenError, Protocol, Publication, Ranges};
use crate::node::{self, NodeSetting, Settings};

/// Why the nodes of a member do not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Certificates of the kubelets and of their client.
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    /// TLS of the kubelets.
    #[error("TLS of the nodes: {0}")]
    ServerTls(#[from] TlsError),
    /// TLS of the API server as client of the kubelets.
    #[error("TLS of the API server towards the nodes: {0}")]
    ClientTls(#[from] portolan_apiserver::proxy::TlsError),
    /// The cluster cannot be added to the network.
    #[error("the network: {0}")]
    Network(#[from] JoinError),
    /// The address of the API server is not available.
    #[error("the API server's address: {0}")]
    Address(#[from] AttachError),
    /// The port of the API server is not available.
    #[error("the API server's port: {0}")]
    Publish(#[from] ListenError),
    /// The network namespace of the cluster cannot be created.
    #[error("the network namespace: {0}")]
    Namespace(#[from] ToolError),
    /// The API server's address in the network namespace cannot be listened on.
    #[error("the API server's address in the network namespace: {0}")]
    ApiRelay(#[source] io::Error),
    /// A node does not start.
    #[error("the nodes: {0}")]
    Start(#[from] node::StartError),
}

/// Running nodes of a member.
pub(super) struct MemberNodes {
    nodes: node::Nodes,
    /// Keeps the API server reachable for pods.
    _api_server: Option<Publication>,
}

impl MemberNodes {
    /// Waits until all nodes are registered. False when they were stopped before.
    pub(super) async fn ready(&self) -> bool {
        self.nodes.ready().await
    }
}

fn ranges(site: &MemberSite<'_>) -> (Ranges, Ranges) {
    let (Some(pods), Some(services)) = (site.cluster.pod_cidr, site.cluster.service_cidr) else {
        unreachable!("Config::complete has chosen the ranges");
    };
    (pods, services)
}

/// Adds the cluster of a member to the network, once: it stays there while the member is stopped.
pub(super) async fn connect(site: &MemberSite<'_>) -> Result<(), NodeError> {
    let (pods, services) = ranges(site);
    let (network, cluster) = (site.network, site.cluster_name());
    network.add_cluster(&cluster, pods, services)?;
    let nodes = node_settings(site, pods);
    let mut machines: Vec<(&str, IpAddr)> = nodes.iter().map(|node| (&*node.name, node.address)).collect();
    machines.push(("cluster-dns", site.machines.dns_server().ip()));
    let api_server = site.api_server.map(|_| site.machines.api_server().ip());
    Ok(network.create_namespace(&cluster, api_server, &machines).await?)
}

/// Starts the nodes of a member; they end with `scope`.
pub(super) async fn start(
    site: &MemberSite<'_>,
    caches: &Caches,
    certificates: &KubeletCertificates,
    scope: &Shutdown,
) -> Result<MemberNodes, NodeError> {
    let (pods, services) = ranges(site);
    let (network, cluster) = (site.network, site.cluster_name());
    let nodes = node_settings(site, pods);
    let api_server = publish_api_server(site, scope).await?;
    let certificate = ServerCertificate::new(&certificates.server)?;
    let clients = ClientCertificates::SignedBy(certificates.client_authorities.clone());
    let settings = Settings {
        cluster,
        caches: caches.clone(),
        network: network.clone(),
        host: site.host.cloned(),
        storage: site.storage.clone(),
        dns: dns_address(services.v4).map(IpAddr::from),
        nodes,
        tls: server_config(certificate, &clients)?,
        clock: site.clock.clone(),
    };
    let nodes = node::Nodes::start(settings, scope)?;
    Ok(MemberNodes { nodes, _api_server: api_server })
}

/// Makes an embedded API server reachable for pods.
async fn publish_api_server(
    site: &MemberSite<'_>,
    scope: &Shutdown,
) -> Result<Option<Publication>, NodeError> {
    let Some(host_address) = site.api_server else { return Ok(None) };
    let (cluster, address) = (site.cluster_name(), site.machines.api_server());
    if let Some(namespace) = site.network.cluster_namespace(&cluster) {
        let relay = api_relay::start(&namespace, address, host_address, scope);
        relay.await.map_err(NodeError::ApiRelay)?;
    }
    let interface = site.network.attach_node(&cluster, address.ip())?;
    Ok(Some(interface.publish(address.port(), Protocol::Tcp, host_address)?))
}

fn node_settings(site: &MemberSite<'_>, pods: Ranges) -> Vec<NodeSetting> {
    let cluster = site.cluster;
    let addressed = cluster.node_names().iter().zip(site.machines.nodes());
    addressed
        .map(|(node, address)| NodeSetting {
            name: node.clone(),
            address,
            pod_range: pods,
            region: cluster.region.clone(),
            zone: cluster.zone.clone(),
            labels: Default::default(),
            taints: Vec::new(),
        })
        .collect()
}
