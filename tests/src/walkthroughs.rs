//! The walkthroughs of `examples/`, step by step as their users wrote them, on a playground of either network.
//!
//! The caller chooses the network; the commands and their output are the same for both.

use std::path::PathBuf;

use crate::programs::example;
use crate::steps::{apply, apply_text, derived_service_address, request};
use crate::{Kubectl, Playground};

/// The clusters of [`tolerated_import`], for `--config`.
pub fn tolerated_import_clusters() -> PathBuf {
    example("tolerated-import/playground.yaml")
}

/// Applies all four files of `karmada-mcs` without any pause, and waits until member2 has the endpoints.
///
/// # Panics
/// When kubectl fails, or the derived Service does not come.
pub fn export_serve(playground: &Playground) -> String {
    let (hub, member2) = (playground.hub(), playground.member("member2"));
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
    address
}

/// A Service of member1 is asked in member2; the address of the derived Service there.
///
/// # Panics
/// When something differs from what the walkthrough shows.
pub fn karmada_mcs(playground: &Playground) -> String {
    let (hub, member1, member2) =
        (playground.hub(), playground.member("member1"), playground.member("member2"));
    let before = member1.fails(&["get", "serviceexports"]);
    assert!(before.contains("the server doesn't have a resource type \"serviceexports\""), "{before}");
    let address = export_serve(playground);
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
    address
}

/// A cluster with a taint imports a Service only once the import tolerates it. Needs [`tolerated_import_clusters`].
///
/// # Panics
/// When something differs from what the walkthrough shows.
pub fn tolerated_import(playground: &Playground) {
    let (hub, consumer) = (playground.hub(), playground.member("kind-test"));
    apply(&hub, "tolerated-import/1-propagate-crds.yaml");
    for name in ["serviceexports", "serviceimports"] {
        consumer.eventually(&["get", "crd"], name, |table| table.contains(name));
    }
    let taints = r#"{"spec":{"taints":[{"key":"dedicated","value":"special-user","effect":"NoSchedule"}]}}"#;
    hub.ok(&["patch", "cluster", "kind-test", "--type=merge", "-p", taints]);
    apply(&hub, "tolerated-import/2-workload.yaml");
    apply(&hub, "tolerated-import/3-export.yaml");
    import_without_toleration(&hub);
    assert!(!consumer.ok(&["get", "svc"]).contains("derived-serve"));

    apply(&hub, "tolerated-import/4-import.yaml");
    let address = derived_service_address(&consumer);
    let answers = request(&consumer, &address);
    assert!(answers.len() >= 2, "{answers:?}");
}

/// Without the toleration the binding says why not.
fn import_without_toleration(hub: &Kubectl) {
    let manifest =
        std::fs::read_to_string(example("tolerated-import/4-import.yaml")).expect("the manifest is readable");
    let (intolerant, _) = manifest.split_once("    clusterTolerations:").expect("the seed has a toleration");
    apply_text(hub, intolerant);
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
}

/// A Deployment goes to member1 with an annotation that only its override has.
///
/// # Panics
/// When something differs from what the walkthrough shows.
pub fn federation(playground: &Playground) {
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
    let works = hub.ok(&["get", "works", "-n", "karmada-es-member1"]);
    assert!(works.contains("nginx"), "{works}");
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

/// The clusters of [`federated_service`], for `--config`.
pub fn federated_service_clusters() -> PathBuf {
    example("federated-service/playground.yaml")
}

/// An unchanged Service is created in the hub; every cluster has it, one of them had it before, and `kubectl describe` shows
/// the addresses of all.
///
/// # Panics
/// When something differs from what the walkthrough shows.
pub fn federated_service(playground: &Playground) {
    let hub = playground.hub();
    let members = ["us-a", "us-b", "eu"].map(|name| playground.member(name));
    members[1].ok(&["create", "service", "clusterip", "nginx", "--tcp=8080"]);
    apply(&hub, "federated-service/federation.yaml");
    let nginx = example("federated-service/nginx.yaml");
    let nginx = nginx.to_str().expect("a path in UTF-8");
    assert_eq!(hub.ok(&["create", "-f", nginx]), "service/nginx created\n");
    for (index, member) in members.iter().enumerate() {
        member.eventually(&["get", "service", "nginx"], "the Service with its address", |table| {
            table.contains("LoadBalancer")
                && table.contains(&format!("198.18.{index}.1"))
                && table.contains("80:")
        });
    }
    let described = hub.eventually(&["describe", "services", "nginx"], "every address", |text| {
        text.lines().any(|line| {
            let addresses = ["198.18.0.1", "198.18.1.1", "198.18.2.1"];
            line.starts_with("LoadBalancer Ingress:")
                && addresses.iter().all(|address| line.contains(address))
        })
    });
    for (field, value) in [
        ("Name:", "nginx"),
        ("Namespace:", "default"),
        ("Labels:", "run=nginx"),
        ("Annotations:", "<none>"),
        ("Selector:", "run=nginx"),
        ("Type:", "LoadBalancer"),
        ("Session Affinity:", "None"),
    ] {
        let line = described.lines().find(|line| line.starts_with(field)).unwrap_or_default();
        assert_eq!(line.trim_start_matches(field).trim(), value, "{described}");
    }
    hub.ok(&["delete", "service", "nginx"]);
    for member in &members {
        member.eventually(&["get", "services"], "no Service", |table| !table.contains("nginx"));
    }
}
