//! The binary's own commands, apart from the playground.

use std::process::Command;
use std::{env, fs};

use portolan_e2e::binary::{finish, portolan, refusal};
use portolan_e2e::steps::apply;
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
    let policies = get(&["cpp", "--operation-scope", "all"]);
    assert_eq!(policies.code, Some(0), "{policies}");
    let rows: Vec<Vec<&str>> =
        policies.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "CLUSTER", "CONFLICT-RESOLUTION", "PRIORITY", "AGE", "ADOPTION"]);
    let columns: Vec<&[&str]> = rows[1..].iter().map(|row| &row[..4]).collect();
    assert_eq!(
        columns,
        [
            ["serviceexport-policy", "Karmada", "Abort", "0"],
            ["serviceimport-policy", "Karmada", "Abort", "0"]
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
