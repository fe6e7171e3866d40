//! Hops of the network: DNS in the client cluster, and connections to the endpoints.

use std::collections::BTreeSet;

use portolan_object::Object;

use super::address_range::overlap;
use super::agent::Agent;
use super::connection::{Connection, Outcome, Proof, Target};
use super::facts::{Facts, Member, View};
use super::finding::{Finding, joined, of_exporters};
use super::isolation::policies_between;
use crate::dns::ZoneKind;

/// Label of the pods of the agent, as its manifests have it.
const AGENT_PODS: &str = "app.kubernetes.io/name=portolan-agent";

/// Checks that the DNS name resolves to the addresses of the import.
pub(super) fn dns(facts: &Facts, from: &str) -> Vec<Finding> {
    let Some(view) = facts.member(from).and_then(Member::view) else {
        return vec![Finding::NotSeen(format!("{from} was not read"))];
    };
    let name = facts.dns_name(view);
    let is_cluster_set_name = facts.dns_zone(view) == ZoneKind::ClusterSet;
    if is_cluster_set_name && view.dns.forwards_zone == Some(false) && view.dns.answer.is_none() {
        return vec![no_forward(from, &name)];
    }
    let wanted = wanted(facts, view);
    let finding = match &view.dns.answer {
        None if is_cluster_set_name => silent_agent(facts, from, view).unwrap_or_else(|| {
            Finding::NotSeen(format!("not asked for {name}: `--probe` asks from a Pod in {from}"))
        }),
        None => Finding::NotSeen(format!("not asked for {name}: `--probe` asks from a Pod in {from}")),
        Some(Err(_)) if is_cluster_set_name && view.dns.forwards_zone == Some(false) => {
            no_forward(from, &name)
        }
        Some(Err(reason)) if is_cluster_set_name => Finding::broken(
            format!("the DNS of {from} has no answer for {name}: {reason}{}", agent_state(view)),
            format!(
                "see that `portolan agent` runs and is ready in {from}, and that the Corefile in ConfigMap kube-system/coredns \
                 forwards to its address"
            ),
        ),
        Some(Err(reason)) => Finding::broken(
            format!("the DNS of {from} has no answer for {name}: {reason}"),
            format!(
                "see that CoreDNS, or the DNS server that stands for it, runs in {from} and follows Services"
            ),
        ),
        Some(Ok(got)) if *got == wanted => Finding::Good(format!("{name} is {}", join(got))),
        Some(Ok(got)) if !got.is_disjoint(&wanted) => Finding::warning(
            format!("the DNS of {from} answers {} for {name}, expected {}", join(got), join(&wanted)),
            "answers are cached for 5 seconds: ask again; if it stays, the agent's metric portolan_dns_state_age_seconds",
        ),
        Some(Ok(got)) => Finding::broken(
            format!("the DNS of {from} answers {} for {name}, expected {}", join(got), join(&wanted)),
            "answers are cached for 5 seconds: ask again; if it stays, the agent's metric portolan_dns_state_age_seconds",
        ),
    };
    vec![finding]
}

/// No agent renews its Lease: whether another one answers the names of the clusterset is not known. Clusters without CoreDNS may
/// have a DNS server of their own.
fn silent_agent(facts: &Facts, from: &str, view: &View) -> Option<Finding> {
    let cause = match view.agent.silent() {
        Some(age) => format!("the agent of {from} has not renewed its Lease for {} s", age.as_secs()),
        None if view.agent == Agent::Missing && view.dns.forwards_zone == Some(true) => {
            format!("no agent has a Lease in {from}")
        }
        None => return None,
    };
    let zone = ZoneKind::ClusterSet.default_zone();
    Some(Finding::unclear(
        format!("{cause}, so that whether names in {zone} are answered there is not known"),
        format!(
            "see that `portolan agent` runs in {from} and may write Leases: `kubectl --context {from} get pods -A -l {}`; `portolan \
             why service {} --from {from} --probe` asks its DNS",
            AGENT_PODS, facts.service
        ),
    ))
}

/// Words about an agent that does not run.
fn agent_state(view: &View) -> String {
    match view.agent.silent() {
        Some(age) => format!(" (the agent has not renewed its Lease for {} s)", age.as_secs()),
        None => String::new(),
    }
}

