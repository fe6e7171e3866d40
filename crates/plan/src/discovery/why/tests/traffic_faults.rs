//! What TrafficPolicies and drained clusters do: it looks like a fault if one does not know of them.

#![expect(clippy::too_many_lines, reason = "tables")]

use portolan_api::policy::ClusterAffinity;
use portolan_api::traffic::{PropertyRequirement, TrafficArea, TrafficPolicy};
use serde_json::json;

use super::super::connection::Target;
use super::super::*;
use super::faults::{Fault, fault};
use super::federation::{member_of, open, service, slice, untried, view, with_second};
use crate::discovery::nearness::tests::cluster;
use crate::discovery::properties::Properties;
use crate::discovery::properties::tests::properties;
use crate::discovery::usage::{Usage, set_usage};

/// A policy on the control plane; all clusters have Cluster objects.
pub(super) fn governed(mut facts: Facts, change: impl FnOnce(&mut TrafficPolicy)) -> Facts {
    for member in &mut facts.members {
        member.known.cluster = Some(cluster(&member.name, ""));
    }
    let mut policy = TrafficPolicy::default();
    (policy.metadata.namespace, policy.metadata.name) = ("shop".to_owned(), "near".to_owned());
    change(&mut policy);
    facts.policies.push(policy);
    facts
}

pub(super) fn named(names: &[&str]) -> ClusterAffinity {
    let cluster_names = names.iter().map(|name| (*name).to_owned()).collect();
    ClusterAffinity { cluster_names, ..ClusterAffinity::default() }
}

pub(super) fn boundary(names: &[&str]) -> TrafficArea {
    TrafficArea { cluster_affinity: Some(named(names)), ..TrafficArea::default() }
}

/// The federation with the exporters `a` and `c`, of which `c` is used so in `b`.
pub(super) fn used(usage: Usage, message: &str) -> Facts {
    let mut facts = with_second(service("10.15.0.4", 80), json!([]));
    let held = view(&mut facts, "b");
    let status = if usage.is_left_out() { "False" } else { "True" };
    let import = held.import.as_mut().expect("an import");
    let conditions = import.0["status"]["conditions"].as_array_mut().expect("conditions");
    conditions.push(json!({ "type": "portolan.dev/ExportersUsed", "status": status, "message": message }));
    held.slices.iter_mut().skip(1).for_each(|slice| set_usage(slice, usage, |_| false));
    facts
}

pub(super) fn traffic_faults() -> Vec<Fault> {
    use Verdict::{Broken, Works, WorksWithDoubts};
    let hidden = governed(untried("b", |held| held.import = None), |policy| {
        policy.spec.visible_to = Some(named(&["a"]))
    });
    let without_slices = || untried("b", |held| held.slices.clear());
    let none_inside = governed(without_slices(), |policy| policy.spec.boundary = Some(boundary(&["b"])));
    let ring = PropertyRequirement { name: "ring".to_owned(), values: Vec::new() };
    let by_property = |properties: Properties| {
        let mut facts = governed(without_slices(), |policy| {
            policy.spec.boundary =
                Some(TrafficArea { property: Some(ring.clone()), ..TrafficArea::default() });
        });
        facts.properties = properties;
        facts
    };
    let other_ring = by_property(properties(&["a ring 1", "b ring 2"]));
    let mut same_ring = by_property(properties(&["a ring 1", "b ring 1"]));
    view(&mut same_ring, "b").slices = vec![slice(Some("id-a"), &["10.10.0.5", "10.10.0.6"])];
    view(&mut same_ring, "b").connections = vec![open(Target::Name, 80)];
    let mut one_outside = with_second(service("10.15.0.4", 80), json!([]));
    view(&mut one_outside, "b").slices.truncate(1);
    let one_outside = governed(one_outside, |policy| policy.spec.boundary = Some(boundary(&["a"])));
    let mut leftover = with_second(service("10.15.0.4", 80), json!([]));
    view(&mut leftover, "b").slices =
        vec![slice(Some("id-a"), &["10.10.0.5", "10.10.0.6"]), slice(Some("id-c"), &["10.14.0.5"])];
    let leftover = governed(leftover, |policy| policy.spec.boundary = Some(boundary(&["a"])));
    let mut other = governed(with_second(service("10.15.0.4", 80), json!([])), |policy| {
        policy.spec.boundary = Some(boundary(&["b"]));
        policy.spec.services = vec!["db".to_owned()];
    });
    member_of(&mut other, "b").known.cluster = Some(cluster("b", "aws/eu"));
    vec![
        fault(
            "hidden by a TrafficPolicy",
            hidden,
            Broken,
            "broken at set: TrafficPolicy shop/near hides it from b",
            "spec.visibleTo of TrafficPolicy shop/near",
        ),
        fault(
            "no exporter inside the boundary",
            none_inside,
            Broken,
            "broken at slices: every exporting cluster is outside the boundary of TrafficPolicy shop/near for b",
            "spec.boundary of TrafficPolicy shop/near",
        ),
        fault(
            "no exporter with the ClusterProperty of the boundary",
            other_ring,
            Broken,
            "broken at slices: every exporting cluster is outside the boundary of TrafficPolicy shop/near for b",
            "spec.boundary of TrafficPolicy shop/near",
        ),
        fault(
            "the ClusterProperty of the boundary in common",
            same_ring,
            Works,
            "shop/web from b: works",
            "",
        ),
        fault("one of two exporters outside the boundary", one_outside, Works, "shop/web from b: works", ""),
        fault(
            "endpoints of an exporter outside the boundary",
            leftover,
            WorksWithDoubts,
            "b still has 1 endpoints of c, which is outside the boundary of TrafficPolicy shop/near",
            "condition Ready of Cluster b",
        ),
        fault("a TrafficPolicy for another service", other, Works, "shop/web from b: works", ""),
        fault(
            "one of two exporters drained",
            used(Usage::Drain, "c is drained (since t): the cluster is drained"),
            WorksWithDoubts,
            "in b the endpoints of c are drained: c is drained (since t)",
            "`portolan undrain cluster c`",
        ),
        fault(
            "one of two exporters withdrawn",
            used(Usage::Withdraw, "c is withdrawn (since t): none of its endpoints answers"),
            WorksWithDoubts,
            "in b the endpoints of c are withdrawn: c is withdrawn (since t)",
            "repair c, or the network between it and b",
        ),
        fault(
            "one of two exporters on standby",
            used(Usage::Standby, "c is on standby"),
            Works,
            "shop/web from b: works",
            "",
        ),
    ]
}
