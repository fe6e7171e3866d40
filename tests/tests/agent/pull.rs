//! A cluster in pull mode from its registration to its end, with the agent as a process of its own.

use std::fs;

use portolan_e2e::binary::{Finished, portolan};
use portolan_e2e::manifests::{DEPLOYMENT, POLICY};
use portolan_e2e::steps::apply_text;
use portolan_e2e::{Kubectl, Playground, eventually, text};
use tempfile::TempDir;

use super::Agent;

/// Kinds of what registering, the agent and policies put into a cluster.
const KINDS: &str = "namespaces,serviceaccounts,secrets,configmaps,services,deployments,roles,rolebindings,clusterroles,\
                     clusterrolebindings,leases,customresourcedefinitions";
const EXPORT: &str = "\
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceExport
metadata: {name: web}
";

/// A control plane with the cluster `member1`, and the cluster `site`, which belongs to no control plane.
struct Site {
    hub: Playground,
    other: Playground,
    folder: TempDir,
}

impl Site {
    fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts with further arguments of the control plane.
    fn start_with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let hub = playground_of(&folder, "member1", "10.1", arguments);
        let other = playground_of(&folder, "site", "10.2", &[]);
        let set = Self { hub, other, folder };
        // Its own control plane lets it go.
        let own = set.other.directory().join("portolan.config");
        let unjoin = ["unjoin", "site", "--kubeconfig", text(&own)];
        let left = portolan(&[&unjoin[..], &set.access("--cluster-")].concat());
        assert_eq!(left.code, Some(0), "{left}");
        set
    }

    fn members_config(&self) -> String {
        text(&self.other.directory().join("members.config")).to_owned()
    }

    /// Flags by which a command reaches the cluster as its administrator.
    fn access(&self, prefix: &str) -> [&'static str; 4] {
        let leak = |text: String| -> &'static str { text.leak() };
        [
            leak(format!("{prefix}kubeconfig")),
            leak(self.members_config()),
            leak(format!("{prefix}context")),
            "site",
        ]
    }

    fn site(&self) -> Kubectl {
        self.other.member("site")
    }

    /// A command against the control plane.
    fn run(&self, arguments: &[&str]) -> Finished {
        let hub = self.hub.directory().join("portolan.config");
        let (ours, theirs) = match arguments.iter().position(|one| *one == "--") {
            Some(at) => arguments.split_at(at),
            None => (arguments, &[][..]),
        };
        portolan(&[ours, &["--kubeconfig", text(&hub)], theirs].concat())
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished}");
        finished.stdout
    }

    /// Starts the agent with the account that registering made in `namespace`.
    fn agent(&self, namespace: &str) -> Agent {
        let token = self.site().ok(&["create", "token", "karmada-agent-sa", "-n", namespace]);
        let file = self.folder.path().join("agent.config");
        fs::copy(self.members_config(), &file).expect("the folder is writable");
        let config = Kubectl::new(&file, self.folder.path());
        config.ok(&["config", "set-credentials", "agent", "--token", token.trim()]);
        config.ok(&["config", "set-context", "site", "--user", "agent"]);
        Agent::start_with(&[
            "--pull",
            "--namespace",
            namespace,
            "--kubeconfig",
            text(&file),
            "--context",
            "site",
        ])
    }
}

fn playground_of(folder: &TempDir, cluster: &str, range: &str, arguments: &[&str]) -> Playground {
    let file = folder.path().join(format!("{cluster}.yaml"));
    let clusters =
        format!("clusters:\n- name: {cluster}\n  podCIDR: {range}.0.0/17\n  serviceCIDR: {range}.128.0/17\n");
    fs::write(&file, clusters).expect("the folder is writable");
    Playground::start_with(&[&["--config", text(&file)][..], arguments].concat())
}

/// Every object of [`KINDS`], without those that change by themselves.
fn inventory(cluster: &Kubectl) -> Vec<String> {
    let format = "-ojsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{\"\\n\"}{end}";
    let mut found: Vec<String> =
        cluster.ok(&["get", KINDS, "-A", format]).lines().map(str::to_owned).collect();
    found.sort();
    found
}

/// The words of the command that `token create` prints, for this binary.
fn register_command(printed: &str) -> Vec<&str> {
    printed.split_whitespace().skip_while(|word| *word != "register").collect()
}

