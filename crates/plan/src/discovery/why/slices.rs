//! Hop of the imported EndpointSlices in the client cluster.

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::conditions::multicluster::EXPORTERS_USED;
use portolan_api::kubernetes::{EndpointSlice, Service, View as _, condition};
use portolan_api::labels::endpoint_slice::SOURCE_CLUSTER;
use portolan_api::traffic::TrafficPolicy;
use portolan_object::Object;

use super::facts::{Facts, Member, View};
use super::finding::{Finding, joined, of_exporters};
use super::import_ports;
use super::traffic;
use super::unwritten::why_unwritten;
use crate::discovery::importable::check_endpoint;
use crate::discovery::problem::foreign_slices;
use crate::discovery::slice_ports::{UnusablePorts, unusable_ports};
use crate::discovery::usage::Usage;
use crate::import_marks::service_of_slice;

/// Checks that the client cluster has exactly the ready endpoints of the exporters.
pub(super) fn slices(facts: &Facts, from: &str) -> Vec<Finding> {
    let Some((member, view)) = facts.member(from).and_then(|member| Some((member, member.view()?))) else {
        return vec![Finding::NotSeen(format!("{from} was not read"))];
    };
    let exporters: Vec<(&Member, &View)> =
        facts.valid_exporters().filter(|(exporter, _)| is_source(facts, member, view, exporter)).collect();
    // The hop of the import tells of ports that lost a conflict. Endpoints without another port are rightly not here.
    let is_wanted = |(exporter, source): &(&Member, &View)| {
        !facts.received(view, exporter).is_empty() || !import_ports::lost_every_port(facts, view, source)
    };
    let exporters: Vec<(&Member, &View)> = exporters.into_iter().filter(is_wanted).collect();
    // Under its native name a Service has the endpoints of its own cluster, whatever is imported.
    let own = facts.native().map(|_| facts.own_ready_addresses(view).len()).filter(|own| *own > 0);
    let boundaries = exporters.iter().map(|(exporter, _)| traffic::boundary(facts, member, exporter));
    if let Some(policies) = boundaries.collect::<Option<Vec<_>>>()
        && let (Some(policy), None) = (policies.first(), own)
    {
        return vec![traffic::all_outside(member, policy)];
    }
    let found = exporters.iter().map(|(exporter, source)| of_exporter(facts, member, view, exporter, source));
    let own = own.map(|own| Finding::Good(format!("{from} has {own} ready endpoints of its own")));
    let mut found = of_exporters(found.chain(own).collect());
    found.extend(leftovers(facts, from, view));
    found.extend(foreign(view));
    found.extend(shared_address(facts, from, view));
    if found.is_empty() {
        let held = facts.imported_slices(view).count();
        found.push(Finding::Good(format!("{from} has {held} imported EndpointSlices")));
    }
    joined(found)
}

/// Whether the client cluster gets the endpoints of an exporter in EndpointSlices of the control plane. Those of its own Service
/// are there under its native name.
fn is_source(facts: &Facts, member: &Member, view: &View, exporter: &Member) -> bool {
    match facts.native() {
        Some(native) => native.consumers.contains(&member.name) && exporter.name != member.name,
        None => view.has_explicit_import() || exporter.set() == member.set(),
    }
}

/// Compares the ready endpoints of one exporter with those that arrived.
fn of_exporter(facts: &Facts, member: &Member, view: &View, exporter: &Member, source: &View) -> Finding {
    let (from, cluster) = (&member.name, &exporter.name);
    let there = facts.received(view, exporter);
    let (ready, all) = (importable_addresses(facts, view, source), facts.own_addresses(source));
    if let Some(policy) = traffic::boundary(facts, member, exporter) {
        return outside(from, cluster, &there, policy);
    }
    if let Some(usage) = facts.not_used(view, exporter) {
        return not_used(from, cluster, view, usage);
    }
    if there.is_empty() && !ready.is_empty() {
        let (cause, next) = why_unwritten(facts, member, view);
        return Finding::broken(
            format!(
                "{from} has no EndpointSlice with the {} ready endpoints of {cluster}: {cause}",
                ready.len()
            ),
            next,
        );
    }
    if !ready.is_empty() && there.is_disjoint(&all) {
        let (cause, next) = why_unwritten(facts, member, view);
        return Finding::broken(
            format!("stale: {from} has only endpoints that {cluster} does not have any more: {cause}"),
            next,
        );
    }
    if let Some(address) = there.iter().find(|address| !all.contains(*address)) {
        let (cause, next) = why_unwritten(facts, member, view);
        return Finding::warning(
            format!(
                "stale: {from} still has {address} of {cluster}, which is not an endpoint there any more: {cause}"
            ),
            next,
        );
    }
    if let Some(address) = ready.iter().find(|address| !there.contains(*address)) {
        let (cause, next) = why_unwritten(facts, member, view);
        return Finding::warning(
            format!("stale: {from} does not have {address} of {cluster} yet: {cause}"),
            next,
        );
    }
    Finding::Good(format!("{from} has the {} ready endpoints of {cluster}", there.len()))
}

