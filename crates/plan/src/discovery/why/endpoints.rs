//! Hop of the endpoints: ready endpoints in the exporting clusters that other clusters can use.

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::kubernetes::{EndpointSlice, Pod, Service, ServiceSpec, View as _};
use portolan_api::labels::endpoint_slice::{LOCAL_MANAGER, MANAGED_BY};
use portolan_object::Object;

use super::facts::{Facts, Member, View, ready_addresses};
use super::finding::{Finding, joined, of_exporters};
use crate::discovery::importable::refused;
use crate::discovery::slice_ports::{UnusablePorts, unusable_ports};

/// Reasons of pods that are not ready, at most.
const MAX_PODS: usize = 3;

/// Checks that the exporters have ready endpoints.
pub(super) fn endpoints(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut notes = Vec::new();
    for (member, view) in facts.valid_exporters() {
        let checked = check(facts, member, view);
        match without_pods(facts, member, view).filter(|_| !checked.is_broken()) {
            Some(unclear @ Finding::Unclear { .. }) => found.push(unclear),
            warning => {
                notes.extend(warning);
                found.push(checked);
            }
        }
        notes.extend(left_out(facts, member, view));
    }
    if found.is_empty() {
        return vec![Finding::NotSeen("no exporter was read".to_owned())];
    }
    let mut found = of_exporters(found);
    if !found.iter().any(Finding::is_broken) {
        found.extend(notes);
    }
    joined(found)
}

fn check(facts: &Facts, member: &Member, view: &View) -> Finding {
    let (cluster, name) = (&member.name, &facts.service.name);
    let (ready, all) = (facts.own_ready_addresses(view).len(), facts.own_addresses(view).len());
    let spec = view.local.as_ref().and_then(|service| Service::read(service).ok()).unwrap_or_default().spec;
    if ready == 0 {
        return none_ready(facts, member, view, &spec, all);
    }
    let unusable = slices_with_unusable_ports(facts, view, &spec);
    let Some((slice, why)) = unusable.first() else {
        return Finding::Good(format!("{cluster}: {ready} of {all} ready"));
    };
    let slices = facts.own_slices(view).filter(|slice| has_endpoints(slice)).count();
    let what = format!("EndpointSlice {slice} of {cluster} {why}");
    let next = match why {
        UnusablePorts::None => format!(
            "spec.ports[].targetPort of Service {name} in {cluster}: a port number, or the name of a port of the Pods"
        ),
        UnusablePorts::Other { .. } => format!(
            "ports[].name and protocol of EndpointSlice {slice}, or spec.ports of Service {name}, in {cluster}: proxies join \
             them by name and protocol"
        ),
    };
    match (spec.is_headless(), unusable.len() < slices) {
        (true, _) => Finding::warning(format!("{what}, so its endpoints have no SRV records"), next),
        (false, true) => Finding::warning(format!("{what}, so its endpoints get no traffic"), next),
        (false, false) => Finding::broken(format!("{what}: no endpoint has a port of the Service"), next),
    }
}

fn has_endpoints(slice: &Object) -> bool {
    EndpointSlice::read(slice).is_ok_and(|view| !view.endpoints.is_empty())
}

fn slices_with_unusable_ports<'a>(
    facts: &'a Facts,
    view: &'a View,
    spec: &ServiceSpec<'_>,
) -> Vec<(&'a str, UnusablePorts)> {
    let slices = facts.own_slices(view);
    let unusable = slices
        .filter_map(|slice| Some((slice.name(), unusable_ports(spec, &EndpointSlice::read(slice).ok()?)?)));
    unusable.collect()
}

/// Endpoints that the cluster's own controller wrote for Pods that are gone: it does not run, or lags behind.
fn without_pods(facts: &Facts, member: &Member, view: &View) -> Option<Finding> {
    let pods = view.pods.as_ref()?;
    let mut held = BTreeSet::new();
    for pod in pods {
        let status = Pod::read(pod).map(|pod| pod.status).ok()?;
        let addresses: Vec<&str> = status
            .pod_ips
            .iter()
            .map(|pod_ip| pod_ip.ip)
            .chain([status.pod_ip])
            .filter(|ip| !ip.is_empty())
            .collect();
        let has_started = matches!(status.phase, "Running" | "");
        if addresses.is_empty() && has_started {
            return None;
        }
        held.extend(addresses);
    }
    let written = facts.own_slices(view).filter(|slice| slice.label(MANAGED_BY) == Some(LOCAL_MANAGER));
    let ready: BTreeSet<String> = ready_addresses(written);
    let gone: Vec<&str> =
        ready.iter().map(String::as_str).filter(|address| !held.contains(address)).collect();
    let (cluster, first) = (&member.name, gone.first()?);
    let more = if gone.len() == 1 { String::new() } else { format!(" and {} more", gone.len() - 1) };
    let what = format!("{first}{more} of {cluster} is a ready endpoint, and no Pod has the address");
    let next = format!(
        "see that the kube-controller-manager of {cluster} runs, which takes the addresses of deleted Pods out of \
         EndpointSlices"
    );
    Some(if gone.len() == facts.own_ready_addresses(view).len() {
        Finding::unclear(format!("{what}: whether anything answers there is not known"), next)
    } else {
        Finding::warning(what, next)
    })
}