fn no_forward(from: &str, name: &str) -> Finding {
    Finding::broken(
        format!("the cluster DNS of {from} does not forward clusterset.local"),
        format!(
            "`portolan dns install` with the kubeconfig of {from} adds it to the Corefile in ConfigMap kube-system/coredns; then \
             ask again for {name}"
        ),
    )
}

/// Expected addresses: those of the service, or of the endpoints of a headless one.
fn wanted(facts: &Facts, view: &View) -> BTreeSet<String> {
    let addresses = facts.addresses(view);
    if addresses.is_empty() {
        let received = facts.members.iter().flat_map(|member| facts.received(view, member));
        let own = facts.native().map(|_| facts.own_ready_addresses(view));
        received.chain(own.into_iter().flatten()).collect()
    } else {
        addresses
    }
}

fn join(addresses: &BTreeSet<String>) -> String {
    match addresses.len() {
        0 => "nothing".to_owned(),
        _ => addresses.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    }
}

/// Checks the connections of a probe, and that the pod address ranges of the clusters do not overlap.
pub(super) fn connection(facts: &Facts, from: &str) -> Vec<Finding> {
    let Some(view) = facts.member(from).and_then(Member::view) else {
        return vec![Finding::NotSeen(format!("{from} was not read"))];
    };
    let by_name: Vec<&Connection> =
        view.connections.iter().filter(|connection| connection.target == Target::Name).collect();
    let mut found: Vec<Finding> = overlaps(facts, from, view, by_name.iter().any(|one| one.is_open()));
    if found.iter().any(Finding::is_broken) {
        return found;
    }
    let name = facts.dns_name(view);
    if by_name.is_empty() {
        found.extend(standing(facts, from, view));
        return found;
    }
    found.extend(by_source(facts, from, view, by_name.iter().all(|one| one.is_open())));
    let closed: Vec<&&Connection> = by_name.iter().filter(|one| !one.is_open()).collect();
    if let Some(first) = closed.first() {
        let ports: Vec<String> = closed.iter().map(|one| one.port.to_string()).collect();
        let cause = format!("a Pod in {from} gets no connection to {name} on port {}", ports.join(", "));
        if !found.iter().any(Finding::is_broken) {
            let closed_name = closed_name(facts, from, view, cause, first);
            let is_part = closed.len() < by_name.len();
            found.insert(0, if is_part { closed_name.into_doubt() } else { closed_name });
        }
    }
    let open: Vec<String> =
        by_name.iter().filter(|one| one.is_open()).map(|one| one.port.to_string()).collect();
    if !open.is_empty() {
        found.push(Finding::Good(format!("a Pod in {from} connects to {name} on port {}", open.join(", "))));
    }
    joined(found)
}

/// What the agent of the client cluster has seen lately: it connects to the endpoints all the time.
fn standing(facts: &Facts, from: &str, view: &View) -> Vec<Finding> {
    let mut found = Vec::new();
    for member in &facts.members {
        let mut proofs: Vec<&Proof> =
            view.proofs.iter().filter(|proof| proof.is_recent() && member.is_called(&proof.source)).collect();
        // One agent of several that connects is enough.
        proofs.sort_by_key(|proof| (!proof.answers, proof.age));
        let Some(proof) = proofs.first() else { continue };
        let (cluster, endpoint, age) = (&member.name, &proof.endpoint, proof.age.as_secs());
        found.push(match proof.answers {
            true => Finding::Good(format!("the agent of {from} connected to {endpoint} of {cluster} {age} s ago")),
            false if !proof.failure.is_empty() => Finding::broken(
                format!("the agent of {from} reached {endpoint} of {cluster} {age} s ago, and {}", proof.failure),
                format!(
                    "the Pods of {cluster}: what they answer there; or httpProbe of the TrafficPolicy, if they are well"
                ),
            ),
            false => Finding::broken(
                format!("the agent of {from} got no connection to {endpoint} of {cluster} {age} s ago"),
                format!(
                    "that the Pods of {cluster} listen there; routes, firewalls and NetworkPolicies between the Pods of {from} \
                     and {cluster}{}",
                    policies(from, view, member)
                ),
            ),
        });
    }
    if found.is_empty() {
        let why = "no agent there has probed an endpoint lately";
        found
            .push(Finding::NotSeen(format!("not tried, and {why}: `--probe` connects from a Pod in {from}")));
    }
    joined(of_exporters(found))
}

