//! The DNS server of a member, for the zones `cluster.local` and `clusterset.local`.
//!
//! It reads only objects of the member. Pods find it by the Service `kube-system/kube-dns`, as in any cluster; built-in
//! programs on the loopback network query the same zones without a socket.

use std::future::pending;
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

use crate::federation::site::{DNS_PORT, MemberSite};
use crate::network::namespaces::dns_address;
use crate::network::{AttachError, ClusterNamespace, ListenError as PublishError, Protocol};

/// Field manager of the Service and its EndpointSlice.
const MANAGER: &str = "portolan-playground";
/// Label with the manager of an object ("Recommended Labels" of Kubernetes).
const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// Why the DNS server of a member does not start.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The sockets in its network namespace.
    #[error("its DNS server: {0}")]
    Socket(#[source] io::Error),
    /// The sockets on this machine.
    #[error("its DNS server: {0}")]
    Listen(#[from] ListenError),
    /// The threads of the server.
    #[error("its DNS server: {0}")]
    Start(#[from] StartError),
    /// The address of the server is not available.
    #[error("the address of its DNS server: {0}")]
    Address(#[from] AttachError),
    /// The port of the server is not available.
    #[error("the port of its DNS server: {0}")]
    Publish(#[from] PublishError),
    /// The Service for pods cannot be written.
    #[error(
        "cannot write the Service kube-system/kube-dns: {source}; is {address} in the range of its Services and free?"
    )]
    Service {
        /// Address of the Service.
        address: Ipv4Addr,
        /// Cause.
        source: ClientError,
    },
}

/// Starts the DNS server of a member; it ends with `scope`.
pub(super) async fn start(site: &MemberSite<'_>, caches: &Caches, scope: &Shutdown) -> Result<(), DnsError> {
    let Some(address) = site.cluster.service_cidr.and_then(|services| dns_address(services.v4)) else {
        return Ok(());
    };
    let kinds = [ZoneKind::Cluster, ZoneKind::ClusterSet];
    let settings = kinds
        .map(|kind| ZoneSettings { server_addresses: vec![IpAddr::V4(address)], ..ZoneSettings::new(kind) });
    let Ok(zones) = Zones::new(settings.into()) else {
        unreachable!("the two zones have valid, different names")
    };
    match site.network.cluster_namespace(&site.cluster_name()) {
        Some(namespace) => serve_in_namespace(&namespace, site, &zones, scope).await?,
        None => serve_on_loopback(site, &zones, scope)?,
    }
    Follower::start(caches, &kinds.map(Zone::new), &zones, site.clock, scope);
    site.network.set_dns_zones(&site.cluster_name(), zones);
    let server = site.machines.dns_server().ip();
    match write_service(caches.client(), address, server).await {
        // An existing cluster may have its own DNS, or another Service range than the configuration says.
        Err(error) if site.cluster.kubeconfig.is_some() && is_taken(&error) => {
            let cluster = &site.cluster.name;
            tracing::warn!(%cluster, %address, %error, "pods do not find the playground's DNS server");
            Ok(())
        }
        result => result.map_err(|source| DnsError::Service { address, source }),
    }
}

async fn serve_in_namespace(
    namespace: &ClusterNamespace,
    site: &MemberSite<'_>,
    zones: &Arc<Zones>,
    scope: &Shutdown,
) -> Result<(), DnsError> {
    let address = site.machines.dns_server();
    let udp = namespace.bind(address).await.map_err(DnsError::Socket)?;
    let tcp = namespace.listen(address).await.map_err(DnsError::Socket)?;
    Server::on_sockets(zones.clone(), vec![udp], vec![tcp]).start(scope)?;
    Ok(())
}

/// Serves on a loopback socket, published under the server's address on the network.
fn serve_on_loopback(site: &MemberSite<'_>, zones: &Arc<Zones>, scope: &Shutdown) -> Result<(), DnsError> {
    let server = Server::bind(zones.clone(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), 1)?;
    let sockets = server.addresses();
    server.start(scope)?;
    let interface = site.network.attach_node(&site.cluster_name(), site.machines.dns_server().ip())?;
    let mut published = Vec::new();
    // UDP and TCP listen on the same port.
    for socket in sockets {
        for protocol in [Protocol::Udp, Protocol::Tcp] {
            published.push(interface.publish(DNS_PORT, protocol, socket)?);
        }
    }
    portolan_runtime::scope::spawn_until_stop(scope, async move {
        let _published = published;
        pending::<()>().await;
    });
    Ok(())
}

/// Whether the name or the address of the Service is in use.
fn is_taken(error: &ClientError) -> bool {
    matches!(error, ClientError::AlreadyExists(_) | ClientError::Invalid(_))
}

/// Writes the Service and its EndpointSlice. A Service of another manager is left unchanged.
async fn write_service(client: &Client, address: Ipv4Addr, server: IpAddr) -> Result<(), ClientError> {
    let options = Apply { manager: MANAGER.to_owned(), force: true };
    let port = |name: &str, protocol: &str| json!({ "name": name, "port": DNS_PORT, "protocol": protocol });
    let ports: Value = json!([port("dns", "UDP"), port("dns-tcp", "TCP")]);
    let service = Object(json!({ "apiVersion": "v1", "kind": "Service",
        "metadata": { "namespace": "kube-system", "name": "kube-dns", "labels": { "k8s-app": "kube-dns", MANAGED_BY_LABEL: MANAGER } },
        "spec": { "clusterIP": address, "ports": ports } }));
    let services = Resource::from(resources::SERVICE);
    let services = client.resource::<Object>(&services);
    match services.get(&service.key()).await {
        // Of an earlier run with the same state directory.
        Ok(present) if present.label(MANAGED_BY_LABEL) == Some(MANAGER) => {}
        // Of another manager: creating it fails with the reason.
        Ok(_) | Err(ClientError::NotFound(_)) => drop(services.create(&service).await?),
        Err(error) => return Err(error),
    }
    let slice =
        Object(json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "namespace": "kube-system", "name": "kube-dns",
            "labels": { SERVICE_NAME: "kube-dns", MANAGED_BY: MANAGER } },
        "endpoints": [{ "addresses": [server], "conditions": { "ready": true } }], "ports": ports }));
    let slices = Resource::from(resources::ENDPOINT_SLICE);
    client.resource::<Object>(&slices).apply(&slice, &options).await?;
    Ok(())
}
