//! The probes of a member: connects to the endpoints that it imports, over the playground's network, as an agent does.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use portolan_api::resources;
use portolan_controllers::probing::{BoxedStream, Connect, LeaseName, Probes};
use portolan_net::Shutdown;
use portolan_runtime::Resource;
use portolan_runtime::cache::Caches;

use crate::federation::site::MemberSite;
use crate::network::DialError;

/// Longer than a probe waits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the probes of a member; they end with `scope`.
pub(super) fn start(site: &MemberSite<'_>, caches: &Caches, scope: &Shutdown) {
    let (network, cluster) = (site.network.clone(), site.cluster_name());
    let connect: Connect = Arc::new(move |to| {
        let (network, cluster) = (network.clone(), cluster.clone());
        Box::pin(async move {
            match network.dial(&cluster, to, CONNECT_TIMEOUT).await {
                Ok(connection) => Ok(Box::new(connection) as BoxedStream),
                Err(DialError::Refused) => Err(io::Error::from(io::ErrorKind::ConnectionRefused)),
                Err(DialError::Host(error)) => Err(error),
                Err(other) => Err(io::Error::other(other)),
            }
        })
    });
    let slices = caches.of(&Resource::from(resources::ENDPOINT_SLICE));
    let name = LeaseName { namespace: "kube-system".to_owned(), agent: "playground".to_owned() };
    Probes::start(caches.client(), &slices, connect, name, site.clock, scope);
}
