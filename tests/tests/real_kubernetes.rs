//! The first walkthrough with kube-apiserver, kube-controller-manager and etcd as members, and as the control
//! plane: what works here speaks nothing but the Kubernetes API.

#[path = "real_kubernetes/firewall.rs"]
mod firewall;
#[path = "real_kubernetes/replicas.rs"]
mod replicas;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use portolan_e2e::binary::portolan;
use portolan_e2e::kubernetes::{ControlPlane, OLD_ETCD, Programs, Role};
use portolan_e2e::steps::{apply, apply_text, derived_service_address, request};
use portolan_e2e::{Kubectl, Playground, Server, eventually, programs, text};
use tempfile::TempDir;

/// A playground configuration with the given control planes as members.
fn config(folder: &TempDir, members: &[(&str, &str, &ControlPlane)]) -> PathBuf {
    let mut yaml = String::from("clusters:\n");
    for (name, pods, plane) in members {
        yaml += &format!(
            "- name: {name}\n  podCIDR: {pods}\n  kubeconfig: {}\n  kubeletClientCA: {}\n",
            text(&plane.kubeconfig()),
            text(&plane.kubelet_client_ca()),
        );
    }
    let path = folder.path().join("playground.yaml");
    fs::write(&path, yaml).expect("the folder is writable");
    path
}

fn start(config: &Path) -> Playground {
    Playground::start_with(&["--config", text(config)])
}

/// Runs karmada-mcs without a pause between its files and asks across the clusters.
fn walk(hub: &Kubectl, member1: &Kubectl, member2: &Kubectl) {
    for file in ["1-propagate-crds", "2-workload", "3-export", "4-import"] {
        apply(hub, &format!("karmada-mcs/{file}.yaml"));
    }
    let address = derived_service_address(member2);
    member1.eventually(&["get", "deployment", "serve"], "a ready replica", |table| table.contains("1/1"));
    let ready = "jsonpath={.items[*].endpoints[*].conditions.ready}";
    let slices = ["get", "endpointslices", "-l", "kubernetes.io/service-name=derived-serve", "-o", ready];
    member2.eventually(&slices, "a ready endpoint", |text| text.trim() == "true");
    let answers = request(member2, &address);
    assert!(answers.len() >= 2, "{answers:?}");
    for answer in &answers {
        assert!(
            answer.contains("'hello from cluster member1 (Node: member1-control-plane Pod: serve-"),
            "{answer}"
        );
    }
}

#[test]
fn members_are_real() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let member1 = ControlPlane::start(Role::Member, "10.11.0.0/16");
    let member2 = ControlPlane::start(Role::Member, "10.13.0.0/16");
    let members = [("member1", "10.10.0.0/16", &member1), ("member2", "10.12.0.0/16", &member2)];
    let playground = start(&config(&folder, &members));
    walk(&playground.hub(), &member1.kubectl(), &member2.kubectl());
}

/// `portolan server` as the only control plane. The playground plays the nodes of the members and nothing else: its own
/// control plane has let them leave.
#[test]
fn a_server_alone_runs_the_walkthrough_on_real_members() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let member1 = ControlPlane::start(Role::Member, "10.11.0.0/16");
    let member2 = ControlPlane::start(Role::Member, "10.13.0.0/16");
    let members = [("member1", "10.10.0.0/16", &member1), ("member2", "10.12.0.0/16", &member2)];
    let playground = start(&config(&folder, &members));
    let played = playground.directory().join("portolan.config");
    let server = Server::start("127.0.0.1", &[]);
    for (name, _, member) in members {
        let cluster = ["--cluster-kubeconfig", text(&member.kubeconfig())].map(str::to_owned);
        let command = |verb: &str, hub: &Path| {
            let mut arguments = vec![verb, name, "--kubeconfig", text(hub)];
            arguments.extend(cluster.iter().map(String::as_str));
            let finished = portolan(&arguments);
            assert_eq!(finished.code, Some(0), "{verb} {name}: {finished}");
        };
        command("unjoin", &played);
        command("join", &server.kubeconfig());
    }
    walk(&server.kubectl(), &member1.kubectl(), &member2.kubectl());
}

