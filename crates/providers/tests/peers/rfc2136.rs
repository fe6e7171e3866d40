//! Dynamic updates and transfers of BIND and Knot.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portolan_plan::federation::dns::record::{Change, RecordType, Write};
use portolan_providers::rfc2136::{Rfc2136, Settings};
use portolan_providers::{Mode, ProviderError, Publisher};

use crate::bind::Bind;
use crate::knot::Knot;
use crate::process::{are_left_out, dig, free_port};
use crate::zone::{SECRET, creation, deletion, key, lines, mark, name, set, zone};

/// What the zone file of the tests has, apart from SOA.
const FOREIGN: [&str; 5] = [
    "example.com. 300 NS ns.example.com.",
    "mail.example.com. 300 MX 10 www.example.com.",
    "ns.example.com. 300 A 192.0.2.53",
    "www.example.com. 300 A 192.0.2.80",
    "www.example.com. 300 TXT v=spf1 -all",
];

fn publisher(port: u16) -> Publisher {
    let settings = Settings::new(format!("127.0.0.1:{port}"), key("portolan", SECRET));
    Publisher::new(Arc::new(Rfc2136::new(settings)))
}

/// Everything that a primary server of the zone shall do.
async fn records_come_change_and_go(port: u16) {
    let (publisher, zone) = (publisher(port), zone());
    assert_eq!(lines(&publisher.list(&zone).await.expect("the zone")), FOREIGN);

    let v4 = set("nginx.svc.example.com", RecordType::A, &["198.51.100.1", "203.0.113.3"]);
    let v6 = set("nginx.svc.example.com", RecordType::Aaaa, &["2001:db8::1"]);
    let alias = set("nginx.us.svc.example.com", RecordType::Cname, &["nginx.svc.example.com."]);
    let created = [creation(v4.clone()), creation(v6.clone()), creation(alias.clone())];
    let report = publisher.publish(&zone, &created, Mode::DryRun).await;
    assert_eq!(
        (report.published(), lines(&publisher.list(&zone).await.expect("the zone"))),
        (3, FOREIGN.map(String::from).into())
    );
    let report = publisher.publish(&zone, &created, Mode::Write).await;
    assert_eq!((report.published(), report.requests), (3, 1), "{report:?}");
    let mut wanted: Vec<String> = FOREIGN.map(String::from).into();
    for one in [&v4, &v6, &alias] {
        wanted.extend([one.to_string(), mark(one).to_string()]);
    }
    wanted.sort();
    assert_eq!(lines(&publisher.list(&zone).await.expect("the zone")), wanted);
    assert_eq!(dig(port, &["+short", "nginx.svc.example.com", "AAAA"]), "2001:db8::1");

    // Addresses become an alias in one step, and the alias addresses.
    let to_alias = set("nginx.svc.example.com", RecordType::Cname, &["lb.example.net."]);
    let writes = [&v4, &v6].map(|set| Write::Delete(set.clone()));
    let mut writes: Vec<Write> = writes.into();
    writes.push(Write::Put { set: to_alias.clone(), before: None });
    let to_address = set("nginx.us.svc.example.com", RecordType::A, &["198.51.100.1"]);
    let back = vec![Write::Delete(alias), Write::Put { set: to_address.clone(), before: None }];
    let changed = [
        Change { name: to_alias.name.clone(), writes },
        Change { name: to_address.name.clone(), writes: back },
    ];
    let report = publisher.publish(&zone, &changed, Mode::Write).await;
    assert_eq!(report.error(), None);
    assert_eq!(dig(port, &["+short", "nginx.svc.example.com", "A"]), "lb.example.net.");
    assert_eq!(dig(port, &["+short", "nginx.us.svc.example.com", "A"]), "198.51.100.1");
}

/// A writer that came between is not overwritten, and the other changes are published.
async fn a_change_of_another_writer_is_kept(port: u16) {
    let (publisher, zone) = (publisher(port), zone());
    let good = set("good.example.com", RecordType::A, &["198.51.100.1"]);
    let stale = set("www.example.com", RecordType::A, &["192.0.2.81"]);
    let foreign = creation(set("www.example.com", RecordType::A, &["198.51.100.2"]));
    let beside = creation(set("www.example.com", RecordType::Cname, &["good.example.com."]));
    let report =
        publisher.publish(&zone, &[foreign, creation(good), beside, deletion(stale)], Mode::Write).await;
    let changed = || Err(ProviderError::Changed { name: name("www.example.com") });
    assert_eq!(report.results, [changed(), Ok(()), changed(), changed()]);
    assert_eq!(dig(port, &["+short", "www.example.com", "A"]), "192.0.2.80");
}

