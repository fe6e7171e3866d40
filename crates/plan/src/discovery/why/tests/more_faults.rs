//! Faults at every hop by every cause that the table of injected faults lacks.

#![expect(clippy::too_many_lines, reason = "tables")]

use serde_json::json;

use super::super::connection::{Connection, Outcome, Target};
use super::super::*;
use super::faults::{Fault, conflict, fault};
use super::federation::{
    derived, endpoint, explicit, healthy, lose, lost, named_service, not_ready, object, open, pod, ready_pod,
    service, slice, tried, untried, view, with, with_second,
};
use crate::discovery::LostCause;

pub(super) fn more_faults() -> Vec<Fault> {
    [links(), exports(), endpoints(), sets(), imports(), slices(), network()].into_iter().flatten().collect()
}

fn links() -> Vec<Fault> {
    use Verdict::{Broken, CannotTell, WorksWithDoubts};
    let importer = |cause| {
        let mut facts = healthy();
        lose(&mut facts, "b", cause);
        facts
    };
    let not_followed = |cluster: &'static str, reason: &'static str| {
        let mut facts = healthy();
        facts
            .members
            .iter_mut()
            .filter(|one| one.name == cluster)
            .for_each(|one| one.known.ready = Some(not_ready(reason)));
        facts
    };
    let mut unnoticed = lost("a", LostCause::Unreachable);
    unnoticed.members[0].known.ready = Some(Ready { is_ready: true, ..Ready::default() });
    let mut slow = lost("a", LostCause::Silent);
    slow.members[0].known.ready = Some(Ready { is_ready: true, ..Ready::default() });
    let mut forgotten = lost("a", LostCause::Unreachable);
    (view(&mut forgotten, "b").import, view(&mut forgotten, "b").slices) = (None, vec![]);
    let mut stranger = healthy();
    stranger.members.pop();
    vec![
        fault(
            "importer's API server down",
            importer(LostCause::Unreachable),
            CannotTell,
            "whether clients there get answers is not known",
            "start the API server of b",
        ),
        fault(
            "importer's API server hangs",
            importer(LostCause::Silent),
            CannotTell,
            "b was not read: its API server does not answer in time",
            "start the API server of b",
        ),
        fault(
            "importer's credential refused",
            importer(LostCause::CredentialRefused),
            CannotTell,
            "b was not read: its API server refuses the credential",
            "`portolan join b --cluster-kubeconfig FILE` again",
        ),
        fault(
            "exporter's certificate replaced",
            lost("a", LostCause::Certificate),
            CannotTell,
            "the certificate of its API server is not trusted",
            "replaces caBundle in the Secret",
        ),
        fault(
            "exporter's API server answers with errors",
            lost("a", LostCause::Failing),
            CannotTell,
            "its API server answers with an error",
            "see the log of the API server of a",
        ),
        fault(
            "exporter in pull mode",
            lost("a", LostCause::Pull),
            CannotTell,
            "it is in pull mode",
            "ask with a kubeconfig of a",
        ),
        fault(
            "exporter lost a moment ago",
            unnoticed,
            CannotTell,
            "which the control plane has not noticed yet",
            "start the API server of a",
        ),
        fault(
            "exporter that answers the control plane, and not this command in time",
            slow,
            CannotTell,
            "its API server does not answer in time, which the control plane has not noticed yet",
            "ask again in some seconds, as condition Ready of Cluster a is True; if it stays, start the API server of a",
        ),
        fault(
            "exporter lost, and no importer holds its endpoints",
            forgotten,
            CannotTell,
            "cannot tell at export: no cluster that was read exports it, and a was not read",
            "start the API server of a",
        ),
        fault(
            "control plane does not reach the exporter",
            not_followed("a", "ClusterNotReachable"),
            WorksWithDoubts,
            "the control plane does not follow changes in a",
            "condition Ready of Cluster a",
        ),
        fault(
            "control plane's credential for the importer refused",
            not_followed("b", "CredentialRefused"),
            WorksWithDoubts,
            "the control plane does not follow changes in b",
            "`portolan join b --cluster-kubeconfig FILE` again",
        ),
        fault(
            "client cluster has not joined",
            stranger,
            Broken,
            "broken at set: b has not joined this federation",
            "portolan join b",
        ),
    ]
}

