//! The DNS server of the control plane: the zones of Federations with the provider `builtIn`.

use std::net::SocketAddr;

use anyhow::Result;
use portolan_controllers::federation::PublicDns;
use portolan_dns::{Server, Statistics, Zones};
use portolan_net::{Clock, Shutdown};

/// Threads that answer UDP.
const WORKERS: usize = 2;

/// Listens, and answers for the zones that the controllers add.
pub(crate) fn serve(address: SocketAddr, clock: &Clock, scope: &Shutdown) -> Result<(PublicDns, Statistics)> {
    let zones = Zones::new(Vec::new())?;
    let server = Server::bind(zones.clone(), address, WORKERS)?;
    let addresses = server.addresses();
    anstream::println!("federation dns: {}", addresses.first().map(ToString::to_string).unwrap_or_default());
    let statistics = server.start(scope)?;
    Ok((PublicDns { zones, clock: clock.clone(), scope: scope.clone() }, statistics))
}
