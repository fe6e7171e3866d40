//! Faults that were injected into real federations, and what the diagnosis has to say about them.

#![expect(clippy::too_many_lines, reason = "tables")]

use portolan_object::Object;
use serde_json::{Value, json};

use super::super::connection::{Connection, Outcome, Target};
use super::super::*;
use super::federation::{
    derived, derived_name, endpoint, explicit, healthy, lose, lost, mark, not_ready, object, pod, ready_pod,
    service, slice, tried, untried, view, with, with_second,
};
use crate::discovery::LostCause;

/// A fault.
pub(super) struct Fault {
    /// What is wrong.
    pub(super) name: &'static str,
    pub(super) facts: Facts,
    /// The client cluster.
    pub(super) from: &'static str,
    /// A part of the headline.
    pub(super) says: &'static str,
    /// A part of the next step.
    pub(super) next: &'static str,
    pub(super) verdict: Verdict,
}

pub(super) fn fault(
    name: &'static str,
    facts: Facts,
    verdict: Verdict,
    says: &'static str,
    next: &'static str,
) -> Fault {
    Fault { name, facts, from: "b", says, next, verdict }
}

pub(super) fn conflict(reason: &str) -> Value {
    json!([{"type": "Conflict", "status": "True", "reason": reason, "message": "a wins"}])
}

pub(super) fn faults() -> Vec<Fault> {
    [exporting(), importing(), links(), explicit_imports(), network()].into_iter().flatten().collect()
}