fn exports() -> Vec<Fault> {
    use Verdict::{Broken, WorksWithDoubts};
    let second_without = |change: fn(&mut View)| {
        let mut facts = with_second(service("10.15.0.4", 80), json!([]));
        change(view(&mut facts, "c"));
        facts
    };
    let mut api_server = healthy();
    api_server.service = portolan_object::ObjectKey::namespaced("default", "kubernetes");
    for held in api_server.members.iter_mut().filter_map(|one| one.view.as_mut().ok()) {
        for found in [&mut held.export, &mut held.local].into_iter().flatten() {
            found.metadata_mut().insert("namespace".to_owned(), json!("default"));
            found.metadata_mut().insert("name".to_owned(), json!("kubernetes"));
        }
    }
    vec![
        fault(
            "no CustomResourceDefinitions in the exporter",
            with("a", |held| (held.export, held.serves_api) = (None, false)),
            Broken,
            "a has the Service but does not serve ServiceExports",
            "portolan clusterset add SET a",
        ),
        fault(
            "export of default/kubernetes",
            api_server,
            Broken,
            "cannot be exported: delete this ServiceExport",
            "correct the ServiceExport kubernetes in a",
        ),
        fault(
            "the control plane has not seen the export",
            with("a", |held| held.export = Some(object("ServiceExport", json!({}), json!([])))),
            WorksWithDoubts,
            "the control plane has not seen the present ServiceExport of a yet",
            "condition Ready of Cluster a",
        ),
        fault(
            "export deleted while the importer still has endpoints",
            with("a", |held| held.export = None),
            Broken,
            "a has the Service but no ServiceExport; a, b still has endpoints of it",
            "apply -f -",
        ),
        fault(
            "one of two exporters without the Service",
            second_without(|held| held.local = None),
            WorksWithDoubts,
            "works, with a doubt at export: c exports it but has no Service",
            "create the Service web in c",
        ),
    ]
}

fn endpoints() -> Vec<Fault> {
    use Verdict::{Broken, WorksWithDoubts};
    let mut names = slice(None, &["web.example.com"]);
    names.0["addressType"] = json!("FQDN");
    let mut loopback = healthy();
    view(&mut loopback, "a").slices.push(slice(None, &["127.0.0.1"]));
    let mut no_ports = slice(None, &["10.10.0.7"]);
    no_ports.0["ports"] = json!([]);
    let partly = with("a", |held| held.slices.push(no_ports.clone()));
    let mut headless = with("a", |held| {
        held.local = Some(service("None", 80));
        held.slices = vec![no_ports];
    });
    let held = view(&mut headless, "b");
    held.import.as_mut().expect("an import").0["spec"]["type"] = json!("Headless");
    held.slices = vec![slice(Some("id-a"), &["10.10.0.7"])];
    let waiting = pod("web-1", json!([]));
    let mut second_empty = with_second(service("10.15.0.4", 80), json!([]));
    let held = view(&mut second_empty, "c");
    (held.slices, held.pods) = (vec![], Some(vec![]));
    view(&mut second_empty, "b").slices.pop();
    vec![
        fault(
            "EndpointSlices with host names only",
            with("a", |held| held.slices = vec![names]),
            Broken,
            "EndpointSlice web-x has addressType FQDN",
            "addressType of EndpointSlice web-x in a",
        ),
        fault(
            "a loopback address beside good ones",
            loopback,
            WorksWithDoubts,
            "not imported from a: 127.0.0.1 of EndpointSlice web-x is a loopback address",
            "correct the EndpointSlices of Service web in a",
        ),
        fault(
            "one of two EndpointSlices without ports",
            partly,
            WorksWithDoubts,
            "EndpointSlice web-x of a has no ports, so its endpoints get no traffic",
            "spec.ports[].targetPort of Service web in a",
        ),
        fault(
            "headless, EndpointSlice without ports",
            headless,
            WorksWithDoubts,
            "so its endpoints have no SRV records",
            "spec.ports[].targetPort of Service web in a",
        ),
        fault(
            "Pods that do not start",
            with("a", |held| (held.pods, held.slices) = (Some(vec![waiting]), vec![])),
            Broken,
            "Pod web-1 is not ready: Running",
            "describe pods -l app=web",
        ),
        fault(
            "ready Pods without endpoints",
            with("a", |held| (held.pods, held.slices) = (Some(vec![ready_pod("web-1")]), vec![])),
            Broken,
            "1 Pods match spec.selector app=web and are ready, and have no endpoint",
            "kube-controller-manager of a",
        ),
        fault(
            "one of two exporters without ready endpoints",
            second_empty,
            WorksWithDoubts,
            "works, with a doubt at endpoints: no ready endpoint (c: 0 of 0 ready)",
            "correct spec.selector of Service web",
        ),
    ]
}

