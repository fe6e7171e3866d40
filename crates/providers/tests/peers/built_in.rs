//! The DNS server of the control plane, asked by dig and copied by BIND and Knot.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use portolan_dns::{Server as DnsServer, Zones};
use portolan_net::{Clock, Shutdown};
use portolan_plan::federation::dns::record::{Change, RecordSet, RecordType};
use portolan_providers::built_in::{
    BuiltIn, NameServer, Nearness, PublicDns, PublicZoneSettings, Transfers, Writers,
};
use portolan_providers::{Mode, Publisher};

use crate::bind::Bind;
use crate::knot::Knot;
use crate::process::{are_left_out, dig, eventually, free_port};
use crate::zone::{SECRET, creation, deletion, key, lines, name, set, zone};

const GLOBAL: &str = "nginx.myns.myfed.svc.example.com";
const REGION: &str = "nginx.myns.myfed.svc.eu.example.com";

/// A server with one zone; ends with the test.
struct Served {
    port: u16,
    publisher: Publisher,
    dns: PublicDns,
    settings: PublicZoneSettings,
    scope: Shutdown,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.scope.request();
    }
}

fn serve(transfers: Option<Transfers>, secondaries: Vec<SocketAddr>) -> Served {
    serve_with(transfers, None, secondaries)
}

fn serve_with(
    transfers: Option<Transfers>,
    nearness: Option<Nearness>,
    secondaries: Vec<SocketAddr>,
) -> Served {
    let scope = Shutdown::new();
    let zones: Arc<Zones> = Zones::new(Vec::new()).expect("no zones");
    let server =
        DnsServer::bind(zones.clone(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), 1).expect("a port");
    let port = server.addresses()[0].port();
    server.start(&scope).expect("threads");
    let name_servers = vec![NameServer {
        name: name("ns1.dns.example.com"),
        addresses: vec!["192.0.2.53".parse().expect("an address")],
    }];
    let dns = PublicDns::new(zones, Clock::system(), scope.clone());
    let settings = PublicZoneSettings { name: zone(), name_servers, transfers, nearness };
    let writers = Writers { this: "a".to_owned(), all: ["a".to_owned()].into() };
    let built_in = BuiltIn::new(dns.clone(), settings.clone(), secondaries, writers).expect("a zone");
    Served { port, publisher: Publisher::new(Arc::new(built_in)), dns, settings, scope }
}

impl Served {
    async fn write(&self, changes: &[Change]) {
        let report = self.publisher.publish(&zone(), changes, Mode::Write).await;
        assert!(report.results.iter().all(Result::is_ok), "{:?}", report.results);
        self.publisher.complete(&zone(), false);
    }

    /// A writer of the same zone.
    fn writer(&self, this: &str, all: &[&str]) -> Publisher {
        let all = all.iter().map(|&name| name.to_owned()).collect();
        let writers = Writers { this: this.to_owned(), all };
        let built_in = BuiltIn::new(self.dns.clone(), self.settings.clone(), Vec::new(), writers);
        Publisher::new(Arc::new(built_in.expect("a zone")))
    }
}

fn shards(addresses: &[&str]) -> RecordSet {
    set(GLOBAL, RecordType::A, addresses)
}

fn alias() -> RecordSet {
    set(REGION, RecordType::Cname, &["nginx.myns.myfed.svc.example.com."])
}

