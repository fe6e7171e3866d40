//! The one entry point: starts every hub controller.

use std::fmt;

use portolan_net::{Clock, Shutdown};
use portolan_plan::failover::Settings as FailoverSettings;
use portolan_plan::propagation::detect::Skipped;
use portolan_providers::PublicDns;
use portolan_runtime::limits::MemberLimits;
use portolan_runtime::members::{self, Dial};
use portolan_runtime::{Client, Members, Metrics, SuccessEvents};

use crate::clusters::{Leasing, Probing};
use crate::descheduler::{self, Descheduling};
use crate::estimator_service::{EstimatorService, EstimatorSettings};
use crate::hub::{Hub, HubSettings, Quotas, Reach};
use crate::propagation::BrakeOptions;
use crate::search::{self, SearchCaches};
use crate::{
    agents, autoscaling, cluster_sets, clusters, discovery, federation, initial_objects, inventory, kubefed,
    multi_cluster_services, propagation, rebalance, remedies, taint_policies,
};

/// How controllers run.
#[derive(Clone, Default)]
pub struct Options {
    /// The clock for times in objects and the health of members.
    pub clock: Clock,
    /// How members are probed.
    pub probing: Probing,
    /// How members are held.
    pub leasing: Leasing,
    /// Creates the clients of members; network connections if absent.
    pub dial: Option<Dial>,
    /// What is kept of each member.
    pub limits: MemberLimits,
    /// Whether successes are Events in the hub.
    pub success_events: SuccessEvents,
    /// Kinds and namespaces that are never propagated.
    pub skipped: Skipped,
    /// When a mass deletion in a member is held.
    pub brake: BrakeOptions,
    /// When objects leave a cluster.
    pub failover: FailoverSettings,
    /// How the estimators of clusters are asked; `None` if they are not.
    pub estimators: Option<EstimatorSettings>,
    /// How the descheduler runs; `None` if it does not.
    pub descheduling: Option<Descheduling>,
    /// The DNS server of this process for the zones of federations, if it runs.
    pub public_dns: Option<PublicDns>,
    /// The caches of ResourceRegistries, for look-ups.
    pub search: SearchCaches,
    /// Where controllers, caches and clients report.
    pub metrics: Metrics,
}

/// Running controllers. Dropping this does not stop them; the scope they were started in does.
#[derive(Debug, Clone)]
pub struct Controllers {
    members: Members,
    quotas: Quotas,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("success_events", &self.success_events).finish_non_exhaustive()
    }
}

impl Controllers {
    /// Starts every controller on `hub`, until `scope` is stopped. Returns immediately and connects in the background.
    pub fn start(hub: &Client, options: Options, scope: &Shutdown) -> Self {
        let Options {
            clock,
            probing,
            leasing,
            dial,
            limits,
            brake,
            failover,
            success_events,
            skipped,
            estimators,
            descheduling,
            public_dns,
            search,
            metrics,
        } = options;
        let hub = &hub.clone().with_metrics(&metrics, None);
        let members =
            Members::with_limits(scope, dial.unwrap_or_else(Members::connections), &metrics, limits);
        let settings = HubSettings { clock, successes: success_events, skipped, reach: Reach::Everything };
        let mut shared = Hub::start(hub, members.clone(), settings, scope);
        shared.estimator_service = estimators.map(|settings| EstimatorService::new(hub, settings));
        shared.public_dns = public_dns;
        // The observers first, then the members, so that no observer misses one.
        initial_objects::start(&shared);
        agents::start(&shared);
        clusters::start(&shared, probing, leasing);
        cluster_sets::start(&shared);
        let profiles = inventory::start(&shared);
        let services = multi_cluster_services::Services::new(&shared);
        discovery::start(&shared, &services, &profiles);
        let pipeline = propagation::start(&shared, brake, failover);
        multi_cluster_services::start(&services, &pipeline);
        autoscaling::start(&shared, &pipeline);
        federation::start(&shared, &pipeline);
        kubefed::start(&shared, &pipeline);
        rebalance::start(&shared);
        taint_policies::start(&shared);
        remedies::start(&shared);
        search::start(&shared, &search);
        members::follow(hub, &members, &shared.clusters, scope);
        if let Some(descheduling) = descheduling {
            descheduler::start(&shared, descheduling);
        }
        Self { members, quotas: shared.quotas }
    }

    /// The FederatedResourceQuotas, for the admission of bindings.
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// The members.
    pub fn members(&self) -> &Members {
        &self.members
    }
}
