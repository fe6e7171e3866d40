//! `portolan agent`: the DNS server of the cluster set, in a member; with `--pull`, all work of the member.
//!
//! Connects four things: a follower of the member's objects, the DNS server, probes of imported endpoints, and HTTP pages about
//! their state.

use std::net::IpAddr;
use std::num::NonZero;
use std::time::Duration;

use anyhow::{Context, Result};
use portolan_api::names::AGENT_NAMESPACES;
use portolan_controllers::agent::{self, AgentOptions};
use portolan_controllers::dns::{Follower, Zone};
use portolan_controllers::probing::{LeaseName, Probes, connect_directly};
use portolan_controllers::{BrakeOptions, Budget};
use portolan_dns::{Server, ZoneSettings, Zones};
use portolan_net::telemetry::{Pages, Readiness};
use portolan_net::{Clock, Shutdown};
use portolan_plan::dns::ZoneKind;
use portolan_runtime::Client;

use crate::host_name::host_label;
use crate::{arguments, metrics};

/// Time for open requests to finish when the agent stops.
const DRAIN: Duration = Duration::from_secs(5);
/// More threads answer no faster: the kernel is the limit.
const MAX_WORKERS: usize = 4;

/// Answers until SIGTERM or SIGINT.
pub(crate) async fn run(arguments: arguments::Agent) -> Result<()> {
    let scope = Shutdown::new();
    scope.request_on_signals().context("cannot listen for signals")?;
    let (metrics, of_clients) = (metrics::of_process("agent"), portolan_runtime::Metrics::default());
    let client = arguments.member.client().await.context("cannot reach the member")?;
    let client = client.with_metrics(&of_clients, None);
    let lease_namespace = lease_namespace(&arguments);
    if arguments.pull {
        let budget = Budget { percent: arguments.deletion_budget, ..Budget::default() };
        pull(&client, arguments.namespace, budget, &of_clients, &scope);
    }
    let kinds = [
        Some((ZoneKind::ClusterSet, arguments.clusterset_zone)),
        arguments.cluster_zone.map(|name| (ZoneKind::Cluster, name)),
    ];
    let kinds: Vec<(ZoneKind, String)> = kinds.into_iter().flatten().collect();
    let listens_on = arguments.dns_listen.ip();
    let server_addresses: Vec<IpAddr> = match arguments.advertise.is_empty() && !listens_on.is_unspecified() {
        true => vec![listens_on],
        false => arguments.advertise,
    };
    let settings = kinds.iter().map(|(kind, name)| ZoneSettings {
        kind: *kind,
        name: name.clone(),
        ttl_secs: arguments.ttl,
        server_addresses: server_addresses.clone(),
    });
    let zones = Zones::new(settings.collect())?;
    // Both sockets first, so that a taken port is reported immediately.
    let pages = portolan_net::server::listen(arguments.http_listen)?;
    let workers = arguments.workers.map_or_else(default_workers, usize::from);
    let server = Server::bind(zones.clone(), arguments.dns_listen, workers)?;
    let addresses = server.addresses();
    anstream::println!("dns:  {}", addresses.first().map(ToString::to_string).unwrap_or_default());
    anstream::println!("http: http://{}", pages.local_addr().context("cannot see the port that was taken")?);

    let statistics = server.start(&scope)?;
    let zones_to_follow: Vec<Zone> = kinds.into_iter().map(|(kind, name)| Zone { kind, name }).collect();
    let caches = portolan_controllers::dns::caches(&client, &scope);
    let follower = Follower::start(&caches, &zones_to_follow, &zones, &Clock::system(), &scope);
    metrics.register(|registry| {
        of_clients.register(registry);
        portolan_dns::metrics::register(&zones, &statistics, registry);
        follower.register_metrics(registry);
    });
    if let Some(slices) = follower.imported_slices() {
        let name = LeaseName {
            namespace: lease_namespace,
            agent: arguments.agent_name.unwrap_or_else(|| host_label("agent")),
        };
        Probes::start(&client, &slices, connect_directly(), name, &Clock::system(), &scope);
    }
    let observed = follower.clone();
    Pages::new(metrics, move || readiness(&observed)).serve(pages, &scope);
    tokio::select! {
        synced = follower.synced() => if synced {
            anstream::println!("ready");
            tracing::info!("agent is ready");
        },
        () = scope.requested() => {}
    }
    scope.requested().await;
    tracing::info!("agent stops");
    scope.drain(DRAIN).await.context("cannot stop in time")
}

/// Starts the agent of pull mode.
fn pull(
    member: &Client,
    namespace: String,
    budget: Budget,
    metrics: &portolan_runtime::Metrics,
    scope: &Shutdown,
) {
    let (member, metrics, stop) = (member.clone(), metrics.clone(), scope.clone());
    let options = move |cluster: &str| AgentOptions {
        brake: BrakeOptions { budget, ..BrakeOptions::default() },
        metrics: metrics.clone(),
        ..AgentOptions::new(cluster)
    };
    // The scope waits for the task, so the handle is not needed.
    let _handle = scope.spawn(async move { agent::run(&member, &namespace, options, &stop).await });
}

/// Ready from the first complete state on; later trouble is reported and does not stop the answers.
fn readiness(follower: &Follower) -> Readiness {
    let state = follower.state();
    match (state.waiting_for, state.trouble) {
        (Some(reason), _) => Readiness::NotReady(reason),
        (None, Some(trouble)) => {
            Readiness::Ready(Some(format!("with the state of {} s ago: {trouble}", state.age.as_secs())))
        }
        (None, None) => Readiness::Ready(None),
    }
}

/// The namespace of the Lease. In pull mode the agent is in the namespace that `register` has made.
fn lease_namespace(arguments: &arguments::Agent) -> String {
    let of_agent = Some(&arguments.namespace)
        .filter(|namespace| arguments.pull && AGENT_NAMESPACES.contains(&namespace.as_str()));
    let chosen = arguments.lease_namespace.as_ref().or(of_agent);
    chosen.map_or_else(|| AGENT_NAMESPACES[0].to_owned(), Clone::clone)
}

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get).min(MAX_WORKERS)
}
