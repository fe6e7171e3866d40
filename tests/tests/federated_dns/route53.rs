//! Route 53, played by moto (`pip install 'moto[server]'`). It keeps record sets and answers no DNS.

use std::fs;
use std::process::Command;

use regex::Regex;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::PublicZone;
use crate::peer::{Peer, free_port, http, listens, program};

/// moto reads the service from it and checks no signature.
const AUTHORIZATION: &str = "Authorization: AWS4-HMAC-SHA256 \
    Credential=id/20200101/us-east-1/route53/aws4_request, SignedHeaders=host, Signature=0\r\n\
    Content-Type: text/xml\r\n";
const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// A running moto with the hosted zone `example.com`.
pub(crate) struct Moto {
    port: u16,
    /// Path of the zone in the API.
    zone: String,
    _process: Peer,
    _folder: TempDir,
}

impl Moto {
    pub(crate) fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let correction = include_str!("sitecustomize.py");
        fs::write(folder.path().join("sitecustomize.py"), correction).expect("a correction");
        let mut command = Command::new(program("moto_server"));
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]).env("PYTHONPATH", folder.path());
        let process = Peer::start(&mut command, &folder.path().join("log"));
        listens(port, "moto");
        let body = format!(
            "<CreateHostedZoneRequest xmlns=\"{NAMESPACE}\"><CallerReference>one</CallerReference>\
             <Name>example.com</Name></CreateHostedZoneRequest>"
        );
        let answer = http(port, "POST /2013-04-01/hostedzone", AUTHORIZATION, &body);
        let id = first(&answer, "<Id>/?(hostedzone/[^<]+)</Id>");
        let zone = format!("/2013-04-01/{id}/rrset");
        let moto = Self { port, zone, _process: process, _folder: folder };
        moto.put_www();
        moto.when("www.example.com", &["192.0.2.80"]);
        moto
    }

    fn put_www(&self) {
        let body = format!(
            "<ChangeResourceRecordSetsRequest xmlns=\"{NAMESPACE}\"><ChangeBatch><Changes><Change>\
             <Action>CREATE</Action><ResourceRecordSet><Name>www.example.com</Name><Type>A</Type><TTL>300</TTL>\
             <ResourceRecords><ResourceRecord><Value>192.0.2.80</Value></ResourceRecord></ResourceRecords>\
             </ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>"
        );
        let answer = http(self.port, &format!("POST {}", self.zone), AUTHORIZATION, &body);
        assert!(answer.lines().next().is_some_and(|status| status.contains(" 200 ")), "{answer}");
    }

    /// Name, type and values of each record set.
    fn sets(&self) -> Vec<(String, String, Vec<String>)> {
        let answer = http(self.port, &format!("GET {}", self.zone), AUTHORIZATION, "");
        assert!(answer.contains("<IsTruncated>false</IsTruncated>"), "{answer}");
        let values = Regex::new("<Value>([^<]*)</Value>").expect("a pattern");
        let each = answer.split("<ResourceRecordSet>").skip(1);
        each.map(|set| {
            let targets = values.captures_iter(set).map(|found| found[1].to_owned()).collect();
            (first(set, "<Name>([^<]*)</Name>"), first(set, "<Type>([^<]*)</Type>"), targets)
        })
        .collect()
    }
}

/// What the group of a pattern finds first.
fn first(text: &str, pattern: &str) -> String {
    let pattern = Regex::new(pattern).expect("a pattern");
    pattern.captures(text).unwrap_or_else(|| panic!("no {pattern} in {text}"))[1].to_owned()
}

impl PublicZone for Moto {
    fn provider(&self) -> Value {
        json!({ "route53": { "endpoint": format!("http://127.0.0.1:{}", self.port), "secretRef": { "name": "dns" } } })
    }

    fn secret(&self) -> Vec<(&'static str, &'static str)> {
        vec![("aws_access_key_id", "id"), ("aws_secret_access_key", "secret")]
    }

    /// What a name server of Route 53 answers: the targets of each alias up to the addresses.
    fn answer(&self, name: &str) -> Vec<String> {
        let sets = self.sets();
        let (mut lines, mut names) = (Vec::new(), vec![name.to_owned()]);
        while let Some(name) = names.pop() {
            let of_name = sets.iter().filter(|set| set.0.trim_end_matches('.') == name.trim_end_matches('.'));
            for (_, kind, targets) in of_name {
                if kind == "CNAME" {
                    names.extend(targets.iter().cloned());
                }
                if ["A", "CNAME"].contains(&kind.as_str()) {
                    lines.extend(targets.iter().cloned());
                }
            }
            assert!(lines.len() < 100, "aliases in a circle: {lines:?}");
        }
        lines.sort();
        lines
    }
}