/// An exporter outside a boundary has no endpoints here.
fn outside(from: &str, cluster: &str, there: &BTreeSet<String>, policy: &TrafficPolicy) -> Finding {
    let policy = traffic::title(policy);
    if there.is_empty() {
        return Finding::Good(format!(
            "{cluster} is outside the boundary of {policy}, and {from} has no endpoint of it"
        ));
    }
    Finding::warning(
        format!(
            "{from} still has {} endpoints of {cluster}, which is outside the boundary of {policy}",
            there.len()
        ),
        format!("if this stays: condition Ready of Cluster {from}: `portolan get clusters {from}`"),
    )
}

/// The endpoints of an exporter have arrived, and not all of them are used.
fn not_used(from: &str, cluster: &str, view: &View, usage: Usage) -> Finding {
    let condition = view.import.as_ref().and_then(|import| condition(import, EXPORTERS_USED));
    let why = condition.map(|condition| condition.message).unwrap_or_default();
    let what = format!("in {from} the endpoints of {cluster} are {usage}: {why}");
    match usage {
        Usage::Keep | Usage::Part | Usage::Standby => Finding::Good(what),
        Usage::Drain => Finding::warning(
            what,
            format!(
                "`portolan undrain cluster {cluster}`, or spec.drainedClusters of the TrafficPolicy, if {cluster} shall serve"
            ),
        ),
        Usage::Withdraw => Finding::warning(
            what,
            format!(
                "repair {cluster}, or the network between it and {from}: the endpoints are used again a few seconds after one \
                 of them answers in {from}"
            ),
        ),
    }
}

/// Ready addresses of an exporter that the client cluster can have. An import of a set has no slice without a port of the Service;
/// the hop of the endpoints tells of those.
fn importable_addresses(facts: &Facts, view: &View, source: &View) -> BTreeSet<String> {
    let service = source.local.as_ref().and_then(|service| Service::read(service).ok()).unwrap_or_default();
    let is_of_set = facts.native().is_none() && !view.has_explicit_import();
    let mut found = BTreeSet::new();
    for slice in facts.own_slices(source).filter_map(|slice| EndpointSlice::read(slice).ok()) {
        let has_other_ports =
            matches!(unusable_ports(&service.spec, &slice), Some(UnusablePorts::Other { .. }));
        if is_of_set && has_other_ports {
            continue;
        }
        let usable = slice
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.is_ready() && check_endpoint(slice.address_type, endpoint).is_ok());
        found.extend(usable.flat_map(|endpoint| &endpoint.addresses).map(|address| (*address).to_owned()));
    }
    found
}

/// Endpoints from a cluster that does not export the service any more. Those of a cluster that was not read are no problem:
/// the hop of the links says what is known about it.
fn leftovers(facts: &Facts, from: &str, view: &View) -> Option<Finding> {
    let sources = facts.imported_slices(view).filter_map(|slice| slice.label(SOURCE_CLUSTER));
    let is_known = |source: &&str| {
        facts.exporters().any(|(exporter, _)| exporter.is_called(source))
            || facts.lost().any(|(lost, _)| lost.is_called(source))
    };
    let source = sources.into_iter().find(|source| !is_known(source))?;
    let lost: Vec<&str> = facts.lost().map(|(lost, _)| lost.name.as_str()).collect();
    if !lost.is_empty() {
        return Some(Finding::warning(
            format!("{from} has endpoints of {source}, which may be {}, not read", lost.join(" or ")),
            format!("restore the link to {}: `portolan get clusters`", lost.join(", ")),
        ));
    }
    Some(Finding::warning(
        format!("stale: {from} still has endpoints of {source}, which does not export it"),
        format!(
            "if this stays, delete the EndpointSlices: `{}`",
            facts.kubectl(
                from,
                &format!(
                    "delete endpointslices -l {SOURCE_CLUSTER}={source},multicluster.kubernetes.io/service-name={}",
                    facts.service.name
                )
            )
        ),
    ))
}

/// Slices of other writers that get a part of the traffic.
fn foreign(view: &View) -> Vec<Finding> {
    let Some(service) = view.derived() else { return Vec::new() };
    let named: Vec<&Object> =
        view.slices.iter().filter(|slice| service_of_slice(slice) == Some(service.key())).collect();
    let found = foreign_slices(Some(service), &named);
    let text = |problem: String| match problem.split_once(": ") {
        Some((cause, next)) => Finding::warning(cause, next),
        None => Finding::warning(problem, "delete it"),
    };
    found.into_iter().map(|problem| text(problem.to_string())).collect()
}

/// An address that two exporters have: the network of one of them cannot be the one that is reached.
fn shared_address(facts: &Facts, from: &str, view: &View) -> Option<Finding> {
    let mut sources: BTreeMap<String, &str> = BTreeMap::new();
    for (exporter, _) in facts.valid_exporters() {
        for address in facts.received(view, exporter) {
            if let Some(other) = sources.insert(address.clone(), &exporter.name) {
                return Some(Finding::warning(
                    format!(
                        "{other} and {} both have a Pod with the address {address}: {from} reaches one of them",
                        exporter.name
                    ),
                    format!("give {other} or {} other pod addresses", exporter.name),
                ));
            }
        }
    }
    None
}
