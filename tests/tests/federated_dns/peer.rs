//! DNS servers and their stores: other programs on loopback, ended with the test.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portolan_e2e::eventually;

/// Time for an answer over HTTP.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Whether tests with DNS servers of others are skipped.
pub(crate) fn are_left_out() -> bool {
    let left_out = std::env::var_os("PORTOLAN_SKIP_DNS_PEERS").is_some();
    if left_out {
        println!("left out: PORTOLAN_SKIP_DNS_PEERS is set");
    }
    left_out
}

/// A running program; killed when dropped.
pub(crate) struct Peer(Child);

impl Peer {
    /// Starts a program with its output in a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::create(log).expect("a log");
        let error = log.try_clone().expect("a log");
        let started = command.stdin(Stdio::null()).stdout(log).stderr(error).spawn();
        Self(started.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program of this machine or of `cargo xtask tools`.
pub(crate) fn program(name: &str) -> PathBuf {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").into_iter().map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut files = assets.chain(std::env::split_paths(&path)).chain(system).map(|folder| folder.join(name));
    files.find(|file| file.is_file()).unwrap_or_else(|| {
        panic!(
            "no {name}: install it (Debian: bind9, bind9-dnsutils; PyPI: moto[server]), or let `cargo xtask tools` build \
             it, or set PORTOLAN_SKIP_DNS_PEERS"
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

/// Waits until something listens on a port.
pub(crate) fn listens(port: u16, what: &str) {
    eventually(&format!("{what} to listen"), || {
        TcpStream::connect(("127.0.0.1", port)).map(|_| ()).map_err(|error| error.to_string())
    });
}

/// What `dig +short` prints for the addresses of a name, sorted: the aliases and the addresses.
pub(crate) fn dig(port: u16, name: &str) -> Vec<String> {
    let output = Command::new(program("dig"))
        .args(["@127.0.0.1", "-p", &port.to_string(), "+time=3", "+tries=1", "+norec", "+short", name])
        .output()
        .expect("dig");
    let mut lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// A request over HTTP and the whole answer, with its head. `headers` end in line breaks.
pub(crate) fn http(port: u16, request: &str, headers: &str, body: &str) -> String {
    let text = format!(
        "{request} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a limit");
    stream.write_all(text.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}