/// No endpoint is ready: because of the selector, of the Pods, or of hand-made slices.
fn none_ready(facts: &Facts, member: &Member, view: &View, spec: &ServiceSpec<'_>, all: usize) -> Finding {
    let (cluster, name) = (&member.name, &facts.service.name);
    let counts = format!("no ready endpoint ({cluster}: 0 of {all} ready)");
    if let Some(slice) = host_names(facts, view).first() {
        return Finding::broken(
            format!("{counts}: EndpointSlice {slice} has addressType FQDN, and host names are not imported"),
            format!("addressType of EndpointSlice {slice} in {cluster}: IPv4 or IPv6, with addresses"),
        );
    }
    let Some(pods) = &view.pods else {
        let look =
            facts.kubectl(cluster, &format!("get endpointslices -l kubernetes.io/service-name={name}"));
        return Finding::broken(
            format!(
                "{counts}: Service {name} has no spec.selector, and its EndpointSlices have no ready endpoint"
            ),
            format!("endpoints[].conditions.ready of the EndpointSlices in {cluster}: `{look}`"),
        );
    };
    let selector = selector(&spec.selector);
    if pods.is_empty() {
        let look = facts.kubectl(cluster, "get pods --show-labels");
        return Finding::broken(
            format!("{counts}: no Pod in {cluster} matches spec.selector {selector} of Service {name}"),
            format!("correct spec.selector of Service {name}, or spec.replicas of its workload: `{look}`"),
        );
    }
    let unready: Vec<String> = pods.iter().filter_map(why_not_ready).take(MAX_PODS).collect();
    if unready.is_empty() {
        return Finding::broken(
            format!(
                "{counts}: {} Pods match spec.selector {selector} and are ready, and have no endpoint",
                pods.len()
            ),
            format!("see that the kube-controller-manager of {cluster} runs, which writes EndpointSlices"),
        );
    }
    let look = facts.kubectl(cluster, &format!("describe pods -l {selector}"));
    Finding::broken(format!("{counts}: {}", unready.join("; ")), format!("the Pods in {cluster}: `{look}`"))
}

/// Text of a selector, as kubectl's `-l` takes it.
fn selector(selector: &BTreeMap<&str, &str>) -> String {
    selector.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// Why a pod is not ready, such as `Pod web-1 is not ready: ContainersNotReady`. `None` if it is ready.
fn why_not_ready(pod: &Object) -> Option<String> {
    let status = Pod::read(pod).map(|pod| pod.status).unwrap_or_default();
    let name = pod.name();
    if pod.is_deleting() {
        return Some(format!("Pod {name} is being deleted"));
    }
    let ready = status.conditions.iter().find(|condition| condition.kind == "Ready");
    if ready.is_some_and(|ready| ready.is_true()) {
        return None;
    }
    let cause = ready.map(|ready| format!("{} {}", ready.reason, ready.message)).unwrap_or_default();
    let cause = if cause.trim().is_empty() { status.phase.to_owned() } else { cause.trim().to_owned() };
    Some(format!("Pod {name} is not ready: {cause}"))
}

/// Names of the Service's slices with host names.
fn host_names<'a>(facts: &'a Facts, view: &'a View) -> Vec<&'a str> {
    let of_service = view.slices.iter().filter(|slice| {
        slice.namespace() == facts.service.namespace
            && slice.label(portolan_api::labels::endpoint_slice::SERVICE_NAME) == Some(&facts.service.name)
    });
    of_service
        .filter(|slice| !matches!(EndpointSlice::address_type(slice), "IPv4" | "IPv6"))
        .map(Object::name)
        .collect()
}

/// Endpoints of an exporter that are left out although others are imported.
fn left_out(facts: &Facts, member: &Member, view: &View) -> Vec<Finding> {
    let slices = view.slices.iter().filter(|slice| {
        slice.namespace() == facts.service.namespace
            && slice.label(portolan_api::labels::endpoint_slice::SERVICE_NAME) == Some(&facts.service.name)
    });
    let texts: Vec<String> = refused(slices).iter().map(ToString::to_string).collect();
    let Some(first) = texts.first() else { return Vec::new() };
    let more = match texts.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    vec![Finding::warning(
        format!("not imported from {}: {first}{more}", member.name),
        format!("correct the EndpointSlices of Service {} in {}", facts.service.name, member.name),
    )]
}
