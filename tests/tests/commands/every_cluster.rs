//! The commands that read and change objects in every member.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

use portolan_e2e::binary::{Finished, finish, portolan};
use portolan_e2e::steps::apply_text;
use portolan_e2e::{Playground, eventually, programs, text};

const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: busybox, command: [sleep, '3600']}
";

const TALKING: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: talking, labels: {app: talking}}
spec:
  restartPolicy: Never
  containers:
  - {name: a, image: busybox, command: [echo, hello]}
  - {name: b, image: busybox, command: [echo, again]}
";

/// Runs commands with the control plane's kubeconfig.
struct Commands {
    kubeconfig: String,
}

impl Commands {
    fn of(playground: &Playground) -> Self {
        Self { kubeconfig: text(&playground.directory().join("portolan.config")).to_owned() }
    }

    fn run(&self, line: &str) -> Finished {
        let kubeconfig = ["--kubeconfig", &self.kubeconfig];
        // Before `--`, after which a command in a container stands.
        let (ours, theirs) = line.split_once(" -- ").map_or((line, ""), |(ours, theirs)| (ours, theirs));
        let mut words: Vec<&str> = ours.split(' ').chain(kubeconfig).collect();
        if !theirs.is_empty() {
            words.push("--");
            words.extend(theirs.split(' '));
        }
        portolan(&words)
    }

    fn ok(&self, line: &str) -> String {
        let finished = self.run(line);
        assert_eq!(finished.code, Some(0), "{line}: {finished}");
        finished.stdout
    }

    fn fails(&self, line: &str) -> String {
        let finished = self.run(line);
        assert_eq!(finished.code, Some(1), "{line}: {finished}");
        finished.stderr
    }

    fn eventually(&self, line: &str, awaited: &str, wanted: impl Fn(&str) -> bool) -> String {
        eventually(awaited, || {
            let finished = self.run(line);
            match finished.code == Some(0) && wanted(&finished.stdout) {
                true => Ok(finished.stdout),
                false => Err(format!("{line}: {finished}")),
            }
        })
    }
}

#[test]
fn commands_find_objects_in_every_cluster() {
    let playground = Playground::start();
    let commands = Commands::of(&playground);
    let manifest = playground.directory().join("web.yaml");
    std::fs::write(&manifest, WEB).expect("it is written");
    let applied = commands.ok(&format!("apply -f {} -C member1", text(&manifest)));
    assert!(
        applied.starts_with("deployment.apps/web created\npropagationpolicy.policy.karmada.io/web-"),
        "{applied}"
    );
    let again = commands.ok(&format!("apply -f {} -C member1", text(&manifest)));
    assert_eq!(again.lines().next(), Some("deployment.apps/web unchanged"), "{again}");

    let table =
        commands.eventually("get deploy -s all", "the Deployment in member1", |table| table.contains("1/1 "));
    let clusters: Vec<&str> = table.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(clusters, ["CLUSTER", "portolan", "member1"], "{table}");
    let one = commands.ok("get deploy/web -C member1 -o jsonpath={.spec.replicas}");
    assert_eq!(one, "1");
    let names = commands
        .ok("get deploy,svc -s members --sort-by .metadata.name -o custom-columns=NAME:.metadata.name");
    assert_eq!(names, "NAME\nkubernetes\nkubernetes\nweb\n");
    let all = commands.ok("get all -C member1 --no-headers");
    assert!(all.contains("deployment.apps/web ") && all.contains("pod/web-"), "{all}");
    let nothing = commands.run("get deploy/none -s all");
    assert!(nothing.stderr.contains("deployments.apps \"none\" not found"), "{nothing}");
    assert_eq!(commands.run("get deploy/none -s all --ignore-not-found").code, Some(0));
    assert!(
        commands.fails("get deploy -o go-template={{.kind}}").contains("\"go-template\" is not supported")
    );

    let description = commands.ok("describe deployment web -C member1");
    assert!(description.contains("Cluster:      member1\n"), "{description}");
    commands.eventually("describe deployment web", "the events of the template", |text| {
        text.contains("ScheduleBindingSucceed")
    });
    assert_eq!(commands.ok("exec deploy/web -- echo hello"), "hello\n");
    let ended = commands.fails("exec deploy/web -- false");
    assert_eq!(ended, "error: command terminated with exit code 1\n");
    commands.eventually("top pods", "the metrics of the member", |table| table.contains("web-"));
}

