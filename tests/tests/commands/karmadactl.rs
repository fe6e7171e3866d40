//! The real karmadactl against the control plane. Not every mirror of Go modules has its module, so that the gate leaves these
//! tests out: `cargo xtask karmadactl` builds it and runs them.

use std::fs;
use std::process::Command;

use portolan_e2e::binary::{Finished, finish};
use portolan_e2e::manifests::{DEPLOYMENT, POLICY};
use portolan_e2e::steps::apply_text;
use portolan_e2e::{Playground, eventually, programs, text};

const POD: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: box}
spec:
  containers: [{name: box, image: busybox, command: [sleep, '3600']}]
";

const CUSTOMIZATION: &str = "\
apiVersion: config.karmada.io/v1alpha1
kind: ResourceInterpreterCustomization
metadata: {name: workloads}
spec:
  target: {apiVersion: apps/v1, kind: Deployment}
  customizations:
    replicaResource:
      luaScript: |
        function GetReplicas(desiredObj)
          return desiredObj.spec.replicas, {}
        end
";

struct Karmadactl<'a> {
    playground: &'a Playground,
}

impl Karmadactl<'_> {
    fn run(&self, line: &str) -> Finished {
        let (ours, theirs) = line.split_once(" -- ").unwrap_or((line, ""));
        let folder = self.playground.directory();
        let mut command = Command::new(programs::kubernetes("karmadactl"));
        let members = folder.join("members.config");
        command.args(ours.replace("MEMBERS", text(&members)).split(' '));
        // `register` is run in the cluster.
        if !ours.starts_with("register ") {
            command.arg("--kubeconfig").arg(folder.join("portolan.config"));
        }
        if !theirs.is_empty() {
            command.arg("--").args(theirs.split(' '));
        }
        finish(&mut command)
    }

    fn ok(&self, line: &str) -> String {
        let finished = self.run(line);
        assert_eq!(finished.code, Some(0), "{line}: {finished}");
        finished.stdout
    }

    fn fails(&self, line: &str) -> String {
        let finished = self.run(line);
        assert_ne!(finished.code, Some(0), "{line}: {finished}");
        finished.stderr
    }

    /// Waits until `unjoin` has deleted the namespace: it takes no new objects before.
    fn has_left(&self, member: &str) {
        eventually(&format!("the end of the namespace in {member}"), || {
            let output = self.playground.member(member).run(&["get", "namespace", "karmada-cluster"]);
            if output.stderr.contains("not found") { Ok(()) } else { Err(output.to_string()) }
        });
    }

    /// The first line and the columns of the others.
    fn table(&self, line: &str) -> Vec<Vec<String>> {
        let printed = self.ok(line);
        printed.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
    }
}

