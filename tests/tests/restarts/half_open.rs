//! Links between the control plane and a cluster in which packets are lost without an error: connections stay open at both ends
//! and carry nothing.
//!
//! `PORTOLAN_SEEDS=200 cargo test -p portolan-e2e --test restarts half_open -- --nocapture` is the long form. The test runs in a
//! network namespace of its own, which needs root or user namespaces, iproute2 and nftables; with `PORTOLAN_SKIP_NAMESPACES`
//! set it is left out.

use std::env;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use portolan_e2e::binary::portolan;
use portolan_e2e::network::shell;
use portolan_e2e::random::{Random, seeds};
use portolan_e2e::steps::apply_text;
use portolan_e2e::{Server, eventually, programs, text};
use tempfile::TempDir;

use super::program::Program;
use super::wanted::{Change, POLICY, Wanted};

const NAME: &str = "half_open::a_half_open_link_delays_no_command_and_deletes_nothing";
/// Set in the process that runs in a network namespace of its own.
const IS_INSIDE: &str = "PORTOLAN_INSIDE_NETWORK";
/// The address of `push`, which the control plane dials, and that of the control plane, which the agent of `pull` dials.
const LINKS: [(&str, &str); 2] = [("push", "10.201.1.1"), ("pull", "10.201.9.1")];
/// The agent renews its Lease every ten seconds.
const HEALTH: [&str; 4] = ["--cluster-monitor-grace-period", "15s", "--cluster-success-threshold", "1s"];
/// Longest time of a command, on a slow machine. It waits two seconds for a cluster.
const COMMAND_LIMIT: Duration = Duration::from_secs(10);
/// Time within which a cluster is not ready: twenty seconds, and what a slow machine adds.
const NOT_READY_LIMIT: Duration = Duration::from_secs(30);

struct Set {
    hub: Server,
    push: Server,
    pull: Server,
    agent: Option<Program>,
    folder: TempDir,
    wanted: Wanted,
}

impl Set {
    fn start() -> Self {
        shell("ip link set lo up");
        for (_, address) in LINKS {
            shell(&format!("ip address add {address}/32 dev lo"));
        }
        shell("nft add table inet links");
        shell("nft 'add chain inet links input { type filter hook input priority 0; }'");
        let [(_, of_push), (_, of_hub)] = LINKS;
        let hub = Server::start("0.0.0.0", &[&["--advertise-address", of_hub], &HEALTH[..]].concat());
        let (push, pull) = (Server::start(of_push, &[]), Server::start("127.0.0.1", &[]));
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { hub, push, pull, agent: None, folder, wanted: Wanted::default() }
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let config = self.hub.kubeconfig();
        let finished = portolan(&[arguments, &["--kubeconfig", text(&config)]].concat());
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished}");
        finished.stdout
    }

    fn join(&mut self) {
        let (push, pull) = (self.push.kubeconfig(), self.pull.kubeconfig());
        self.ok(&["join", "push", "--cluster-kubeconfig", text(&push)]);
        let printed = self.ok(&["token", "create", "--cluster", "pull"]);
        let words: Vec<&str> = printed.split_whitespace().skip_while(|word| *word != "register").collect();
        let registered = portolan(&[&words[..], &["--kubeconfig", text(&pull)]].concat());
        assert_eq!(registered.code, Some(0), "{registered}");
        let log = fs::File::create(self.folder.path().join("agent.log")).expect("the folder is writable");
        let mut command = Command::new(programs::portolan());
        command.args(["agent", "--pull", "--kubeconfig", text(&pull)]);
        command.args(["--dns-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
        command.stdout(Stdio::null()).stderr(log);
        self.agent = Some(Program(command.spawn().expect("the binary starts")));
        for (cluster, _) in LINKS {
            self.becomes_ready(cluster);
        }
    }

    fn status(&self, cluster: &str) -> String {
        let ready = "-ojsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
        self.hub.kubectl().ok(&["get", "cluster", cluster, ready])
    }

    fn becomes_ready(&self, cluster: &str) {
        eventually(&format!("{cluster} to be ready"), || match self.status(cluster) {
            status if status == "True" => Ok(()),
            status => Err(status),
        });
    }

    /// Looks at all clusters while the link to `cluster` carries nothing.
    fn look(&self, seed: u64, cluster: &str) {
        let (started, config) = (Instant::now(), self.hub.kubeconfig());
        let get = ["get", "configmaps", "-s", "all", "--kubeconfig", text(&config)];
        let table = portolan(&get);
        assert!(started.elapsed() < COMMAND_LIMIT, "seed {seed}: {:?}", started.elapsed());
        assert!(table.stderr.contains(&format!("cluster({cluster})")), "seed {seed}: {table}");
    }

    fn change(&mut self, random: &mut Random) {
        let Change { name, manifest } = self.wanted.change(random);
        match manifest {
            Some(manifest) => drop(apply_text(&self.hub.kubectl(), &manifest)),
            None => drop(self.hub.kubectl().ok(&["delete", "configmap", &name])),
        }
    }

    fn becomes_unready(&self, seed: u64, cluster: &str, since: Instant) {
        while self.status(cluster) == "True" {
            assert!(since.elapsed() < NOT_READY_LIMIT, "seed {seed}: {cluster} is still ready");
            std::thread::sleep(Duration::from_millis(200));
        }
        println!("seed {seed}: {cluster} is not ready after {:.1} s", since.elapsed().as_secs_f64());
    }

    /// Breaks one link, and waits until everything is as the user wants after it.
    fn step(&mut self, seed: u64) {
        let mut random = Random::new(seed);
        let (cluster, address) = LINKS[usize::from(seed.is_multiple_of(2))];
        std::thread::sleep(Duration::from_millis(random.below(300)));
        let since = Instant::now();
        for end in ["saddr", "daddr"] {
            shell(&format!("nft add rule inet links input ip {end} {address} drop"));
        }
        for _ in 0..=random.below(3) {
            self.change(&mut random);
            std::thread::sleep(Duration::from_millis(random.below(500)));
        }
        let is_long = seed <= 2 || random.below(3) == 0;
        if is_long {
            self.look(seed, cluster);
            self.becomes_unready(seed, cluster, since);
            self.change(&mut random);
        }
        shell("nft flush chain inet links input");
        let healed = Instant::now();
        self.wanted.reached(seed, "push", &self.push.kubectl());
        self.wanted.reached(seed, "pull", &self.pull.kubectl());
        println!("seed {seed}: converged {:.1} s after the link", healed.elapsed().as_secs_f64());
        if is_long {
            self.becomes_ready(cluster);
        }
    }
}

#[test]
fn a_half_open_link_delays_no_command_and_deletes_nothing() {
    if env::var_os("PORTOLAN_SKIP_NAMESPACES").is_some() {
        println!("left out: PORTOLAN_SKIP_NAMESPACES is set");
        return;
    }
    if env::var_os(IS_INSIDE).is_none() {
        let test = env::current_exe().expect("the path of this program");
        let mut inside = Command::new("unshare");
        inside.args(["--user", "--map-root-user", "--net"]).arg(test).args(["--exact", NAME, "--nocapture"]);
        let status = inside.env(IS_INSIDE, "1").status().expect("unshare starts");
        assert!(status.success(), "{status}");
        return;
    }
    let mut set = Set::start();
    set.join();
    apply_text(&set.hub.kubectl(), POLICY);
    for seed in seeds(2) {
        set.step(seed);
    }
}
