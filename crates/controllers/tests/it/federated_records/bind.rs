//! BIND as primary server of `example.com`, on loopback, ended with the test.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Process, free_port, program};
use super::public_zone::{PublicZone, when};

/// Secret of the key `portolan`, in base64.
const SECRET: &str = "cG9ydG9sYW4tdGVzdHMtb25seS1zZWNyZXQtMzItYiE=";
/// A zone with records that other software wrote.
const ZONE_FILE: &str = "\
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 192.0.2.53
www IN A 192.0.2.80
";

/// A running BIND.
pub(super) struct Bind {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Bind {
    /// Starts BIND. The key `portolan` may update and transfer the zone.
    pub(super) async fn start() -> Self {
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
        let process = Process::start(&mut command, &folder.path().join("log"));
        let bind = Self { port, _process: process, _folder: folder };
        when(&bind, "www.example.com", &["192.0.2.80"]).await;
        bind
    }
}

impl PublicZone for Bind {
    fn provider(&self, secret: &str) -> Value {
        json!({ "rfc2136": { "server": format!("127.0.0.1:{}", self.port),
            "tsig": { "keyName": "portolan", "secretRef": { "name": secret } } } })
    }

    fn secret(&self) -> Value {
        json!({ "secret": SECRET })
    }

    async fn answer(&self, name: &str) -> Vec<String> {
        let output = Command::new(program("dig"))
            .args([
                "@127.0.0.1",
                "-p",
                &self.port.to_string(),
                "+time=3",
                "+tries=1",
                "+norec",
                "+short",
                name,
            ])
            .output()
            .expect("dig");
        let mut lines: Vec<String> =
            String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}
