//! The binary's own commands, apart from the playground.

#[path = "commands/every_cluster.rs"]
mod every_cluster;
#[path = "commands/karmadactl.rs"]
mod karmadactl;
#[path = "commands/look_ups.rs"]
mod look_ups;

use std::process::Command;
use std::{env, fs};

use portolan_e2e::binary::{finish, portolan, refusal};
use portolan_e2e::steps::{apply, apply_text};
use portolan_e2e::{Playground, eventually, programs, text};

#[test]
fn quickstart_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let mut command = Command::new(programs::portolan());
    let finished = finish(command.arg("quickstart").env("TMPDIR", temporary.path()));
    assert_eq!(finished.code, Some(0), "{finished}");
    assert!(finished.stdout.contains("derived-serve"), "{finished}");
    let answers = finished.stdout.lines().filter(|line| line.contains("hello from cluster member1")).count();
    assert!(answers >= 3, "{finished}");
    let left: Vec<_> = fs::read_dir(temporary.path()).expect("it is there").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn get_tells_where_objects_are() {
    let playground = Playground::start();
    apply(&playground.hub(), "karmada-mcs/1-propagate-crds.yaml");
    let kubeconfig = playground.directory().join("portolan.config");
    let get = |arguments: &[&str]| {
        let all: Vec<&str> =
            ["get"].iter().chain(arguments).copied().chain(["--kubeconfig", text(&kubeconfig)]).collect();
        portolan(&all)
    };
    for server in [playground.hub(), playground.member("member1")] {
        let figures = server.ok(&["get", "--raw", "/metrics"]);
        assert!(figures.contains("portolan_build_info"), "{figures}");
    }
    let policies = get(&["cpp", "--operation-scope", "all"]);
    assert_eq!(policies.code, Some(0), "{policies}");
    let rows: Vec<Vec<&str>> =
        policies.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "CLUSTER", "CONFLICT-RESOLUTION", "PRIORITY", "AGE", "ADOPTION"]);
    let columns: Vec<&[&str]> = rows[1..].iter().map(|row| &row[..4]).collect();
    assert_eq!(
        columns,
        [
            ["serviceexport-policy", "portolan", "Abort", "0"],
            ["serviceimport-policy", "portolan", "Abort", "0"]
        ]
    );
    assert!(
        policies.stderr.contains("cluster(member1): the server doesn't have a resource type \"cpp\""),
        "{policies}"
    );
    eventually("both members to have the CRDs", || {
        let table = get(&["crd", "--operation-scope", "members"]);
        let found = table.stdout.matches("serviceexports.multicluster.x-k8s.io").count();
        if found == 2 { Ok(()) } else { Err(table.to_string()) }
    });
    let unknown = get(&["cpp", "--operation-scope", "all", "-C", "berlin"]);
    assert_eq!(unknown.code, Some(1), "{unknown}");
    assert!(unknown.stderr.contains("berlin"), "{unknown}");
    let missing = env::temp_dir().join("no-such-portolan.config");
    let message = refusal(&["get", "cpp", "--kubeconfig", text(&missing)]);
    assert!(message.contains(text(&missing)), "{message}");
}

/// A cluster that has joined and does not answer.
const LOST: &str = "\
apiVersion: v1
kind: Secret
metadata: {name: berlin, namespace: karmada-cluster}
stringData: {token: none}
---
apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {name: berlin}
spec:
  syncMode: Push
  apiEndpoint: https://127.0.0.1:1
  insecureSkipTLSVerification: true
  secretRef: {name: berlin, namespace: karmada-cluster}
";

#[test]
fn services_and_why_follow_a_service_from_nothing_to_an_import() {
    let playground = Playground::start();
    let kubeconfig = playground.directory().join("portolan.config");
    let run = |arguments: &[&str]| {
        let all: Vec<&str> = arguments.iter().copied().chain(["--kubeconfig", text(&kubeconfig)]).collect();
        portolan(&all)
    };
    // Objects arrive one after the other: waits for the expected verdict.
    let verdict = |arguments: &[&str], code: i32, first_line: &str| {
        eventually(&format!("`portolan why` to say {first_line:?}"), || {
            let why = run(&[&["why", "service", "serve"], arguments].concat());
            let is_it = why.code == Some(code) && why.stdout.lines().next() == Some(first_line);
            if is_it { Ok(()) } else { Err(why.to_string()) }
        });
    };
    let none = run(&["services"]);
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), ""), "{none}");
    assert!(none.stderr.contains("No services found"), "{none}");
    verdict(
        &[],
        1,
        "default/serve: broken at export: no cluster has a Service or a ServiceExport of this name",
    );

    apply(&playground.hub(), "karmada-mcs/1-propagate-crds.yaml");
    apply(&playground.hub(), "karmada-mcs/2-workload.yaml");
    verdict(
        &[],
        1,
        "default/serve: broken at export: no cluster exports it: member1 has the Service but no ServiceExport",
    );
    apply(&playground.hub(), "karmada-mcs/3-export.yaml");
    verdict(
        &["--from", "member2"],
        1,
        "default/serve from member2: broken at set: member2 is in no clusterset and has no ServiceImport",
    );
    apply(&playground.hub(), "karmada-mcs/4-import.yaml");
    // It ends with the first connection of an agent: until then nothing is wrong, and nothing is known.
    eventually("an agent to connect", || {
        let why = run(&["why", "service", "serve"]);
        let connected =
            "default/serve from member2: works as far as is probed: the agent of member2 connected to ";
        let is_it = why.code == Some(0) && why.stdout.starts_with(connected);
        if is_it { Ok(()) } else { Err(why.to_string()) }
    });

    apply_text(&playground.hub(), LOST);
    let table = run(&["services", "-A"]);
    let rows: Vec<Vec<&str>> = table.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAMESPACE", "NAME", "TYPE", "EXPORTERS", "IMPORTERS", "CONFLICTS", "CHANGED"]);
    assert_eq!(rows[1][..6], ["default", "serve", "ClusterSetIP", "member1(1/1)", "member2", "-"], "{table}");
    assert!(table.stderr.contains("cluster(berlin): "), "one that does not answer is a note: {table}");
    let listed = run(&["get", "services", "-n", "default", "-s", "all"]);
    assert_eq!(listed.code, Some(1), "a part is not the whole: {listed}");
    assert!(listed.stdout.contains("serve"), "what the others have is printed: {listed}");
    assert!(listed.stderr.contains("the answer is incomplete without berlin"), "{listed}");
    assert_eq!(table.code, Some(0), "{table}");
    let json: serde_json::Value =
        serde_json::from_str(&run(&["services", "-o", "json"]).stdout).expect("JSON");
    assert_eq!(json["services"][0]["exporters"][0]["readyEndpoints"], 1, "{json}");
    let lost = run(&["why", "service", "serve", "--from", "berlin"]);
    assert!(
        lost.stdout.starts_with(
            "default/serve from berlin: cannot tell at link: berlin was not read: no connection"
        ),
        "{lost}"
    );
    assert_eq!(lost.code, Some(4), "{lost}");
}
