//! The agent of a cluster in pull mode: applies the cluster's Works and reports on the cluster, from inside.
//!
//! It runs the shells of the control plane for one member, with the control plane as a remote API of which it may read and
//! write only what belongs to its cluster. Without the control plane it goes on with what it knows: objects stay as the
//! Works want them, and nothing is deleted.

mod heartbeat;
mod membership;
mod session;
mod tunnel;

use portolan_net::{Clock, Shutdown};
use portolan_plan::propagation::detect::Skipped;
use portolan_runtime::limits::MemberLimits;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Client, ClusterName, Members, Metrics, SuccessEvents};

use crate::clusters::{self, Leasing, Probing};
use crate::hub::{Hub, HubSettings, Reach};
use crate::propagation::{self, BrakeOptions};
use heartbeat::Heartbeat;
pub use session::run;

/// How an agent runs.
#[derive(Debug, Clone)]
pub struct AgentOptions {
    /// Name of the cluster in the federation.
    pub cluster: ClusterName,
    /// The clock for times in objects and the health of the cluster.
    pub clock: Clock,
    /// How the cluster is probed.
    pub probing: Probing,
    /// How the cluster is held.
    pub leasing: Leasing,
    /// What is kept of the cluster.
    pub limits: MemberLimits,
    /// Whether successes are Events in the control plane.
    pub success_events: SuccessEvents,
    /// When a mass deletion is held.
    pub brake: BrakeOptions,
    /// Where controllers, caches and clients report.
    pub metrics: Metrics,
}

impl AgentOptions {
    /// The defaults for a cluster.
    pub fn new(cluster: &str) -> Self {
        Self {
            cluster: ClusterName::new(cluster),
            clock: Clock::default(),
            probing: Probing::default(),
            leasing: Leasing::default(),
            limits: MemberLimits::default(),
            success_events: SuccessEvents::default(),
            brake: BrakeOptions::default(),
            metrics: Metrics::default(),
        }
    }
}

/// Starts the agent of `options.cluster`, until `scope` is stopped. Returns immediately and connects in the background.
pub fn start(hub: &Client, member: &Client, options: AgentOptions, scope: &Shutdown) {
    let AgentOptions { cluster, clock, probing, leasing, limits, success_events, brake, metrics } = options;
    let hub = &hub.clone().with_metrics(&metrics, None);
    let member = member.clone();
    let dial = std::sync::Arc::new(move |_: &ClusterName, _| Ok(member.clone()));
    let members = Members::with_limits(scope, dial, &metrics, limits);
    let settings = HubSettings {
        clock,
        successes: success_events,
        skipped: Skipped::default(),
        reach: Reach::Cluster(cluster.clone()),
    };
    let shared = Hub::start(hub, members, settings, scope);
    clusters::start_for_agent(&shared, probing, leasing.clone());
    propagation::start_execution(&shared, brake);
    let heartbeat = Heartbeat { hub: shared.clone(), cluster: cluster.clone(), leasing };
    spawn_until_stop(scope, heartbeat.run());
    // The observers first, then the member, so that no observer misses it.
    membership::start(&shared, &cluster);
}
