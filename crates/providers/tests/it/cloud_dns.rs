//! Google Cloud DNS as a provider.

use std::sync::Arc;

use portolan_plan::federation::dns::record::{Change, DomainName, RecordSet, RecordType, Write};
use portolan_providers::cloud_dns::{AccountError, CloudDns, Credentials, ServiceAccount, Settings};
use portolan_providers::{Mode, Provider, ProviderError, Publisher};
use serde_json::{Value, json};

use crate::fake_cloud_dns::{ACCOUNT, FakeCloudDns, KEY, error};

fn name(text: &str) -> DomainName {
    DomainName::parse(text).expect("a name")
}

fn zone() -> DomainName {
    name("example.com")
}

fn set(at: &str, kind: RecordType, targets: &[&str]) -> RecordSet {
    RecordSet::new(name(at), kind, 180, targets.iter().copied())
}

fn mark(of: &RecordSet) -> RecordSet {
    let at = format!("{}-{}", of.kind.as_str().to_lowercase(), of.name);
    set(&at, RecordType::Txt, &["heritage=external-dns,external-dns/owner=myfed"])
}

fn creation(set: RecordSet) -> Change {
    let mark = mark(&set);
    let writes = [mark, set.clone()].map(|set| Write::Put { set, before: None });
    Change { name: set.name, writes: writes.into() }
}

fn deletion(set: RecordSet) -> Change {
    let mark = mark(&set);
    Change { name: set.name.clone(), writes: vec![Write::Delete(set), Write::Delete(mark)] }
}

fn lines(sets: &[RecordSet]) -> Vec<String> {
    let mut lines: Vec<String> = sets.iter().map(ToString::to_string).collect();
    lines.sort();
    lines
}

fn account(fake: &FakeCloudDns) -> Credentials {
    Credentials::Key(ServiceAccount::parse(fake.key_file().as_bytes()).expect("a key"))
}

fn settings(fake: &FakeCloudDns, credentials: Credentials) -> Settings {
    Settings { endpoint: Some(fake.url.clone()), ..Settings::new(credentials, Vec::new()) }
}

fn provider(fake: &FakeCloudDns) -> CloudDns {
    CloudDns::new(settings(fake, account(fake)))
}

fn publisher(fake: &FakeCloudDns) -> Publisher {
    Publisher::new(Arc::new(provider(fake)))
}

#[tokio::test]
async fn records_come_change_and_go() {
    let fake = FakeCloudDns::start().await;
    fake.state().zones.clear();
    let (publisher, zone) = (publisher(&fake), zone());
    let error = publisher.list(&zone).await.expect_err("an error");
    assert!(matches!(error, ProviderError::NoZone { .. }), "{error}");
    fake.state().zones.push(("fed".to_owned(), "example.com.".to_owned()));
    let before = lines(&publisher.list(&zone).await.expect("the zone"));
    assert_eq!(before.len(), 2, "of the zone itself");

    let addresses = set("nginx.svc.example.com", RecordType::A, &["198.51.100.1", "203.0.113.3"]);
    let alias = set("nginx.us.svc.example.com", RecordType::Cname, &["nginx.svc.example.com."]);
    let created = [creation(addresses.clone()), creation(alias.clone())];
    let report = publisher.publish(&zone, &created, Mode::Write).await;
    assert_eq!((report.published(), report.requests, report.error()), (2, 1, None));
    let mut wanted = before.clone();
    for one in [&addresses, &alias] {
        wanted.extend([one.to_string(), mark(one).to_string()]);
    }
    wanted.sort();
    assert_eq!(lines(&publisher.list(&zone).await.expect("the zone")), wanted, "all pages are read");

    let fewer = set("nginx.svc.example.com", RecordType::A, &["203.0.113.3"]);
    let put = Write::Put { set: fewer.clone(), before: Some(addresses) };
    let change = Change { name: fewer.name.clone(), writes: vec![put] };
    let report = publisher.publish(&zone, std::slice::from_ref(&change), Mode::Write).await;
    assert_eq!(report.error(), None);
    let again = publisher.publish(&zone, &[change], Mode::Write).await;
    assert_eq!(again.error(), Some(&ProviderError::Changed { name: fewer.name.clone() }), "it differs now");
    let report = publisher.publish(&zone, &[deletion(fewer.clone()), deletion(alias)], Mode::Write).await;
    assert_eq!(report.error(), None);
    assert_eq!(lines(&publisher.list(&zone).await.expect("the zone")), before);
    let gone = publisher.publish(&zone, &[deletion(fewer.clone())], Mode::Write).await;
    assert_eq!(gone.error(), Some(&ProviderError::Changed { name: fewer.name }), "it is gone");
}