#[test]
fn the_control_plane_is_real() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hub = ControlPlane::start(Role::Hub, "10.96.0.0/16");
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds");
    hub.kubectl().ok(&["apply", "--server-side", "-f", text(&crds)]);
    let path = folder.path().join("playground.yaml");
    fs::write(&path, format!("controlPlane:\n  kubeconfig: {}\n", text(&hub.kubeconfig())))
        .expect("writable");
    let playground = start(&path);
    walk(&hub.kubectl(), &playground.member("member1"), &playground.member("member2"));
}

/// The specs of SIG Multicluster's suite that need no traffic, with Kubernetes' own API servers as members. Pods are those
/// of the playground's nodes.
#[test]
fn real_members_conform() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let member1 = ControlPlane::start(Role::Member, "10.11.0.0/16");
    let member2 = ControlPlane::start(Role::Member, "10.13.0.0/16");
    let members = [("member1", "10.10.0.0/16", &member1), ("member2", "10.12.0.0/16", &member2)];
    let path = config(&folder, &members);
    let playground = Playground::start_with(&["--config", text(&path), "--clusterset", "prod"]);
    let kubeconfig = format!("-kubeconfig={}", text(&playground.directory().join("members.config")));
    let suite = Command::new(programs::kubernetes("mcs-conformance"))
        .args(["-ginkgo.no-color", "-ginkgo.label-filter=!DNS && !Connectivity"])
        .args([kubeconfig.as_str(), "-contexts=member1,member2"])
        .current_dir(folder.path())
        .output()
        .expect("the suite starts");
    let said = String::from_utf8_lossy(&suite.stdout);
    assert!(suite.status.success(), "{said}");
    let report = fs::read_to_string(folder.path().join("report.yaml")).expect("the suite leaves a report");
    // All that are Required, and those of the optional ones that need no traffic.
    let passed = report.matches("passed: true").count();
    assert!(passed >= 17, "{passed} specs passed: {said}");
}

