//! Routing: how the clients of a service in one cluster use the endpoints of each exporter, before the endpoints are counted.
//!
//! `super::allotment` counts, and decides.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portolan_api::cluster::Cluster;
use portolan_api::traffic::{HttpProbe, TrafficPolicy};

use super::nearness::{boundary_against, is_visible, tier};
use super::properties::Properties;
use super::traffic_policy::{ExporterState, usage};
use super::usage::NotUsed;

/// How clients of one cluster use a service. Exporters are called as the labels of the imported EndpointSlices call them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routing {
    /// Whether the cluster does not see the service at all.
    pub is_hidden: bool,
    /// Exporters with endpoints that are not used, by the facts or by a user.
    pub not_used: BTreeMap<String, NotUsed>,
    /// The exporters inside the boundary; `None` without a boundary.
    pub inside: Option<BTreeSet<String>>,
    /// Names of the policies with a boundary.
    pub boundaries: Vec<String>,
    /// The policy with tiers or weights.
    pub policy: String,
    /// The tier of each exporter, from 0. All are equal when empty; one that is not listed is in the last tier.
    pub tiers: BTreeMap<String, usize>,
    /// Share of the endpoints of a tier that have to be ready, in percent; with 0, one endpoint is enough.
    pub minimum_ready_percent: usize,
    /// Time in which endpoints come into use or are drained; at once when zero.
    pub transition: Duration,
    /// Share of the endpoints of exporters that come into use or are drained at present, in percent.
    pub moving: BTreeMap<String, u32>,
    /// Shares of the traffic; 1 for an exporter that is not listed. All are equal when empty.
    pub weights: BTreeMap<String, u32>,
    /// The request by which agents probe the endpoints.
    pub http_probe: Option<HttpProbe>,
}

impl Routing {
    /// Whether endpoints of an exporter never get traffic.
    pub fn is_outside(&self, source: &str) -> bool {
        let is_inside = self.inside.as_ref().is_none_or(|inside| inside.contains(source));
        self.is_hidden || !is_inside
    }

    /// The tier of an exporter.
    pub fn tier(&self, source: &str) -> usize {
        self.tiers.get(source).copied().unwrap_or(if self.tiers.is_empty() { 0 } else { usize::MAX })
    }

    /// The weight of an exporter.
    pub fn weight(&self, source: &str) -> u32 {
        self.weights.get(source).copied().unwrap_or(1)
    }

    /// Whether all endpoints are used alike, at once: with a transition time, it is remembered that they are in use, so that
    /// traffic can move away from them step by step.
    pub fn is_plain(&self) -> bool {
        self.transition.is_zero()
            && self.not_used.is_empty()
            && !self.is_hidden
            && self.inside.is_none()
            && self.tiers.is_empty()
            && self.weights.is_empty()
    }
}

/// One cluster that may export the service.
#[derive(Debug, Clone)]
pub struct Exporting<'a> {
    /// The label of its endpoints in the importing cluster.
    pub label: String,
    /// The cluster; `None` if the control plane does not have it.
    pub cluster: Option<&'a Cluster>,
    /// What is known of it.
    pub state: ExporterState,
    /// Since when, RFC 3339.
    pub since: String,
}

