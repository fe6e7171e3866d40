//! Keeps the tunnel to the control plane open, through which it finds the services of the cluster and forwards requests.

use std::time::Duration;

use portolan_net::tunnel::serve;
use portolan_runtime::client::{Address, Endpoint};
use portolan_runtime::{Backoff, Client, tunnel};

/// Delays after a tunnel that could not be opened, or ended.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
/// A tunnel that lasted this long ended for another reason than how it was opened.
const STABLE: Duration = Duration::from_secs(10);

/// Keeps a tunnel of `cluster` open to the control plane at `hub`, for connections to the API server of `member`.
pub(super) async fn keep(hub: Endpoint, member: Client, cluster: String) {
    let target = match Address::parse(member.server()) {
        Ok(target) => target,
        Err(error) => {
            tracing::debug!(%error, "the cluster has no address, so there is no tunnel to it");
            return;
        }
    };
    let mut failures = 0;
    loop {
        let started = tokio::time::Instant::now();
        match tunnel::open(&hub, &cluster).await {
            Ok(stream) => {
                tracing::info!(cluster, "tunnel to the control plane is open");
                if let Err(error) = serve(stream, &target.host, target.port).await {
                    tracing::debug!(cluster, %error, "the tunnel broke");
                }
            }
            Err(error) => tracing::warn!(
                cluster,
                error,
                "the control plane takes no tunnel, so that services of the cluster are not found by others; trying again"
            ),
        }
        failures = if started.elapsed() > STABLE { 0 } else { failures + 1 };
        tokio::time::sleep(BACKOFF.delay(failures, rand::random::<f64>())).await;
    }
}
