//! Servers of public zones as processes on loopback, ended with the test.

use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Whether tests with such servers are skipped.
pub(super) fn is_left_out() -> bool {
    let left_out = std::env::var_os("PORTOLAN_SKIP_DNS_PEERS").is_some();
    if left_out {
        println!("left out: PORTOLAN_SKIP_DNS_PEERS is set");
    }
    left_out
}

/// A running server; killed when dropped.
pub(super) struct Process(Child);

impl Process {
    /// Starts a program with its output in a file.
    pub(super) fn start(command: &mut Command, log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("a log");
        let error = log.try_clone().expect("a log");
        let started = command.stdin(Stdio::null()).stdout(log).stderr(error).spawn();
        Self(started.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that is free for TCP and UDP.
pub(super) fn free_port() -> u16 {
    for _ in 0..100 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free for both TCP and UDP");
}

/// A program of this machine.
pub(super) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let mut files = std::env::split_paths(&path).chain(system).map(|folder| folder.join(name));
    files.find(|file| file.is_file()).unwrap_or_else(|| {
        panic!(
            "no {name}: install it (Debian: bind9, bind9-dnsutils; PyPI: moto[server]), or set PORTOLAN_SKIP_DNS_PEERS"
        )
    })
}
