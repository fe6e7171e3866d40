//! Route 53, played by moto (`pip install 'moto[server]'`).

use std::process::Command;
use std::sync::Arc;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_route53::config::Credentials;
use portolan_plan::federation::dns::record::{Change, Policy, RecordType, Routing, Write};
use portolan_providers::route53::{AccessKey, Route53, Settings};
use portolan_providers::{Mode, ProviderError, Publisher};
use tempfile::TempDir;

use crate::process::{Server, are_left_out, eventually, free_port, program};
use crate::zone::{creation, deletion, lines, mark, name, set, zone};

struct Moto {
    url: String,
    _server: Server,
    _folder: TempDir,
}

impl Moto {
    fn start() -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let mut command = Command::new(program("moto_server"));
        command.args(["--host", "127.0.0.1", "--port", &port.to_string()]);
        let server = Server::start(&mut command, &folder.path().join("log"));
        eventually("moto listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).map(|_| ()).map_err(|error| error.to_string())
        });
        Self { url: format!("http://127.0.0.1:{port}"), _server: server, _folder: folder }
    }

    /// Creates `example.com`.
    async fn create_zone(&self, reference: &str) {
        let config = aws_sdk_route53::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.url)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .build();
        let client = aws_sdk_route53::Client::from_conf(config);
        let created = client.create_hosted_zone().name("example.com").caller_reference(reference);
        created.send().await.expect("a zone");
    }

    async fn publisher(&self) -> Publisher {
        let access_key = AccessKey { id: "id".to_owned(), secret: "hidden".to_owned(), session_token: None };
        let settings =
            Settings { access_key: Some(access_key), zone_id: None, endpoint: Some(self.url.clone()) };
        assert!(!format!("{settings:?}").contains("hidden"), "no secret is printed");
        Publisher::new(Arc::new(Route53::new(settings).await))
    }
}

#[tokio::test]
async fn records_come_change_and_go() {
    if are_left_out() {
        return;
    }
    let moto = Moto::start();
    let (publisher, zone) = (moto.publisher().await, zone());
    let error = publisher.list(&zone).await.expect_err("an error");
    assert!(matches!(error, ProviderError::NoZone { .. }), "{error}");
    moto.create_zone("one").await;
    let before = lines(&publisher.list(&zone).await.expect("the zone"));

    let addresses = set("nginx.svc.example.com", RecordType::A, &["198.51.100.1", "203.0.113.3"]);
    let alias = set("nginx.us.svc.example.com", RecordType::Cname, &["nginx.svc.example.com."]);
    let weighted = |identifier: &str, address| {
        let routing = Routing {
            set_identifier: identifier.to_owned(),
            policy: Policy::Weighted(10),
            health_check: None,
        };
        let mut set = set("weighted.svc.example.com", RecordType::A, &[address]);
        set.routing = Some(routing);
        set
    };
    let weighted = [weighted("c1", "198.51.100.1"), weighted("c2", "203.0.113.3")];
    let puts = weighted.clone().map(|set| Write::Put { set, before: None });
    let created = [
        creation(addresses.clone()),
        creation(alias.clone()),
        Change { name: name("weighted.svc.example.com"), writes: puts.into() },
    ];
    let report = publisher.publish(&zone, &created, Mode::Write).await;
    assert_eq!((report.published(), report.requests, report.error()), (3, 1, None));
    let mut wanted = before.clone();
    for one in [&addresses, &alias] {
        wanted.extend([one.to_string(), mark(one).to_string()]);
    }
    wanted.extend(weighted.iter().map(ToString::to_string));
    wanted.sort();
    let listed = publisher.list(&zone).await.expect("the zone");
    assert_eq!(lines(&listed), wanted);
    assert!(weighted.iter().all(|set| listed.contains(set)), "weights and identifiers are read");

    let fewer = set("nginx.svc.example.com", RecordType::A, &["203.0.113.3"]);
    let put = Write::Put { set: fewer.clone(), before: Some(addresses) };
    let writes = weighted.map(Write::Delete).into();
    let changes = [
        Change { name: fewer.name.clone(), writes: vec![put] },
        Change { name: name("weighted.svc.example.com"), writes },
    ];
    let report = publisher.publish(&zone, &changes, Mode::Write).await;
    assert_eq!((report.published(), report.error()), (2, None));
    let report = publisher.publish(&zone, &[deletion(fewer), deletion(alias)], Mode::Write).await;
    assert_eq!(report.error(), None);
    assert_eq!(lines(&publisher.list(&zone).await.expect("the zone")), before);
}

#[tokio::test]
async fn one_bad_change_does_not_stop_the_others_of_its_batch() {
    if are_left_out() {
        return;
    }
    let moto = Moto::start();
    moto.create_zone("one").await;
    let (publisher, zone) = (moto.publisher().await, zone());
    let of = |index: usize| creation(set(&format!("s{index}.example.com"), RecordType::A, &["198.51.100.1"]));
    assert_eq!(publisher.publish(&zone, &[of(5)], Mode::Write).await.error(), None);
    let changes: Vec<Change> = (0..8).map(of).collect();
    let report = publisher.publish(&zone, &changes, Mode::Write).await;
    assert_eq!(report.published(), 7, "{report:?}");
    assert_eq!(report.results[5], Err(ProviderError::Changed { name: name("s5.example.com") }));
}

#[tokio::test]
async fn two_zones_of_one_name_are_reported() {
    if are_left_out() {
        return;
    }
    let moto = Moto::start();
    moto.create_zone("one").await;
    moto.create_zone("two").await;
    let error = moto.publisher().await.list(&zone()).await.expect_err("an error");
    assert!(matches!(error, ProviderError::AmbiguousZone { count: 2, .. }), "{error}");
}