#[test]
fn logs_of_all_clusters_tell_where_they_come_from() {
    let playground = Playground::start();
    let commands = Commands::of(&playground);
    for name in ["member1", "member2"] {
        apply_text(&playground.member(name), TALKING);
    }
    let wanted = [
        "[member1/talking/a] hello",
        "[member1/talking/b] again",
        "[member2/talking/a] hello",
        "[member2/talking/b] again",
    ];
    commands.eventually("logs -l app=talking --all-containers", "all lines", |logs| {
        logs.lines().collect::<Vec<_>>() == wanted
    });
    assert_eq!(commands.ok("logs talking -C member2 -c b"), "again\n");
    let followed = commands.ok("logs talking -f -C member2 -c a --tail 1");
    assert_eq!(followed, "hello\n", "it ends with the container");
    assert!(commands.fails("logs nobody").contains("pods \"nobody\" not found"));
    assert!(
        commands.fails("logs talking -C member1 -c c").contains("container c is not valid for pod talking")
    );
    assert!(commands.fails("exec talking -- true").contains("is in several clusters (member1, member2)"));
}

#[test]
fn a_cluster_that_hangs_delays_no_command() {
    let playground = Playground::start();
    let commands = Commands::of(&playground);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("it listens").port();
    let manifest = format!(
        "\
apiVersion: v1
kind: Secret
metadata: {{name: berlin, namespace: karmada-cluster}}
stringData: {{token: none}}
---
apiVersion: v1
kind: Secret
metadata: {{name: berlin-impersonator, namespace: karmada-cluster}}
stringData: {{token: none}}
---
apiVersion: cluster.karmada.io/v1alpha1
kind: Cluster
metadata: {{name: berlin}}
spec:
  syncMode: Push
  apiEndpoint: https://127.0.0.1:{port}
  insecureSkipTLSVerification: true
  secretRef: {{name: berlin, namespace: karmada-cluster}}
  impersonatorSecretRef: {{name: berlin-impersonator, namespace: karmada-cluster}}
"
    );
    apply_text(&playground.hub(), &manifest);
    let started = Instant::now();
    let table = commands.run("get namespaces -s all --cluster-timeout 2");
    let took = started.elapsed();
    assert_eq!(table.code, Some(1), "a cluster did not answer: {table}");
    assert!(table.stdout.contains("member2") && table.stderr.contains("cluster(berlin): "), "{table}");
    // The limit is two seconds; the rest is for a busy machine.
    assert!(took.as_secs() < 20, "{took:?}");
}

#[test]
fn a_watch_follows_every_cluster() {
    let playground = Playground::start();
    let commands = Commands::of(&playground);
    let mut watch = Command::new(programs::portolan())
        .args(["get", "configmaps", "-s", "all", "--watch-only", "--output-watch-events", "--no-headers"])
        .args(["--kubeconfig", &commands.kubeconfig])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let (sender, lines) = std::sync::mpsc::channel();
    let output = BufReader::new(watch.stdout.take().expect("it is piped"));
    let reader = std::thread::spawn(move || {
        output
            .lines()
            .map_while(Result::ok)
            .take_while(|line| sender.send(line.clone()).is_ok())
            .for_each(drop);
    });
    let member = playground.member("member2");
    // The watch may start after the first objects.
    let mut number = 0;
    let line = eventually("an event of member2", || {
        number += 1;
        apply_text(&member, &format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: seen-{number}}}\n"));
        lines.try_iter().find(|line| line.contains("seen-")).ok_or_else(|| "nothing yet".to_owned())
    });
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((words[0], words[2]), ("ADDED", "member2"), "{line}");
    watch.kill().expect("it runs");
    watch.wait().expect("it ends");
    reader.join().expect("reading does not panic");
}

