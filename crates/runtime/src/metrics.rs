//! Figures of queues, passes, caches, clients, members and Events, as the process reports them.
//!
//! Names and meanings are client-go's where they are the same (`workqueue_*`, `rest_client_*`). Labels are bounded: the
//! names of controllers are constants, clusters are those that are joined, and of the resources that users define only
//! the first [`MAX_RESOURCES`] have a label value each.

mod budgets;
mod caches;
mod queues;
mod requests;

use std::fmt;
use std::sync::Arc;

use portolan_net::telemetry::{BoundedLabel, Family};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::cluster_name::ClusterName;
use crate::limits::Budget;

use caches::CacheLabels;
pub(crate) use caches::{CacheProbe, CacheReader, CacheStatus};
pub(crate) use queues::{PassResult, QueueLoad, QueueMeter, QueueProbe, QueueReader};
pub(crate) use requests::RequestMeter;

/// Resources with a label value each; caches of further ones are reported together as `other`.
const MAX_RESOURCES: usize = 200;

/// The figures of a set of controllers; clones share them.
#[derive(Clone, Default)]
pub struct Metrics {
    inner: Arc<Figures>,
}

struct Figures {
    queues: queues::Queues,
    requests: requests::Requests,
    caches: caches::Caches,
    events: EventCounters,
    leads: Gauge,
    ready: Family<ClusterLabel, Gauge>,
    lost: Family<ClusterLabel, Counter>,
    held: Family<ClusterLabel, Gauge>,
    suspended: Family<ClusterLabel, Gauge>,
    over_budget: Family<ClusterLabel, Counter>,
    rewinds: Family<ClusterLabel, Counter>,
    budgets: budgets::Budgets,
    refused_slices: Family<ClusterLabel, Gauge>,
    withdrawn_exporters: Family<ClusterLabel, Gauge>,
    contested: Family<ClusterLabel, Gauge>,
    resources: BoundedLabel,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            queues: queues::Queues::default(),
            requests: requests::Requests::default(),
            caches: caches::Caches::default(),
            events: EventCounters::default(),
            leads: Gauge::default(),
            ready: Family::default(),
            lost: Family::default(),
            held: Family::default(),
            suspended: Family::default(),
            over_budget: Family::default(),
            rewinds: Family::default(),
            budgets: budgets::Budgets::default(),
            refused_slices: Family::default(),
            withdrawn_exporters: Family::default(),
            contested: Family::default(),
            resources: BoundedLabel::new(MAX_RESOURCES),
        }
    }
}

/// The cluster that a series is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClusterLabel {
    cluster: String,
}

/// Counters of Kubernetes Events.
#[derive(Debug, Clone, Default)]
pub(crate) struct EventCounters {
    pub(crate) written: Counter,
    pub(crate) dropped: Counter,
    pub(crate) failed: Counter,
}

