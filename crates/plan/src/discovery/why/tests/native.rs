//! Faults of a MultiClusterService: `a` and `c` have endpoints of `shop/web`, clients in `b` use the same name.

#![expect(clippy::too_many_lines, reason = "tables")]

use std::collections::BTreeSet;

use serde_json::json;

use super::super::connection::{Outcome, Target};
use super::super::*;
use super::faults::{Fault, fault};
use super::federation::{healthy, lose, open, service, slice, tried, view, with_second};
use super::traffic_faults::{governed, named};
use crate::discovery::LostCause;

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Gives the federation the form of a MultiClusterService with these providers. The client is not in its own providers.
fn native(mut facts: Facts, providers: &[&str]) -> Facts {
    facts.native = Some(Native {
        providers: names(providers),
        names_providers: true,
        consumers: names(&["b"]),
        problem: String::new(),
    });
    for member in &mut facts.members {
        let (name, Ok(held)) = (member.name.clone(), &mut member.view) else { continue };
        (held.export, held.import, held.clusterset, held.serves_api) = (None, None, None, false);
        held.derived.clear();
        held.dns.forwards_zone = Some(false);
        if name == "b" {
            held.local = Some(service("10.1.0.9", 80));
            held.pods = Some(Vec::new());
        } else {
            held.slices.truncate(1);
        }
        for slice in &mut held.slices {
            if let Some(source) = slice.label("multicluster.kubernetes.io/source-cluster").map(str::to_owned)
            {
                slice.set_label("kubernetes.io/service-name", "web");
                slice.set_label(
                    "endpointslice.kubernetes.io/managed-by",
                    "endpointslice-dispatch-controller.karmada.io",
                );
                slice
                    .set_label("multicluster.kubernetes.io/source-cluster", source.trim_start_matches("id-"));
            }
        }
    }
    facts
}

fn one() -> Facts {
    native(healthy(), &["a"])
}

fn two() -> Facts {
    native(with_second(service("10.15.0.4", 80), json!([])), &["a", "c"])
}

fn with(mut facts: Facts, cluster: &str, change: impl FnOnce(&mut View)) -> Facts {
    change(view(&mut facts, cluster));
    facts
}

fn untried(facts: Facts) -> Facts {
    with(facts, "b", |held| (held.connections, held.dns.answer) = (Vec::new(), None))
}

pub(super) fn native_faults() -> Vec<Fault> {
    clusters().into_iter().chain(paths()).collect()
}

fn clusters() -> Vec<Fault> {
    use Verdict::{Broken, CannotTell, Works, WorksWithDoubts};
    let mut not_applied = with(one(), "a", |held| held.local = None);
    not_applied.native.as_mut().expect("it is native").problem = "Service shop/web does not exist".to_owned();
    let mut second_without = with(two(), "c", |held| held.local = None);
    view(&mut second_without, "b").slices.pop();
    let mut unclaimed = one();
    unclaimed.native.as_mut().expect("it is native").consumers = names(&["c"]);
    let mut provider = one();
    provider.native.as_mut().expect("it is native").consumers = names(&["c"]);
    view(&mut provider, "a").dns.answer = Some(Ok(["10.13.0.4".to_owned()].into_iter().collect()));
    let at_home = Fault {
        from: "a",
        ..fault(
            "native: asked in a provider that is no consumer",
            provider,
            Works,
            "shop/web from a: works",
            "",
        )
    };
    let mut lost = untried(one());
    lose(&mut lost, "a", LostCause::Unreachable);
    let hidden = governed(one(), |policy| policy.spec.visible_to = Some(named(&["a"])));
    let mut everywhere = native(healthy(), &["a", "b"]);
    everywhere.native.as_mut().expect("it is native").names_providers = false;
    let mut exported = one();
    view(&mut exported, "a").export = healthy().members[0].view.clone().expect("a view").export;
    vec![
        fault("native: nothing is wrong", one(), Works, "shop/web from b: works", ""),
        fault(
            "native: nothing is wrong, no probe",
            untried(one()),
            CannotTell,
            "no connection was tried",
            "",
        ),
        fault(
            "native: every cluster may provide, one has endpoints",
            everywhere,
            Works,
            "shop/web from b: works",
            "",
        ),
        fault(
            "native: the Service is not on the control plane",
            not_applied,
            Broken,
            "broken at export: a is a provider and has no Service web: Service shop/web does not exist",
            "describe multiclusterservice web",
        ),
        fault(
            "native: one of two providers without the Service",
            second_without,
            WorksWithDoubts,
            "works, with a doubt at export: c is a provider and has no Service web",
            "portolan server",
        ),
        fault(
            "native: the provider has not joined",
            native(healthy(), &["z"]),
            Broken,
            "MultiClusterService shop/web names z as provider, and z has not joined",
            "spec.providerClusters of MultiClusterService shop/web",
        ),
        fault(
            "native: one of two providers has not joined",
            native(healthy(), &["a", "z"]),
            WorksWithDoubts,
            "works, with a doubt at export: MultiClusterService shop/web names z",
            "spec.providerClusters",
        ),
        fault(
            "native: the client cluster is no consumer",
            unclaimed,
            Broken,
            "broken at set: b is no consumer of MultiClusterService shop/web",
            "spec.consumerClusters of MultiClusterService shop/web",
        ),
        at_home,
        fault(
            "native: the provider is lost",
            lost,
            CannotTell,
            "cannot tell at link: a was not read: no connection to its API server",
            "start the API server of a",
        ),
        fault(
            "native: hidden by a TrafficPolicy",
            hidden,
            Broken,
            "broken at set: TrafficPolicy shop/near hides it from b",
            "spec.visibleTo",
        ),
        fault(
            "native: a ServiceExport besides",
            exported,
            Broken,
            "broken at set: ClusterSet set lists b, and b is not a member of it yet",
            "status.members of ClusterSet set",
        ),
    ]
}