/// In a member that has admission policies, only Portolan may change the ClusterProperties of a member of a set.
#[test]
fn what_a_member_is_called_is_protected_until_it_leaves() {
    const NAMES: [&str; 2] = ["cluster.clusterset.k8s.io", "clusterset.k8s.io"];
    const COLLECTION: &str = "/apis/about.k8s.io/v1beta1/clusterproperties";
    const BINDING: [&str; 2] = ["validatingadmissionpolicybinding", "portolan.dev-clusterset-properties"];
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plane = ControlPlane::start(Role::Member, "10.11.0.0/16");
    let path = config(&folder, &[("member1", "10.10.0.0/16", &plane)]);
    let playground = Playground::start_with(&["--config", text(&path), "--clusterset", "prod"]);
    let member = plane.kubectl();
    let edit = |property| {
        ["patch", "clusterproperty", property, "--type=merge", "--patch", r#"{"spec":{"value":"other"}}"#]
    };
    let refused = |arguments: &[&str], property: &str| {
        let said = member.fails(arguments);
        let wanted = format!(
            "ClusterProperty {property} records that this cluster is a member of cluster set prod and cannot be changed: \
             leave the set with `portolan clusterset remove prod member1` first"
        );
        assert!(said.contains(&wanted), "{arguments:?}: {said}");
    };
    for name in NAMES {
        member.eventually(&["get", "clusterproperty", name], "the property", |table| table.contains(name));
        // An API server puts a policy in force some moments after it was written.
        eventually("an edit to be refused", || {
            let trial = member.run(&[&edit(name)[..], &["--dry-run=server"]].concat());
            if trial.success { Err(trial.to_string()) } else { Ok(()) }
        });
        refused(&edit(name), name);
        refused(&["delete", "clusterproperty", name], name);
        member.ok(&["label", "clusterproperty", name, "team=shop"]);
    }
    refused(&["delete", "--raw", COLLECTION], NAMES[0]);
    let own = "apiVersion: about.k8s.io/v1beta1\nkind: ClusterProperty\nmetadata: {name: color}\nspec: {value: red}\n";
    apply_text(&member, own);
    member.ok(&edit("color"));
    member.ok(&["delete", "clusterproperty", "color"]);
    member.ok(&["delete", BINDING[0], BINDING[1]]);
    member.eventually(&["get", BINDING[0]], "that it is put back", |table| table.contains(BINDING[1]));

    let hub = playground.directory().join("portolan.config");
    let left = portolan(&["clusterset", "remove", "prod", "member1", "--kubeconfig", text(&hub)]);
    assert_eq!(left.code, Some(0), "{left}");
    for kind in ["clusterproperties", "validatingadmissionpolicies", "validatingadmissionpolicybindings"] {
        let rest = member.ok(&["get", kind, "--output=name", "--selector=portolan.dev/clusterset"]);
        assert_eq!(rest, "", "{kind}");
    }
}

/// How an API server stops.
#[derive(Debug, Clone, Copy)]
enum Stop {
    /// Its port refuses connections.
    Killed,
    /// Connections stay open, and nothing is answered.
    Halted,
}

const EVERYWHERE: &str = "\
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterPropagationPolicy
metadata: {name: everywhere}
spec:
  resourceSelectors: [{apiVersion: v1, kind: ConfigMap, labelSelector: {matchLabels: {everywhere: \"yes\"}}}]
  placement: {}
";

fn config_map(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{everywhere: \"yes\"}}}}\n\
         data: {{value: \"{value}\"}}\n"
    )
}

fn wait_for_value(member: &Kubectl, name: &str, value: &str) {
    let arguments = ["get", "configmap", name, "-o", "jsonpath={.data.value}"];
    member.eventually(&arguments, &format!("the value {value}"), |text| text == value);
}

/// Stops member1's API server while things change, and lets it come back.
fn stop_in_the_middle(stop: Stop) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut plane = ControlPlane::start(Role::Member, "10.11.0.0/16");
    let member1 = plane.kubectl();
    let path = config(&folder, &[("member1", "10.10.0.0/16", &plane)]);
    let yaml = fs::read_to_string(&path).expect("it is there") + "- name: member2\n";
    fs::write(&path, yaml).expect("the folder is writable");
    let playground = start(&path);
    let (hub, member2) = (playground.hub(), playground.member("member2"));
    apply_text(&hub, EVERYWHERE);
    apply_text(&hub, &config_map("before", "old"));
    for member in [&member1, &member2] {
        wait_for_value(member, "before", "old");
    }
    let uid = ["get", "configmap", "before", "-o", "jsonpath={.metadata.uid}"];
    let before = member1.ok(&uid);

    match stop {
        Stop::Killed => plane.kill_api_server(),
        Stop::Halted => plane.pause_api_server(),
    }
    apply_text(&hub, &config_map("before", "new"));
    apply_text(&hub, &config_map("during", "new"));
    // The other member does not wait.
    for name in ["before", "during"] {
        wait_for_value(&member2, name, "new");
    }
    let applied = "jsonpath={.items[*].status.conditions[?(@.type==\"Applied\")].message}";
    let works = ["get", "work", "-n", "karmada-es-member1", "-o", applied];
    hub.eventually(&works, "why nothing arrives", |messages| {
        messages.contains("cannot reach") || messages.contains("cluster member1 is not ready")
    });
    hub.eventually(&["get", "clusters"], "member1 as not ready", |table| {
        let row = table.lines().find(|line| line.starts_with("member1")).unwrap_or_default();
        row.contains("False")
    });
    // Known to be away by now; this has to arrive later all the same.
    apply_text(&hub, &config_map("late", "new"));
    wait_for_value(&member2, "late", "new");

    match stop {
        Stop::Killed => plane.start_api_server(),
        Stop::Halted => plane.resume_api_server(),
    }
    for name in ["before", "during", "late"] {
        wait_for_value(&member1, name, "new");
    }
    assert_eq!(member1.ok(&uid), before, "the object was deleted and created again");
    hub.eventually(&["get", "clusters"], "member1 as ready", |table| {
        table.lines().any(|line| line.starts_with("member1") && line.contains("True"))
    });
    let bindings = ["get", "rb"];
    hub.eventually(&bindings, "everything applied", |table| {
        table.lines().skip(1).all(|line| line.matches("True").count() == 2)
    });
}

#[test]
fn a_member_that_is_killed_catches_up() {
    stop_in_the_middle(Stop::Killed);
}

#[test]
fn a_member_that_hangs_catches_up() {
    stop_in_the_middle(Stop::Halted);
}

/// A Deployment with fields that API servers drop because they have their zero value, and its policy.
fn deployment(replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: plain}}\nspec:\n  replicas: {replicas}\n  \
         paused: false\n  minReadySeconds: 0\n  selector: {{matchLabels: {{app: plain}}}}\n  template:\n    \
         metadata: {{labels: {{app: plain}}}}\n    spec:\n      hostNetwork: false\n      \
         volumes: [{{name: scratch, emptyDir: {{}}}}]\n      containers:\n      - name: plain\n        \
         image: registry.k8s.io/pause:3.10\n        \
         volumeMounts: [{{name: scratch, mountPath: /scratch, readOnly: false}}]\n"
    )
}

const DEPLOYMENT_POLICY: &str = "\
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: plain}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, name: plain}]
  placement: {clusterAffinity: {clusterNames: [member1]}}
";

/// Changes of objects in a member are seen: the status comes back to the hub, and what was changed or deleted there is
/// put right. A member without streaming lists, in which nothing was ever seen, was Ready all the same.
fn changes_in_the_member_are_seen(programs: Programs) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plane = ControlPlane::start_with(Role::Hub, "10.11.0.0/16", programs);
    let member = plane.kubectl();
    let playground = start(&config(&folder, &[("member1", "10.10.0.0/16", &plane)]));
    let hub = playground.hub();
    apply_text(&hub, &deployment(1));
    apply_text(&hub, DEPLOYMENT_POLICY);
    let uid = ["get", "deployment", "plain", "-o", "jsonpath={.metadata.uid}"];
    let first = member.eventually(&uid, "the Deployment", |uid| !uid.is_empty());

    set_status(&member, 1);
    wait_for_status(&hub, 1);

    member.ok(&["scale", "deployment", "plain", "--replicas=7"]);
    let replicas = ["get", "deployment", "plain", "-o", "jsonpath={.spec.replicas}"];
    member.eventually(&replicas, "the number of replicas of the template", |replicas| replicas == "1");

    member.ok(&["delete", "deployment", "plain"]);
    member.eventually(&uid, "another Deployment", |uid| !uid.is_empty() && uid != first);
    hub.eventually(&["get", "clusters"], "member1 as ready", |table| {
        table.lines().any(|line| line.starts_with("member1") && line.contains("True"))
    });
}

