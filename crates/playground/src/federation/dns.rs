//! The DNS of a member: one server for the cluster's own names and for those of its cluster set.
//!
//! It reads nothing but the member's own objects. Pods find it as in any cluster, by the Service `kube-system/kube-dns`;
//! programs on the loopback network ask the same zones without a socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use portolan_api::labels::endpoint_slice::{MANAGED_BY, SERVICE_NAME};
use portolan_api::resources;
use portolan_controllers::dns::{Follower, Zone};
use portolan_dns::server::StartError;
use portolan_dns::{Server, ZoneSettings, Zones};
use portolan_net::Shutdown;
use portolan_net::server::ListenError;
use portolan_object::Object;
use portolan_plan::dns::ZoneKind;
use portolan_runtime::cache::Caches;
use portolan_runtime::client::Apply;
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::{Value, json};

use super::Shared;
use super::nodes::{NODE_ADDRESSES, Place};
use crate::network::namespaces::dns_address;
use crate::network::{AttachError, ClusterName, ListenError as NetworkListenError, Protocol};

const PORT: u16 = 53;
/// The last address of a member's machines; nodes have the first ones.
const MACHINE: u8 = 254;
/// Who keeps the Service and its endpoints.
const MANAGER: &str = "portolan-playground";
/// The label by which Kubernetes' tools say so.
const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// Why a member has no DNS.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The sockets inside of its namespace.
    #[error("the DNS server of {cluster}: {source}")]
    Socket {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: io::Error,
    },
    /// The sockets on this machine.
    #[error("the DNS server of {cluster}: {source}")]
    Listen {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: ListenError,
    },
    /// Its threads.
    #[error("the DNS server of {cluster}: {source}")]
    Start {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: StartError,
    },
    /// Its place on the network.
    #[error("the address of the DNS server of {cluster}: {source}")]
    Address {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: AttachError,
    },
    /// Its ports.
    #[error("the port of the DNS server of {cluster}: {source}")]
    Publish {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: NetworkListenError,
    },
    /// The Service by which pods find it.
    #[error(
        "cannot write the Service kube-system/kube-dns of {cluster}: {source}; is {address} in the range of its Services and free?"
    )]
    Service {
        /// Which cluster.
        cluster: String,
        /// The address that it should have.
        address: Ipv4Addr,
        /// Why.
        source: ClientError,
    },
}

/// Where the DNS server of a member listens.
pub(super) fn server_address(index: u8) -> SocketAddr {
    let [first, second, ..] = NODE_ADDRESSES.network().octets();
    SocketAddr::from(([first, second, index, MACHINE], PORT))
}

/// Starts the DNS of a member; it ends with `scope`.
pub(super) async fn start(
    place: &Place<'_>,
    caches: &Caches,
    shared: &Shared<'_>,
    scope: &Shutdown,
) -> Result<(), DnsError> {
    let named = || place.cluster.name.clone();
    let Some(address) = place.cluster.service_cidr.and_then(|services| dns_address(services.v4)) else {
        return Ok(());
    };
    let kinds = [ZoneKind::Cluster, ZoneKind::ClusterSet];
    let settings = kinds
        .map(|kind| ZoneSettings { server_addresses: vec![IpAddr::V4(address)], ..ZoneSettings::new(kind) });
    let Ok(zones) = Zones::new(settings.into()) else {
        unreachable!("the zones under their usual names are two that can be served")
    };
    listen(place, shared, &zones, scope).await?;
    Follower::start(caches, &kinds.map(Zone::new), &zones, shared.clock, scope);
    shared.network.resolve_with(&ClusterName::new(&*place.cluster.name), zones);
    let listens = server_address(place.index).ip();
    match announce(caches.client(), address, listens).await {
        // A cluster that runs already may have DNS of its own, or other Service addresses than were said here.
        Err(error) if place.cluster.kubeconfig.is_some() && is_in_the_way(&error) => {
            let cluster = &place.cluster.name;
            tracing::warn!(%cluster, %address, %error, "pods do not find the playground's DNS server");
            Ok(())
        }
        result => result.map_err(|source| DnsError::Service { cluster: named(), address, source }),
    }
}