fn sets() -> Vec<Fault> {
    use Verdict::{Broken, WorksWithDoubts};
    let outside = |listed: Option<Listed>| {
        let mut facts = with("b", |held| (held.clusterset, held.import) = (None, None));
        facts.members[1].known.listed = listed;
        facts
    };
    let refused =
        Listed { set: "set".to_owned(), id: "b".to_owned(), message: "id b is taken by c".to_owned() };
    let other =
        with("b", |held| held.clusterset = Some(Clusterset { name: "other".to_owned(), id: "b".to_owned() }));
    let mut one_left = with_second(service("10.15.0.4", 80), json!([]));
    view(&mut one_left, "c").clusterset = None;
    view(&mut one_left, "b").slices.pop();
    vec![
        fault(
            "client cluster in no clusterset",
            outside(None),
            Broken,
            "broken at set: b is in no clusterset and has no ServiceImport",
            "portolan clusterset add set b",
        ),
        fault(
            "client cluster refused by the clusterset",
            outside(Some(refused)),
            Broken,
            "ClusterSet set lists b, and b is not a member of it yet: id b is taken by c",
            "status.members of ClusterSet set",
        ),
        fault(
            "client cluster in another clusterset",
            other,
            Broken,
            "b is in clusterset other, and a, which exports it, is in set",
            "portolan clusterset remove set a",
        ),
        fault(
            "one of two exporters left the clusterset",
            one_left,
            WorksWithDoubts,
            "works, with a doubt at set: c exports it but is in no clusterset",
            "portolan clusterset add set c",
        ),
    ]
}

