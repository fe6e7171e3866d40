//! The way from inside of a cluster's namespace to its API server, which listens on this machine's loopback address.
//!
//! Pods of a network with namespaces cannot see that address. So a socket inside of the namespace takes their
//! connections, and this passes the bytes on.

use std::future::pending;
use std::io;
use std::net::SocketAddr;

use portolan_net::Shutdown;
use portolan_net::accept::{self, AcceptOptions};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::network::{ClusterName, Network};

/// Connections at a time; more wait in the kernel.
const MAX_CONNECTIONS: usize = 512;

/// Listens on `inner` inside of a cluster's namespace for `outer` on this machine, until `scope` ends. Does nothing on
/// the loopback network.
pub(super) async fn open(
    network: &Network,
    cluster: &ClusterName,
    inner: SocketAddr,
    outer: SocketAddr,
    scope: &Shutdown,
) -> io::Result<()> {
    let Some(listener) = network.listen_inside(cluster, inner).await? else { return Ok(()) };
    let listener = TcpListener::from_std(listener)?;
    let options =
        AcceptOptions { listener: "API server inside of a cluster", max_connections: MAX_CONNECTIONS };
    portolan_runtime::scope::spawn_until_stop(
        scope,
        accept::serve(listener, options, pending(), move |(inside, _peer)| relay(inside, outer)),
    );
    Ok(())
}

/// Copies bytes both ways. If either side closes, the other is closed too; errors are expected.
async fn relay(mut inside: TcpStream, outer: SocketAddr) {
    if let Ok(mut server) = TcpStream::connect(outer).await {
        let _ = copy_bidirectional(&mut inside, &mut server).await;
    }
}
