//! CoreDNS that answers from an etcd.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::PublicZone;
use crate::peer::{Peer, dig, free_port, http, listens, program};

/// etcd, and CoreDNS in front of it.
pub(crate) struct CoreDns {
    etcd: u16,
    port: u16,
    _processes: [Peer; 2],
    _folder: TempDir,
}

impl CoreDns {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [client_port, peer_port, port] = [free_port(), free_port(), free_port()];
        let [client, peer] = [client_port, peer_port].map(|port| format!("http://127.0.0.1:{port}"));
        let mut etcd = Command::new(program("etcd"));
        etcd.arg("--data-dir").arg(folder.path().join("etcd")).args(["--name=default", "--unsafe-no-fsync"]);
        etcd.args([format!("--listen-client-urls={client}"), format!("--advertise-client-urls={client}")]);
        etcd.args([format!("--listen-peer-urls={peer}"), format!("--initial-advertise-peer-urls={peer}")]);
        etcd.arg(format!("--initial-cluster=default={peer}"));
        let etcd = Peer::start(&mut etcd, &folder.path().join("etcd.log"));
        listens(client_port, "etcd");
        let corefile = format!(
            "example.com:{port} {{\n  bind 127.0.0.1\n  etcd {{\n    path /skydns\n    endpoint {client}\n  }}\n}}\n"
        );
        fs::write(folder.path().join("Corefile"), corefile).expect("a Corefile");
        let mut coredns = Command::new(program("coredns"));
        coredns.arg("-conf").arg(folder.path().join("Corefile"));
        let coredns = Peer::start(&mut coredns, &folder.path().join("coredns.log"));
        let started = Self { etcd: client_port, port, _processes: [etcd, coredns], _folder: folder };
        started.put("/skydns/com/example/www/theirs", &json!({ "host": "192.0.2.80" }));
        started.when("www.example.com", &["192.0.2.80"]);
        started
    }

    /// Writes a key.
    fn put(&self, key: &str, value: &Value) {
        let [key, value] = [key.to_owned(), value.to_string()].map(|text| BASE64_STANDARD.encode(text));
        let body = json!({ "key": key, "value": value }).to_string();
        let answer = http(self.etcd, "POST /v3/kv/put", "", &body);
        assert!(answer.lines().next().is_some_and(|status| status.contains(" 200 ")), "{answer}");
    }
}

impl PublicZone for CoreDns {
    fn provider(&self) -> Value {
        json!({ "coreDNS": { "endpoint": format!("http://127.0.0.1:{}", self.etcd) } })
    }

    fn secret(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    fn answer(&self, name: &str) -> Vec<String> {
        dig(self.port, name)
    }
}
