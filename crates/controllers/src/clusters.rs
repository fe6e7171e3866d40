//! The lifecycle of member clusters: execution namespace, health, taints, served APIs, and removal.
//!
//! `lifecycle` acts on the hub alone and works for clusters that cannot be reached; `status` asks the members;
//! `ownership` keeps the Lease in each member, by which other control planes see who holds it. The
//! decisions are in `portolan_plan::clusters`.

mod answers;
mod capacity;
mod impersonation;
pub mod join;
mod lifecycle;
mod notices;
mod ownership;
pub mod permissions;
mod prober;
mod renewal;
mod silence;
mod status;

use std::sync::Arc;

use portolan_runtime::members::MembershipChange;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{ClientError, ClusterName, Member, Queue};

use crate::hub::Hub;
pub use ownership::Leasing;
pub use portolan_plan::clusters::probe::Thresholds;
use portolan_plan::clusters::silence::GRACE;

use lifecycle::Lifecycle;
use renewal::Renewal;
use status::Collector;

/// Concurrent clusters; no pass waits for a member.
const WORKERS: usize = 4;

/// Interval and thresholds of health probes.
#[derive(Debug, Clone, Copy)]
pub struct Probing {
    /// Time between two probes.
    pub interval: std::time::Duration,
    /// Time that a change must last.
    pub thresholds: Thresholds,
    /// Time without a renewal of its Lease after which the agent of a cluster is silent.
    pub patience: std::time::Duration,
}

impl Default for Probing {
    fn default() -> Self {
        Self {
            interval: std::time::Duration::from_secs(10),
            thresholds: Thresholds::default(),
            patience: GRACE,
        }
    }
}

/// Starts the controllers of clusters.
pub(crate) fn start(hub: &Hub, probing: Probing, leasing: Leasing) {
    ownership::start(hub, leasing);
    impersonation::start(hub);
    silence::start(hub, probing.patience);
    let queue: Queue<ClusterName> = hub.client.metrics().queue("clusters", None);
    let changed = queue.clone();
    hub.clusters.observe(move |change| changed.add(ClusterName::new(change.key.name.as_str())));
    let emptied = queue.clone();
    hub.works.observe(move |change| {
        let cluster = portolan_api::names::cluster_of_execution_namespace(&change.key.namespace);
        if let (None, Some(cluster)) = (&change.new, cluster) {
            emptied.add(ClusterName::new(cluster));
        }
    });
    portolan_runtime::driver::run(Arc::new(Lifecycle::new(hub)), &queue, WORKERS, &hub.scope);

    collect(hub, probing);
    let hub = hub.clone();
    hub.members.clone().observe(move |change| {
        if let MembershipChange::Joined(member) = change {
            let renewal = Renewal { hub: hub.clone(), member: member.clone() };
            spawn_until_stop(member.scope(), renewal.run());
        }
    });
}

/// Starts what an agent does for its own cluster: it holds it, probes it and reports on it.
pub(crate) fn start_for_agent(hub: &Hub, probing: Probing, leasing: Leasing) {
    ownership::start(hub, leasing);
    collect(hub, probing);
}

/// Gives a member up for good: deletes the Lease there if this control plane holds it.
pub(crate) async fn give_up(member: &Member) -> Result<(), ClientError> {
    ownership::release(member).await
}

/// Probes each member and writes the status of its Cluster.
fn collect(hub: &Hub, probing: Probing) {
    let hub = hub.clone();
    hub.members.clone().observe(move |change| {
        if let MembershipChange::Joined(member) = change {
            let collector = Collector::new(&hub, member.clone(), probing);
            spawn_until_stop(member.scope(), collector.run());
        }
    });
}
