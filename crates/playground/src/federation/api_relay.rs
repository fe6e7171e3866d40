//! Relay from a cluster's network namespace to its API server, which listens on a loopback address of the host.
//!
//! Pods in namespaces cannot reach that address. A socket inside the namespace accepts their connections, and the relay
//! copies the bytes.

use std::future::pending;
use std::io;
use std::net::SocketAddr;

use portolan_net::Shutdown;
use portolan_net::accept::{self, AcceptOptions};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::network::ClusterNamespace;

/// Connections at a time; more wait in the kernel.
const MAX_CONNECTIONS: usize = 512;

/// Listens on `address` inside a cluster's namespace and relays to `host_address`, until `scope` ends.
pub(super) async fn start(
    namespace: &ClusterNamespace,
    address: SocketAddr,
    host_address: SocketAddr,
    scope: &Shutdown,
) -> io::Result<()> {
    let listener = TcpListener::from_std(namespace.listen(address).await?)?;
    let options = AcceptOptions { listener: "API relay", max_connections: MAX_CONNECTIONS };
    portolan_runtime::scope::spawn_until_stop(
        scope,
        accept::serve(listener, options, pending(), move |(pod, _peer)| relay(pod, host_address)),
    );
    Ok(())
}

/// Copies bytes both ways. If either side closes, the other is closed too; errors are expected.
async fn relay(mut pod: TcpStream, host_address: SocketAddr) {
    if let Ok(mut server) = TcpStream::connect(host_address).await {
        let _ = copy_bidirectional(&mut pod, &mut server).await;
    }
}
