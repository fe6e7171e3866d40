//! Variations of the injected faults: causes at each hop that other tables lack.

#![expect(clippy::too_many_lines, reason = "tables")]

use std::time::Duration;

use portolan_object::Object;
use serde_json::{Value, json};

use super::super::connection::{Outcome, Target};
use super::super::*;
use super::faults::{Fault, fault};
use super::federation::{
    endpoint, explicit, healthy, lose, lost, member_of, not_ready, object, open, pod, service, slice, tried,
    untried, view, with, with_second,
};
use super::traffic_faults::{governed, named, used};
use crate::discovery::LostCause;
use crate::discovery::nearness::tests::cluster;
use crate::discovery::usage::Usage;

pub(super) fn variations() -> Vec<Fault> {
    [links(), exports(), endpoints(), sets(), imports(), dns(), connections()].into_iter().flatten().collect()
}

fn two() -> Facts {
    with_second(service("10.15.0.4", 80), json!([]))
}

/// The cluster's own condition Ready.
fn unready(cluster: &str, reason: &str) -> Facts {
    let mut facts = healthy();
    member_of(&mut facts, cluster).known.ready = Some(not_ready(reason));
    facts
}

fn leaving(name: &str) -> Facts {
    let mut facts = healthy();
    let mut object = cluster(name, "");
    object.metadata.deletion_timestamp = Some("2026-01-01T00:00:00Z".to_owned());
    member_of(&mut facts, name).known.cluster = Some(object);
    facts
}

fn unread(mut facts: Facts, kind: HubKind) -> Facts {
    facts.unread.push(Unread { kind, message: "forbidden to ann".to_owned() });
    facts
}

fn links() -> Vec<Fault> {
    use Verdict::{CannotTell, Works, WorksWithDoubts};
    let mut both = two();
    let held = view(&mut both, "b");
    (held.connections, held.dns.answer) = (Vec::new(), None);
    lose(&mut both, "a", LostCause::Certificate);
    lose(&mut both, "c", LostCause::Unreachable);
    let mut everything = lost("a", LostCause::Silent);
    lose(&mut everything, "b", LostCause::Silent);
    let mut failing = two();
    lose(&mut failing, "c", LostCause::Failing);
    let mut new = healthy();
    member_of(&mut new, "a").known.ready = None;
    let limited = with("b", |held| held.unread = vec!["list nodes".to_owned()]);
    vec![
        fault(
            "the user may not use the credential of the exporter",
            lost("a", LostCause::NotAllowed),
            CannotTell,
            "a was not read: your account may not use the control plane's credential for it",
            "ask as a user with the right `get` on the Secret",
        ),
        fault(
            "another control plane holds the exporter",
            unready("a", "HeldByAnotherControlPlane"),
            WorksWithDoubts,
            "works, with a doubt at link: the control plane does not follow changes in a",
            "`portolan join a --take-over",
        ),
        fault(
            "the exporter's credential is suspended",
            unready("a", "CredentialSuspended"),
            WorksWithDoubts,
            "does not follow changes in a since 2026-01-01T00:00:00Z: Ready is CredentialSuspended",
            "`portolan join a --cluster-kubeconfig FILE` again",
        ),
        fault(
            "the client cluster is leaving the federation",
            leaving("b"),
            WorksWithDoubts,
            "works, with a doubt at link: b is leaving the federation",
            "`portolan join b",
        ),
        fault(
            "the exporter is leaving the federation",
            leaving("a"),
            WorksWithDoubts,
            "works, with a doubt at link: a is leaving the federation",
            "`portolan join a",
        ),
        fault(
            "both exporters lost, by two causes",
            both,
            CannotTell,
            "cannot tell at link: a was not read: the certificate of its API server is not trusted",
            "replaces caBundle",
        ),
        fault(
            "exporter and client cluster lost",
            everything,
            CannotTell,
            "its API server does not answer in time",
            "start the API server of",
        ),
        fault(
            "one of two exporters answers with errors",
            failing,
            WorksWithDoubts,
            "works, with a doubt at link: c was not read: its API server answers with an error",
            "see the log of the API server of c",
        ),
        fault("a cluster without a condition Ready yet", new, Works, "shop/web from b: works", ""),
        fault("nodes of the client cluster may not be read", limited, Works, "shop/web from b: works", ""),
    ]
}

