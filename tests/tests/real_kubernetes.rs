//! The first walkthrough with kube-apiserver, kube-controller-manager and etcd as members, and as the control
//! plane: what works here speaks nothing but the Kubernetes API.

use std::fs;
use std::path::{Path, PathBuf};

use portolan_e2e::kubernetes::{ControlPlane, Role, text};
use portolan_e2e::steps::{apply, derived_service_address, request};
use portolan_e2e::{Kubectl, Playground};
use tempfile::TempDir;

/// A playground configuration whose members are the given control planes.
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
    Playground::start_with(&["--config", &text(config)])
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

#[test]
fn the_control_plane_is_real() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hub = ControlPlane::start(Role::Hub, "10.96.0.0/16");
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds");
    hub.kubectl().ok(&["apply", "--server-side", "-f", &text(&crds)]);
    let path = folder.path().join("playground.yaml");
    fs::write(&path, format!("controlPlane:\n  kubeconfig: {}\n", text(&hub.kubeconfig())))
        .expect("writable");
    let playground = start(&path);
    walk(&hub.kubectl(), &playground.member("member1"), &playground.member("member2"));
}
