//! Whether load balancers of a cluster that cannot be reached still answer: then the hub merely cannot see it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Time for one connection.
const PATIENCE: Duration = Duration::from_secs(1);
/// Load balancers of a cluster that are tried; one that answers is enough.
pub(super) const SAMPLES: usize = 8;

/// Whether any of the addresses takes a TCP connection. Without an address there is no proof that the cluster is alive.
pub(super) async fn any_answers(addresses: Vec<(IpAddr, u16)>) -> bool {
    let attempts = addresses.into_iter().take(SAMPLES).map(|(ip, port)| async move {
        let connected = timeout(PATIENCE, TcpStream::connect(SocketAddr::new(ip, port))).await;
        matches!(connected, Ok(Ok(_)))
    });
    join_all(attempts).await.into_iter().any(|answers| answers)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_cluster_answers_if_one_load_balancer_does() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap().port();
        let closed = {
            let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
            other.local_addr().unwrap().port()
        };
        let at = |port| (IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        assert!(any_answers(vec![at(closed), at(open)]).await);
        assert!(!any_answers(vec![at(closed)]).await);
        assert!(!any_answers(Vec::new()).await);
    }
}