fn imports() -> Vec<Fault> {
    use Verdict::{Broken, CannotTell, WorksWithDoubts};
    let no_import = |change: fn(&mut View)| {
        with("b", |held| {
            (held.import, held.derived) = (None, vec![]);
            held.slices.clear();
            change(held);
        })
    };
    let mut not_ready_cluster = no_import(|_| {});
    not_ready_cluster.members[1].known.ready = Some(not_ready("MemoryBudgetExceeded"));
    let deleting = with("b", |held| {
        held.import.as_mut().expect("an import").0["metadata"]["deletionTimestamp"] =
            json!("2026-01-01T00:00:00Z");
    });
    let mut no_address = derived();
    no_address.0["spec"]["clusterIP"] = json!("");
    let pending = with("b", |held| {
        held.import.as_mut().expect("an import").0["spec"]["ips"] = json!([]);
        held.derived = vec![no_address];
    });
    let mut external = derived();
    external.0["spec"]["externalIPs"] = json!(["10.12.0.200"]);
    let local = |facts: &mut Facts, cluster: &str| {
        let import = view(facts, cluster).import.as_mut().expect("an import");
        import.0["spec"]["internalTrafficPolicy"] = json!("Local");
    };
    let mut local_at_home = healthy();
    local(&mut local_at_home, "a");
    let mut local_explicit = explicit(json!([{"port": 80}]));
    local(&mut local_explicit, "b");
    let all_lost = {
        let mut facts = healthy();
        view(&mut facts, "a").local = Some(service("10.13.0.4", 81));
        facts
    };
    let mut part = explicit(json!([{"name": "http", "port": 80}, {"name": "grpc", "port": 99}]));
    let held = view(&mut part, "b");
    held.connections = vec![open(Target::Name, 80)];
    let mut empty = explicit(json!([]));
    view(&mut empty, "b").derived.clear();
    let mut other_name = with_second(named_service("10.15.0.4", "web", 80), conflict("PortConflict"));
    view(&mut other_name, "c").slices[0].0["ports"][0]["name"] = json!("web");
    let mut at_home = fault(
        "internalTrafficPolicy Local, asked in the exporter",
        local_at_home,
        WorksWithDoubts,
        "clients in a reach endpoints of their own node only",
        "spec.internalTrafficPolicy of Service web in a: Cluster",
    );
    at_home.from = "a";
    vec![
        fault(
            "namespace of the importer being deleted",
            no_import(|held| held.namespace = Namespace::Deleting),
            Broken,
            "namespace shop of b is being deleted",
            "wait until it is gone",
        ),
        fault(
            "no CustomResourceDefinitions in the importer",
            no_import(|held| held.serves_api = false),
            Broken,
            "b does not serve ServiceImports",
            "serviceimports.multicluster.x-k8s.io in b",
        ),
        fault(
            "importer not ready for the control plane",
            not_ready_cluster,
            Broken,
            "the control plane does not write to b: Ready is MemoryBudgetExceeded",
            "condition Ready of Cluster b",
        ),
        fault(
            "control plane is behind or does not run",
            no_import(|_| {}),
            Broken,
            "b has no ServiceImport: the control plane has not written it to b yet",
            "see that `portolan server` runs",
        ),
        fault(
            "import held in deletion",
            deleting,
            Broken,
            "the ServiceImport in b is being deleted",
            "metadata.finalizers of the ServiceImport in b",
        ),
        fault(
            "derived Service without an address",
            pending,
            Broken,
            "in b has no address yet",
            "spec.clusterIPs of that Service",
        ),
        fault(
            "derived Service deleted",
            with("b", |held| held.derived = vec![]),
            Broken,
            "broken at service: the import in b has no derived Service",
            "see that `portolan server` runs",
        ),
        fault(
            "derived Service with externalIPs",
            with("b", |held| held.derived = vec![external]),
            WorksWithDoubts,
            "works, with a doubt at service: spec.externalIPs of Service derived-",
            "stop that writer",
        ),
        at_home,
        fault(
            "explicit: internalTrafficPolicy Local",
            local_explicit,
            Broken,
            "internalTrafficPolicy is Local, and b has no endpoint of its own",
            "spec.internalTrafficPolicy of the ServiceImport web in b",
        ),
        fault(
            "every port lost a conflict",
            all_lost,
            Broken,
            "broken at import: port conflict: http 81/TCP of a gets no traffic",
            "spec.ports of Service web in a",
        ),
        fault(
            "explicit: one of two ports that the exporter lacks",
            part,
            WorksWithDoubts,
            "works, with a doubt at import: the ServiceImport in b lists grpc 99/TCP",
            "spec.ports of the ServiceImport web in b",
        ),
        fault(
            "explicit: import without ports",
            empty,
            Broken,
            "the ServiceImport in b lists no port",
            "spec.ports of the ServiceImport web in b",
        ),
        fault(
            "port of another name, same number",
            other_name,
            WorksWithDoubts,
            "works, with a doubt at import: the exports differ (PortConflict): a wins",
            "condition Conflict of the ServiceExport in c",
        ),
        fault(
            "SessionAffinityConflict",
            with_second(service("10.15.0.4", 80), conflict("SessionAffinityConflict")),
            WorksWithDoubts,
            "the exports differ (SessionAffinityConflict): a wins",
            "condition Conflict of the ServiceExport in c",
        ),
        fault(
            "nothing is wrong, no probe",
            untried("b", |_| {}),
            CannotTell,
            "no object is wrong, and no connection was tried",
            "",
        ),
    ]
}

fn slices() -> Vec<Fault> {
    use Verdict::{Broken, WorksWithDoubts};
    let slices = |source: &'static str, addresses: &'static [&'static str]| {
        with("b", move |held| held.slices = vec![slice(Some(source), addresses)])
    };
    let mut no_rights = with("b", |held| held.slices.clear());
    view(&mut no_rights, "b").missing_rights = vec!["create endpointslices".to_owned()];
    let gone = with("b", |held| held.slices.push(slice(Some("z"), &["10.20.0.5"])));
    let mut second_missing = with_second(service("10.15.0.4", 80), json!([]));
    view(&mut second_missing, "b").slices.pop();
    vec![
        fault(
            "imported EndpointSlices missing",
            with("b", |held| held.slices.clear()),
            Broken,
            "broken at slices: b has no EndpointSlice with the 2 ready endpoints of a",
            "see that `portolan server` runs",
        ),
        fault(
            "rights to write EndpointSlices lost",
            no_rights,
            Broken,
            "the account of the control plane in b may not create endpointslices",
            "portolan cluster permissions b --all --apply",
        ),
        fault(
            "only endpoints that are gone",
            slices("id-a", &["10.10.0.77"]),
            Broken,
            "stale: b has only endpoints that a does not have any more",
            "see that `portolan server` runs",
        ),
        fault(
            "one endpoint that is gone",
            slices("id-a", &["10.10.0.5", "10.10.0.6", "10.10.0.7"]),
            WorksWithDoubts,
            "stale: b still has 10.10.0.7 of a",
            "see that `portolan server` runs",
        ),
        fault(
            "one endpoint not there yet",
            slices("a", &["10.10.0.5"]),
            WorksWithDoubts,
            "stale: b does not have 10.10.0.6 of a yet",
            "see that `portolan server` runs",
        ),
        fault(
            "endpoints of one of two exporters missing",
            second_missing,
            WorksWithDoubts,
            "works, with a doubt at slices: b has no EndpointSlice with the 1 ready endpoints of c",
            "see that `portolan server` runs",
        ),
        fault(
            "endpoints of a cluster that does not export it",
            gone,
            WorksWithDoubts,
            "stale: b still has endpoints of z, which does not export it",
            "delete endpointslices -l",
        ),
    ]
}

