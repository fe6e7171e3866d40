//! BIND as primary server, written by signed updates.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::PublicZone;
use crate::peer::{Peer, dig, free_port, program};

/// Secret of the key `portolan`, in base64.
const SECRET: &str = "cG9ydG9sYW4tdGVzdHMtb25seS1zZWNyZXQtMzItYiE=";
const ZONE_FILE: &str = "\
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 192.0.2.53
www IN A 192.0.2.80
";

/// A running BIND.
pub(crate) struct Bind {
    port: u16,
    _process: Peer,
    _folder: TempDir,
}

impl Bind {
    /// Starts BIND. The key `portolan` may update and transfer the zone.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, port) = (folder.path().display(), free_port());
        let config = format!(
            "options {{ directory \"{path}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
             pid-file \"{path}/pid\"; session-keyfile \"{path}/session\"; recursion no; dnssec-validation no;\n\
             allow-transfer {{ none; }}; notify no; }};\ncontrols {{ }};\n\
             key portolan {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};\n\
             zone \"example.com\" {{ type primary; file \"zone\"; update-policy {{ grant portolan zonesub ANY; }};\n\
             allow-transfer {{ key portolan; }}; }};\n"
        );
        fs::write(folder.path().join("zone"), ZONE_FILE).expect("a zone");
        fs::write(folder.path().join("named.conf"), config).expect("a configuration");
        let mut command = Command::new(program("named"));
        command.args(["-g", "-c"]).arg(folder.path().join("named.conf"));
        let process = Peer::start(&mut command, &folder.path().join("log"));
        let bind = Self { port, _process: process, _folder: folder };
        bind.when("www.example.com", &["192.0.2.80"]);
        bind
    }
}

impl PublicZone for Bind {
    fn provider(&self) -> Value {
        json!({ "rfc2136": { "server": format!("127.0.0.1:{}", self.port),
            "tsig": { "keyName": "portolan", "secretRef": { "name": "dns" } } } })
    }

    fn secret(&self) -> Vec<(&'static str, &'static str)> {
        vec![("secret", SECRET)]
    }

    fn answer(&self, name: &str) -> Vec<String> {
        dig(self.port, name)
    }
}
