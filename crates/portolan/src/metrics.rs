//! The metrics that every role reports, and the listener for them.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use portolan_net::Shutdown;
use portolan_net::server::listen;
use portolan_net::telemetry::{Build, Metrics, Pages, Readiness};

/// A registry with the version, the role and the figures of this process.
pub(crate) fn of_process(role: &'static str) -> Metrics {
    Metrics::new(Build { version: env!("CARGO_PKG_VERSION"), role })
}

/// Serves the metrics and the probes of a running process on an address for operators, without TLS.
pub(crate) fn serve(
    metrics: &Metrics,
    readiness: impl Fn() -> Readiness + Send + Sync + 'static,
    address: SocketAddr,
    scope: &Shutdown,
) -> Result<()> {
    let listener = listen(address)?;
    let address = listener.local_addr().context("cannot read the address of the metrics listener")?;
    Pages::new(metrics.clone(), readiness).serve(listener, scope);
    anstream::println!("metrics: http://{address}/metrics");
    Ok(())
}

#[cfg(test)]
mod tests;