/// Writes a status as the Deployment controller does, which does not run in these members.
fn set_status(member: &Kubectl, replicas: u32) {
    let generation = ["get", "deployment", "plain", "-o", "jsonpath={.metadata.generation}"];
    let generation = member.ok(&generation);
    let status = format!(
        "{{\"status\":{{\"observedGeneration\":{generation},\"replicas\":{replicas},\"updatedReplicas\":{replicas}}}}}"
    );
    member.ok(&["patch", "deployment", "plain", "--subresource=status", "--type=merge", "--patch", &status]);
}

fn wait_for_status(hub: &Kubectl, replicas: u32) {
    let updated = ["get", "deployment", "plain", "-o", "jsonpath={.status.updatedReplicas}"];
    hub.eventually(&updated, &format!("{replicas} updated replicas"), |text| text == replicas.to_string());
}

#[test]
fn a_member_on_an_old_etcd_is_observed() {
    changes_in_the_member_are_seen(Programs { etcd: OLD_ETCD, ..Programs::default() });
}

#[test]
fn a_member_without_streaming_lists_is_observed() {
    changes_in_the_member_are_seen(Programs { feature_gates: "WatchList=false", ..Programs::default() });
}

/// Writes of Deployments, without their subresources, that the API server has served.
fn writes_of_deployments(member: &Kubectl) -> u64 {
    let metrics = member.ok(&["get", "--raw", "/metrics"]);
    let samples = metrics.lines().filter_map(|line| line.strip_prefix("apiserver_request_total{"));
    let is_write = |labels: &str| {
        let has = |label: &str| labels.contains(label);
        let verbs = ["verb=\"POST\"", "verb=\"PUT\"", "verb=\"PATCH\"", "verb=\"APPLY\"", "verb=\"DELETE\""];
        has("resource=\"deployments\"") && has("subresource=\"\"") && verbs.into_iter().any(has)
    };
    let writes = samples.filter_map(|sample| sample.split_once("} ")).filter(|(labels, _)| is_write(labels));
    writes.map(|(_, value)| value.parse::<f64>().expect("a number") as u64).sum()
}

