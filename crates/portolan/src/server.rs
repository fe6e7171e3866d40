//! `portolan server`: the control plane alone.

mod progress;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use portolan_controllers::leadership::{Election, Leadership};
use portolan_controlplane::{ControlPlane, ControlPlaneSettings, ControllerOptions, StateDirectory};
use portolan_net::telemetry::Metrics;
use portolan_net::{Clock, Shutdown};
use portolan_runtime::limits::MemberLimits;

use crate::host_name::host_name;
use crate::{arguments, federation_dns, metrics};
use progress::Progress;

/// Time for open requests to finish when the server stops; the store is closed within the rest of
/// [`GRACE`](portolan_net::shutdown::GRACE).
const DRAIN: Duration = Duration::from_secs(7);

/// Runs until SIGTERM or SIGINT, or until another replica may lead.
pub(crate) async fn run(arguments: arguments::Server) -> Result<()> {
    let scope = Shutdown::new();
    scope.request_on_signals().context("cannot listen for signals")?;
    let clock = Clock::system();
    let metrics = metrics::of_process("server");
    let terms = arguments.leadership.terms()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "control plane starts");
    let control_plane = match (&arguments.kubeconfig, &arguments.dir) {
        (Some(kubeconfig), _) => ControlPlane::existing(kubeconfig, arguments.context.as_deref()).await?,
        (None, Some(dir)) => embedded(dir, &arguments, &metrics, &clock, &scope).await?,
        (None, None) => {
            bail!("give --dir for an embedded API server, or --kubeconfig for one that runs already")
        }
    };
    let dns = federation_dns::serve(&arguments.controllers, &clock, &scope)?;
    let public_dns = dns.as_ref().map(|(dns, _)| dns.clone());
    metrics.register(|registry| {
        control_plane.register_metrics(registry);
        if let Some((dns, statistics)) = &dns {
            portolan_dns::metrics::register(dns.zones(), statistics, registry);
        }
    });
    let progress = Progress::default();
    if let Some(address) = arguments.metrics_listen {
        let shown = progress.clone();
        metrics::serve(&metrics, move || shown.readiness(), address, &scope)?;
    }
    let limits =
        MemberLimits { memory_bytes: arguments.member_memory << 20, objects: arguments.member_objects };
    let options = ControllerOptions { limits, public_dns, ..arguments.controllers.options(clock.clone())? };
    // The store of an embedded API server has one process: it needs no election.
    let terms = terms.filter(|_| arguments.kubeconfig.is_some());
    let election = terms.map(|terms| Election::new(control_plane.client(), &host_name(), terms, &clock));
    let mut leadership = None;
    tokio::select! {
        () = scope.requested() => {}
        ended = lead(&control_plane, election, &mut leadership, options, (&progress, &scope)) => {
            end_at_once(&scope).await;
            return ended;
        }
    }
    tracing::info!("control plane stops");
    let stopped = control_plane.stop(&scope, DRAIN);
    if let Some(mut leadership) = leadership {
        // The controllers may write until they have stopped: the Lease is renewed until then.
        tokio::select! {
            () = stopped => {}
            lost = leadership.lost() => {
                end_at_once(&scope).await;
                return Err(lost.into());
            }
        }
        leadership.release().await;
    } else {
        stopped.await;
    }
    tracing::info!("control plane has stopped");
    Ok(())
}

/// Drops everything that runs: another replica may lead, and nothing of this process may write any more.
async fn end_at_once(scope: &Shutdown) {
    if let Err(error) = scope.drain(Duration::ZERO).await {
        tracing::debug!(%error, "ended");
    }
}

/// Starts the embedded API server.
async fn embedded(
    dir: &Path,
    arguments: &arguments::Server,
    metrics: &Metrics,
    clock: &Clock,
    scope: &Shutdown,
) -> Result<ControlPlane> {
    let state = StateDirectory::open(dir)?;
    let settings = ControlPlaneSettings {
        address: Some(arguments.listen),
        advertise_address: arguments.advertise_address,
        tls_sans: arguments.tls_san.clone(),
        service_cidr: arguments.service_cidr,
        api_server: arguments.api_server.options()?,
        metrics: Some(metrics.clone()),
        clock: clock.clone(),
        ..ControlPlaneSettings::default()
    };
    let embedded = ControlPlane::embedded(&state, &settings, scope).await?;
    embedded.keep_kubeconfig(&state.hub_kubeconfig(), scope)?;
    if let Some(advertised) = embedded.advertised().filter(|address| !address.ip().is_loopback()) {
        anstream::println!("advertised: https://{advertised}");
    }
    anstream::println!("kubeconfig: {}", state.hub_kubeconfig().display());
    Ok(embedded)
}

/// Runs the controllers, after the election if there is one. Ends with an error only.
async fn lead(
    control_plane: &ControlPlane,
    election: Option<Election>,
    leadership: &mut Option<Leadership>,
    options: ControllerOptions,
    (progress, scope): (&Progress, &Shutdown),
) -> Result<()> {
    let Some(election) = election else {
        control_plane.install().await?;
        start(control_plane, options, progress, scope);
        return std::future::pending().await;
    };
    progress.stand(election.candidacy());
    let leadership = leadership.insert(election.win().await);
    tokio::select! {
        lost = leadership.lost() => return Err(lost.into()),
        installed = control_plane.install() => installed?,
    }
    start(control_plane, options, progress, scope);
    Err(leadership.lost().await.into())
}

fn start(control_plane: &ControlPlane, options: ControllerOptions, progress: &Progress, scope: &Shutdown) {
    let missing = control_plane.missing_decisions();
    progress.started(missing.clone());
    match missing {
        None => drop(control_plane.start_controllers_with(options, scope)),
        // The API is served, so that the objects can be repaired.
        Some(missing) => control_plane.report_missing_decisions(missing),
    }
    anstream::println!("ready");
    tracing::info!("control plane is ready");
}