fn network() -> Vec<Fault> {
    use Verdict::{Broken, WorksWithDoubts};
    let answer = |answer: Result<&'static [&'static str], &'static str>| {
        with("b", move |held| {
            held.dns.answer = Some(match answer {
                Ok(addresses) => Ok(addresses.iter().map(|&address| address.to_owned()).collect()),
                Err(text) => Err(LookupError(text.to_owned())),
            });
        })
    };
    let connections = |tries: Vec<Connection>| with("b", |held| held.connections = tries);
    let silent = |port| tried(Target::Name, port, Outcome::Silent);
    let mut one_source = with_second(service("10.15.0.4", 80), json!([]));
    view(&mut one_source, "b").connections = vec![
        open(Target::Name, 80),
        open(endpoint("id-a"), 8080),
        tried(endpoint("id-c"), 8080, Outcome::Silent),
    ];
    vec![
        fault(
            "DNS has no answer",
            answer(Err("NXDOMAIN")),
            Broken,
            "broken at dns: the DNS of b has no answer for web.shop.svc.clusterset.local: NXDOMAIN",
            "see that `portolan agent` runs",
        ),
        fault(
            "DNS answers nothing",
            answer(Ok(&[])),
            Broken,
            "broken at dns: the DNS of b answers nothing for web.shop.svc.clusterset.local, expected 10.1.0.9",
            "portolan_dns_state_age_seconds",
        ),
        fault(
            "DNS answers another address",
            answer(Ok(&["10.1.0.8"])),
            Broken,
            "answers 10.1.0.8 for web.shop.svc.clusterset.local, expected 10.1.0.9",
            "portolan_dns_state_age_seconds",
        ),
        fault(
            "DNS answers an address too many",
            answer(Ok(&["10.1.0.8", "10.1.0.9"])),
            WorksWithDoubts,
            "works, with a doubt at dns: the DNS of b answers 10.1.0.8, 10.1.0.9",
            "portolan_dns_state_age_seconds",
        ),
        fault(
            "kube-proxy of the importer does not forward",
            connections(vec![tried(Target::Name, 80, Outcome::Refused), open(endpoint("id-a"), 8080)]),
            Broken,
            "while endpoints answer there at their own addresses",
            "see that kube-proxy, or what stands for it, runs on the nodes of b",
        ),
        fault(
            "name not reached, endpoints not tried",
            connections(vec![silent(80)]),
            Broken,
            "a Pod in b gets no connection to web.shop.svc.clusterset.local on port 80: no answer",
            "routes, firewalls and NetworkPolicies",
        ),
        fault(
            "name refuses, endpoints not tried",
            connections(vec![tried(Target::Name, 80, Outcome::Refused)]),
            Broken,
            "on port 80: the connection is refused",
            "spec.ports[].targetPort of Service web in the exporting clusters",
        ),
        fault(
            "link to one of two exporters cut",
            one_source,
            WorksWithDoubts,
            "works, with a doubt at connection: packets from b get no answer from 10.10.0.5 of c on port 8080",
            "routes, firewalls and NetworkPolicies between the Pods of b and c",
        ),
        fault(
            "Pod address ranges overlap, and yet a Pod connects",
            with("b", |held| held.pod_ranges = vec!["10.10.0.0/16".to_owned()]),
            WorksWithDoubts,
            "works, with a doubt at connection: the Pod addresses of b (10.10.0.0/16) and a (10.10.0.0/24) overlap",
            "spec.podCIDRs",
        ),
    ]
}
