//! The walkthroughs of `examples/`, run as their users wrote them: the built binary and plain kubectl.

use portolan_e2e::Playground;
use portolan_e2e::manifests::{DEPLOYMENT, POLICY};
use portolan_e2e::programs::example;
use portolan_e2e::steps::{apply, apply_text, derived_service_address, request};

#[test]
fn karmada_mcs_answers_across_clusters() {
    let playground = Playground::start();
    let (hub, member1, member2) =
        (playground.hub(), playground.member("member1"), playground.member("member2"));
    let before = member1.fails(&["get", "serviceexports"]);
    assert!(before.contains("the server doesn't have a resource type \"serviceexports\""), "{before}");

    // All four files without any pause.
    let first = apply(&hub, "karmada-mcs/1-propagate-crds.yaml");
    assert_eq!(
        first,
        "clusterpropagationpolicy.policy.karmada.io/serviceexport-policy created\n\
         clusterpropagationpolicy.policy.karmada.io/serviceimport-policy created\n"
    );
    for file in ["2-workload", "3-export", "4-import"] {
        apply(&hub, &format!("karmada-mcs/{file}.yaml"));
    }

    let address = derived_service_address(&member2);
    member2.eventually(&["get", "endpointslices"], "the imported slice", |table| {
        table.contains("imported-member1-serve-") && table.contains("8080")
    });
    let answers = request(&member2, &address);
    assert!(answers.len() >= 2, "{answers:?}");
    for answer in &answers {
        assert!(
            answer.contains("'hello from cluster member1 (Node: member1-control-plane Pod: serve-"),
            "{answer}"
        );
    }

    for member in [&member1, &member2] {
        let crds = member.ok(&["get", "crd"]);
        for name in ["serviceexports.multicluster.x-k8s.io", "serviceimports.multicluster.x-k8s.io"] {
            assert!(crds.contains(name), "{crds}");
        }
    }
    let elsewhere = member2.run(&["get", "deployment", "serve"]);
    assert!(!elsewhere.success, "the workload belongs to member1 only:\n{elsewhere}");

    let bindings = hub.ok(&["get", "rb"]);
    for name in ["serve-deployment", "serve-service", "serve-serviceexport", "serve-serviceimport"] {
        assert!(bindings.lines().any(|line| line.starts_with(name) && line.contains("True")), "{bindings}");
    }
}

#[test]
fn endpoints_and_withdrawal_follow_the_exporter() {
    let playground = Playground::start();
    let (hub, member1, member2) =
        (playground.hub(), playground.member("member1"), playground.member("member2"));
    for file in ["1-propagate-crds", "2-workload", "3-export", "4-import"] {
        apply(&hub, &format!("karmada-mcs/{file}.yaml"));
    }
    derived_service_address(&member2);
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
fn tolerated_import_is_placed_only_with_its_toleration() {
    let config = example("tolerated-import/playground.yaml");
    let playground = Playground::start_with(&["--config", config.to_str().expect("UTF-8")]);
    let (hub, consumer) = (playground.hub(), playground.member("kind-test"));
    apply(&hub, "tolerated-import/1-propagate-crds.yaml");
    for name in ["serviceexports", "serviceimports"] {
        consumer.eventually(&["get", "crd"], name, |table| table.contains(name));
    }
    let taints = r#"{"spec":{"taints":[{"key":"dedicated","value":"special-user","effect":"NoSchedule"}]}}"#;
    hub.ok(&["patch", "cluster", "kind-test", "--type=merge", "-p", taints]);
    apply(&hub, "tolerated-import/2-workload.yaml");
    apply(&hub, "tolerated-import/3-export.yaml");

    // Without the toleration the binding says why not.
    let manifest =
        std::fs::read_to_string(example("tolerated-import/4-import.yaml")).expect("the manifest is readable");
    let (intolerant, _) = manifest.split_once("    clusterTolerations:").expect("the seed has a toleration");
    let output = hub.run_with_input(&["apply", "-f", "-"], intolerant);
    assert!(output.success, "{output}");
    let reason = [
        "get",
        "rb",
        "serve-serviceimport",
        "-o",
        "jsonpath={.status.conditions[?(@.type==\"Scheduled\")].message}",
    ];
    hub.eventually(&reason, "the taint that keeps it away", |message| {
        message.contains("0/2 clusters are available")
            && message.contains("1 cluster(s) had untolerated taint {dedicated=special-user:NoSchedule}")
    });
    assert!(!consumer.ok(&["get", "svc"]).contains("derived-serve"));

    apply(&hub, "tolerated-import/4-import.yaml");
    let address = derived_service_address(&consumer);
    let answers = request(&consumer, &address);
    assert!(answers.len() >= 2, "{answers:?}");
}

#[test]
fn federation_override_is_seen_in_the_member() {
    let playground = Playground::start();
    let (hub, member1, member2) =
        (playground.hub(), playground.member("member1"), playground.member("member2"));
    hub.ok(&["create", "deployment", "nginx", "--image=nginx"]);
    apply(&hub, "federation/overridepolicy.yaml");
    apply(&hub, "federation/propagationpolicy.yaml");
    let annotation = ["get", "deployment", "nginx", "-o", "jsonpath={.metadata.annotations.foo}"];
    member1.eventually(&annotation, "foo: bar", |text| text == "bar");
    assert!(!member2.run(&["get", "deployment", "nginx"]).success);
    let bindings =
        hub.eventually(&["get", "rb"], "the applied binding", |table| table.contains("True        True"));
    assert!(
        bindings.starts_with(
            "NAME               SCHEDULED   FULLYAPPLIED   AGE\nnginx-deployment   True        True"
        ),
        "{bindings}"
    );
    let policies = hub.ok(&["get", "pp"]);
    assert!(
        policies.starts_with(
            "NAME             CONFLICT-RESOLUTION   PRIORITY   AGE\nexample-policy   Abort                 0"
        ),
        "{policies}"
    );
    hub.eventually(&["get", "deploy"], "the member's replicas", |table| table.contains("1/1"));
    hub.ok(&["delete", "deployment", "nginx"]);
    member1.eventually(&["get", "deployments"], "nothing", |table| !table.contains("nginx"));
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
