//! CoreDNS that answers for `example.com` from an etcd.

use std::fs;
use std::process::Command;

use portolan_plan::federation::dns::record::{Change, RecordType, Write};
use portolan_providers::skydns::{Credentials, Settings, SkyDns};
use portolan_providers::{Mode, ProviderError, Publisher};
use tempfile::TempDir;

use crate::process::{Server, are_left_out, dig, eventually, free_port, program};
use crate::zone::{creation, deletion, lines, mark, name, set, zone};

/// etcd, and CoreDNS in front of it.
struct CoreDns {
    etcd_url: String,
    port: u16,
    _servers: [Server; 2],
    _folder: TempDir,
}

impl CoreDns {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [client, peer, port] = [free_port(), free_port(), free_port()];
        let [client, peer] = [client, peer].map(|port| format!("http://127.0.0.1:{port}"));
        let mut etcd = Command::new(program("etcd"));
        etcd.arg("--data-dir").arg(folder.path().join("etcd")).args(["--name=default", "--unsafe-no-fsync"]);
        etcd.args([&format!("--listen-client-urls={client}"), &format!("--advertise-client-urls={client}")]);
        etcd.args([&format!("--listen-peer-urls={peer}"), &format!("--initial-advertise-peer-urls={peer}")]);
        etcd.arg(format!("--initial-cluster=default={peer}"));
        let etcd = Server::start(&mut etcd, &folder.path().join("etcd.log"));
        let corefile = format!(
            "example.com:{port} {{\n  bind 127.0.0.1\n  etcd {{\n    path /skydns\n    endpoint {client}\n  }}\n}}\n"
        );
        fs::write(folder.path().join("Corefile"), corefile).expect("a Corefile");
        let log = folder.path().join("coredns.log");
        let mut coredns = Command::new(program("coredns"));
        coredns.arg("-conf").arg(folder.path().join("Corefile"));
        let mut coredns = Server::start(&mut coredns, &log);
        eventually("CoreDNS answers", || {
            if coredns.has_ended() {
                panic!("CoreDNS ended: {}", fs::read_to_string(&log).unwrap_or_default());
            }
            let answer = dig(port, &["+comments", "nothing.example.com"]);
            if answer.contains("status: NXDOMAIN") { Ok(()) } else { Err(answer) }
        });
        Self { etcd_url: client, port, _servers: [etcd, coredns], _folder: folder }
    }

    fn settings(&self) -> Settings {
        Settings::new(&self.etcd_url)
    }
}

fn publisher(settings: Settings) -> Publisher {
    Publisher::new(std::sync::Arc::new(SkyDns::new(settings).expect("settings")))
}

#[tokio::test]
async fn coredns_answers_what_is_written_into_etcd() {
    if are_left_out() {
        return;
    }
    let coredns = CoreDns::start();
    let (publisher, zone) = (publisher(coredns.settings()), zone());
    let global = set("nginx.svc.example.com", RecordType::A, &["198.51.100.1", "203.0.113.3"]);
    let v6 = set("nginx.svc.example.com", RecordType::Aaaa, &["2001:db8::1"]);
    let region = set("nginx.svc.us.example.com", RecordType::Cname, &["nginx.svc.example.com."]);
    let created = [&global, &v6, &region].map(|set| creation(set.clone()));
    let report = publisher.publish(&zone, &created, Mode::Write).await;
    assert_eq!((report.published(), report.error()), (3, None));
    let mut wanted = Vec::new();
    for one in [&global, &v6, &region] {
        wanted.extend([one.to_string(), mark(one).to_string()]);
    }
    wanted.sort();
    assert_eq!(lines(&publisher.list(&zone).await.expect("the zone")), wanted);
    let mut answers: Vec<String> =
        dig(coredns.port, &["+short", "nginx.svc.us.example.com", "A"]).lines().map(str::to_owned).collect();
    answers.sort();
    assert_eq!(answers, ["198.51.100.1", "203.0.113.3", "nginx.svc.example.com."]);
    assert_eq!(dig(coredns.port, &["+short", "nginx.svc.example.com", "AAAA"]), "2001:db8::1");

    // An address leaves, and the region becomes addresses of its own.
    let fewer = set("nginx.svc.example.com", RecordType::A, &["203.0.113.3"]);
    let own = set("nginx.svc.us.example.com", RecordType::A, &["198.51.100.9"]);
    let put = Write::Put { set: fewer.clone(), before: Some(global.clone()) };
    let switch = vec![Write::Delete(region), Write::Put { set: own.clone(), before: None }];
    let changes = [
        Change { name: fewer.name.clone(), writes: vec![put.clone()] },
        Change { name: own.name.clone(), writes: switch },
    ];
    let report = publisher.publish(&zone, &changes, Mode::Write).await;
    assert_eq!((report.published(), report.error()), (2, None));
    assert_eq!(dig(coredns.port, &["+short", "nginx.svc.example.com", "A"]), "203.0.113.3");
    assert_eq!(dig(coredns.port, &["+short", "nginx.svc.us.example.com", "A"]), "198.51.100.9");

    // The same change again is about a state that is gone; deleting what is there leaves nothing.
    let report = publisher
        .publish(&zone, &[Change { name: fewer.name.clone(), writes: vec![put] }], Mode::Write)
        .await;
    assert_eq!(report.error(), Some(&ProviderError::Changed { name: name("nginx.svc.example.com") }));
    let report = publisher.publish(&zone, &[deletion(fewer), deletion(v6)], Mode::Write).await;
    assert_eq!(report.error(), None);
    assert!(dig(coredns.port, &["+comments", "nginx.svc.example.com", "A"]).contains("NXDOMAIN"));
}

#[tokio::test]
async fn errors_of_etcd_name_their_cause() {
    if are_left_out() {
        return;
    }
    let coredns = CoreDns::start();
    let mut settings = coredns.settings();
    settings.credentials = Some(Credentials { user: "root".to_owned(), password: "hidden".to_owned() });
    assert!(!format!("{settings:?}").contains("hidden"), "no secret is printed");
    let error = publisher(settings).list(&zone()).await.expect_err("an error");
    assert!(!error.to_string().contains("hidden"), "{error}");
    assert!(!error.is_transient(), "{error}");
}