/// The name does not answer. Endpoints that do tell that the Service is not forwarded.
fn closed_name(facts: &Facts, from: &str, view: &View, cause: String, first: &Connection) -> Finding {
    let some_endpoint_answers =
        view.connections.iter().any(|one| matches!(one.target, Target::Endpoint(..)) && one.is_open());
    if some_endpoint_answers {
        let derived = view.derived().filter(|_| facts.native().is_none());
        let service = derived.map_or(facts.service.name.as_str(), Object::name);
        return Finding::broken(
            format!("{cause}, while endpoints answer there at their own addresses"),
            format!(
                "see that kube-proxy, or what stands for it, runs on the nodes of {from} and follows Service {service}"
            ),
        );
    }
    match first.outcome {
        Outcome::Refused => Finding::broken(
            format!("{cause}: the connection is refused"),
            format!(
                "spec.ports[].targetPort of Service {} in the exporting clusters: a port on which the Pods listen",
                facts.service.name
            ),
        ),
        _ => Finding::broken(
            format!("{cause}: no answer"),
            format!(
                "routes, firewalls and NetworkPolicies between the Pods of {from} and of the exporting clusters{}",
                facts
                    .valid_exporters()
                    .map(|(exporter, _)| policies(from, view, exporter))
                    .collect::<String>()
            ),
        ),
    }
}

/// Findings for exporters none of which endpoints answers the Pod.
fn by_source(facts: &Facts, from: &str, view: &View, name_answers: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    for member in &facts.members {
        let tried: Vec<(&Connection, &str)> = view
            .connections
            .iter()
            .filter_map(|one| match &one.target {
                Target::Endpoint(source, address) if member.is_called(source) => {
                    Some((one, address.as_str()))
                }
                _ => None,
            })
            .collect();
        let Some((first, address)) =
            tried.first().copied().filter(|_| !tried.iter().any(|(one, _)| one.is_open()))
        else {
            continue;
        };
        let (cluster, port) = (&member.name, first.port);
        let (cause, next) = match first.outcome {
            Outcome::Refused => (
                format!("{address} of {cluster} refuses connections on port {port}: nothing listens there"),
                format!(
                    "spec.ports[].targetPort of Service {} in {cluster}: a port on which its Pods listen",
                    facts.service.name
                ),
            ),
            _ => (
                format!("packets from {from} get no answer from {address} of {cluster} on port {port}"),
                format!(
                    "routes, firewalls and NetworkPolicies between the Pods of {from} and {cluster}{}",
                    policies(from, view, member)
                ),
            ),
        };
        let others_answer = name_answers
            || view.connections.iter().any(|one| matches!(one.target, Target::Endpoint(..)) && one.is_open());
        found.push(if others_answer { Finding::warning(cause, next) } else { Finding::broken(cause, next) });
    }
    found
}

/// Names of the NetworkPolicies between the client cluster and an exporter, in brackets.
fn policies(from: &str, view: &View, exporter: &Member) -> String {
    exporter.view().map(|source| policies_between((from, view), (&exporter.name, source))).unwrap_or_default()
}

/// Pod address ranges of the client cluster that overlap with those of an exporter.
fn overlaps(facts: &Facts, from: &str, view: &View, name_answers: bool) -> Vec<Finding> {
    let exporters = || facts.valid_exporters().filter(|(exporter, _)| exporter.name != from);
    let overlapping = |source: &View| {
        let pairs = view
            .pod_ranges
            .iter()
            .flat_map(|own| source.pod_ranges.iter().map(move |other| (own.clone(), other.clone())));
        pairs.into_iter().find(|(own, other)| overlap(own, other))
    };
    let all = facts.valid_exporters().count();
    let hit: Vec<(&str, (String, String))> = exporters()
        .filter_map(|(exporter, source)| Some((exporter.name.as_str(), overlapping(source)?)))
        .collect();
    hit.iter()
        .map(|(cluster, (own, other))| {
            let cause = format!("the Pod addresses of {from} ({own}) and {cluster} ({other}) overlap");
            let next = format!(
                "packets of {from} for {cluster} stay in {from}: spec.podCIDRs of the nodes of one of them must be another range"
            );
            if name_answers || hit.len() < all { Finding::warning(cause, next) } else { Finding::broken(cause, next) }
        })
        .collect()
}
