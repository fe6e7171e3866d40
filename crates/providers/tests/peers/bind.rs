//! BIND as primary server of `example.com`.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Server, dig, eventually, free_port, program};
use crate::zone::{SECRET, ZONE_FILE};

/// A running BIND.
pub(crate) struct Bind {
    pub(crate) port: u16,
    _server: Server,
    _folder: TempDir,
}

impl Bind {
    /// Starts BIND as secondary of the server at `primary`, which it copies the zone from, with the key `portolan`.
    pub(crate) fn start_secondary(port: u16, primary: u16) -> Self {
        let zone = format!(
            "zone \"example.com\" {{ type secondary; file \"copy\"; primaries {{ 127.0.0.1 port {primary} key portolan; }};\n\
             allow-notify {{ key portolan; }}; }};\n"
        );
        Self::start_with(port, &zone, "status:")
    }

    /// Starts BIND. The key `portolan` may update and transfer the zone, the key `reader` may only transfer it.
    pub(crate) fn start() -> Self {
        let zone = "zone \"example.com\" { type primary; file \"zone\"; update-policy { grant portolan zonesub ANY; };\n\
             allow-transfer { key portolan; key reader; }; };\n";
        Self::start_with(free_port(), zone, "hostmaster")
    }

    /// Starts BIND with a zone, and waits until its answer for the name of the zone has a text.
    fn start_with(port: u16, zone: &str, answers: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().display();
        let key = |name| format!("key {name} {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n");
        let config = format!(
            "options {{ directory \"{path}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
             pid-file \"{path}/pid\"; session-keyfile \"{path}/session\"; recursion no; dnssec-validation no;\n\
             allow-transfer {{ none; }}; notify no; }};\n\
             controls {{ }};\n{}{}{zone}",
            key("portolan"),
            key("reader")
        );
        fs::write(folder.path().join("zone"), ZONE_FILE).expect("a zone");
        fs::write(folder.path().join("named.conf"), config).expect("a configuration");
        let log = folder.path().join("log");
        let mut command = Command::new(program("named"));
        command.arg("-g").arg("-c").arg(folder.path().join("named.conf"));
        let mut server = Server::start(&mut command, &log);
        eventually("BIND answers", || {
            if server.has_ended() {
                panic!("BIND ended: {}", fs::read_to_string(&log).unwrap_or_default());
            }
            let answer = dig(port, &["example.com", "SOA"]);
            if answer.contains(answers) { Ok(()) } else { Err(answer) }
        });
        Self { port, _server: server, _folder: folder }
    }
}