#[test]
fn a_cluster_registers_works_through_its_agent_and_leaves_as_it_was() {
    let mut set = Site::start();
    let before = inventory(&set.site());
    let printed = set.ok(&["token", "create", "--cluster", "site"]);
    let register = [&register_command(&printed)[..], &set.access("--")].concat();
    let registered = portolan(&register);
    assert!(registered.stdout.starts_with("cluster(site) is joined successfully\n"), "{registered}");
    let refused = portolan(&[&register[..], &["--cluster-name", "member1"]].concat());
    assert_ne!(refused.code, Some(0), "the token is for one cluster: {refused}");

    let agent = set.agent("karmada-system");
    let is_ready = ["wait", "--for=condition=Ready", "cluster/site", "--timeout=60s"];
    set.hub.hub().ok(&is_ready);
    apply_text(&set.hub.hub(), DEPLOYMENT);
    apply_text(&set.hub.hub(), &POLICY.replace("[member1]", "[site, member1]"));
    rights_come_by_command(&set);
    set.hub.hub().ok(&is_ready);
    let deployment = ["get", "deployment", "web"];
    set.site().eventually(&deployment, "both replicas", |table| table.contains("2/2"));
    set.hub.hub().eventually(&deployment, "the status of both clusters", |table| table.contains("4/2"));
    commands_reach_it(&set);
    services_flow_both_ways(&set);

    // The agent, then the control plane, is killed; both go on.
    drop(agent);
    set.hub.hub().ok(&["scale", "deployment", "web", "--replicas=3"]);
    let _agent = set.agent("karmada-system");
    set.site().eventually(&deployment, "a change while the agent was away", |table| table.contains("3/3"));
    set.hub.kill();
    set.site().ok(&["scale", "deployment", "web", "--replicas=1"]);
    set.site().eventually(&deployment, "drift is put right without the control plane", |table| {
        table.contains("3/3")
    });
    set.hub.restart();
    set.hub.hub().ok(&["scale", "deployment", "web", "--replicas=2"]);
    set.site().eventually(&deployment, "a change after the restart", |table| table.contains("2/2"));
    set.hub.hub().ok(&is_ready);

    set.ok(&["clusterset", "remove", "prod", "site"]);
    set.site().ok(&["delete", "serviceexport,service", "web"]);
    set.ok(&[&["unjoin", "site"][..], &set.access("--cluster-")].concat());
    set.site().ok(&["delete", "crd", "-l", "portolan.dev/control-plane"]);
    let after = eventually("the namespaces to be gone", || match inventory(&set.site()) {
        found if found == before => Ok(found),
        found => Err(format!("{:?}", found.iter().filter(|one| !before.contains(one)).collect::<Vec<_>>())),
    });
    assert_eq!(after, before);
}

fn commands_reach_it(set: &Site) {
    assert!(set.ok(&["get", "deployments", "-C", "site"]).contains("site"), "through the tunnel");
    let pods = set.ok(&["get", "pods", "-C", "site", "-o", "name"]);
    let pod = pods.lines().next().expect("a pod");
    set.ok(&["logs", pod, "-C", "site"]);
    assert!(set.ok(&["why", "deployment", "web"]).contains("Everything is as the policy wants"));
}

/// The token was made when no policy named a kind.
fn rights_come_by_command(set: &Site) {
    let work = ["get", "works", "-n", "karmada-es-site", "-o", "yaml"];
    set.hub.hub().eventually(&work, "the refusal with its cure", |works| {
        works.contains("is forbidden") && works.contains("`portolan cluster permissions`")
    });
    let permissions = ["cluster", "permissions", "site"];
    let role = set.ok(&permissions);
    assert!(role.contains("name: karmada-agent") && role.contains("deployments"), "{role}");
    let granted = set.ok(&[&permissions[..], &["--apply"], &set.access("--cluster-")].concat());
    assert!(granted.starts_with("cluster(site): the agent has "), "{granted}");
}

fn services_flow_both_ways(set: &Site) {
    set.ok(&["clusterset", "create", "prod"]);
    set.ok(&["clusterset", "add", "prod", "site", "member1"]);
    apply_text(&set.site(), EXPORT);
    apply_text(&set.hub.member("member1"), &EXPORT.replace("name: web", "name: other"));
    let imports = ["get", "serviceimports", "-o", "name"];
    for cluster in [set.site(), set.hub.member("member1")] {
        cluster.eventually(&imports, "the services of both", |names| names.lines().count() == 2);
    }
    let slices =
        ["get", "endpointslices", "-l", "multicluster.kubernetes.io/source-cluster=site", "-o", "name"];
    set.hub
        .member("member1")
        .eventually(&slices, "the endpoints of the site", |names| names.contains("web-site-"));
    assert!(set.ok(&["services"]).contains("site(2/2)"), "{}", set.ok(&["services"]));
}

#[test]
fn a_cluster_without_its_agent_leaves_as_it_was() {
    let set = Site::start_with(&["--cluster-monitor-grace-period", "15s"]);
    let before = inventory(&set.site());
    apply_text(&set.hub.hub(), DEPLOYMENT);
    apply_text(&set.hub.hub(), &POLICY.replace("member1", "site"));
    let printed = set.ok(&["token", "create", "--cluster", "site"]);
    assert!(printed.trim_end().ends_with(" --place deployments.apps"), "{printed}");
    let register = [&register_command(&printed)[..], &set.access("--"), &["--namespace", "agents"]].concat();
    let registered = portolan(&register);
    assert!(registered.stdout.contains("its agent may place deployments.apps; "), "{registered}");
    let agent = set.agent("agents");
    set.site().eventually(&["get", "deployment", "web"], "both replicas", |table| table.contains("2/2"));
    drop(agent);
    assert!(inventory(&set.site()).contains(&"Secret agents/karmada-kubeconfig".to_owned()));
    // After the grace period without the agent, the control plane lets its Works go.
    set.ok(&[&["unjoin", "site"][..], &set.access("--cluster-")].concat());
    eventually("the namespaces to be gone", || match inventory(&set.site()) {
        found if found == before => Ok(()),
        found => Err(format!("{:?}", found.iter().filter(|one| !before.contains(one)).collect::<Vec<_>>())),
    });
}
