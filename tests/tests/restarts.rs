//! A playground that is killed or stopped, and starts again on the same folder.

#[path = "restarts/half_open.rs"]
mod half_open;
#[path = "restarts/kills.rs"]
mod kills;
#[path = "restarts/one_member.rs"]
mod one_member;
#[path = "restarts/program.rs"]
mod program;
#[path = "restarts/wanted.rs"]
mod wanted;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use portolan_e2e::manifests::{DEPLOYMENT, POLICY};
use portolan_e2e::steps::{apply, apply_text, derived_service_address, request};
use portolan_e2e::{Playground, text};

/// ConfigMaps to create, and the number after which the process is killed.
const MANY: usize = 200;
const KILLED_AFTER: usize = 60;

/// A policy that propagates the labelled ConfigMaps to every member, and the ConfigMaps.
fn many_config_maps() -> String {
    let policy = "apiVersion: policy.karmada.io/v1alpha1\nkind: ClusterPropagationPolicy\nmetadata: {name: many}\nspec:\n  \
                  resourceSelectors: [{apiVersion: v1, kind: ConfigMap, labelSelector: {matchLabels: {many: \"yes\"}}}]\n  \
                  placement: {}\n";
    let config_map = |index: usize| {
        format!(
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: many-{index}, labels: {{many: \"yes\"}}}}\n\
             data: {{index: \"{index}\"}}\n"
        )
    };
    std::iter::once(policy.to_owned()).chain((0..MANY).map(config_map)).collect()
}

/// Applies `file`, kills the playground after enough acknowledged creations, and returns the acknowledged names.
fn killed_in_the_middle(playground: &mut Playground, file: &Path) -> Vec<String> {
    let mut command = playground.hub().command(&["apply", "-f", text(file)]);
    let mut applying = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("kubectl starts");
    let stdout = applying.stdout.take().expect("standard output is a pipe");
    let mut acknowledged = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("kubectl prints text");
        acknowledged.extend(line.strip_suffix(" created").map(str::to_owned));
        if acknowledged.len() == KILLED_AFTER {
            playground.kill();
        }
    }
    let status = applying.wait().expect("kubectl can be waited for");
    assert!(!status.success(), "kubectl had applied everything before the kill");
    acknowledged
}

#[test]
fn a_kill_in_the_middle_loses_nothing() {
    let mut playground = Playground::start();
    let server = ["config", "view", "-o", "jsonpath={.clusters[0].cluster.server}"];
    for file in ["1-propagate-crds", "2-workload", "3-export", "4-import"] {
        apply(&playground.hub(), &format!("karmada-mcs/{file}.yaml"));
    }
    let address = derived_service_address(&playground.member("member2"));
    let url = playground.hub().ok(&server);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("many.yaml");
    fs::write(&file, many_config_maps()).expect("the folder is writable");

    let acknowledged = killed_in_the_middle(&mut playground, &file);
    playground.restart();

    let (hub, member1, member2) =
        (playground.hub(), playground.member("member1"), playground.member("member2"));
    assert_eq!(hub.ok(&server), url, "the control plane moved");
    let label = ["get", "configmaps", "-l", "many=yes", "-o", "name"];
    let kept = hub.ok(&label);
    assert!(acknowledged.len() >= KILLED_AFTER, "{acknowledged:?}");
    for object in acknowledged.iter().filter(|object| object.starts_with("configmap/")) {
        assert!(kept.lines().any(|line| line == object), "{object} was acknowledged and is gone");
    }
    let count = kept.lines().count();
    for member in [&member1, &member2] {
        member.eventually(&label, &format!("{count} ConfigMaps"), |text| text.lines().count() == count);
    }
    hub.ok(&["apply", "-f", text(&file)]);
    for member in [&member1, &member2] {
        member.eventually(&label, "all ConfigMaps", |text| text.lines().count() == MANY);
    }
    assert_eq!(derived_service_address(&member2), address, "the derived Service moved");
    member1.eventually(&["get", "deployment", "serve"], "a ready replica", |table| table.contains("1/1"));
    let answers = request(&member2, &address);
    assert!(answers.len() >= 2, "{answers:?}");
}

#[test]
fn sigterm_ends_cleanly() {
    let mut playground = Playground::start();
    apply_text(&playground.hub(), DEPLOYMENT);
    apply_text(&playground.hub(), POLICY);
    let deployment = ["get", "deployment", "web"];
    playground.member("member1").eventually(&deployment, "both replicas", |table| table.contains("2/2"));
    let asked = Instant::now();
    let status = playground.stop();
    assert_eq!(status.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?}", asked.elapsed());
    playground.restart();
    playground.member("member1").eventually(&deployment, "both replicas", |table| table.contains("2/2"));
    let bindings = playground.hub().ok(&["get", "rb"]);
    assert!(bindings.contains("web-deployment"), "{bindings}");
}