#[test]
fn what_runs_in_a_cluster_is_promoted_in_place() {
    let playground = Playground::start();
    let commands = Commands::of(&playground);
    let (hub, member) = (playground.hub(), playground.member("member1"));
    apply_text(&member, WEB);
    let pod = ["get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].metadata.uid}"];
    let uid = ["get", "deployment", "web", "-o", "jsonpath={.metadata.uid}"];
    let pods = member.eventually(&pod, "a pod", |uids| !uids.trim().is_empty());
    let before = member.ok(&uid);
    let printed = commands.ok("promote deployment web -C member1 -o yaml");
    assert!(
        printed.contains("kind: PropagationPolicy") && printed.contains("preserveResourcesOnDeletion: true"),
        "{printed}"
    );
    commands.ok("promote deployment web -C member1 --dry-run");
    assert!(!hub.run(&["get", "deployment", "web"]).success, "a dry run creates nothing");
    let promoted = commands.ok("promote deployment web -C member1");
    assert!(
        promoted.contains("deployment.apps/web is promoted from cluster member1 successfully"),
        "{promoted}"
    );
    let label = ["get", "deployment", "web", "-o", "jsonpath={.metadata.labels}"];
    member
        .eventually(&label, "the mark of the control plane", |labels| labels.contains("karmada.io/managed"));
    assert_eq!(member.ok(&uid), before, "the same object");
    assert_eq!(member.ok(&pod), pods, "no pod was replaced");
    assert!(
        commands.run("promote deployment web -C member1").stderr.contains("on the control plane already")
    );
    let rebalanced = commands.ok("rebalance deployment/web");
    assert!(rebalanced.contains("Deployment default/web is scheduled again"), "{rebalanced}");
}

#[test]
fn taints_keep_workloads_out() {
    let playground = Playground::start();
    let commands = Commands::of(&playground);
    let taints =
        || playground.hub().ok(&["get", "cluster", "member1", "-o", "jsonpath={.spec.taints[*].key}"]);
    assert_eq!(commands.ok("cordon member1"), "member1 cluster cordoned\n");
    assert_eq!(commands.ok("cordon member1"), "member1 cluster already cordoned\n");
    assert!(taints().contains("cluster.karmada.io/unschedulable"));
    assert_eq!(commands.ok("uncordon member1"), "member1 cluster uncordoned\n");
    let tainted = commands.ok("taint clusters member1 member2 dedicated=special-user:NoSchedule");
    assert_eq!(tainted, "cluster/member1 tainted\ncluster/member2 tainted\n");
    let refused = commands.fails("taint clusters member1 dedicated=other:NoSchedule");
    assert!(
        refused.contains("cluster member1: already has dedicated taint(s) with same effect(s)"),
        "{refused}"
    );
    assert_eq!(commands.ok("taint clusters member1 dedicated-"), "cluster/member1 untainted\n");
    assert!(!taints().contains("dedicated"));
    assert!(commands.fails("cordon berlin").contains("berlin"));
}

#[test]
fn names_are_completed() {
    let playground = Playground::start();
    let commands = Commands::of(&playground);
    let complete = |words: &[&str]| {
        let mut command = Command::new(programs::portolan());
        finish(command.arg("__complete").args(words).env("KUBECONFIG", &commands.kubeconfig)).stdout
    };
    assert_eq!(complete(&["cordon", "mem"]), "member1\nmember2\n:4\n");
    assert_eq!(complete(&["get", "pods", "-C", "member1,mem"]), "member1,member1\nmember1,member2\n:4\n");
    assert_eq!(complete(&["get", "clusters", "member2"]), "member2\n:4\n");
    assert_eq!(complete(&["get", "propagationp"]), "propagationpolicies\n:4\n");
    assert!(complete(&["get", "pods", "-n", "kube-"]).contains("kube-system\n"));
    let script = portolan(&["completion", "bash"]).stdout;
    assert!(script.contains("PORTOLAN_COMPLETE=\"bash\""), "{script}");
}