#[test]
#[ignore = "needs karmadactl: cargo xtask karmadactl"]
fn karmadactl_reads_and_changes_every_cluster() {
    let playground = Playground::start();
    let ctl = Karmadactl { playground: &playground };
    apply_text(&playground.hub(), DEPLOYMENT);
    apply_text(&playground.hub(), &POLICY.replace("[member1]", "[member1, member2]"));
    let web = ["get", "deployment", "web"];
    playground.hub().eventually(&web, "the status of both clusters", |table| table.contains("4/2"));

    let table = ctl.table("get deployments -s all");
    assert_eq!(table[0], ["NAME", "CLUSTER", "READY", "UP-TO-DATE", "AVAILABLE", "AGE", "ADOPTION"]);
    let ends = |row: &Vec<String>| (row[1].clone(), row.last().cloned().unwrap_or_default());
    let mut rows: Vec<(String, String)> = table[1..].iter().map(ends).collect();
    // karmadactl asks all clusters at the same time, and prints the answers as they come.
    rows.sort();
    let want = [("Karmada", "-"), ("member1", "Y"), ("member2", "Y")];
    assert_eq!(rows, want.map(|(cluster, adoption)| (cluster.to_owned(), adoption.to_owned())));
    let policies = ctl.table("get propagationpolicies");
    assert_eq!(policies[0], ["NAME", "CLUSTER", "CONFLICT-RESOLUTION", "PRIORITY", "AGE", "ADOPTION"]);
    assert_eq!(policies[1][..4], ["web", "Karmada", "Abort", "0"]);
    assert!(
        ctl.ok("describe deployment web -s members -C member1")
            .contains("resourcebinding.karmada.io/name: web-deployment")
    );
    assert!(ctl.ok("api-resources -s members --cluster member1").contains("deployments"));
    assert!(ctl.ok("explain deployment -s members --cluster member1").contains("KIND:       Deployment"));

    apply_text(&playground.member("member1"), POD);
    let running = ["wait", "--for=condition=Ready", "pod/box", "--timeout=60s"];
    playground.member("member1").ok(&running);
    assert_eq!(ctl.ok("exec -s members --cluster member1 box -- echo hi"), "hi\n");
    assert_eq!(ctl.ok("logs --cluster member1 box"), "");
    assert!(ctl.fails("logs --cluster member1 nobody").contains("pods \"nobody\" not found"));
    let usage = eventually("the usage of the pods of web", || {
        let finished = ctl.run("top pod --clusters member1");
        if finished.stdout.contains("web-") { Ok(finished.stdout) } else { Err(finished.to_string()) }
    });
    let mut rows = usage.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(rows.next().expect("columns"), ["NAME", "CLUSTER", "CPU(cores)", "MEMORY(bytes)"]);
    assert!(rows.all(|row| row[1] == "member1"), "{usage}");

    let file = playground.directory().join("customization.yaml");
    fs::write(&file, CUSTOMIZATION).expect("the folder is writable");
    let checked = ctl.ok(&format!("interpret -f {} --check", text(&file)));
    let passes = |line: &str| line.contains("InterpretReplica:") && line.ends_with("PASS");
    assert!(checked.lines().any(passes), "{checked}");

    playground.member("member1").ok(&["create", "deployment", "local", "--image=nginx"]);
    assert!(ctl.ok("promote deployment local -C member1").contains("is promoted successfully"));
    assert_eq!(ctl.ok("cordon member1"), "member1 cluster cordoned\n");
    assert_eq!(ctl.ok("cordon member1"), "member1 cluster already cordoned\n");
    assert_eq!(ctl.ok("uncordon member1"), "member1 cluster uncordoned\n");
    assert_eq!(ctl.ok("taint clusters member1 a=b:NoSchedule"), "cluster/member1 tainted\n");
    assert!(ctl.fails("taint clusters member1 a=c:NoSchedule").contains("--overwrite is false"));
    assert_eq!(ctl.ok("taint clusters member1 a-"), "cluster/member1 untainted\n");
}

#[test]
#[ignore = "needs karmadactl: cargo xtask karmadactl"]
fn karmadactl_joins_registers_and_removes_clusters() {
    let playground = Playground::start();
    let ctl = Karmadactl { playground: &playground };
    let of_member = "--cluster-kubeconfig MEMBERS --cluster-context member2";
    ctl.ok(&format!("unjoin member2 {of_member}"));
    ctl.has_left("member2");
    assert_eq!(ctl.ok(&format!("join east {of_member}")), "cluster(east) is joined successfully\n");
    playground.hub().ok(&["wait", "--for=condition=Ready", "cluster/east", "--timeout=60s"]);
    ctl.ok(&format!("unjoin east {of_member}"));
    ctl.has_left("member2");
    let left = playground.member("member2").ok(&[
        "get",
        "namespaces,serviceaccounts,clusterroles",
        "-A",
        "-o",
        "name",
    ]);
    assert!(!left.contains("karmada"), "{left}");

    let token = ctl.ok("token create");
    let id = token.split('.').next().expect("two parts").to_owned();
    assert!(ctl.ok("token list").contains(token.trim()));
    assert_eq!(ctl.ok(&format!("token delete {id}")), format!("bootstrap token \"{id}\" deleted\n"));
    let printed = ctl.ok("token create --print-register-command");
    let register = printed.trim().strip_prefix("karmadactl ").expect("the command");
    // Its agent is an image that the playground only plays.
    let registered =
        ctl.ok(&format!("{register} --cluster-name west --kubeconfig MEMBERS --context member2"));
    assert!(registered.contains("cluster(west) is joined successfully"), "{registered}");
    eventually("the approved request", || {
        let requests = playground.hub().ok(&["get", "csr"]);
        if requests.contains("Approved,Issued") { Ok(()) } else { Err(requests) }
    });
}
