//! Knot as primary server of `example.com`.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Server, dig, eventually, free_port, program};
use crate::zone::{SECRET, ZONE_FILE};

/// A running Knot.
pub(crate) struct Knot {
    pub(crate) port: u16,
    _server: Server,
    _folder: TempDir,
}

impl Knot {
    /// Starts Knot. The key `portolan` may update and transfer the zone, the key `reader` may only transfer it.
    pub(crate) fn start() -> Self {
        let zone = "  - domain: example.com\n    file: zone\n    acl: [writer, reader]\n";
        let acl = "  - id: writer\n    key: portolan\n    action: [transfer, update]\n\
                   \x20 - id: reader\n    key: reader\n    action: transfer\n";
        Self::start_with(free_port(), "", acl, zone, Some(ZONE_FILE))
    }

    /// Starts Knot as secondary of the server at `primary`, which it copies the zone from, with the key `portolan`.
    pub(crate) fn start_secondary(port: u16, primary: u16) -> Self {
        let remotes =
            format!("remote:\n  - id: primary\n    address: 127.0.0.1@{primary}\n    key: portolan\n");
        let acl = "  - id: primary\n    address: 127.0.0.0/8\n    key: portolan\n    action: notify\n";
        let zone =
            "  - domain: example.com\n    master: primary\n    acl: primary\n    zonefile-load: none\n";
        Self::start_with(port, &remotes, acl, zone, None)
    }

    /// Starts Knot with these sections.
    fn start_with(port: u16, remotes: &str, acl: &str, zone: &str, file: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().display();
        let config = format!(
            "server:\n    rundir: {path}\n    listen: 127.0.0.1@{port}\n    user: root\n    udp-workers: 1\n\
             \x20   tcp-workers: 1\n    background-workers: 1\n\
             log:\n  - target: stderr\n    any: info\n\
             database:\n    storage: {path}/db\n\
             key:\n  - id: portolan\n    algorithm: hmac-sha256\n    secret: {SECRET}\n\
             \x20 - id: reader\n    algorithm: hmac-sha256\n    secret: {SECRET}\n\
             {remotes}acl:\n{acl}\
             template:\n  - id: default\n    storage: {path}\n    journal-content: none\n    zonefile-load: whole\n\
             zone:\n{zone}"
        );
        if let Some(file) = file {
            fs::write(folder.path().join("zone"), file).expect("a zone");
        }
        fs::write(folder.path().join("knot.conf"), config).expect("a configuration");
        let log = folder.path().join("log");
        let mut command = Command::new(program("knotd"));
        command.arg("-c").arg(folder.path().join("knot.conf"));
        let mut server = Server::start(&mut command, &log);
        eventually("Knot answers", || {
            if server.has_ended() {
                panic!("Knot ended: {}", fs::read_to_string(&log).unwrap_or_default());
            }
            let answer = dig(port, &["+comments", "example.com", "SOA"]);
            if answer.contains("status:") { Ok(()) } else { Err(answer) }
        });
        Self { port, _server: server, _folder: folder }
    }
}
