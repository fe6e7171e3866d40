//! Server processes on loopback, ended with the test.

use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time for a server to start or a state to be reached; generous for loaded machines.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Whether these tests are skipped.
pub(crate) fn are_left_out() -> bool {
    let left_out = std::env::var_os("PORTOLAN_SKIP_DNS_PEERS").is_some();
    if left_out {
        println!("left out: PORTOLAN_SKIP_DNS_PEERS is set");
    }
    left_out
}

/// A program of this machine or of `cargo xtask tools`.
pub(crate) fn program(name: &str) -> PathBuf {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").into_iter().map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found = assets
        .chain(std::env::split_paths(&path))
        .chain(system)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "no {name}: install it (Debian: bind9, knot, dnsutils; PyPI: moto[server]), or let `cargo xtask tools` build it, or set \
             PORTOLAN_SKIP_DNS_PEERS"
        )
    })
}

/// A port that is free for TCP and UDP.
pub(crate) fn free_port() -> u16 {
    for _ in 0..100 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free for both TCP and UDP");
}

/// A running server; killed when dropped.
pub(crate) struct Server(Child);

impl Server {
    /// Starts a program with its output in a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("a log");
        let error = log.try_clone().expect("a log");
        let started = command.stdin(Stdio::null()).stdout(log).stderr(error).spawn();
        Self(started.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")))
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|status| status.is_some())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until `check` succeeds; panics with its last complaint.
pub(crate) fn eventually<T>(what: &str, mut check: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match check() {
            Ok(value) => return value,
            Err(complaint) if Instant::now() > deadline => panic!("{what}: {complaint}"),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// What `dig` prints for a question, without the header: one line per record or status.
pub(crate) fn dig(port: u16, arguments: &[&str]) -> String {
    let output = Command::new(program("dig"))
        .args(["@127.0.0.1", "-p", &port.to_string(), "+time=3", "+tries=1", "+norec"])
        .args(arguments)
        .output()
        .expect("dig");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
