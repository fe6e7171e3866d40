//! The way from inside of a cluster's namespace to its API server, which listens on this machine's loopback address.
//!
//! Pods of a network with namespaces cannot see that address. So a socket inside of the namespace takes their
//! connections, and this passes the bytes on.

use std::io;
use std::net::SocketAddr;

use portolan_net::Shutdown;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::network::{ClusterName, Network};

/// Connections at a time; the next one waits to be accepted.
const CONNECTIONS: usize = 512;

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
    portolan_runtime::scope::spawn_until_stop(scope, async move {
        let mut connections = JoinSet::new();
        loop {
            while connections.len() >= CONNECTIONS {
                connections.join_next().await;
            }
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((inside, _)) => { connections.spawn(pass_on(inside, outer)); }
                    // This machine is out of sockets: whoever holds them must first let go of some.
                    Err(_) => { connections.join_next().await; }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    });
    Ok(())
}

async fn pass_on(mut inside: TcpStream, outer: SocketAddr) {
    // Whoever breaks off is the other's concern.
    if let Ok(mut server) = TcpStream::connect(outer).await {
        let _ = copy_bidirectional(&mut inside, &mut server).await;
    }
}
