//! The servers to measure: how each is set up, started on one core, and looked at.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::questions::{World, ZONE};
use crate::arguments::Dns;

/// Changes of records per second, where the zone changes meanwhile.
const CHANGES: u32 = 1000;
/// Ticks of the kernel's accounting per second; fixed for programs, whatever the kernel's own are.
const TICKS: u64 = 100;

/// A server that can be started.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) version: String,
    pub(super) is_echo: bool,
    core: usize,
    address: SocketAddr,
    command: Vec<String>,
    environment: Vec<(&'static str, &'static str)>,
    directory: PathBuf,
}

/// A server that runs; it is ended when this is dropped.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    child: Child,
}

/// Everything that is installed, and what is not.
pub(super) fn available(arguments: &Dns, world: &World, scratch: &Path) -> Result<(Vec<Peer>, Vec<String>)> {
    let zone = scratch.join("zone");
    fs::write(&zone, world.zone_file()).context("cannot write the zone")?;
    let own = std::env::current_exe().context("cannot find this program")?.display().to_string();
    let services = arguments.services.to_string();
    let of_ours = |more: &[&str], address: SocketAddr| {
        let listen = address.to_string();
        let fixed = [own.as_str(), "dns-serve", "--services", &services, "--listen", &listen];
        fixed.iter().chain(more).map(|part| (*part).to_owned()).collect::<Vec<String>>()
    };
    let changes = CHANGES.to_string();
    let (mut peers, mut missing) = (Vec::new(), Vec::new());
    for name in ["echo", "portolan", "churn", "nsd", "knot", "coredns"] {
        if !(arguments.only.is_empty() || arguments.only.iter().any(|wanted| wanted == name)) {
            continue;
        }
        let address = free_address()?;
        let directory = scratch.join(name);
        fs::create_dir_all(&directory)?;
        let mut peer = Peer {
            name,
            version: String::new(),
            is_echo: name == "echo",
            core: arguments.server_core,
            address,
            command: Vec::new(),
            environment: Vec::new(),
            directory,
        };
        match name {
            "echo" => peer.command = of_ours(&["--echo"], address),
            "portolan" => peer.command = of_ours(&[], address),
            "churn" => peer.command = of_ours(&["--changes", &changes], address),
            "nsd" => peer.nsd(&zone)?,
            "knot" => peer.knot(&zone)?,
            _ => peer.coredns(&zone, arguments.coredns.as_deref())?,
        }
        if peer.command.is_empty() {
            missing.push(format!("{name} is not installed"));
        } else {
            peers.push(peer);
        }
    }
    Ok((peers, missing))
}

/// A port that is free for UDP now.
fn free_address() -> Result<SocketAddr> {
    Ok(UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr())?)
}

/// Looks where programs and daemons are.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// The first line of what a program says about itself that has a digit in it.
fn version(program: &Path, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    text.lines()
        .find(|line| line.contains(|c: char| c.is_ascii_digit()))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

impl Peer {
    /// One server process, answers without additions, no logs, no statistics.
    fn nsd(&mut self, zone: &Path) -> Result<()> {
        let Some(program) = find("nsd") else { return Ok(()) };
        let folder = self.directory.display();
        let text = format!(
            "server:\n  server-count: 1\n  ip-address: {}@{}\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{folder}\"\n  \
             pidfile: \"{folder}/pid\"\n  database: \"\"\n  xfrdfile: \"{folder}/xfrd\"\n  zonelistfile: \"{folder}/list\"\n  \
             logfile: \"{folder}/log\"\n  minimal-responses: yes\n  round-robin: yes\n  hide-version: yes\n  reuseport: no\n  \
             rrl-ratelimit: 0\nremote-control:\n  control-enable: no\nzone:\n  name: \"{ZONE}\"\n  zonefile: \"{}\"\n",
            self.address.ip(),
            self.address.port(),
            zone.display()
        );
        self.configure(&program, "nsd.conf", &text, &["-d", "-c"])?;
        self.version = version(&program, "-v");
        Ok(())
    }

    fn knot(&mut self, zone: &Path) -> Result<()> {
        let Some(program) = find("knotd") else { return Ok(()) };
        let folder = self.directory.display();
        let text = format!(
            "server:\n  rundir: \"{folder}\"\n  listen: {}@{}\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n  \
             answer-rotation: on\nlog:\n  - target: stderr\n    any: error\ndatabase:\n  storage: \"{folder}\"\nzone:\n  \
             - domain: {ZONE}\n    file: \"{}\"\n    journal-content: none\n    zonefile-sync: -1\n",
            self.address.ip(),
            self.address.port(),
            zone.display()
        );
        self.configure(&program, "knot.conf", &text, &["-c"])?;
        self.version = version(&program, "-V");
        Ok(())
    }

    fn coredns(&mut self, zone: &Path, given: Option<&Path>) -> Result<()> {
        // It runs in a separate folder.
        let given = given.map(std::path::absolute).transpose().context("cannot find CoreDNS")?;
        let Some(program) = given.or_else(|| find("coredns")) else { return Ok(()) };
        let text = format!(
            "{ZONE}:{} {{\n  bind {}\n  file {} {{\n    reload 0\n  }}\n}}\n",
            self.address.port(),
            self.address.ip(),
            zone.display()
        );
        self.configure(&program, "Corefile", &text, &["-conf"])?;
        // It has one core; more would only get into each other's way.
        self.environment = vec![("GOMAXPROCS", "1")];
        self.version = version(&program, "-version");
        Ok(())
    }

    fn configure(&mut self, program: &Path, file: &str, text: &str, arguments: &[&str]) -> Result<()> {
        let file = self.directory.join(file);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        self.command = vec![program.display().to_string()];
        self.command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self.command.push(file.display().to_string());
        Ok(())
    }

    /// Starts it on its core.
    pub(super) fn start(&self) -> Result<Running> {
        let log = fs::File::create(self.directory.join("output")).context("cannot write output")?;
        let mut command = Command::new("taskset");
        command.args(["-c", &self.core.to_string()]).args(&self.command);
        command.envs(self.environment.iter().copied()).current_dir(&self.directory);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {}", self.command[0]))?;
        Ok(Running { address: self.address, child })
    }
}

impl Running {
    /// Processor time of the server and of the processes that it has started.
    pub(super) fn processor_time(&self) -> Result<Duration> {
        let own = self.child.id();
        let mut ticks = 0;
        for entry in fs::read_dir("/proc").context("cannot read /proc")? {
            let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // A process may end while it is looked at.
            let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
            // The name is in parentheses and may hold anything.
            let fields: Vec<&str> =
                stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
            let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
            let parent = number(1);
            if id == own || parent == Some(u64::from(own)) || self.is_grandchild(parent) {
                ticks += number(11).unwrap_or(0) + number(12).unwrap_or(0);
            }
        }
        Ok(Duration::from_millis(ticks * 1000 / TICKS))
    }

    /// Whether this process's parent is a child of the server: NSD's servers are.
    fn is_grandchild(&self, parent: Option<u64>) -> bool {
        let Some(parent) = parent else { return false };
        let Ok(stat) = fs::read_to_string(format!("/proc/{parent}/stat")) else { return false };
        let of = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        of == Some(self.child.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SIGTERM, so that servers with several processes end all of them.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