#[tokio::test]
async fn one_bad_change_does_not_stop_the_others_of_its_batch() {
    let fake = FakeCloudDns::start().await;
    let (publisher, zone) = (publisher(&fake), zone());
    let of = |index: usize| creation(set(&format!("s{index}.example.com"), RecordType::A, &["198.51.100.1"]));
    fake.state().add(&json!({ "name": "s5.example.com.", "type": "A", "ttl": 1, "rrdatas": ["192.0.2.1"] }));
    let changes: Vec<Change> = (0..8).map(of).collect();
    let report = publisher.publish(&zone, &changes, Mode::Write).await;
    assert_eq!(report.published(), 7, "{report:?}");
    assert_eq!(report.results[5], Err(ProviderError::Changed { name: name("s5.example.com") }));
}

#[tokio::test]
async fn of_two_zones_of_one_name_the_one_that_is_named_is_written() {
    let fake = FakeCloudDns::start().await;
    fake.state().zones.push(("private".to_owned(), "example.com.".to_owned()));
    let error = publisher(&fake).list(&zone()).await.expect_err("an error");
    assert!(matches!(error, ProviderError::AmbiguousZone { count: 2, .. }), "{error}");
    for (wanted, is_there) in [("private", true), ("2", true), ("other", false)] {
        let managed_zone = Some(wanted.to_owned());
        let provider = CloudDns::new(Settings { managed_zone, ..settings(&fake, account(&fake)) });
        let listed = provider.list(&zone()).await;
        assert_eq!(listed.is_ok(), is_there, "{wanted}: {listed:?}");
        if is_there {
            let (_, path, _) = fake.state().requests.last().cloned().expect("a request");
            assert!(path.starts_with("/dns/v1/projects/p1/managedZones/private/rrsets?"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_change_is_one_request_with_what_was_read_and_what_is_wanted() {
    let fake = FakeCloudDns::start().await;
    let before = set("nginx.example.com", RecordType::A, &["198.51.100.1"]);
    let after = set("nginx.example.com", RecordType::Cname, &["web.example.net."]);
    fake.state()
        .add(&json!({ "name": "nginx.example.com.", "type": "A", "ttl": 180, "rrdatas": ["198.51.100.1"] }));
    let writes = vec![
        Write::Delete(before),
        Write::Put { set: after.clone(), before: None },
        Write::Put { set: mark(&after), before: None },
    ];
    let change = Change { name: after.name.clone(), writes };
    assert_eq!(provider(&fake).apply(&zone(), &[change]).await, [Ok(())]);
    let requests = fake.state().requests.clone();
    let found: Vec<(&str, &str)> =
        requests.iter().map(|(method, path, _)| (method.as_str(), path.as_str())).collect();
    assert_eq!(
        found,
        [
            ("GET", "/dns/v1/projects/p1/managedZones?maxResults=1000&dnsName=example.com."),
            ("POST", "/dns/v1/projects/p1/managedZones/fed/changes"),
        ]
    );
    assert_eq!(
        requests[1].2,
        json!({
            "deletions": [{ "name": "nginx.example.com.", "type": "A", "ttl": 180, "rrdatas": ["198.51.100.1"] }],
            "additions": [
                { "name": "nginx.example.com.", "type": "CNAME", "ttl": 180, "rrdatas": ["web.example.net."] },
                { "name": "cname-nginx.example.com.", "type": "TXT", "ttl": 180,
                  "rrdatas": ["\"heritage=external-dns,external-dns/owner=myfed\""] },
            ],
        })
    );
}

#[tokio::test]
async fn a_token_is_used_until_shortly_before_its_end_or_until_it_is_withdrawn() {
    let fake = FakeCloudDns::start().await;
    let (lasting, zone) = (provider(&fake), zone());
    for _ in 0..2 {
        lasting.list(&zone).await.expect("the zone");
    }
    assert_eq!(fake.state().given, 1, "one token for several lists");
    fake.state().accepted.clear();
    lasting.list(&zone).await.expect("the zone");
    assert_eq!(fake.state().given, 2, "another for the one that was withdrawn");

    fake.state().lifetime = 30;
    let brief = provider(&fake);
    brief.list(&zone).await.expect("the zone");
    let given = fake.state().given;
    brief.list(&zone).await.expect("the zone");
    assert!(fake.state().given > given, "a token that ends soon is not used again");
}

#[tokio::test]
async fn a_key_file_is_read_for_every_token_and_the_metadata_server_asked_at_the_given_host() {
    let fake = FakeCloudDns::start().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key.json");
    let provider = CloudDns::new(settings(&fake, Credentials::KeyFile(path.clone())));
    let error = provider.list(&zone()).await.expect_err("no file").to_string();
    assert!(error.contains("key.json cannot be read"), "{error}");
    std::fs::write(&path, "{}").expect("a file");
    let error = provider.list(&zone()).await.expect_err("no key").to_string();
    assert!(error.contains("its type is \"\", not \"service_account\""), "{error}");
    std::fs::write(&path, fake.key_file()).expect("a file");
    provider.list(&zone()).await.expect("the zone");

    let metadata = Credentials::Metadata { host: fake.host.clone() };
    let provider = CloudDns::new(settings(&fake, metadata));
    provider.list(&zone()).await.expect("the zone");
    fake.state().refusal = Some(error_403());
    let error = provider.list(&zone()).await.expect_err("refused").to_string();
    assert!(
        error.contains(&format!("p1 --role=roles/dns.admin --member=serviceAccount:{ACCOUNT}")),
        "{error}"
    );
}

fn error_403() -> (u16, Value) {
    error(403, "forbidden", "Forbidden")
}

#[tokio::test]
async fn refusals_name_the_next_step_and_no_secret() {
    let fake = FakeCloudDns::start().await;
    let (zone, provider) = (zone(), provider(&fake));
    for (refusal, want) in [
        (error_403(), "gcloud projects add-iam-policy-binding p1 --role=roles/dns.admin"),
        (error(403, "accessNotConfigured", "off"), "gcloud services enable dns.googleapis.com --project=p1"),
        (error(429, "rateLimitExceeded", "slow"), "it is tried again later"),
        (
            error(401, "authError", "Invalid Credentials"),
            "does not accept the credentials: 401 Invalid Credentials",
        ),
    ] {
        fake.state().refusal = Some(refusal);
        let said = provider.list(&zone).await.expect_err("refused").to_string();
        assert!(said.contains(want) && !said.contains("hidden"), "{said}");
    }
    let printed = format!("{provider:?} {:?}", settings(&fake, account(&fake)));
    let private = KEY.lines().nth(1).expect("a line of the key");
    assert!(!printed.contains("hidden") && !printed.contains(private), "{printed}");

    let other = fake.key_file().replace(ACCOUNT, "other@p1.iam.gserviceaccount.com");
    let account = ServiceAccount::parse(other.as_bytes()).expect("a key");
    let provider = CloudDns::new(settings(&fake, Credentials::Key(account)));
    let said = provider.list(&zone).await.expect_err("refused").to_string();
    assert!(said.contains("400 Invalid JWT Signature.; the key must exist"), "{said}");
}

#[tokio::test]
async fn a_list_that_does_not_end_is_given_up() {
    let fake = FakeCloudDns::start().await;
    fake.state().is_endless = true;
    let error = provider(&fake).list(&zone()).await.expect_err("an error").to_string();
    assert!(error.contains("names itself as the next"), "{error}");
}

#[tokio::test]
async fn keys_that_cannot_be_used_say_why() {
    let fake = FakeCloudDns::start().await;
    let change = |field: &str, value: &str| {
        let mut key: Value = serde_json::from_str(&fake.key_file()).expect("JSON");
        key[field] = json!(value);
        ServiceAccount::parse(key.to_string().as_bytes()).expect_err(field)
    };
    assert_eq!(change("type", "authorized_user"), AccountError::Type("authorized_user".to_owned()));
    assert_eq!(change("client_email", ""), AccountError::Form);
    let uri = "http://token.example.net";
    assert_eq!(change("token_uri", uri), AccountError::TokenUri(uri.to_owned()));
    for key in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        assert!(matches!(change("private_key", key), AccountError::PrivateKey(_)), "{key:?}");
    }
    assert_eq!(ServiceAccount::parse(b"hidden").expect_err("no JSON"), AccountError::Form);
}
