//! SIGKILL of the control plane and of an agent while a user changes objects.
//!
//! `PORTOLAN_SEEDS=1000 cargo test -p portolan-e2e --test restarts sigkill -- --nocapture` is the long form.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portolan_e2e::binary::portolan;
use portolan_e2e::random::{Random, seeds};
use portolan_e2e::steps::apply_text;
use portolan_e2e::{Kubectl, Playground, Server, eventually, programs, text};
use tempfile::TempDir;

/// `push` has joined, `pull` has registered.
const CLUSTERS: [&str; 2] = ["push", "pull"];
/// Objects that the user changes.
const NAMES: u64 = 6;
/// What a control plane puts into a cluster.
const KINDS: &str = "namespaces,serviceaccounts,secrets,configmaps,roles,rolebindings,clusterroles,clusterrolebindings,leases,\
                     customresourcedefinitions";
const POLICY: &str = "\
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: kills}
spec:
  resourceSelectors: [{apiVersion: v1, kind: ConfigMap, labelSelector: {matchLabels: {kills: all}}}]
  placement: {}
";

/// A program of this test; killed when dropped.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Set {
    hub: Server,
    members: Playground,
    agent: Option<Program>,
    folder: TempDir,
    /// Content of the objects that the user wants.
    wanted: BTreeMap<String, String>,
    /// Uids of the copies, by cluster and name. A copy that was deleted and made again has another uid.
    uids: BTreeMap<(String, String), String>,
}

impl Set {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("clusters.yaml");
        fs::write(&file, "clusters:\n- name: push\n- name: pull\n").expect("the folder is writable");
        let members = Playground::start_with(&["--config", text(&file)]);
        let hub = Server::start("127.0.0.1", &[]);
        let (wanted, uids) = (BTreeMap::new(), BTreeMap::new());
        let set = Self { hub, members, agent: None, folder, wanted, uids };
        for cluster in CLUSTERS {
            // Their own control plane lets them go.
            set.unjoin(cluster, text(&set.members.directory().join("portolan.config")));
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
        self.start_agent();
        for cluster in CLUSTERS {
            let name = format!("cluster/{cluster}");
            self.hub.kubectl().ok(&["wait", "--for=condition=Ready", &name, "--timeout=60s"]);
        }
    }

    fn start_agent(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("agent.log"));
        let mut command = Command::new(programs::portolan());
        command.args(["agent", "--pull", "--kubeconfig", &self.members_config(), "--context", "pull"]);
        command.args(["--dns-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
        command.stdout(Stdio::null()).stderr(log.expect("the folder is writable"));
        self.agent = Some(Program(command.spawn().expect("the binary starts")));
    }

    /// One change by the user, with a kill in it.
    fn step(&mut self, random: &mut Random) {
        let name = format!("kills-{}", random.below(NAMES));
        let manifest = if self.wanted.contains_key(&name) && random.below(3) == 0 {
            self.wanted.remove(&name);
            self.uids.retain(|(_, known), _| *known != name);
            None
        } else {
            let content = random.below(1000).to_string();
            self.wanted.insert(name.clone(), content.clone());
            Some(format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{kills: all}}}}\n\
                 data: {{k: \"{content}\"}}\n"
            ))
        };
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

    /// Waits until the members hold what the user wants, and compares the identity of each copy.
    fn converges(&mut self, seed: u64) {
        let format = "-ojsonpath={range .items[*]}{.metadata.name} {.data.k} {.metadata.uid}{\"\\n\"}{end}";
        for cluster in CLUSTERS {
            let member = self.members.member(cluster);
            let copies = eventually(&format!("seed {seed}: what the user wants, in {cluster}"), || {
                let listed = member.ok(&["get", "configmaps", "-l", "kills=all", format]);
                let rows: Vec<Vec<String>> =
                    listed.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect();
                let found: BTreeMap<String, String> =
                    rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
                if found == self.wanted { Ok(rows) } else { Err(format!("{found:?}, not {:?}", self.wanted)) }
            });
            for copy in copies {
                let key = (cluster.to_owned(), copy[0].clone());
                let uid = self.uids.entry(key).or_insert_with(|| copy[2].clone());
                assert_eq!(*uid, copy[2], "seed {seed}: {} was deleted in {cluster} by nobody", copy[0]);
            }
        }
    }

    fn inventory(&self, cluster: &str) -> Vec<String> {
        let member: Kubectl = self.members.member(cluster);
        let format =
            "-ojsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{\"\\n\"}{end}";
        let mut found: Vec<String> =
            member.ok(&["get", KINDS, "-A", format]).lines().map(str::to_owned).collect();
        found.sort();
        found
    }
}

#[test]
fn sigkill_of_hub_and_agent_deletes_nothing_and_leaves_nothing() {
    let mut set = Set::start();
    let before = CLUSTERS.map(|cluster| set.inventory(cluster));
    set.join();
    apply_text(&set.hub.kubectl(), POLICY);
    let range = seeds(4);
    for seed in range.clone() {
        let mut random = Random::new(seed);
        set.step(&mut random);
        set.converges(seed);
        if seed % 50 == 0 {
            println!("seed {seed} of {range:?}");
        }
    }
    set.hub.kubectl().ok(&["delete", "configmaps", "-l", "kills=all"]);
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
