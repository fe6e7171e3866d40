//! The nodes of a member: their certificates, their place on the network, and starting them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use ipnet::Ipv4Net;
use portolan_apiserver::proxy::{DirectDialer, Kubelets, client_config};
use portolan_net::pki::{Authority, Identity, PkiError, ServerNames};
use portolan_net::tls::{ClientCertificates, ServerCertificate, TlsError, server_config};
use portolan_net::{Clock, Shutdown};
use portolan_runtime::cache::Caches;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::config::Cluster;
use crate::federation::{Shared, dns, gate};
use crate::network::namespaces::{ToolError, dns_address};
use crate::network::{AttachError, ClusterName, JoinError, ListenError, Protocol, Publication, Ranges};
use crate::node::{self, NodeSetting, Settings};

/// Issued anew at every start.
const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// Node addresses come from here: they only have to differ from those of pods and Services.
pub(super) const NODE_ADDRESSES: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(172, 18, 0, 0), 16);

/// The port of an API server as its pods see it.
const API_SERVER_PORT: u16 = 6443;

/// Why the nodes of a member do not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Their certificates.
    #[error("the certificates of the nodes of {cluster}: {source}")]
    Certificates {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: PkiError,
    },
    /// TLS of their endpoints.
    #[error("TLS of the nodes of {cluster}: {source}")]
    Tls {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: TlsError,
    },
    /// TLS towards their endpoints.
    #[error("TLS towards the nodes of {cluster}: {source}")]
    Proxy {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: portolan_apiserver::proxy::TlsError,
    },
    /// The CA file of an API server that runs already.
    #[error("{path}, the kubeletClientCA of {cluster}, is not a PEM file with certificates: {reason}")]
    Authority {
        /// Which cluster.
        cluster: String,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The cluster's place on the network.
    #[error("the network of {cluster}: {source}")]
    Network {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: JoinError,
    },
    /// The address of its API server.
    #[error("the API server's address in {cluster}: {source}")]
    Address {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: AttachError,
    },
    /// The port of its API server.
    #[error("the API server's port in {cluster}: {source}")]
    Publish {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: ListenError,
    },
    /// The namespaces of the cluster.
    #[error("the namespaces of {cluster}: {source}")]
    Namespaces {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: ToolError,
    },
    /// The API server cannot be reached from the cluster's namespace.
    #[error("the API server's address in the namespace of {cluster}: {source}")]
    ApiServer {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: io::Error,
    },
    /// The nodes themselves.
    #[error("the nodes of {cluster}: {source}")]
    Start {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: node::StartError,
    },
}

/// The certificates between an API server and its kubelets.
pub(super) struct Certificates {
    /// By which an embedded API server calls its kubelets.
    client: Identity,
    /// Who signed it, and what kubelets show.
    authority: CertificateDer<'static>,
    /// What kubelets show.
    server: Identity,
    /// Who signs the certificates of those that may call.
    callers: Vec<CertificateDer<'static>>,
}

/// Opens the cluster's own authority, and reads that of an API server that runs already.
pub(super) fn certificates(
    directory: &Path,
    cluster: &Cluster,
    clock: &Clock,
) -> Result<Certificates, NodeError> {
    let failed = |source| NodeError::Certificates { cluster: cluster.name.clone(), source };
    let now = clock.now();
    let authority = Authority::open(&directory.join("kubelet-pki"), "kubelet-ca", now).map_err(failed)?;
    let names = ServerNames {
        common_name: "kubelet".to_owned(),
        dns: vec!["localhost".to_owned()],
        addresses: vec![Ipv4Addr::LOCALHOST.into()],
    };
    let server = authority.issue_server(&names, CERTIFICATE_LIFETIME, now).map_err(failed)?;
    let client = authority
        .issue_client("kube-apiserver-kubelet-client", Some("system:masters"), CERTIFICATE_LIFETIME, now)
        .map_err(failed)?;
    let callers = match &cluster.kubelet_client_ca {
        Some(path) => read_authorities(path, cluster)?,
        None => vec![authority.certificate().clone()],
    };
    Ok(Certificates { client, authority: authority.certificate().clone(), server, callers })
}

fn read_authorities(path: &Path, cluster: &Cluster) -> Result<Vec<CertificateDer<'static>>, NodeError> {
    let failed = |reason: String| NodeError::Authority {
        cluster: cluster.name.clone(),
        path: path.to_owned(),
        reason,
    };
    let pem = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(failed("it has none".to_owned())),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// The way of an embedded API server to the kubelets.