#[test]
fn a_status_does_not_lead_to_writes_into_the_member() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plane = ControlPlane::start(Role::Hub, "10.11.0.0/16");
    let member = plane.kubectl();
    let playground = start(&config(&folder, &[("member1", "10.10.0.0/16", &plane)]));
    let hub = playground.hub();
    apply_text(&hub, &deployment(6));
    apply_text(&hub, DEPLOYMENT_POLICY);
    member.eventually(&["get", "deployments"], "the Deployment", |table| table.contains("plain"));
    set_status(&member, 0);
    let applied = "jsonpath={.items[*].status.conditions[?(@.type==\"Applied\")].status}";
    hub.eventually(&["get", "work", "-n", "karmada-es-member1", "-o", applied], "an applied Work", |text| {
        text.contains("True")
    });
    let before = writes_of_deployments(&member);
    assert!(before >= 1, "the Deployment was created");
    for replicas in 1..=6 {
        set_status(&member, replicas);
        wait_for_status(&hub, replicas);
    }
    assert_eq!(writes_of_deployments(&member), before);
}

/// kubefedctl with the kubeconfigs of a playground.
fn kubefedctl(playground: &Playground, arguments: &[&str]) -> String {
    let folder = playground.directory();
    let kubeconfigs = std::env::join_paths([folder.join("portolan.config"), folder.join("members.config")]);
    let output = Command::new(programs::kubernetes("kubefedctl"))
        .env("KUBECONFIG", kubeconfigs.expect("paths without colons"))
        .args(arguments)
        .args(["--host-cluster-context", "portolan"])
        .output()
        .expect("kubefedctl starts");
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "kubefedctl {arguments:?}: {out}{error}");
    out.into_owned()
}

#[test]
fn kubefedctl_joins_federates_and_unjoins() {
    let playground = Playground::start();
    let (hub, member1) = (playground.hub(), playground.member("member1"));
    let system = "kube-federation-system";
    hub.eventually(&["get", "kfc", "-n", system], "both clusters are ready", |table| {
        table.matches("True").count() == 2
    });
    let config = "{apiVersion: core.kubefed.io/v1beta1, kind: KubeFedConfig, \
                  metadata: {name: kubefed, namespace: kube-federation-system}, spec: {scope: Cluster}}";
    apply_text(&hub, config);
    hub.ok(&["delete", "kfc", "member2", "-n", system]);
    hub.eventually(&["get", "clusters"], "member2 has left", |table| !table.contains("member2"));
    kubefedctl(&playground, &["join", "member2", "--cluster-context", "member2"]);
    hub.eventually(&["get", "clusters"], "member2 is ready", |table| {
        table.lines().any(|line| line.starts_with("member2") && line.contains("True"))
    });
    hub.eventually(&["get", "kfc", "-n", system], "both clusters are ready", |table| {
        table.matches("True").count() == 2
    });

    hub.ok(&["create", "namespace", "shop"]);
    hub.ok(&["create", "configmap", "app", "-n", "shop", "--from-literal=k=v"]);
    kubefedctl(&playground, &["federate", "namespace", "shop", "--contents"]);
    for name in ["member1", "member2"] {
        let member = playground.member(name);
        member
            .eventually(&["get", "configmaps", "-n", "shop"], "the ConfigMap", |table| table.contains("app"));
    }
    let orphaning = |what: &str| {
        kubefedctl(&playground, &["orphaning-deletion", what, "federatedconfigmap", "app", "-n", "shop"])
    };
    assert_eq!(orphaning("status").trim(), "Disabled");
    orphaning("enable");
    assert_eq!(orphaning("status").trim(), "Enabled");
    hub.ok(&["delete", "federatedconfigmap", "app", "-n", "shop"]);
    member1.ok(&["get", "configmap", "app", "-n", "shop"]);

    let disabled = kubefedctl(&playground, &["disable", "configmaps"]);
    assert!(disabled.contains("Propagation controller for FederatedTypeConfig"), "{disabled}");
    kubefedctl(&playground, &["federate", "configmap", "app", "-n", "shop", "--enable-type"]);
    hub.eventually(&["get", "ftc", "configmaps", "-n", system], "it runs", |table| table.contains("Running"));
    kubefedctl(&playground, &["unjoin", "member2", "--cluster-context", "member2"]);
    hub.eventually(&["get", "clusters"], "member2 has left", |table| !table.contains("member2"));
}
