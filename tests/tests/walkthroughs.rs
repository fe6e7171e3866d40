//! The walkthroughs of `examples/` on loopback sockets, and what users do next.

use portolan_e2e::manifests::{DEPLOYMENT, POLICY};
use portolan_e2e::steps::apply_text;
use portolan_e2e::{Playground, text, walkthroughs};

#[test]
fn karmada_mcs_answers_across_clusters() {
    walkthroughs::karmada_mcs(&Playground::start());
}

#[test]
fn tolerated_import_is_placed_only_with_its_toleration() {
    let clusters = walkthroughs::tolerated_import_clusters();
    walkthroughs::tolerated_import(&Playground::start_with(&["--config", text(&clusters)]));
}

#[test]
fn federation_override_is_seen_in_the_member() {
    walkthroughs::federation(&Playground::start());
}

#[test]
fn a_federated_service_is_in_every_cluster() {
    let clusters = walkthroughs::federated_service_clusters();
    walkthroughs::federated_service(&Playground::start_with(&["--config", text(&clusters)]));
}

#[test]
fn endpoints_and_withdrawal_follow_the_exporter() {
    let playground = Playground::start();
    let (hub, member1, member2) =
        (playground.hub(), playground.member("member1"), playground.member("member2"));
    walkthroughs::export_serve(&playground);
    let addresses = [
        "get",
        "endpointslices",
        "-l",
        "kubernetes.io/service-name=derived-serve",
        "-o",
        "jsonpath={.items[*].endpoints[*].addresses[*]}",
    ];
    member2.eventually(&addresses, "one endpoint", |text| text.split_whitespace().count() == 1);
    hub.ok(&["scale", "deployment", "serve", "--replicas=2"]);
    member1.eventually(&["get", "deployment", "serve"], "two ready replicas", |table| table.contains("2/2"));
    member2.eventually(&addresses, "two endpoints", |text| text.split_whitespace().count() == 2);
    hub.eventually(&["get", "deployment", "serve"], "the members' status", |table| table.contains("2/2"));

    hub.ok(&["delete", "serviceexport", "serve"]);
    member2.eventually(&addresses, "no endpoint", |text| text.trim().is_empty());
    hub.ok(&["delete", "serviceimport", "serve"]);
    member2.eventually(&["get", "svc"], "no derived service", |table| !table.contains("derived-serve"));
}

#[test]
fn counters_of_a_status_return_to_zero() {
    let playground = Playground::start();
    let (hub, member1) = (playground.hub(), playground.member("member1"));
    apply_text(&hub, DEPLOYMENT);
    apply_text(&hub, POLICY);
    let status = ["get", "deployment", "web", "-o", "jsonpath={.status}"];
    for kubectl in [&hub, &member1] {
        kubectl.eventually(&status, "two replicas and none unavailable", |text| {
            text.contains("\"readyReplicas\":2") && !text.contains("unavailableReplicas")
        });
    }
    hub.ok(&["scale", "deployment", "web", "--replicas=0"]);
    for kubectl in [&member1, &hub] {
        kubectl.eventually(&["get", "deployment", "web"], "no replicas", |table| table.contains("0/0"));
    }
}