/// The status of an answer and the number of its records, as in `NXDOMAIN 0 1`: answers and authority.
fn status(port: u16, question: &[&str]) -> String {
    let answer = dig(port, question);
    let after = |text: &str, end: char| {
        let rest = answer.split_once(text).map(|(_, rest)| rest).unwrap_or_default();
        rest.split(end).next().unwrap_or_default().to_owned()
    };
    format!("{} {} {}", after("status: ", ','), after("ANSWER: ", ','), after("AUTHORITY: ", ','))
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_answered_with_their_chains_and_what_is_missing_is_denied() {
    if are_left_out() {
        return;
    }
    let served = serve(None, Vec::new());
    let port = served.port;
    assert_eq!(status(port, &[GLOBAL]), "SERVFAIL 0 0", "a zone without its records denies nothing");
    served.write(&[creation(shards(&["192.0.2.1", "192.0.2.2"])), creation(alias())]).await;
    let addresses = dig(port, &["+short", GLOBAL]);
    assert_eq!(addresses.lines().count(), 2, "{addresses}");
    let chain = dig(port, &["+short", REGION]);
    assert!(chain.starts_with(&format!("{GLOBAL}.")) && chain.lines().count() == 3, "{chain}");
    for (question, want) in [
        (vec![GLOBAL, "AAAA"], "NOERROR 0 1"),
        (vec!["eu.example.com"], "NOERROR 0 1"),
        (vec!["other.example.com"], "NXDOMAIN 0 1"),
        (vec!["example.com", "SOA"], "NOERROR 1 0"),
        (vec!["example.com", "NS"], "NOERROR 1 0"),
        (vec!["ns1.dns.example.com"], "NOERROR 1 0"),
        (vec!["dns.example.com"], "NOERROR 0 1"),
        (vec!["example.org"], "REFUSED 0 0"),
    ] {
        assert_eq!(status(port, &question), want, "{question:?}");
    }
    let refused = dig(port, &["example.com", "AXFR"]);
    assert!(refused.contains("Transfer failed"), "{refused}");

    let listed = served.publisher.list(&zone()).await.expect("the zone");
    assert_eq!(listed.len(), 4, "two sets with their marks: {:?}", lines(&listed));
    served.write(&[deletion(alias())]).await;
    assert_eq!(status(port, &[REGION]), "NXDOMAIN 0 1");
    assert_eq!(status(port, &["eu.example.com"]), "NXDOMAIN 0 1");
    served.write(&[deletion(shards(&["192.0.2.1", "192.0.2.2"]))]).await;
    served.writer("a", &[]).complete(&zone(), true);
    assert_eq!(status(port, &["example.com", "SOA"]), "REFUSED 0 0", "a zone that is left is not served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_of_two_writers_denies_nothing_until_both_have_written() {
    if are_left_out() {
        return;
    }
    let served = serve(None, Vec::new());
    let port = served.port;
    let (a, b) = (served.writer("a", &["a", "b"]), served.writer("b", &["a", "b"]));
    let write = async |writer: &Publisher, set: &RecordSet| {
        let report = writer.publish(&zone(), &[creation(set.clone())], Mode::Write).await;
        assert!(report.error().is_none(), "{:?}", report.results);
        writer.complete(&zone(), false);
    };
    let (of_a, of_b) = (shards(&["192.0.2.1"]), set("other.example.com", RecordType::A, &["192.0.2.2"]));
    write(&a, &of_a).await;
    assert_eq!(status(port, &["other.example.com"]), "SERVFAIL 0 0", "its records may be to come");
    write(&b, &of_b).await;
    assert_eq!(dig(port, &["+short", "other.example.com"]), "192.0.2.2");
    // The first writer leaves: the zone goes on, and so does its serial number.
    let before = served.dns.next_serial(&zone());
    let report = a.publish(&zone(), &[deletion(of_a)], Mode::Write).await;
    assert!(report.error().is_none());
    served.writer("a", &["b"]).complete(&zone(), true);
    assert_eq!(status(port, &[GLOBAL]), "NXDOMAIN 0 1");
    assert_eq!(dig(port, &["+short", "other.example.com"]), "192.0.2.2");
    assert!(served.dns.next_serial(&zone()) > before);
    served.dns.begin(&zone(), 4_000_000_000);
    assert_eq!(served.dns.next_serial(&zone()), 4_000_000_000, "used before a restart");
    write(&b, &set("third.example.com", RecordType::A, &["192.0.2.3"])).await;
    let soa = dig(port, &["+short", "example.com", "SOA"]);
    assert_eq!(soa.split(' ').nth(2), Some("4000000000"), "{soa}");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_get_the_addresses_of_their_region_while_it_has_any() {
    if are_left_out() {
        return;
    }
    let networks = |network: &str| vec![network.parse().expect("a network")];
    let nearness = Nearness::new([("eu", networks("192.0.2.0/24")), ("us", networks("198.51.100.0/24"))]);
    let served = serve_with(None, Some(nearness), Vec::new());
    let port = served.port;
    let in_region = |region: &str| format!("nginx.myns.myfed.svc.{region}.example.com");
    let eu = set(&in_region("eu"), RecordType::A, &["203.0.113.1"]);
    let us = set(&in_region("us"), RecordType::A, &["203.0.113.2"]);
    let all = shards(&["203.0.113.1", "203.0.113.2"]);
    served.write(&[creation(eu.clone()), creation(us), creation(all)]).await;
    let near = |subnet: &str| {
        let mut lines: Vec<String> =
            dig(port, &["+short", &format!("+subnet={subnet}"), GLOBAL]).lines().map(str::to_owned).collect();
        lines.sort();
        lines.join(" ")
    };
    assert_eq!(near("192.0.2.0/24"), "203.0.113.1");
    assert_eq!(near("198.51.100.7/32"), "203.0.113.2");
    assert_eq!(near("203.0.113.0/24"), "203.0.113.1 203.0.113.2", "a network without a region");
    let answer = dig(port, &["+subnet=198.51.100.7/32", GLOBAL]);
    assert!(answer.contains("CLIENT-SUBNET: 198.51.100.7/32/24"), "{answer}");
    // The resolver itself has no region.
    assert_eq!(dig(port, &["+short", GLOBAL]).lines().count(), 2);

    let away = set(&in_region("eu"), RecordType::Cname, &[&format!("{GLOBAL}.")]);
    served.write(&[deletion(eu)]).await;
    served.write(&[creation(away)]).await;
    assert_eq!(near("192.0.2.0/24"), "203.0.113.1 203.0.113.2", "its region has no healthy shard");
}

fn transfers() -> Option<Transfers> {
    let from = vec!["127.0.0.0/8".parse().expect("a network")];
    Some(Transfers { from, key: key("portolan", SECRET) })
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_need_the_key_and_tell_what_changed() {
    if are_left_out() {
        return;
    }
    let served = serve(transfers(), Vec::new());
    let port = served.port;
    let many: Vec<Change> = (0..600)
        .map(|number| creation(set(&format!("s{number}.{GLOBAL}"), RecordType::A, &["192.0.2.9"])))
        .collect();
    served.write(&many).await;
    let serial = |port| -> u32 {
        let soa = dig(port, &["+short", "example.com", "SOA"]);
        soa.split(' ').nth(2).and_then(|serial| serial.parse().ok()).expect("a serial number")
    };
    let before = serial(port);
    assert!(dig(port, &["example.com", "AXFR"]).contains("Transfer failed"));
    let signed = format!("hmac-sha256:portolan:{SECRET}");
    let soa = dig(port, &["-y", &signed, "+edns=0", "example.com", "SOA"]);
    assert!(soa.contains("TSIG PSEUDOSECTION") && soa.contains("OPT PSEUDOSECTION"), "{soa}");
    let wrong = format!("hmac-sha256:portolan:{}", "AAAA".repeat(11));
    let refused = dig(port, &["-y", &wrong, "example.com", "AXFR"]);
    assert!(!refused.contains("s599."), "{refused}");
    let whole = dig(port, &["-y", &signed, "+onesoa", "example.com", "AXFR"]);
    assert!(!whole.contains("Couldn't verify signature"), "{whole}");
    // SOA, NS, the address of the name server, and the sets with their marks.
    assert!(whole.contains("XFR size: 1204 records"), "{whole}");

    served.write(&[creation(shards(&["192.0.2.1"]))]).await;
    let since = dig(port, &["-y", &signed, "example.com", &format!("IXFR={before}")]);
    assert!(since.contains(GLOBAL) && !since.contains("s599."), "{since}");
    let now = serial(port);
    let nothing = dig(port, &["-y", &signed, "example.com", &format!("IXFR={now}")]);
    assert!(nothing.contains("XFR size: 1 records") || nothing.matches("SOA").count() == 1, "{nothing}");
}

/// The secondary server on the port copies the zone, and what changes in it.
async fn is_copied<T>(secondary: impl Fn(u16, u16) -> T) {
    let port = free_port();
    let served = serve(transfers(), vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]);
    served.write(&[creation(shards(&["192.0.2.1"])), creation(alias())]).await;
    let _secondary = secondary(port, served.port);
    let has = |want: &'static str| {
        move || {
            let answer = dig(port, &["+short", GLOBAL]);
            if answer == want { Ok(()) } else { Err(answer) }
        }
    };
    let copied = has("192.0.2.1");
    tokio::task::spawn_blocking(move || eventually("the zone is copied", copied)).await.expect("copied");
    // Two hours before it would ask by itself: NOTIFY says that it must.
    let changes = [deletion(shards(&["192.0.2.1"])), creation(shards(&["192.0.2.7"]))];
    for change in changes {
        served.write(&[change]).await;
    }
    let changed = has("192.0.2.7");
    tokio::task::spawn_blocking(move || eventually("the change is copied", changed)).await.expect("copied");
}

#[tokio::test(flavor = "multi_thread")]
async fn bind_copies_the_zone_and_follows_it() {
    if !are_left_out() {
        is_copied(Bind::start_secondary).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn knot_copies_the_zone_and_follows_it() {
    if !are_left_out() {
        is_copied(Knot::start_secondary).await;
    }
}