async fn listen(
    place: &Place<'_>,
    shared: &Shared<'_>,
    zones: &Arc<Zones>,
    scope: &Shutdown,
) -> Result<(), DnsError> {
    let named = || place.cluster.name.clone();
    let (network, cluster) = (shared.network, ClusterName::new(&*place.cluster.name));
    let inner = server_address(place.index);
    let socket = |source| DnsError::Socket { cluster: named(), source };
    let start = |source| DnsError::Start { cluster: named(), source };
    let udp = network.bind_inside(&cluster, inner).await.map_err(socket)?;
    let tcp = network.listen_inside(&cluster, inner).await.map_err(socket)?;
    if let (Some(udp), Some(tcp)) = (udp, tcp) {
        Server::on_sockets(zones.clone(), vec![udp], vec![tcp]).start(scope).map_err(start)?;
        return Ok(());
    }
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::bind(zones.clone(), loopback, 1);
    let server = server.map_err(|source| DnsError::Listen { cluster: named(), source })?;
    let sockets = server.addresses();
    server.start(scope).map_err(start)?;
    let interface = network.attach_node(&cluster, inner.ip());
    let interface = interface.map_err(|source| DnsError::Address { cluster: named(), source })?;
    let mut published = Vec::new();
    // UDP and TCP listen on the same port.
    for (socket, protocol) in
        sockets.iter().flat_map(|socket| [(socket, Protocol::Udp), (socket, Protocol::Tcp)])
    {
        let publication = interface.publish(PORT, protocol, *socket);
        published.push(publication.map_err(|source| DnsError::Publish { cluster: named(), source })?);
    }
    portolan_runtime::scope::spawn_until_stop(scope, async move {
        let _published = published;
        std::future::pending::<()>().await;
    });
    Ok(())
}

/// Whether an API server already has something else under the name or at the address.
fn is_in_the_way(error: &ClientError) -> bool {
    matches!(error, ClientError::AlreadyExists(_) | ClientError::Invalid(_))
}

/// Tells pods where the server is, as every cluster does. A Service that is not the playground's is left alone.
async fn announce(client: &Client, address: Ipv4Addr, listens: IpAddr) -> Result<(), ClientError> {
    let options = Apply { manager: MANAGER.to_owned(), force: true };
    let port = |name: &str, protocol: &str| json!({ "name": name, "port": PORT, "protocol": protocol });
    let ports: Value = json!([port("dns", "UDP"), port("dns-tcp", "TCP")]);
    let service = Object(json!({ "apiVersion": "v1", "kind": "Service",
        "metadata": { "namespace": "kube-system", "name": "kube-dns", "labels": { "k8s-app": "kube-dns", MANAGED_BY_LABEL: MANAGER } },
        "spec": { "clusterIP": address, "ports": ports } }));
    let services = Resource::from(resources::SERVICE);
    let services = client.resource::<Object>(&services);
    match services.get(&service.key()).await {
        // Of an earlier run on the same folder.
        Ok(present) if present.label(MANAGED_BY_LABEL) == Some(MANAGER) => {}
        // Somebody else's: creating it says so.
        Ok(_) | Err(ClientError::NotFound(_)) => drop(services.create(&service).await?),
        Err(error) => return Err(error),
    }
    let slice =
        Object(json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "namespace": "kube-system", "name": "kube-dns",
            "labels": { SERVICE_NAME: "kube-dns", MANAGED_BY: MANAGER } },
        "endpoints": [{ "addresses": [listens], "conditions": { "ready": true } }], "ports": ports }));
    let slices = Resource::from(resources::ENDPOINT_SLICE);
    client.resource::<Object>(&slices).apply(&slice, &options).await?;
    Ok(())
}