fn exports() -> Vec<Fault> {
    use Verdict::{Broken, CannotTell, WorksWithDoubts};
    let of_service =
        |change: fn(&mut Value)| with("a", |held| change(&mut held.local.as_mut().expect("a Service").0));
    let of_export = |spec: Value| with("a", |held| held.export.as_mut().expect("an export").0["spec"] = spec);
    let mut one_held = two();
    let export = view(&mut one_held, "c").export.as_mut().expect("an export");
    export.0["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    export.0["metadata"]["finalizers"] = json!(["example.com/hold"]);
    view(&mut one_held, "b").slices.pop();
    let nothing = untried("a", |held| held.export = None);
    vec![
        fault(
            "the Service is held in deletion",
            of_service(|service| service["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z")),
            Broken,
            "broken at export: the Service in a is being deleted",
            "metadata.finalizers of Service web in a",
        ),
        fault(
            "namespace of the exporter being deleted",
            with("a", |held| held.namespace = Namespace::Deleting),
            WorksWithDoubts,
            "works, with a doubt at export: namespace shop of a is being deleted",
            "export it from another cluster",
        ),
        fault(
            "a port that no import can have",
            of_service(|service| service["spec"]["ports"][0]["protocol"] = json!("QUIC")),
            Broken,
            "the export of a is not valid (ServiceNotExportable)",
            "correct the Service web in a",
        ),
        fault(
            "a Service with a field of a wrong type",
            of_service(|service| service["spec"]["ports"] = json!("80")),
            Broken,
            "the export of a is not valid (ServiceNotExportable)",
            "correct the Service web in a",
        ),
        fault(
            "exported annotations that are not valid",
            of_export(json!({ "exportedAnnotations": { "a b": "c" } })),
            Broken,
            "the export of a is not valid (InvalidExportedMetadata)",
            "correct the ServiceExport web in a",
        ),
        fault(
            "an export with a field of a wrong type",
            of_export(json!({ "exportedLabels": 5 })),
            Broken,
            "the export of a is not valid (InvalidExportedMetadata)",
            "correct the ServiceExport web in a",
        ),
        fault(
            "one of two exports held in deletion",
            one_held,
            WorksWithDoubts,
            "works, with a doubt at export: the ServiceExport in c is being deleted since",
            "remove it from metadata.finalizers",
        ),
        fault(
            "no export, and MultiClusterServices may not be read",
            unread(nothing.clone(), HubKind::MultiClusterService),
            CannotTell,
            "cannot tell at export: no multiclusterservices.networking.karmada.io was read",
            "ask as a user with the rights `get` and `list`",
        ),
        fault(
            "no export, and ResourceBindings may not be read",
            unread(nothing, HubKind::ResourceBinding),
            CannotTell,
            "cannot tell at export: no resourcebindings.work.karmada.io was read",
            "ask as a user with the rights `get` and `list`",
        ),
    ]
}

/// A slice that the cluster's own controller wrote.
fn written(addresses: &[&str]) -> Object {
    let mut written = slice(None, addresses);
    written.set_label("endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io");
    written
}

fn pod_with_address(name: &str, address: &str) -> Object {
    let mut pod = pod(name, json!([{ "type": "Ready", "status": "True" }]));
    pod.0["status"]["podIP"] = json!(address);
    pod
}

fn with_ports(mut slice: Object, ports: Value) -> Object {
    slice.0["ports"] = ports;
    slice
}

fn endpoints() -> Vec<Fault> {
    use Verdict::{Broken, CannotTell, Works, WorksWithDoubts};
    let of_a = |pods: Vec<Object>, slices: Vec<Object>| {
        with("a", |held| {
            held.pods = Some(pods);
            held.slices.splice(0..1, slices);
        })
    };
    let both = &["10.10.0.5", "10.10.0.6"];
    let mut terminating = pod("web-1", json!([{ "type": "Ready", "status": "True" }]));
    terminating.0["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let mut gone = of_a(vec![], vec![written(both)]);
    let held = view(&mut gone, "b");
    (held.connections, held.dns.answer) = (Vec::new(), None);
    let web = || json!([{ "name": "web", "port": 8080 }]);
    let by_hand = |slices: Vec<Object>| {
        with("a", |held| {
            held.pods = None;
            held.local.as_mut().expect("a Service").0["spec"]["selector"] = Value::Null;
            held.slices.splice(0..1, slices);
        })
    };
    let mut headless = by_hand(vec![with_ports(slice(None, both), web())]);
    view(&mut headless, "a").local.as_mut().expect("a Service").0["spec"]["clusterIP"] = json!("None");
    view(&mut headless, "b").import.as_mut().expect("an import").0["spec"] =
        json!({ "type": "Headless", "ports": [{"name": "http", "port": 80}] });
    view(&mut headless, "b").derived.clear();
    let answer = both.iter().map(|&address| address.to_owned()).collect();
    view(&mut headless, "b").dns.answer = Some(Ok(answer));
    let odd_name = {
        let mut facts = healthy();
        let mut odd = slice(None, &["10.10.0.9"]);
        odd.0["endpoints"][0]["hostname"] = json!("a.b");
        view(&mut facts, "a").slices.push(odd);
        facts
    };
    let mut link_local = healthy();
    let mut six = slice(None, &["fe80::1"]);
    six.0["addressType"] = json!("IPv6");
    view(&mut link_local, "a").slices.push(six);
    let node_port =
        with("a", |held| held.local.as_mut().expect("a Service").0["spec"]["type"] = json!("NodePort"));
    vec![
        fault(
            "all Pods are being deleted",
            of_a(vec![terminating], vec![slice(None, &["10.10.0.5!"])]),
            Broken,
            "(a: 0 of 1 ready): Pod web-1 is being deleted",
            "describe pods -l app=web",
        ),
        fault(
            "endpoints of Pods that are gone",
            gone,
            CannotTell,
            "cannot tell at endpoints: 10.10.0.5 and 1 more of a is a ready endpoint, and no Pod has the address",
            "kube-controller-manager of a",
        ),
        fault(
            "one endpoint of a Pod that is gone",
            of_a(vec![pod_with_address("web-1", "10.10.0.5")], vec![written(both)]),
            WorksWithDoubts,
            "works, with a doubt at endpoints: 10.10.0.6 of a is a ready endpoint, and no Pod has the address",
            "kube-controller-manager of a",
        ),
        fault(
            "endpoints of Pods that are there",
            of_a(
                vec![pod_with_address("web-1", "10.10.0.5"), pod_with_address("web-2", "10.10.0.6")],
                vec![written(both)],
            ),
            Works,
            "shop/web from b: works",
            "",
        ),
        fault(
            "hand-made EndpointSlice with another port name",
            by_hand(vec![with_ports(slice(None, both), web())]),
            Broken,
            "broken at endpoints: EndpointSlice web-x of a has the ports web/TCP, and the Service has http/TCP",
            "ports[].name and protocol of EndpointSlice web-x",
        ),
        fault(
            "hand-made EndpointSlice with another protocol",
            by_hand(vec![with_ports(
                slice(None, both),
                json!([{ "name": "http", "port": 80, "protocol": "UDP" }]),
            )]),
            Broken,
            "has the ports http/UDP, and the Service has http/TCP",
            "ports[].name and protocol of EndpointSlice web-x",
        ),
        fault(
            "one of two EndpointSlices with another port name",
            by_hand(vec![slice(None, both), with_ports(slice(None, &["10.10.0.7"]), web())]),
            WorksWithDoubts,
            "has the ports web/TCP, and the Service has http/TCP, so its endpoints get no traffic",
            "ports[].name and protocol of EndpointSlice web-x",
        ),
        fault(
            "headless, EndpointSlice with another port name",
            headless,
            WorksWithDoubts,
            "so its endpoints have no SRV records",
            "ports[].name and protocol of EndpointSlice web-x",
        ),
        fault(
            "hand-made endpoints that are not ready",
            by_hand(vec![slice(None, &["10.10.0.5!"])]),
            Broken,
            "(a: 0 of 1 ready): Service web has no spec.selector, and its EndpointSlices have no ready endpoint",
            "endpoints[].conditions.ready",
        ),
        fault(
            "an endpoint with a host name that DNS does not allow",
            odd_name,
            WorksWithDoubts,
            "10.10.0.9 of EndpointSlice web-x has a host name that is not a DNS label",
            "correct the EndpointSlices",
        ),
        fault(
            "a link-local address of the second family",
            link_local,
            WorksWithDoubts,
            "fe80::1 of EndpointSlice web-x is a link-local address",
            "correct the EndpointSlices",
        ),
        fault("a Service of type NodePort", node_port, Works, "shop/web from b: works", ""),
    ]
}

fn sets() -> Vec<Fault> {
    use Verdict::{Broken, Works, WorksWithDoubts};
    let pending = |mut facts: Facts, cluster: &str| {
        let member = member_of(&mut facts, cluster);
        member.known.listed.as_mut().expect("it is listed").message = "Pending id a is taken by z".to_owned();
        member.view.as_mut().expect("it can be read").clusterset = None;
        facts
    };
    let mut one_pending = pending(two_listed(), "c");
    view(&mut one_pending, "b").slices.pop();
    let without_import = |facts: &mut Facts| {
        let held = view(facts, "b");
        (held.import, held.derived) = (None, Vec::new());
        held.slices.clear();
    };
    let mut no_import = unread(healthy(), HubKind::TrafficPolicy);
    without_import(&mut no_import);
    let mut no_set = with("a", |held| held.clusterset = None);
    member_of(&mut no_set, "a").known.listed = None;
    let hide =
        |facts: Facts, names: &[&str]| governed(facts, |policy| policy.spec.visible_to = Some(named(names)));
    let mut later = hide(hide(healthy(), &["a", "b"]), &["a"]);
    later.policies[1].metadata.name = "later".to_owned();
    vec![
        fault(
            "the clusterset has not taken the exporter yet",
            pending(healthy(), "a"),
            Broken,
            "broken at set: ClusterSet set lists a, and a is not a member of it yet: Pending id a is taken by z",
            "status.members of ClusterSet set",
        ),
        fault(
            "the clusterset has not taken one of two exporters yet",
            one_pending,
            WorksWithDoubts,
            "works, with a doubt at set: ClusterSet set lists c, and c is not a member of it yet",
            "status.members of ClusterSet set",
        ),
        fault(
            "no import, and TrafficPolicies may not be read",
            no_import,
            Broken,
            "or a TrafficPolicy keeps it back, and trafficpolicies.portolan.dev may not be read",
            "see that `portolan server` runs",
        ),
        fault(
            "TrafficPolicies may not be read",
            unread(healthy(), HubKind::TrafficPolicy),
            Works,
            "shop/web from b: works",
            "",
        ),
        fault(
            "ClusterSets may not be read, and the exporter is in none",
            unread(no_set, HubKind::ClusterSet),
            Broken,
            "a exports it but is in no clusterset (ClusterSets were not read: forbidden to ann)",
            "portolan clusterset add set a",
        ),
        fault(
            "visible to the client cluster",
            hide(healthy(), &["a", "b"]),
            Works,
            "shop/web from b: works",
            "",
        ),
        fault(
            "hidden by the later of two TrafficPolicies",
            later,
            Broken,
            "broken at set: TrafficPolicy shop/later hides it from b",
            "spec.visibleTo of TrafficPolicy shop/later",
        ),
    ]
}

/// Two exporters that a ClusterSet lists.
fn two_listed() -> Facts {
    let mut facts = two();
    for member in &mut facts.members {
        let id = format!("id-{}", member.name);
        member.known.listed = Some(Listed { set: "set".to_owned(), id, message: String::new() });
    }
    facts
}

fn imports() -> Vec<Fault> {
    use Verdict::{Broken, CannotTell, Works, WorksWithDoubts};
    let pending = with("b", |held| {
        held.import.as_mut().expect("an import").0["status"]["conditions"] = json!([{ "type": "Ready", "status": "False", "reason": "Pending",
            "message": "the Service of the import has no address yet" }]);
    });
    let of_policy = with("b", |held| {
        let import = held.import.as_mut().expect("an import");
        import.set_label("work.karmada.io/permanent-id", "1");
        held.derived.clear();
    });
    let mut headless = explicit(json!([]));
    let held = view(&mut headless, "b");
    held.import = Some(object("ServiceImport", json!({ "type": "Headless", "ports": [] }), json!([])));
    held.derived[0].0["spec"]["clusterIP"] = json!("None");
    let mut selector = explicit(json!([{ "port": 80 }]));
    view(&mut selector, "b").derived[0].0["spec"]["selector"] = json!({ "app": "evil" });
    let both_drained = {
        let mut facts = used(Usage::Drain, "a and c are drained");
        let slices = &mut view(&mut facts, "b").slices;
        slices
            .iter_mut()
            .for_each(|slice| crate::discovery::usage::set_usage(slice, Usage::Drain, |_| false));
        facts
    };
    vec![
        fault(
            "import that waits for its address",
            pending,
            Broken,
            "broken at import: the ServiceImport in b is not ready (Pending)",
            "condition Ready of the ServiceImport in b",
        ),
        fault(
            "a policy has taken the import of the clusterset",
            of_policy,
            Broken,
            "broken at service: the import in b has no derived Service",
            "see that `portolan server` runs",
        ),
        fault(
            "explicit: headless",
            headless,
            CannotTell,
            "no object is wrong, and no connection was tried",
            "",
        ),
        fault(
            "explicit: derived Service with a selector",
            selector,
            WorksWithDoubts,
            "doubt at service: spec.selector of Service derived-web in b was set by another writer",
            "stop that writer",
        ),
        fault(
            "both exporters drained",
            both_drained,
            WorksWithDoubts,
            "in b the endpoints of a are drained: a and c are drained",
            "`portolan undrain cluster a`",
        ),
        fault(
            "a part of one exporter's endpoints is used",
            used(Usage::Part, "c has a weight of 1"),
            Works,
            "shop/web from b: works",
            "",
        ),
    ]
}

fn dns() -> Vec<Fault> {
    use Verdict::{Broken, CannotTell, Works};
    let agent = |agent: Agent, answer: Option<Result<&str, &str>>| {
        let mut facts = untried("b", |held| held.agent = agent);
        view(&mut facts, "b").dns.answer = answer.map(|answer| match answer {
            Ok(address) => Ok([address.to_owned()].into_iter().collect()),
            Err(text) => Err(LookupError(text.to_owned())),
        });
        facts
    };
    let silent = Agent::Renewed(Duration::from_secs(300));
    let mut answered = agent(silent, Some(Ok("10.1.0.9")));
    view(&mut answered, "b").connections = vec![open(Target::Name, 80)];
    let mut ahead = agent(Agent::Renewed(Duration::ZERO), Some(Ok("10.1.0.9")));
    view(&mut ahead, "b").connections = vec![open(Target::Name, 80)];
    let mut of_cluster = explicit(json!([{ "port": 80 }]));
    view(&mut of_cluster, "b").dns.answer = Some(Err(LookupError("SERVFAIL".to_owned())));
    let other_dns = untried("b", |held| (held.agent, held.dns.forwards_zone) = (Agent::Missing, None));
    vec![
        fault(
            "the agent of the client cluster does not run",
            agent(silent, None),
            CannotTell,
            "cannot tell at dns: the agent of b has not renewed its Lease for 300 s",
            "see that `portolan agent` runs in b",
        ),
        fault(
            "CoreDNS forwards, and no agent was ever there",
            agent(Agent::Missing, None),
            CannotTell,
            "cannot tell at dns: no agent has a Lease in b",
            "see that `portolan agent` runs in b",
        ),
        fault(
            "the agent does not run, and DNS has no answer",
            agent(silent, Some(Err("SERVFAIL"))),
            Broken,
            "SERVFAIL (the agent has not renewed its Lease for 300 s)",
            "see that `portolan agent` runs and is ready in b",
        ),
        fault(
            "an agent that may not write its Lease, and answers",
            answered,
            Works,
            "shop/web from b: works",
            "",
        ),
        fault("an agent with a clock that is ahead", ahead, Works, "shop/web from b: works", ""),
        fault(
            "another DNS server than CoreDNS, and no agent",
            other_dns,
            CannotTell,
            "no object is wrong, and no connection was tried",
            "",
        ),
        fault(
            "explicit: the cluster DNS has no answer",
            of_cluster,
            Broken,
            "the DNS of b has no answer for derived-web.shop.svc.cluster.local: SERVFAIL",
            "see that CoreDNS, or the DNS server that stands for it, runs in b",
        ),
    ]
}

fn connections() -> Vec<Fault> {
    use Verdict::{Broken, CannotTell, WorksWithDoubts};
    let policy = |name: &str, spec: Value| {
        Object(
            json!({ "kind": "NetworkPolicy", "metadata": { "namespace": "shop", "name": name }, "spec": spec }),
        )
    };
    let closed =
        vec![tried(Target::Name, 80, Outcome::Silent), tried(endpoint("id-a"), 8080, Outcome::Silent)];
    let mut denied = with("b", |held| held.connections.clone_from(&closed));
    view(&mut denied, "a").network_policies = vec![policy("deny-all", json!({ "podSelector": {} }))];
    let mut no_way_out = with("b", |held| held.connections.clone_from(&closed));
    view(&mut no_way_out, "b").network_policies =
        vec![policy("only-dns", json!({ "podSelector": {}, "policyTypes": ["Egress"] }))];
    let proof = Proof {
        source: "id-a".to_owned(),
        endpoint: "10.10.0.5:8080".to_owned(),
        answers: false,
        failure: String::new(),
        age: Duration::from_secs(2),
    };
    let mut agent_denied = untried("b", |held| held.proofs = vec![proof]);
    view(&mut agent_denied, "a").network_policies = vec![policy("deny-all", json!({ "podSelector": {} }))];
    let half = with("b", |held| {
        held.connections = vec![open(Target::Name, 80), tried(Target::Name, 81, Outcome::Refused)];
    });
    let mut datagrams = untried("a", |held| {
        held.local.as_mut().expect("a Service").0["spec"]["ports"][0]["protocol"] = json!("UDP");
        held.slices[0].0["ports"][0]["protocol"] = json!("UDP");
    });
    let held = view(&mut datagrams, "b");
    held.import.as_mut().expect("an import").0["spec"]["ports"][0]["protocol"] = json!("UDP");
    held.dns.answer = Some(Ok(["10.1.0.9".to_owned()].into_iter().collect()));
    vec![
        fault(
            "a NetworkPolicy of the exporter",
            denied,
            Broken,
            "packets from b get no answer from 10.10.0.5 of a on port 8080",
            "between the Pods of b and a (in a: NetworkPolicy deny-all)",
        ),
        fault(
            "a NetworkPolicy of the client cluster",
            no_way_out,
            Broken,
            "packets from b get no answer from 10.10.0.5 of a on port 8080",
            "between the Pods of b and a (in b: NetworkPolicy only-dns)",
        ),
        fault(
            "a NetworkPolicy of the exporter, seen by the agent",
            agent_denied,
            Broken,
            "the agent of b got no connection to 10.10.0.5:8080 of a 2 s ago",
            "(in a: NetworkPolicy deny-all)",
        ),
        fault(
            "one of two ports refuses",
            half,
            WorksWithDoubts,
            "works, with a doubt at connection: a Pod in b gets no connection to web.shop.svc.clusterset.local on port 81",
            "spec.ports[].targetPort of Service web",
        ),
        fault(
            "DNS answers, and no connection can be tried",
            datagrams,
            CannotTell,
            "no object is wrong, and no connection was tried",
            "",
        ),
    ]
}
