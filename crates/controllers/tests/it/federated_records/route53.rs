//! Route 53 with the zone `example.com`, played by moto, which keeps record sets and answers no DNS.

use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use portolan_plan::federation::dns::record::{Change, DomainName, RecordSet, RecordType, Write};
use portolan_providers::Provider;
use portolan_providers::route53::{AccessKey, Route53, Settings};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Process, free_port, program};
use super::public_zone::PublicZone;

/// Time for moto to start; generous for loaded machines.
const START: Duration = Duration::from_secs(60);
/// moto reads the service from it and checks no signature.
const AUTHORIZATION: &str =
    "AWS4-HMAC-SHA256 Credential=id/20200101/us-east-1/route53/aws4_request, SignedHeaders=host, Signature=0";
const ZONE: &str = "<CreateHostedZoneRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
    <CallerReference>one</CallerReference><Name>example.com</Name></CreateHostedZoneRequest>";

/// A running moto.
pub(super) struct Moto {
    url: String,
    client: Route53,
    _process: Process,
    _folder: TempDir,
}

impl Moto {
    pub(super) async fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let mut command = Command::new(program("moto_server"));
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        let process = Process::start(&mut command, &folder.path().join("log"));
        create_zone(port).await;
        let url = format!("http://127.0.0.1:{port}");
        let key = AccessKey { id: "id".to_owned(), secret: "secret".to_owned(), session_token: None };
        let settings = Settings { access_key: Some(key), zone_id: None, endpoint: Some(url.clone()) };
        let client = Route53::new(settings).await;
        let set = RecordSet::new(domain("www.example.com"), RecordType::A, 300, ["192.0.2.80"]);
        let change = Change { name: set.name.clone(), writes: vec![Write::Put { set, before: None }] };
        assert_eq!(client.apply(&domain("example.com"), &[change]).await, [Ok(())]);
        Self { url, client, _process: process, _folder: folder }
    }
}

impl PublicZone for Moto {
    fn provider(&self, secret: &str) -> Value {
        json!({ "route53": { "endpoint": self.url, "secretRef": { "name": secret } } })
    }

    fn secret(&self) -> Value {
        json!({ "aws_access_key_id": "id", "aws_secret_access_key": "secret" })
    }

    async fn answer(&self, name: &str) -> Vec<String> {
        let sets = self.client.list(&domain("example.com")).await.expect("the zone");
        resolve(&sets, name)
    }
}

/// What a name server of Route 53 answers: the targets of each alias up to the addresses.
fn resolve(sets: &[RecordSet], name: &str) -> Vec<String> {
    let (mut lines, mut names) = (Vec::new(), vec![domain(name)]);
    while let Some(name) = names.pop() {
        for set in sets.iter().filter(|set| set.name == name && set.kind.is_answer()) {
            lines.extend(set.targets.iter().cloned());
            if set.kind == RecordType::Cname {
                names.extend(set.targets.iter().map(|target| domain(target)));
            }
        }
        assert!(lines.len() < 100, "aliases in a circle: {lines:?}");
    }
    lines.sort();
    lines
}

fn domain(name: &str) -> DomainName {
    DomainName::parse(name).expect("a name")
}

/// Creates the hosted zone, as soon as moto listens.
async fn create_zone(port: u16) {
    let request = format!(
        "POST /2013-04-01/hostedzone HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {AUTHORIZATION}\r\n\
         Content-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{ZONE}",
        ZONE.len()
    );
    let deadline = Instant::now() + START;
    let mut stream = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => break stream,
            Err(error) => assert!(Instant::now() < deadline, "moto does not listen: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains(" 201 "), "{answer}");
}