pub(super) fn kubelets(
    cluster: &Cluster,
    certificates: &Certificates,
    scope: &Shutdown,
) -> Result<Kubelets, NodeError> {
    let tls = client_config(std::slice::from_ref(&certificates.authority), &certificates.client)
        .map_err(|source| NodeError::Proxy { cluster: cluster.name.clone(), source })?;
    Ok(Kubelets::new(Arc::new(DirectDialer), tls, scope))
}

/// Where a member is.
pub(super) struct Place<'a> {
    /// The member.
    pub(super) cluster: &'a Cluster,
    /// Its place among all members.
    pub(super) index: u8,
    /// The address of its API server on this machine, when that is embedded.
    pub(super) api_server: Option<SocketAddr>,
}

/// The nodes of a member, and what makes its API server reachable for its pods.
pub(super) struct MemberNodes {
    nodes: node::Nodes,
    _api_server: Option<Publication>,
}

impl MemberNodes {
    /// Waits until all nodes are registered. False when they were stopped before.
    pub(super) async fn ready(&self) -> bool {
        self.nodes.ready().await
    }
}

/// Where the pods of a member reach its API server: an address like that of a machine.
pub(super) fn api_server_address(index: u8) -> SocketAddr {
    let [first, second, ..] = NODE_ADDRESSES.network().octets();
    SocketAddr::from(([first, second, index, 1], API_SERVER_PORT))
}

/// Starts the nodes of a member; they end with `scope`.
pub(super) async fn start(
    place: &Place<'_>,
    caches: &Caches,
    shared: &Shared<'_>,
    certificates: &Certificates,
    scope: &Shutdown,
) -> Result<MemberNodes, NodeError> {
    let Shared { network, host, clock } = *shared;
    let cluster = place.cluster;
    let name = ClusterName::new(&*cluster.name);
    let (Some(pods), Some(services)) = (cluster.pod_cidr, cluster.service_cidr) else {
        unreachable!("a complete configuration has networks");
    };
    let named = || cluster.name.clone();
    network.join(&name, pods, services).map_err(|source| NodeError::Network { cluster: named(), source })?;
    let nodes = node_settings(cluster, place.index, pods);
    let mut machines: Vec<(&str, IpAddr)> = nodes.iter().map(|node| (&*node.name, node.address)).collect();
    machines.push(("cluster-dns", dns::server_address(place.index).ip()));
    let inner = place.api_server.map(|_| api_server_address(place.index));
    let built = network.build(&name, inner.map(|address| address.ip()), &machines).await;
    built.map_err(|source| NodeError::Namespaces { cluster: named(), source })?;
    if let (Some(inner), Some(outer)) = (inner, place.api_server) {
        let opened = gate::open(network, &name, inner, outer, scope).await;
        opened.map_err(|source| NodeError::ApiServer { cluster: named(), source })?;
    }
    let api_server = match place.api_server {
        Some(socket) => {
            let address = api_server_address(place.index);
            let interface = network
                .attach_node(&name, address.ip())
                .map_err(|source| NodeError::Address { cluster: named(), source })?;
            let published = interface.publish(address.port(), Protocol::Tcp, socket);
            Some(published.map_err(|source| NodeError::Publish { cluster: named(), source })?)
        }
        None => None,
    };
    let tls = |source| NodeError::Tls { cluster: named(), source };
    let certificate = ServerCertificate::new(&certificates.server).map_err(tls)?;
    let callers = ClientCertificates::SignedBy(certificates.callers.clone());
    let settings = Settings {
        cluster: name,
        caches: caches.clone(),
        network: network.clone(),
        host: host.cloned(),
        dns: dns_address(services.v4).map(IpAddr::from),
        nodes,
        tls: server_config(certificate, &callers).map_err(tls)?,
        clock: clock.clone(),
    };
    let nodes = node::Nodes::start(settings, scope)
        .map_err(|source| NodeError::Start { cluster: named(), source })?;
    Ok(MemberNodes { nodes, _api_server: api_server })
}

fn node_settings(cluster: &Cluster, index: u8, pods: Ranges) -> Vec<NodeSetting> {
    let [first, second, ..] = NODE_ADDRESSES.network().octets();
    let numbered = cluster.nodes.iter().zip(2..=u8::MAX);
    numbered
        .map(|(node, number)| NodeSetting {
            name: node.clone(),
            address: IpAddr::from([first, second, index, number]),
            pod_range: pods,
            region: cluster.region.clone(),
            zone: cluster.zone.clone(),
            labels: Default::default(),
            taints: Vec::new(),
        })
        .collect()
}