fn exporting() -> Vec<Fault> {
    use Verdict::Broken;
    let endpoints = |pods: Option<Vec<Object>>, slices: Vec<Object>| {
        with("a", |held| (held.pods, held.slices) = (pods, slices))
    };
    let unready = pod("web-1", json!([{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]));
    let none = || vec![slice(None, &[])];
    let mut no_ports = slice(None, &["10.10.0.5"]);
    no_ports.0["ports"] = json!([]);
    let without_service = with("a", |held| held.local = None);
    let unknown = with("a", |held| (held.export, held.local) = (None, None));
    let external = with("a", |held| {
        held.local.as_mut().expect("a Service").0["spec"]["type"] = json!("ExternalName");
    });
    let labels = with("a", |held| {
        held.export.as_mut().expect("an export").0["spec"] = json!({"exportedLabels": {"a b": "c"}});
    });
    let held_in_deletion = with("a", |held| {
        let export = held.export.as_mut().expect("an export");
        export.0["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        export.0["metadata"]["finalizers"] = json!(["example.com/hold"]);
    });
    vec![
        fault(
            "0 replicas",
            endpoints(Some(vec![]), none()),
            Broken,
            "broken at endpoints: no ready endpoint (a: 0 of 0 ready): no Pod in a matches spec.selector app=web",
            "spec.replicas of its workload",
        ),
        fault(
            "selector with a typing error",
            endpoints(Some(vec![]), none()),
            Broken,
            "no Pod in a matches spec.selector app=web of Service web",
            "correct spec.selector of Service web",
        ),
        fault(
            "Pods that are not ready",
            endpoints(Some(vec![unready]), vec![slice(None, &["10.10.0.5!"])]),
            Broken,
            "(a: 0 of 1 ready): Pod web-1 is not ready: ContainersNotReady",
            "describe pods -l app=web",
        ),
        fault(
            "Service without a selector, its EndpointSlice deleted",
            endpoints(None, vec![]),
            Broken,
            "Service web has no spec.selector",
            "get endpointslices -l kubernetes.io/service-name=web",
        ),
        fault(
            "targetPort with a name that no Pod has",
            endpoints(Some(vec![ready_pod("web-1")]), vec![no_ports]),
            Broken,
            "broken at endpoints: EndpointSlice web-x of a has no ports",
            "spec.ports[].targetPort of Service web in a",
        ),
        fault(
            "export before the Service, or the Service deleted",
            without_service,
            Broken,
            "broken at export: a exports it but has no Service of this name",
            "create the Service web in a",
        ),
        fault(
            "Service without an export, or the export in another namespace",
            with("a", |held| held.export = None),
            Broken,
            "broken at export: no cluster exports it: a has the Service but no ServiceExport",
            "apply -f -",
        ),
        fault("ExternalName", external, Broken, "is of type ExternalName", "spec.type of Service web in a"),
        fault(
            "exported labels that are not valid",
            labels,
            Broken,
            "is not valid (InvalidExportedMetadata)",
            "edit serviceexport web",
        ),
        fault(
            "a name that no cluster has",
            unknown,
            Broken,
            "no cluster has a Service or a ServiceExport of this name",
            "portolan services -A",
        ),
        fault(
            "export held in deletion by a finalizer",
            held_in_deletion,
            Broken,
            "waits for metadata.finalizers example.com/hold",
            "remove it from metadata.finalizers",
        ),
    ]
}

fn importing() -> Vec<Fault> {
    use Verdict::{Broken, WorksWithDoubts};
    let no_import = |change: fn(&mut View)| {
        with("b", |held| {
            (held.import, held.derived) = (None, vec![]);
            held.slices.clear();
            change(held);
        })
    };
    let refused = json!([{"type": "Valid", "status": "True"}, {"type": "Ready", "status": "False",
        "message": "not every cluster has the import: cluster b: its API server refuses the import: quota; cluster c: x"}]);
    let mut told = no_import(|_| {});
    view(&mut told, "a").export = Some(object("ServiceExport", json!({}), refused));
    let family = with("b", |held| {
        held.import.as_mut().expect("an import").0["status"]["conditions"] = json!([{"type": "Ready",
            "status": "False", "reason": "IPFamilyNotSupported", "message": "IPv6 is not configured"}]);
    });
    let mut foreign_slice = slice(None, &["10.99.9.9"]);
    foreign_slice.set_label("kubernetes.io/service-name", derived_name());
    let mut foreign = service("10.1.0.9", 80);
    foreign.metadata_mut().insert("name".to_owned(), json!(derived_name()));
    let local = with("b", |held| {
        held.import.as_mut().expect("an import").0["spec"]["internalTrafficPolicy"] = json!("Local");
    });
    let mut selected = derived();
    selected.0["spec"]["selector"] = json!({"app": "evil"});
    let left = with("a", |held| (held.clusterset, held.import) = (None, None));
    vec![
        fault(
            "namespace missing in the importer",
            no_import(|held| held.namespace = Namespace::Missing),
            Broken,
            "broken at import: b has no ServiceImport: b has no namespace shop",
            "kubectl --context b create namespace shop",
        ),
        fault(
            "rights to write lost in the importer",
            no_import(|held| held.missing_rights = vec!["create services".to_owned()]),
            Broken,
            "the account of the control plane in b may not create services",
            "portolan cluster permissions b --all --apply",
        ),
        fault(
            "write refused by the importer",
            told,
            Broken,
            "its API server refuses the import: quota",
            "condition Ready of the ServiceExport web",
        ),
        fault(
            "a foreign Service has the name of the derived Service",
            with("b", |held| (held.import, held.derived) = (None, vec![foreign])),
            Broken,
            "in b has the name that the import needs and is not Portolan's",
            "delete service derived-",
        ),
        fault(
            "PortConflict, the winner answers",
            with_second(service("10.15.0.4", 81), conflict("PortConflict")),
            WorksWithDoubts,
            "works, with a doubt at import: port conflict: http 81/TCP of c gets no traffic",
            "spec.ports of Service web in c",
        ),
        fault(
            "TypeConflict",
            with_second(service("None", 80), conflict("TypeConflict")),
            WorksWithDoubts,
            "works, with a doubt at import: type conflict: the Service in c is Headless",
            "spec.clusterIP of Service web in c",
        ),
        fault(
            "LabelsConflict",
            with_second(service("10.15.0.4", 80), conflict("LabelsConflict")),
            WorksWithDoubts,
            "works, with a doubt at import: the exports differ (LabelsConflict): a wins",
            "condition Conflict of the ServiceExport in c",
        ),
        fault(
            "internalTrafficPolicy Local",
            local,
            Broken,
            "broken at service: internalTrafficPolicy is Local",
            "spec.internalTrafficPolicy of Service web in a: Cluster",
        ),
        fault(
            "derived Service with a selector",
            with("b", |held| held.derived = vec![selected]),
            WorksWithDoubts,
            "works, with a doubt at service: spec.selector of Service derived-",
            "stop that writer",
        ),
        fault(
            "foreign EndpointSlice on the derived Service",
            with("b", |held| held.slices.push(foreign_slice)),
            WorksWithDoubts,
            "works, with a doubt at slices: EndpointSlice shop/web-x is not Portolan's",
            "delete it",
        ),
        fault(
            "IPv6 service, IPv4 cluster",
            family,
            Broken,
            "broken at import: the ServiceImport in b is not ready (IPFamilyNotSupported)",
            "spec.ipFamilies of Service web",
        ),
        fault(
            "the exporter left the clusterset",
            left,
            Broken,
            "broken at set: a exports it but is in no clusterset",
            "portolan clusterset add set a",
        ),
    ]
}

fn links() -> Vec<Fault> {
    use Verdict::{CannotTell, WorksWithDoubts};
    let one_of_two = |cause| {
        let mut facts = with_second(service("10.15.0.4", 80), json!([]));
        lose(&mut facts, "c", cause);
        facts
    };
    let held_by_other = {
        let mut facts = healthy();
        facts.members[1].known.ready = Some(not_ready("HeldByAnotherControlPlane"));
        facts
    };
    vec![
        fault(
            "API server of one of two exporters killed",
            one_of_two(LostCause::Unreachable),
            WorksWithDoubts,
            "works, with a doubt at link: c was not read: no connection to its API server since 2026-01-01T00:00:00Z",
            "start the API server of c",
        ),
        fault(
            "API server of the only exporter killed",
            lost("a", LostCause::Unreachable),
            CannotTell,
            "cannot tell at link: a was not read: no connection to its API server",
            "start the API server of a",
        ),
        fault(
            "API server of the only exporter hangs",
            lost("a", LostCause::Silent),
            CannotTell,
            "b sends traffic to 2 endpoints of a; whether they answer is not known",
            "start the API server of a",
        ),
        fault(
            "binding of the account deleted in the exporter",
            lost("a", LostCause::RightsMissing),
            CannotTell,
            "the account of the control plane lacks a right there",
            "portolan cluster permissions a --all --apply",
        ),
        fault(
            "token of the account refused",
            lost("a", LostCause::CredentialRefused),
            CannotTell,
            "its API server refuses the credential of the control plane",
            "`portolan join a --cluster-kubeconfig FILE` again",
        ),
        fault(
            "Secret with the credential deleted",
            lost("a", LostCause::NoCredential),
            CannotTell,
            "its Secret on the control plane is gone",
            "makes a new Secret for spec.secretRef of Cluster a",
        ),
        fault(
            "another control plane holds the importer",
            held_by_other,
            WorksWithDoubts,
            "doubt at link: the control plane does not follow changes in b since 2026-01-01T00:00:00Z",
            "--take-over",
        ),
    ]
}

fn explicit_imports() -> Vec<Fault> {
    use Verdict::{Broken, CannotTell};
    let mut foreign = explicit(json!([{"port": 80}]));
    view(&mut foreign, "b").derived[0].metadata_mut().remove("labels");
    let mut gone = explicit(json!([{"port": 80}]));
    let held = view(&mut gone, "b");
    (held.import, held.derived) = (None, vec![]);
    held.slices.clear();
    vec![
        fault(
            "explicit: port without the name of the exporter",
            explicit(json!([{"port": 80}])),
            CannotTell,
            "no object is wrong, and no connection was tried",
            "",
        ),
        fault(
            "explicit: another number than the exporter's",
            explicit(json!([{"port": 8081}])),
            CannotTell,
            "no object is wrong, and no connection was tried",
            "",
        ),
        fault(
            "explicit: ports that the exporter lacks",
            explicit(json!([{"name": "grpc", "port": 99}, {"name": "x", "port": 98}])),
            Broken,
            "broken at import: the ServiceImport in b lists grpc 99/TCP, x 98/TCP, which the Service in a does not have",
            "spec.ports of the ServiceImport web in b",
        ),
        fault(
            "explicit: a foreign Service has the name derived-web",
            foreign,
            Broken,
            "broken at service: the import in b has no derived Service: Service shop/derived-web in b",
            "delete or rename it",
        ),
        fault(
            "explicit: import deleted",
            gone,
            Broken,
            "broken at set: b is in no clusterset and has no ServiceImport",
            "a policy that sends a ServiceImport web to b",
        ),
    ]
}

fn network() -> Vec<Fault> {
    use Verdict::{Broken, WorksWithDoubts};
    let connections = |tries: Vec<Connection>| with("b", |held| held.connections = tries);
    let mut same_address = with_second(service("10.15.0.4", 80), json!([]));
    for (cluster, source) in [("c", None), ("b", Some("id-c"))] {
        let held = view(&mut same_address, cluster);
        held.slices.retain(|one| {
            one.label("multicluster.kubernetes.io/source-cluster") != source
                || source.is_none() && cluster != "c"
        });
        held.slices.push(slice(source, &["10.10.0.5"]));
    }
    let mut unforwarded = untried("b", |_| {});
    view(&mut unforwarded, "b").dns.forwards_zone = Some(false);
    let mut overlapping = untried("b", |held| held.pod_ranges = vec!["10.10.0.0/16".to_owned()]);
    mark(&mut view(&mut overlapping, "b").derived[0]);
    vec![
        fault(
            "wrong number of targetPort",
            connections(vec![
                tried(Target::Name, 80, Outcome::Refused),
                tried(endpoint("id-a"), 8080, Outcome::Refused),
            ]),
            Broken,
            "broken at connection: 10.10.0.5 of a refuses connections on port 8080: nothing listens there",
            "spec.ports[].targetPort of Service web in a",
        ),
        fault(
            "link between the clusters cut",
            connections(vec![
                tried(Target::Name, 80, Outcome::Silent),
                tried(endpoint("id-a"), 8080, Outcome::Silent),
            ]),
            Broken,
            "broken at connection: packets from b get no answer from 10.10.0.5 of a on port 8080",
            "routes, firewalls and NetworkPolicies between the Pods of b and a",
        ),
        fault(
            "CoreDNS does not forward the zone",
            unforwarded,
            Broken,
            "broken at dns: the cluster DNS of b does not forward clusterset.local",
            "portolan dns install",
        ),
        fault(
            "Pod address ranges overlap",
            overlapping,
            Broken,
            "broken at connection: the Pod addresses of b (10.10.0.0/16) and a (10.10.0.0/24) overlap",
            "spec.podCIDRs",
        ),
        fault(
            "one Pod address from two clusters",
            same_address,
            WorksWithDoubts,
            "doubt at slices: a and c both have a Pod with the address 10.10.0.5",
            "give a or c other pod addresses",
        ),
    ]
}