/// The routing of a service in `importer`; `policies` are those that select it, the oldest first.
pub fn routing(
    policies: &[&TrafficPolicy],
    importer: Option<&Cluster>,
    exporters: &[Exporting<'_>],
    properties: &Properties,
) -> Routing {
    let mut routing = Routing::default();
    for exporter in exporters {
        let name = exporter.cluster.map_or(exporter.label.as_str(), |cluster| &cluster.metadata.name);
        if let Some((usage, cause)) = usage(name, exporter.state, policies.first().copied()) {
            let not_used = NotUsed { usage, since: exporter.since.clone(), cause };
            routing.not_used.insert(exporter.label.clone(), not_used);
        }
    }
    let is_limited = policies.iter().any(|policy| policy.spec.visible_to.is_some());
    // A cluster that the control plane does not have sees nothing that is limited, and has nothing in common with any other.
    routing.is_hidden = importer.map_or(is_limited, |importer| !is_visible(policies, importer));
    let nowhere = Cluster::default();
    let importer = importer.unwrap_or(&nowhere);
    let bounded = policies.iter().filter(|policy| policy.spec.boundary.is_some());
    routing.boundaries = bounded.map(|policy| policy.metadata.name.clone()).collect();
    let known = || exporters.iter().filter_map(|exporter| Some((&exporter.label, exporter.cluster?)));
    if !routing.boundaries.is_empty() {
        let is_inside =
            |cluster: &Cluster| boundary_against(policies, importer, cluster, properties).is_none();
        let inside = known().filter(|(_, cluster)| is_inside(cluster));
        routing.inside = Some(inside.map(|(label, _)| label.clone()).collect());
    }
    let Some(policy) = policies.first() else { return routing };
    routing.policy.clone_from(&policy.metadata.name);
    let seconds = u64::try_from(policy.spec.transition_seconds.unwrap_or_default()).unwrap_or_default();
    routing.transition = Duration::from_secs(seconds);
    routing.http_probe.clone_from(&policy.spec.http_probe);
    if let Some(nearness) = &policy.spec.nearness {
        let tier = |cluster: &Cluster| tier(&nearness.tiers, importer, cluster, properties);
        let tiers = known().map(|(label, cluster)| (label.clone(), tier(cluster)));
        routing.tiers = tiers.collect();
        let minimum = nearness.minimum_ready_percent.unwrap_or_default();
        routing.minimum_ready_percent = usize::try_from(minimum).unwrap_or_default();
    }
    if !policy.spec.weights.is_empty() {
        let weight = |cluster: &Cluster| policy.spec.weights.get(&cluster.metadata.name).copied();
        let weights = known().filter_map(|(label, cluster)| Some((label.clone(), weight(cluster)?)));
        routing.weights = weights.collect();
    }
    routing
}

#[cfg(test)]
mod tests {
    use portolan_api::policy::ClusterAffinity;
    use portolan_api::traffic::{Locality, Nearness, TrafficArea};

    use super::*;
    use crate::discovery::nearness::tests::cluster;
    use crate::discovery::usage::Usage;
    use crate::discovery::withdrawal::Cause;

    fn policy(name: &str, change: impl FnOnce(&mut TrafficPolicy)) -> TrafficPolicy {
        let mut policy = TrafficPolicy::default();
        policy.metadata.name = name.to_owned();
        change(&mut policy);
        policy
    }

    fn exporting<'a>(label: &str, cluster: Option<&'a Cluster>) -> Exporting<'a> {
        Exporting {
            label: label.to_owned(),
            cluster,
            state: ExporterState::default(),
            since: "t0".to_owned(),
        }
    }

    #[test]
    fn exporters_are_called_by_their_labels_and_an_unknown_one_is_outside_of_every_boundary() {
        let (west, east) = (cluster("west", "aws/eu/a"), cluster("east", "aws/us/b"));
        let within = |locality| TrafficArea { within: Some(locality), ..TrafficArea::default() };
        let bounded = policy("eu", |policy| {
            policy.spec.boundary = Some(within(Locality::Region));
            policy.spec.nearness =
                Some(Nearness { tiers: vec![within(Locality::Cluster)], minimum_ready_percent: Some(50) });
            policy.spec.weights = [("east".to_owned(), 3), ("gone".to_owned(), 2)].into();
            policy.spec.transition_seconds = Some(30);
        });
        let mut unknown = exporting("north", None);
        unknown.state.withdrawn = Some(Cause::Dead);
        let exporters = [exporting("first", Some(&west)), exporting("second", Some(&east)), unknown];
        let routing = routing(&[&bounded], Some(&west), &exporters, &Properties::default());
        let outside = ["first", "second", "north", "new"].map(|label| routing.is_outside(label));
        assert_eq!(outside, [false, true, true, true]);
        assert_eq!(["first", "second", "north"].map(|label| routing.tier(label)), [0, 1, usize::MAX]);
        assert_eq!(["first", "second"].map(|label| routing.weight(label)), [1, 3]);
        assert_eq!((routing.minimum_ready_percent, routing.transition.as_secs()), (50, 30));
        assert_eq!(routing.not_used["north"].usage, Usage::Withdraw);
        assert_eq!(
            (routing.policy.as_str(), routing.boundaries.as_slice()),
            ("eu", ["eu".to_owned()].as_slice())
        );
    }

    #[test]
    fn a_cluster_that_the_control_plane_does_not_have_sees_nothing_that_is_limited() {
        let limit = policy("limit", |policy| policy.spec.visible_to = Some(ClusterAffinity::default()));
        let free = policy("free", |_| {});
        let west = cluster("west", "");
        let is_hidden = |policies: &[&TrafficPolicy], importer: Option<&Cluster>| {
            routing(policies, importer, &[], &Properties::default()).is_hidden
        };
        assert!(!is_hidden(&[&limit], Some(&west)) && !is_hidden(&[&free], None));
        assert!(is_hidden(&[&limit], None));
        let plain =
            |policies: &[&TrafficPolicy]| routing(policies, None, &[], &Properties::default()).is_plain();
        assert!(plain(&[]) && plain(&[&free]));
        let slow = policy("slow", |policy| policy.spec.transition_seconds = Some(30));
        assert!(!plain(&[&slow]), "what is drained later was in use before");
    }
}
