//! `portolan server`: the control plane alone.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use portolan_controlplane::{ControlPlane, ControlPlaneSettings, ControllerOptions, StateDirectory};
use portolan_net::{Clock, Shutdown};
use portolan_runtime::limits::MemberLimits;

use crate::{arguments, federation_dns, metrics};

/// Time for open requests to finish when the server stops; the store is closed within the rest of
/// [`GRACE`](portolan_net::shutdown::GRACE).
const DRAIN: Duration = Duration::from_secs(7);

/// Runs until SIGTERM or SIGINT.
pub(crate) async fn run(arguments: arguments::Server) -> Result<()> {
    let scope = Shutdown::new();
    scope.request_on_signals().context("cannot listen for signals")?;
    let clock = Clock::system();
    let metrics = metrics::of_process("server");
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "control plane starts");
    let control_plane = match (&arguments.kubeconfig, &arguments.dir) {
        (Some(kubeconfig), _) => ControlPlane::existing(kubeconfig, arguments.context.as_deref()).await?,
        (None, Some(dir)) => {
            let state = StateDirectory::open(dir)?;
            let settings = ControlPlaneSettings {
                address: Some(arguments.listen),
                advertise_address: arguments.advertise_address,
                tls_sans: arguments.tls_san,
                service_cidr: arguments.service_cidr,
                metrics: Some(metrics.clone()),
                clock: clock.clone(),
                ..ControlPlaneSettings::default()
            };
            let embedded = ControlPlane::embedded(&state, &settings, &scope).await?;
            embedded.keep_kubeconfig(&state.hub_kubeconfig(), &scope)?;
            if let Some(advertised) = embedded.advertised().filter(|address| !address.ip().is_loopback()) {
                anstream::println!("advertised: https://{advertised}");
            }
            anstream::println!("kubeconfig: {}", state.hub_kubeconfig().display());
            embedded
        }
        (None, None) => {
            bail!("give --dir for an embedded API server, or --kubeconfig for one that runs already")
        }
    };
    let limits =
        MemberLimits { memory_bytes: arguments.member_memory << 20, objects: arguments.member_objects };
    let dns = arguments.controllers.federation_dns_listen;
    let dns = dns.map(|address| federation_dns::serve(address, &clock, &scope)).transpose()?;
    let public_dns = dns.as_ref().map(|(dns, _)| dns.clone());
    let options = ControllerOptions { limits, public_dns, ..arguments.controllers.options(clock)? };
    match control_plane.missing_decisions() {
        None => drop(control_plane.start_controllers_with(options, &scope)),
        // The API is served, so that the objects can be repaired.
        Some(missing) => control_plane.report_missing_decisions(missing),
    }
    metrics.register(|registry| {
        control_plane.register_metrics(registry);
        if let Some((dns, statistics)) = &dns {
            portolan_dns::metrics::register(&dns.zones, statistics, registry);
        }
    });
    if let Some(address) = arguments.metrics_listen {
        metrics::serve(&metrics, address, &scope)?;
    }
    anstream::println!("ready");
    tracing::info!("control plane is ready");
    scope.requested().await;
    tracing::info!("control plane stops");
    control_plane.stop(&scope, DRAIN).await;
    tracing::info!("control plane has stopped");
    Ok(())
}