fn paths() -> Vec<Fault> {
    use Verdict::{Broken, Works, WorksWithDoubts};
    let mut headless = service("None", 80);
    headless.0["spec"]["clusterIPs"] = json!(["None"]);
    let mut without_clusters = one();
    let headless = {
        for cluster in ["a", "b"] {
            view(&mut without_clusters, cluster).local = Some(headless.clone());
        }
        let answer = ["10.10.0.5", "10.10.0.6"].map(str::to_owned).into_iter().collect();
        with(without_clusters, "b", |held| held.dns.answer = Some(Ok(answer)))
    };
    let local = with(one(), "b", |held| {
        held.local.as_mut().expect("a Service").0["spec"]["internalTrafficPolicy"] = json!("Local");
    });
    let own = with(two(), "b", |held| held.slices.push(slice(None, &["10.12.0.7"])));
    let mut none_inside = governed(own, |policy| {
        policy.spec.boundary = Some(super::traffic_faults::boundary(&["b"]));
    });
    view(&mut none_inside, "b")
        .slices
        .retain(|slice| slice.label("multicluster.kubernetes.io/source-cluster").is_none());
    vec![
        fault(
            "native: no ready endpoint in the provider",
            with(one(), "a", |held| (held.slices, held.pods) = (vec![slice(None, &[])], Some(vec![]))),
            Broken,
            "broken at endpoints: no ready endpoint (a: 0 of 0 ready)",
            "spec.selector of Service web",
        ),
        fault(
            "native: the client cluster has no Service",
            with(one(), "b", |held| held.local = None),
            Broken,
            "broken at service: b has no Service web: the control plane has not written it to b yet",
            "see that `portolan server` runs",
        ),
        fault(
            "native: the client cluster has no namespace",
            with(one(), "b", |held| (held.local, held.namespace) = (None, Namespace::Missing)),
            Broken,
            "broken at service: b has no Service web: b has no namespace shop",
            "create namespace shop",
        ),
        fault(
            "native: internalTrafficPolicy Local",
            local,
            Broken,
            "broken at service: internalTrafficPolicy is Local, and b has no endpoint of its own",
            "spec.internalTrafficPolicy of Service web on the control plane",
        ),
        fault(
            "native: EndpointSlices missing in the client cluster",
            with(one(), "b", |held| held.slices.clear()),
            Broken,
            "broken at slices: b has no EndpointSlice with the 2 ready endpoints of a",
            "see that `portolan server` runs",
        ),
        fault(
            "native: EndpointSlices of one of two providers missing",
            with(two(), "b", |held| drop(held.slices.pop())),
            WorksWithDoubts,
            "works, with a doubt at slices: b has no EndpointSlice with the 1 ready endpoints of c",
            "see that `portolan server` runs",
        ),
        fault(
            "native: every other provider outside the boundary, own endpoints",
            none_inside,
            Works,
            "shop/web from b: works",
            "",
        ),
        fault(
            "native: the cluster DNS has no answer",
            with(one(), "b", |held| held.dns.answer = Some(Err(LookupError("NXDOMAIN".to_owned())))),
            Broken,
            "broken at dns: the DNS of b has no answer for web.shop.svc.cluster.local: NXDOMAIN",
            "see that CoreDNS",
        ),
        fault("native: headless", headless, Works, "shop/web from b: works", ""),
        fault(
            "native: kube-proxy of the client cluster does not forward",
            with(one(), "b", |held| {
                let endpoint = Target::Endpoint("a".to_owned(), "10.10.0.5".to_owned());
                held.connections = vec![tried(Target::Name, 80, Outcome::Refused), open(endpoint, 8080)];
            }),
            Broken,
            "while endpoints answer there at their own addresses",
            "runs on the nodes of b and follows Service web",
        ),
    ]
}