impl Metrics {
    /// Adds the metrics to `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let figures = &self.inner;
        figures.queues.register(registry);
        figures.requests.register(registry);
        figures.caches.register(registry);
        let EventCounters { written, dropped, failed } = &figures.events;
        registry.register("portolan_events", "Kubernetes Events that were written", written.clone());
        let help = "Events that were dropped because more were recorded than could be written";
        registry.register("portolan_events_dropped", help, dropped.clone());
        let help = "Events that the API server did not accept";
        registry.register("portolan_events_failed", help, failed.clone());
        let help = "1 while the controllers run in this process, 0 while it waits for the leadership";
        registry.register("portolan_leader", help, figures.leads.clone());
        let help = "1 while the cluster answers its probe, 0 while it does not";
        registry.register("portolan_cluster_ready", help, figures.ready.clone());
        let help = "Times that a cluster stopped to answer its probe";
        registry.register("portolan_cluster_lost", help, figures.lost.clone());
        let help =
            "1 while this control plane holds the cluster's lease, 0 while another does or it cannot be read";
        registry.register("portolan_cluster_held", help, figures.held.clone());
        let help = "1 while the cluster's credential is suspended, so that nothing is sent to it";
        registry.register("portolan_cluster_suspended", help, figures.suspended.clone());
        let help = "Times that a cluster sent more than its budget allows, and was not read for a while";
        registry.register("portolan_cluster_over_budget", help, figures.over_budget.clone());
        let help = "Caches that were listed again because the resource versions of their server went back";
        registry.register("portolan_cache_rewinds", help, figures.rewinds.clone());
        figures.budgets.register(registry);
        let help = "Imported EndpointSlices that the cluster's API server refuses as invalid";
        registry.register("portolan_refused_slices", help, figures.refused_slices.clone());
        let help =
            "Exporting clusters of which the cluster does not use the endpoints, because they do not answer";
        registry.register("portolan_withdrawn_exporters", help, figures.withdrawn_exporters.clone());
        let help = "Objects in the cluster that another writer changes back, so that writes to them wait";
        registry.register("portolan_contested_objects", help, figures.contested.clone());
    }

    pub(crate) fn queue_meter(&self, name: &'static str, cluster: Option<&ClusterName>) -> QueueMeter {
        self.inner.queues.meter(name, cluster)
    }

    pub(crate) fn add_queue(&self, name: &'static str, cluster: Option<&ClusterName>, probe: QueueProbe) {
        self.inner.queues.add(name, cluster, probe);
    }

    pub(crate) fn requests(&self, cluster: Option<&ClusterName>) -> RequestMeter {
        self.inner.requests.meter(cluster)
    }

    pub(crate) fn events(&self) -> EventCounters {
        self.inner.events.clone()
    }

    pub(crate) fn add_cache(&self, cluster: Option<&ClusterName>, resource: &str, probe: CacheProbe) {
        let cluster = cluster.map(ToString::to_string).unwrap_or_default();
        let resource = self.inner.resources.label(resource).to_string();
        self.inner.caches.add(CacheLabels { cluster, resource }, probe);
    }

    /// Reports that the controllers run in this process.
    pub fn set_leads(&self) {
        self.inner.leads.set(1);
    }

    pub(crate) fn set_ready(&self, cluster: &ClusterName, is_ready: bool) {
        let labels = ClusterLabel { cluster: cluster.to_string() };
        self.inner.ready.get(&labels).set(i64::from(is_ready));
        let lost = self.inner.lost.get(&labels);
        if !is_ready {
            lost.inc();
        }
    }

    /// Reports whether this control plane holds a member.
    pub fn set_held(&self, cluster: &ClusterName, is_held: bool) {
        let labels = ClusterLabel { cluster: cluster.to_string() };
        self.inner.held.get(&labels).set(i64::from(is_held));
    }

    /// Reports whether the credential of a member is suspended.
    pub(crate) fn set_suspended(&self, cluster: &ClusterName, is_suspended: bool) {
        let labels = ClusterLabel { cluster: cluster.to_string() };
        self.inner.suspended.get(&labels).set(i64::from(is_suspended));
    }

    /// Reports the memory of a member from now on.
    pub(crate) fn add_budget(&self, cluster: &ClusterName, budget: &Arc<Budget>) {
        self.inner.budgets.add(cluster.as_str(), budget);
    }

    pub(crate) fn count_over_budget(&self, cluster: &ClusterName) {
        self.inner.over_budget.get(&ClusterLabel { cluster: cluster.to_string() }).inc();
    }

    pub(crate) fn count_rewind(&self, cluster: Option<&ClusterName>) {
        let cluster = cluster.map(ToString::to_string).unwrap_or_default();
        self.inner.rewinds.get(&ClusterLabel { cluster }).inc();
    }

    /// Reports the number of imported EndpointSlices that a member refuses.
    pub fn set_refused_slices(&self, cluster: &ClusterName, count: usize) {
        let labels = ClusterLabel { cluster: cluster.to_string() };
        self.inner.refused_slices.get(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Reports the number of exporters of which a member does not use the endpoints.
    pub fn set_withdrawn_exporters(&self, cluster: &ClusterName, count: usize) {
        let labels = ClusterLabel { cluster: cluster.to_string() };
        self.inner.withdrawn_exporters.get(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Reports the number of objects in a member that another writer changes back.
    pub(crate) fn set_contested(&self, cluster: Option<&ClusterName>, count: usize) {
        let cluster = cluster.map(ToString::to_string).unwrap_or_default();
        self.inner.contested.get(&ClusterLabel { cluster }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Removes the series of a cluster that left.
    pub(crate) fn forget(&self, cluster: &ClusterName) {
        let name = cluster.as_str();
        self.inner.queues.forget(name);
        self.inner.requests.forget(name);
        self.inner.ready.retain(|labels| labels.cluster != name);
        self.inner.lost.retain(|labels| labels.cluster != name);
        self.inner.held.retain(|labels| labels.cluster != name);
        self.inner.suspended.retain(|labels| labels.cluster != name);
        self.inner.over_budget.retain(|labels| labels.cluster != name);
        self.inner.rewinds.retain(|labels| labels.cluster != name);
        self.inner.budgets.forget(name);
        self.inner.refused_slices.retain(|labels| labels.cluster != name);
        self.inner.withdrawn_exporters.retain(|labels| labels.cluster != name);
        self.inner.contested.retain(|labels| labels.cluster != name);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
