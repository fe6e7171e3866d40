//! SIGKILL of the control plane and of an agent while a user changes objects.
//!
//! `PORTOLAN_SEEDS=1000 cargo test -p portolan-e2e --test restarts sigkill -- --nocapture` is the long form.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use portolan_e2e::binary::portolan;
use portolan_e2e::random::{Random, seeds};
use portolan_e2e::steps::apply_text;
use portolan_e2e::{Kubectl, Playground, Server, eventually, programs, text};
use tempfile::TempDir;

use super::program::Program;
use super::wanted::{Change, POLICY, SELECTOR, Wanted};

/// `push` has joined, `pull` has registered.
const CLUSTERS: [&str; 2] = ["push", "pull"];
/// Kinds with objects that come and go by themselves.
const PASSING: [&str; 2] = ["events", "metrics.k8s.io"];

struct Set {
    hub: Server,
    members: Playground,
    agent: Option<Program>,
    folder: TempDir,
    wanted: Wanted,
}

impl Set {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("clusters.yaml");
        fs::write(&file, "clusters:\n- name: push\n- name: pull\n").expect("the folder is writable");
        let members = Playground::start_with(&["--config", text(&file)]);
        let hub = Server::start("127.0.0.1", &[]);
        let set = Self { hub, members, agent: None, folder, wanted: Wanted::default() };
        for cluster in CLUSTERS {
            // Their own control plane lets them go.
            set.unjoin(cluster, text(&set.members.directory().join("portolan.config")));
            eventually(&format!("the end of the namespace in {cluster}"), || {
                let output = set.members.member(cluster).run(&["get", "namespace", "karmada-cluster"]);
                if output.stderr.contains("not found") { Ok(()) } else { Err(output.to_string()) }
            });
        }
        set
    }

    fn hub_config(&self) -> String {
        text(&self.hub.kubeconfig()).to_owned()
    }

    fn members_config(&self) -> String {
        text(&self.members.directory().join("members.config")).to_owned()
    }

    fn unjoin(&self, cluster: &str, hub: &str) {
        let members = self.members_config();
        let access = ["--cluster-kubeconfig", &members, "--cluster-context", cluster];
        let left = portolan(&[&["unjoin", cluster, "--kubeconfig", hub][..], &access].concat());
        assert_eq!(left.code, Some(0), "{left}");
    }

    fn join(&mut self) {
        let (hub, members) = (self.hub_config(), self.members_config());
        let access = ["--cluster-kubeconfig", &members, "--cluster-context", "push"];
        let joined = portolan(&[&["join", "push", "--kubeconfig", &hub][..], &access].concat());
        assert_eq!(joined.code, Some(0), "{joined}");
        let printed = portolan(&["token", "create", "--cluster", "pull", "--kubeconfig", &hub]).stdout;
        let words: Vec<&str> = printed.split_whitespace().skip_while(|word| *word != "register").collect();
        let registered = portolan(&[&words[..], &["--kubeconfig", &members, "--context", "pull"]].concat());
        assert_eq!(registered.code, Some(0), "{registered}");
        self.make_agent_config();
        self.start_agent();
        for cluster in CLUSTERS {
            let name = format!("cluster/{cluster}");
            self.hub.kubectl().ok(&["wait", "--for=condition=Ready", &name, "--timeout=60s"]);
        }
    }

    fn agent_config(&self) -> PathBuf {
        self.folder.path().join("agent.config")
    }

    /// The agent acts with the account and the rights that registering has given it.
    fn make_agent_config(&self) {
        let account = ["create", "token", "karmada-agent-sa", "-n", "karmada-system", "--duration", "24h"];
        let token = self.members.member("pull").ok(&account);
        let file = self.agent_config();
        fs::copy(self.members_config(), &file).expect("the folder is writable");
        let config = Kubectl::new(&file, self.folder.path());
        config.ok(&["config", "set-credentials", "agent", "--token", token.trim()]);
        config.ok(&["config", "set-context", "pull", "--user", "agent"]);
    }

    fn start_agent(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("agent.log"));
        let mut command = Command::new(programs::portolan());
        command.args(["agent", "--pull", "--kubeconfig", text(&self.agent_config()), "--context", "pull"]);
        command.args(["--dns-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
        command.stdout(Stdio::null()).stderr(log.expect("the folder is writable"));
        self.agent = Some(Program(command.spawn().expect("the binary starts")));
    }

    /// One change by the user, with a kill in it.
    fn step(&mut self, random: &mut Random) {
        let Change { name, manifest } = self.wanted.change(random);
        let file = self.folder.path().join("change.yaml");
        fs::write(&file, manifest.clone().unwrap_or_default()).expect("the folder is writable");
        let delete = ["delete", "configmap", &*name, "--ignore-not-found"];
        let apply = ["apply", "-f", text(&file)];
        let arguments = if manifest.is_some() { &apply[..] } else { &delete[..] };
        let mut command = self.hub.kubectl().command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut change = Program(command.spawn().expect("kubectl starts"));
        std::thread::sleep(Duration::from_millis(random.below(400)));
        let killed = random.below(3);
        if killed != 0 {
            self.hub.kill();
        }
        if killed != 1 {
            self.agent = None;
        }
        // It may have failed with the control plane.
        let _ = change.0.wait();
        if killed != 0 {
            self.hub.restart();
        }
        if killed != 1 {
            self.start_agent();
        }
        self.hub.kubectl().ok(arguments);
    }

    /// Waits until the members hold what the user wants.
    fn converges(&mut self, seed: u64) {
        for cluster in CLUSTERS {
            self.wanted.reached(seed, cluster, &self.members.member(cluster));
        }
    }

    /// All objects of all kinds of a cluster.
    fn inventory(&self, cluster: &str) -> Vec<String> {
        let member: Kubectl = self.members.member(cluster);
        let served = member.ok(&["api-resources", "--verbs=list", "-o", "name"]);
        let lasting = |kind: &&str| !PASSING.iter().any(|passing| kind.contains(passing));
        let kinds = served.lines().filter(lasting).collect::<Vec<_>>().join(",");
        let format =
            "-ojsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{\"\\n\"}{end}";
        let mut found: Vec<String> =
            member.ok(&["get", &kinds, "-A", format]).lines().map(str::to_owned).collect();
        found.sort();
        found
    }
}

#[test]
fn sigkill_of_hub_and_agent_deletes_nothing_and_leaves_nothing() {
    let mut set = Set::start();
    let before = CLUSTERS.map(|cluster| set.inventory(cluster));
    // The agent may place what policies name when its token is made.
    apply_text(&set.hub.kubectl(), POLICY);
    set.join();
    let range = seeds(4);
    for seed in range.clone() {
        let mut random = Random::new(seed);
        set.step(&mut random);
        set.converges(seed);
        if seed % 50 == 0 {
            println!("seed {seed} of {range:?}");
        }
    }
    set.hub.kubectl().ok(&[&["delete"], &SELECTOR[..]].concat());
    set.wanted.clear();
    set.converges(range.end);
    for (cluster, before) in CLUSTERS.into_iter().zip(before) {
        set.unjoin(cluster, &set.hub_config());
        eventually(&format!("{cluster} to be as before"), || match set.inventory(cluster) {
            found if found == before => Ok(()),
            found => {
                Err(format!("{:?}", found.iter().filter(|one| !before.contains(one)).collect::<Vec<_>>()))
            }
        });
    }
}