/// Errors that a user can mend name their cause.
async fn errors_name_their_cause(port: u16) {
    let change = [creation(set("a.example.com", RecordType::A, &["198.51.100.1"]))];
    let server = || format!("127.0.0.1:{port}");
    let attempt = async |settings: Settings, zone| {
        let publisher = Publisher::new(Arc::new(Rfc2136::new(settings)));
        let listed = publisher.list(&name(zone)).await.map(|_| ());
        let written = publisher.publish(&name(zone), &change, Mode::Write).await;
        (listed, written.results.into_iter().next().expect("a result"))
    };
    let other = "b3RoZXItc2VjcmV0LW9mLTMyLWJ5dGVzLWZvci10ZXN0IQ==";
    let by = |key| Settings::new(server(), key);
    let is_key = |result: &Result<(), ProviderError>| matches!(result, Err(ProviderError::Key { .. }));
    for key in [key("portolan", other), key("nobody", SECRET)] {
        let (listed, written) = attempt(by(key), "example.com").await;
        assert!(is_key(&listed) && is_key(&written), "{listed:?} {written:?}");
        assert!(!format!("{listed:?} {written:?}").contains(other), "no secret in errors");
    }
    let mut late = by(key("portolan", SECRET));
    late.clock = || SystemTime::now() - Duration::from_secs(4000);
    let (listed, written) = attempt(late, "example.com").await;
    for result in [listed, written] {
        let Err(ProviderError::ClockSkew { seconds, .. }) = result else { panic!("{result:?}") };
        assert!((3990..4100).contains(&seconds), "{seconds}");
    }
    let (listed, written) = attempt(by(None), "example.com").await;
    let is_refused = |result: &Result<(), ProviderError>| {
        matches!(result, Err(ProviderError::Refused { .. } | ProviderError::NoZone { .. }))
    };
    assert!(is_refused(&listed) && is_refused(&written), "{listed:?} {written:?}");
    let (listed, written) = attempt(by(key("reader", SECRET)), "example.com").await;
    assert_eq!(listed, Ok(()));
    // Knot says BADKEY of a key that it knows when the key may not do this.
    assert!(is_refused(&written) || is_key(&written), "{written:?}");
    let (listed, written) = attempt(by(key("portolan", SECRET)), "example.net").await;
    for result in [listed, written] {
        assert!(
            matches!(result, Err(ProviderError::NoZone { .. } | ProviderError::Refused { .. })),
            "{result:?}"
        );
    }
    let outside = [creation(set("a.example.net", RecordType::A, &["198.51.100.1"]))];
    let report = publisher(port).publish(&zone(), &outside, Mode::Write).await;
    assert!(matches!(report.error(), Some(ProviderError::Rejected { .. })), "{report:?}");
}

#[tokio::test]
async fn bind_takes_our_updates() {
    if are_left_out() {
        return;
    }
    let bind = Bind::start();
    records_come_change_and_go(bind.port).await;
    a_change_of_another_writer_is_kept(bind.port).await;
    errors_name_their_cause(bind.port).await;
}

#[tokio::test]
async fn knot_takes_our_updates() {
    if are_left_out() {
        return;
    }
    let knot = Knot::start();
    records_come_change_and_go(knot.port).await;
    a_change_of_another_writer_is_kept(knot.port).await;
    errors_name_their_cause(knot.port).await;
}

#[tokio::test]
async fn a_thousand_records_are_written_and_read() {
    if are_left_out() {
        return;
    }
    let bind = Bind::start();
    let changes: Vec<Change> = (0..1000)
        .map(|index| {
            let at = format!("s{index}.svc.example.com");
            creation(set(&at, RecordType::A, &["198.51.100.1", "198.51.100.2"]))
        })
        .collect();
    let report = publisher(bind.port).publish(&zone(), &changes, Mode::Write).await;
    assert_eq!((report.published(), report.error()), (1000, None));
    assert_eq!(publisher(bind.port).list(&zone()).await.expect("the zone").len(), FOREIGN.len() + 2000);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_is_tried_again_and_then_reported() {
    let port = free_port();
    let change = [creation(set("a.example.com", RecordType::A, &["198.51.100.1"]))];
    let report = publisher(port).publish(&zone(), &change, Mode::Write).await;
    assert_eq!(report.requests, 5);
    assert!(matches!(report.error(), Some(ProviderError::Unreachable { .. })), "{report:?}");
}
