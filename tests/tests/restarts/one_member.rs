//! `portolan playground stop`, `start`, `pause` and `resume`: one member fails while the others run.

use std::fs;
use std::time::{Duration, Instant};

use portolan_e2e::binary::{Finished, portolan, refusal};
use portolan_e2e::manifests::DEPLOYMENT;
use portolan_e2e::steps::apply_text;
use portolan_e2e::{Kubectl, Playground, eventually, text};
use tempfile::TempDir;

const CLUSTERS: &str = "\
clusters:
- name: member1
- name: member2
- name: member3
  syncMode: Pull
";
/// Short, so that a test need not wait for the defaults.
const FLAGS: [&str; 6] = [
    "--enable-no-execute-taint-eviction",
    "--cluster-status-update-frequency=1s",
    "--cluster-failure-threshold=1s",
    "--cluster-success-threshold=1s",
    "--cluster-monitor-grace-period=5s",
    "--resource-eviction-rate=10",
];
/// A member that is not ready has failed; docs/failover.md has the same.
const FAILED: &str = "\
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterTaintPolicy
metadata: {name: failed}
spec:
  addOnConditions: [{conditionType: Ready, operator: NotIn, statusValues: ['True']}]
  removeOnConditions: [{conditionType: Ready, operator: In, statusValues: ['True']}]
  taints: [{key: example.com/failed, effect: NoExecute}]
";
/// One of the members in push mode.
const POLICY: &str = "\
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: web}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, name: web}]
  placement:
    clusterAffinity: {clusterNames: [member1, member2]}
    spreadConstraints: [{spreadByField: cluster, maxGroups: 1}]
";
/// Time for a command that looks at every member while one of them hangs.
const COMMAND_LIMIT: Duration = Duration::from_secs(6);

struct Federation {
    playground: Playground,
    _config: TempDir,
}

impl Federation {
    fn start() -> Self {
        let config = tempfile::tempdir().expect("a temporary folder");
        let file = config.path().join("clusters.yaml");
        fs::write(&file, CLUSTERS).expect("the folder is writable");
        let arguments = [&["--config", text(&file)], &FLAGS[..]].concat();
        Self { playground: Playground::start_with(&arguments), _config: config }
    }

    fn member(&self, name: &str) -> Kubectl {
        self.playground.member(name)
    }

    /// Runs an action and returns the lines of the table that it prints, without the heading.
    fn act(&self, action: &str, member: &str) -> Vec<String> {
        let folder = text(self.playground.directory());
        let done = portolan(&["playground", action, member, "--dir", folder]);
        assert_eq!(done.code, Some(0), "{action} {member}: {done}");
        let mut lines = done.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(lines.next().as_deref(), Some("MEMBER STATE"));
        lines.collect()
    }

    fn refusal(&self, action: &str, member: &str) -> String {
        refusal(&["playground", action, member, "--dir", text(self.playground.directory())])
    }

    /// Looks at the Deployments of every cluster, in a time that one member cannot lengthen.
    fn look(&self) -> Finished {
        let (started, hub) = (Instant::now(), self.playground.directory().join("portolan.config"));
        let table = portolan(&["get", "deployments", "-s", "all", "--kubeconfig", text(&hub)]);
        assert!(started.elapsed() < COMMAND_LIMIT, "{:?}: {table}", started.elapsed());
        table
    }

    fn waits_for_ready(&self, member: &str, wanted: bool) {
        let path = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
        let get = ["get", "cluster", member, "-o", path];
        let awaited = if wanted { "a ready cluster" } else { "a cluster that is not ready" };
        self.playground.hub().eventually(&get, awaited, |status| (status == "True") == wanted);
    }

    /// The cluster of the Deployment, once it is another one than `before`, and its pods run there.
    fn home(&self, before: &str) -> String {
        let binding = ["get", "resourcebinding", "web-deployment", "-o", "jsonpath={.spec.clusters[*].name}"];
        let is_new = |home: &str| home.starts_with("member") && !home.contains(' ') && home != before;
        let home = self.playground.hub().eventually(&binding, "another cluster", is_new);
        let deployment = ["get", "deployment", "web"];
        self.member(&home).eventually(&deployment, "both replicas", |table| table.contains("2/2"));
        home
    }

    fn is_left(&self, member: &str) {
        eventually(&format!("web to leave {member}"), || {
            let output = self.member(member).run(&["get", "deployment", "web"]);
            if output.stderr.contains("not found") { Ok(()) } else { Err(output.to_string()) }
        });
    }
}

#[test]
fn a_workload_leaves_a_member_that_is_stopped_or_paused_and_the_member_comes_back() {
    let federation = Federation::start();
    let hub = federation.playground.hub();
    for manifest in [FAILED, POLICY, DEPLOYMENT] {
        apply_text(&hub, manifest);
    }
    let first = federation.home("");

    let states = federation.act("stop", &first);
    assert!(states.contains(&format!("{first} stopped")), "{states:?}");
    assert!(federation.member(&first).fails(&["get", "pods"]).contains("refused"));
    let table = federation.look();
    assert!(table.stderr.contains(&format!("cluster({first})")), "{table}");
    let second = federation.home(&first);
    federation.waits_for_ready(&first, false);
    assert!(federation.refusal("pause", &first).contains("is stopped: start it first"));

    let states = federation.act("start", &first);
    assert_eq!(states, ["member1 running", "member2 running", "member3 running"]);
    federation.waits_for_ready(&first, true);
    federation.is_left(&first);
    assert_eq!(federation.home(&first), second, "a member that is back does not get its objects back");

    let states = federation.act("pause", &second);
    assert!(states.contains(&format!("{second} paused")), "{states:?}");
    let silent = federation.member(&second).fails(&["get", "pods", "--request-timeout=2s"]);
    assert!(!silent.contains("refused"), "{silent}");
    let table = federation.look();
    assert!(table.stderr.contains(&format!("cluster({second})")), "{table}");
    assert!(federation.refusal("start", &second).contains("is paused: resume it first"));
    assert_eq!(federation.home(&second), first);

    federation.act("resume", &second);
    federation.waits_for_ready(&second, true);
    federation.is_left(&second);
    let unknown = federation.refusal("stop", "member9");
    assert!(unknown.contains("there is no member member9; there are member1, member2, member3"), "{unknown}");
}

#[test]
fn an_agent_is_stopped_and_paused_with_its_member() {
    let federation = Federation::start();
    let hub = federation.playground.hub();
    apply_text(&hub, DEPLOYMENT);
    apply_text(&hub, &POLICY.replace("[member1, member2]", "[member3]"));
    assert_eq!(federation.home(""), "member3");
    let uids = ["get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"];
    let before = federation.member("member3").ok(&uids);
    for (down, up) in [("pause", "resume"), ("stop", "start")] {
        federation.act(down, "member3");
        federation.waits_for_ready("member3", false);
        // Once more is no error.
        federation.act(down, "member3");
        federation.act(up, "member3");
        federation.waits_for_ready("member3", true);
        assert_eq!(federation.member("member3").ok(&uids), before, "{down}: pods were made again");
    }
    hub.ok(&["scale", "deployment", "web", "--replicas=3"]);
    let deployment = ["get", "deployment", "web"];
    federation.member("member3").eventually(&deployment, "three replicas", |table| table.contains("3/3"));
}
