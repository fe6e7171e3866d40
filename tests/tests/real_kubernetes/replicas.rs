//! Two `portolan server` over one kube-apiserver: the leader is killed, and the other one finishes its work.
//!
//! `PORTOLAN_SEEDS=100` runs more kills; each prints the time until what was written just before arrived in both members,
//! and the last line has their number, median and longest.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use portolan_e2e::binary::portolan;
use portolan_e2e::kubernetes::{ControlPlane, Role};
use portolan_e2e::random::{Random, seeds};
use portolan_e2e::steps::{apply, apply_text, derived_service_address};
use portolan_e2e::{Kubectl, Playground, eventually, programs, text};
use tempfile::TempDir;

const MEMBERS: [&str; 2] = ["member1", "member2"];
/// Latest kill after the writes, in milliseconds: before, while and after the leader works on them.
const LATEST_KILL: u64 = 1500;
const LEASE: [&str; 5] = ["get", "lease", "portolan-server", "-n", "karmada-system"];

/// One replica, ended when dropped.
struct Replica {
    child: Child,
    log: PathBuf,
}

impl Replica {
    fn start(hub: &Path, log: PathBuf) -> Self {
        let file = File::create(&log).expect("the folder is writable");
        let mut command = Command::new(programs::server());
        command
            .args(["server", "--log", "info", "--kubeconfig", text(hub)])
            .stdout(Stdio::null())
            .stderr(file);
        Self { child: command.spawn().expect("the binary starts"), log }
    }

    /// Whether its log says that it has the Lease with this holder.
    fn leads(&self, holder: &str) -> bool {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().any(|line| line.contains("this replica leads") && line.contains(holder))
    }

    fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The index of the replica that leads.
fn leader(hub: &Kubectl, replicas: &[Replica]) -> usize {
    let holder = [&LEASE[..], &["-o", "jsonpath={.spec.holderIdentity}"]].concat();
    eventually("a leader", || {
        let output = hub.run(&holder);
        let holder = output.stdout.trim().to_owned();
        let found = replicas.iter().position(|replica| !holder.is_empty() && replica.leads(&holder));
        found.ok_or_else(|| format!("{output}"))
    })
}

fn policy() -> &'static str {
    "apiVersion: policy.karmada.io/v1alpha1\nkind: PropagationPolicy\nmetadata: {name: rounds}\nspec:\n  \
     resourceSelectors: [{apiVersion: v1, kind: ConfigMap, labelSelector: {matchLabels: {round: \"yes\"}}}]\n  placement: {}\n"
}

fn config_map(name: &str, value: u64) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{round: \"yes\"}}}}\ndata: {{value: \"{value}\"}}\n"
    )
}

/// What the two replicas work on.
struct Scene {
    hub: ControlPlane,
    playground: Playground,
    folder: TempDir,
}

impl Scene {
    /// Starts everything; the members have left the playground's own control plane.
    fn start() -> Self {
        let (hub, playground) = (ControlPlane::start(Role::Hub, "10.96.0.0/16"), Playground::start());
        Self { hub, playground, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn members(&self) -> [Kubectl; 2] {
        MEMBERS.map(|name| self.playground.member(name))
    }

    fn replica(&self, name: &str) -> Replica {
        Replica::start(&self.hub.kubeconfig(), self.folder.path().join(name))
    }

    fn move_members(&self) {
        let folder = self.playground.directory();
        let (played, members) = (folder.join("portolan.config"), folder.join("members.config"));
        for name in MEMBERS {
            for (verb, hub) in [("unjoin", &played), ("join", &self.hub.kubeconfig())] {
                let finished = portolan(&[
                    verb,
                    name,
                    "--kubeconfig",
                    text(hub),
                    "--cluster-kubeconfig",
                    text(&members),
                    "--cluster-context",
                    name,
                ]);
                assert_eq!(finished.code, Some(0), "{verb} {name}: {finished}");
            }
        }
    }
}

fn wait_for_value(member: &Kubectl, name: &str, value: u64) {
    let query = ["get", "configmap", name, "-o", "jsonpath={.data.value}"];
    member.eventually(&query, "the value", |found| found.trim() == value.to_string());
}

fn ready_endpoints(member: &Kubectl, count: u64) {
    let ready = "jsonpath={.items[*].endpoints[*].conditions.ready}";
    let slices = ["get", "endpointslices", "-l", "kubernetes.io/service-name=derived-serve", "-o", ready];
    member.eventually(&slices, "the endpoints", |found| {
        found.split_whitespace().filter(|ready| *ready == "true").count() as u64 == count
    });
}

/// The uid of an object that must not be deleted and made again.
fn uid(member: &Kubectl) -> String {
    member.ok(&["get", "configmap", "kept", "-o", "jsonpath={.metadata.uid}"])
}

#[test]
fn the_leader_is_killed_and_another_replica_finishes_its_work() {
    let scene = Scene::start();
    let hub = scene.hub.kubectl();
    let mut replicas = vec![scene.replica("a"), scene.replica("b")];
    leader(&hub, &replicas);
    eventually("the federation's kinds", || {
        let output = hub.run(&["get", "clusters.cluster.karmada.io"]);
        if output.success { Ok(()) } else { Err(output.to_string()) }
    });
    scene.move_members();
    for file in ["1-propagate-crds", "2-workload", "3-export", "4-import"] {
        apply(&hub, &format!("karmada-mcs/{file}.yaml"));
    }
    apply_text(&hub, policy());
    apply_text(&hub, &config_map("kept", 0));
    let members = scene.members();
    members.iter().for_each(|member| wait_for_value(member, "kept", 0));
    derived_service_address(&members[1]);
    let uids = members.each_ref().map(uid);
    let mut times = Vec::new();
    for seed in seeds(2) {
        let mut random = Random::new(seed);
        let at = leader(&hub, &replicas);
        apply_text(&hub, &config_map(&format!("new-{seed}"), seed));
        apply_text(&hub, &config_map("kept", seed));
        hub.run(&["delete", "configmap", &format!("new-{}", seed.wrapping_sub(1)), "--wait=false"]);
        let replicas_wanted = 1 + seed % 3;
        hub.ok(&["scale", "deployment", "serve", &format!("--replicas={replicas_wanted}")]);
        thread::sleep(Duration::from_millis(random.below(LATEST_KILL)));
        replicas[at].kill();
        let killed = Instant::now();
        for member in &members {
            wait_for_value(member, "kept", seed);
            wait_for_value(member, &format!("new-{seed}"), seed);
            let earlier = format!("new-{}", seed.wrapping_sub(1));
            let query = ["get", "configmap", &earlier, "--ignore-not-found", "-o", "name"];
            member.eventually(&query, "the deletion", |found| found.trim().is_empty());
        }
        ready_endpoints(&members[1], replicas_wanted);
        leader(&hub, &replicas);
        let time = killed.elapsed();
        println!("seed {seed}: the work was finished {time:.1?} after the kill");
        times.push(time);
        assert_eq!(members.each_ref().map(uid), uids, "an object was deleted and made again");
        replicas[at] = scene.replica(&format!("{}-{seed}", ["a", "b"][at]));
    }
    times.sort_unstable();
    if let (Some(median), Some(longest)) = (times.get(times.len() / 2), times.last()) {
        println!("{} kills: median {median:.1?}, longest {longest:.1?}", times.len());
    }
}
