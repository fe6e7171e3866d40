//! Hops of a MultiClusterService: the Service has its own name in the clusters with clients, and no ServiceExport or ServiceImport.

use portolan_api::kubernetes::{Service, View as _};

use super::facts::{Facts, Member, View};
use super::finding::{Finding, joined, of_exporters};
use super::known::{HubKind, Native, title_of_native};
use super::traffic;
use super::unwritten::why_unwritten;

/// Checks that the clusters with endpoints have the Service.
pub(super) fn providers(facts: &Facts, native: &Native) -> Vec<Finding> {
    if !native.names_providers {
        let serving: Vec<String> =
            facts.exporters().map(|(member, _)| format!("provided by {}", member.name)).collect();
        if !serving.is_empty() {
            return vec![Finding::Good(serving.join(", "))];
        }
    }
    let mut found = Vec::new();
    for name in &native.providers {
        let Some(member) = facts.member(name) else {
            found.push(Finding::broken(
                format!(
                    "{} names {name} as provider, and {name} has not joined this federation",
                    title_of_native(&facts.service)
                ),
                format!(
                    "spec.providerClusters of {}; `portolan get clusters` lists the members",
                    title_of_native(&facts.service)
                ),
            ));
            continue;
        };
        match member.view() {
            Some(view) => found.push(provider(facts, member, view)),
            None => found.push(Finding::NotSeen(format!("the Service of {name} was not read"))),
        }
    }
    joined(of_exporters(found))
}

fn provider(facts: &Facts, member: &Member, view: &View) -> Finding {
    let (cluster, name) = (&member.name, &facts.service.name);
    if !view.has_service() {
        let (cause, next) = why_unwritten(facts, member, view);
        return Finding::broken(format!("{cluster} is a provider and has no Service {name}: {cause}"), next);
    }
    let kind =
        view.local.as_ref().and_then(|service| Service::read(service).ok()).map(|service| service.spec.kind);
    if kind == Some("ExternalName") {
        return Finding::broken(
            format!("the Service in {cluster} is of type ExternalName, which has no endpoints"),
            format!(
                "spec.type of Service {name} on the control plane: a type with endpoints, such as ClusterIP"
            ),
        );
    }
    Finding::Good(format!("provided by {cluster}"))
}

/// Checks that the client cluster is one with clients.
pub(super) fn consumer(facts: &Facts, native: &Native, from: &str) -> Vec<Finding> {
    let Some(member) = facts.member(from) else {
        return vec![Finding::broken(
            format!("{from} has not joined this federation"),
            format!(
                "`portolan join {from} --cluster-kubeconfig FILE`; `portolan get clusters` lists the members"
            ),
        )];
    };
    if native.consumers.contains(from) {
        if let Some(hidden) = traffic::hidden(facts, member).filter(|_| !native.providers.contains(from)) {
            return vec![hidden];
        }
        let mut found =
            vec![Finding::Good(format!("{from} is a consumer of {}", title_of_native(&facts.service)))];
        found.extend(traffic::unread(facts));
        return found;
    }
    if native.providers.contains(from) {
        return vec![Finding::Good(format!(
            "{from} is a provider and no consumer of {}: its clients reach the endpoints of {from}",
            title_of_native(&facts.service)
        ))];
    }
    vec![Finding::broken(
        format!("{from} is no consumer of {}", title_of_native(&facts.service)),
        format!(
            "spec.consumerClusters of {} on the control plane, if clients in {from} shall have it",
            title_of_native(&facts.service)
        ),
    )]
}

/// There is no ServiceImport.
pub(super) fn import() -> Vec<Finding> {
    vec![Finding::NotSeen("a MultiClusterService needs none".to_owned())]
}

/// Checks that the client cluster has the Service, and that it forwards to endpoints of other clusters.
pub(super) fn service(facts: &Facts, from: &str) -> Vec<Finding> {
    let name = &facts.service.name;
    let Some((member, view)) = facts.member(from).and_then(|member| Some((member, member.view()?))) else {
        return vec![Finding::NotSeen(format!("{from} was not read"))];
    };
    let local = view.local.as_ref().filter(|_| view.has_service());
    let Some(spec) = local.and_then(|service| Service::read(service).ok()).map(|service| service.spec) else {
        let (cause, next) = why_unwritten(facts, member, view);
        return vec![Finding::broken(format!("{from} has no Service {name}: {cause}"), next)];
    };
    let has_own = !facts.own_ready_addresses(view).is_empty();
    if spec.internal_traffic_policy == "Local" {
        let next = format!("spec.internalTrafficPolicy of Service {name} on the control plane: Cluster");
        return vec![if has_own {
            Finding::warning(
                format!(
                    "internalTrafficPolicy is Local: clients in {from} reach endpoints of their own node only"
                ),
                next,
            )
        } else {
            Finding::broken(
                format!(
                    "internalTrafficPolicy is Local, and {from} has no endpoint of its own: no client is forwarded"
                ),
                next,
            )
        }];
    }
    if spec.is_headless() {
        return vec![Finding::Good(format!("{name} is headless"))];
    }
    let addresses: Vec<String> = facts.addresses(view).into_iter().collect();
    if addresses.is_empty() {
        let look = facts.kubectl(from, &format!("describe service {name}"));
        return vec![Finding::broken(
            format!("Service {name} in {from} has no address yet"),
            format!("spec.clusterIPs of that Service, which the API server of {from} allocates: `{look}`"),
        )];
    }
    vec![Finding::Good(format!("{name} {}", addresses.join(", ")))]
}

/// Other forms in which the service may be there, and that could not be read.
pub(super) fn unread(facts: &Facts) -> Vec<Finding> {
    let forms = [HubKind::MultiClusterService, HubKind::ResourceBinding];
    let unread = forms.into_iter().filter_map(|kind| facts.unread(kind));
    unread
        .map(|unread| {
            Finding::unclear(
                format!(
                    "no {} was read, which may give it another form: {}",
                    unread.kind.resource(),
                    unread.message
                ),
                format!("ask as a user with the rights `get` and `list` on {}", unread.kind.resource()),
            )
        })
        .collect()
}
