use portolan_api::resources;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use parking_lot::Mutex;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use serde_json::json;

use super::*;
use crate::client::{Body, Credential};

fn nowhere() -> Client {
    Client::in_process(tower::service_fn(|_: Request<Body>| {
        std::future::pending::<Result<Response<Body>, Infallible>>()
    }))
}

fn address(token: &str) -> Endpoint {
    let url = "https://127.0.0.1:1".to_owned();
    Endpoint { url, credential: Credential::Token(token.to_owned()), ..Endpoint::default() }
}

#[tokio::test]
async fn members_come_change_and_go() {
    let scope = Shutdown::new();
    let members = Members::with_dial(&scope, Arc::new(|_, _| Ok(nowhere())));
    let log = Arc::new(Mutex::new(Vec::new()));
    let name = ClusterName::new("eu");

    let first = members.put(&name, address("1")).expect("a usable endpoint");
    let sink = log.clone();
    members.observe(move |change| {
        sink.lock().push(match change {
            MembershipChange::Joined(member) => format!("+{}", member.name()),
            MembershipChange::Left(name) => format!("-{name}"),
        });
    });
    let same = members.put(&name, address("1")).expect("a usable endpoint");
    assert!(Arc::ptr_eq(&first, &same), "nothing changed");
    let second = members.put(&name, address("2")).expect("a usable endpoint");
    assert!(!Arc::ptr_eq(&first, &second));
    assert!(first.scope().is_requested(), "what ran for the old client ends");
    assert!(!second.scope().is_requested());
    members.remove(&name);
    members.remove(&name);
    assert!(second.scope().is_requested());
    assert_eq!(*log.lock(), ["+eu", "+eu", "-eu"]);
    assert!(scope.drain(Duration::from_secs(1)).await.is_ok());
}

#[tokio::test]
async fn the_suspension_of_a_credential_is_a_metric() {
    let (scope, metrics) = (Shutdown::new(), Metrics::default());
    let dial: Dial = Arc::new(|_, _| Ok(nowhere()));
    let members = Members::with_limits(&scope, dial, &metrics, MemberLimits::default());
    let name = ClusterName::new("eu");
    let series = || {
        let (mut registry, mut text) = (Registry::default(), String::new());
        metrics.register(&mut registry);
        text::encode(&mut text, &registry).expect("no collector fails");
        let line =
            text.lines().find_map(|line| line.strip_prefix("portolan_cluster_suspended{cluster=\"eu\"} "));
        line.map(str::to_owned)
    };
    members.suspend(&name, "its address was changed").expect("registered");
    assert_eq!(series().as_deref(), Some("1"));
    members.put(&name, address("1")).expect("a usable endpoint");
    assert_eq!(series().as_deref(), Some("0"));
    members.remove(&name);
    assert_eq!(series(), None);
}

/// Lists without end, or one without objects.
fn listing(is_endless: bool) -> Client {
    let pages = Arc::new(AtomicU64::new(0));
    Client::in_process(tower::service_fn(move |request: Request<Body>| {
        let page = pages.fetch_add(1, Ordering::Relaxed);
        let is_list = !request.uri().query().unwrap_or_default().contains("watch=true");
        let token = if is_endless { format!("t{page}") } else { String::new() };
        let name = format!("a{page}");
        let items = if is_endless { json!([{ "metadata": { "name": name } }]) } else { json!([]) };
        let list = json!({ "metadata": { "resourceVersion": "5", "continue": token }, "items": items });
        async move {
            if !is_list {
                return std::future::pending().await;
            }
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(list.to_string()))))
        }
    }))
}

#[tokio::test(start_paused = true)]
async fn a_member_over_its_budget_is_not_read_for_a_while() {
    let (scope, metrics) = (Shutdown::new(), Metrics::default());
    let dial: Dial = Arc::new(|name, _| Ok(listing(name.as_str() == "eu")));
    let limits = MemberLimits { memory_bytes: 1 << 20, objects: 1000 };
    let members = Members::with_limits(&scope, dial, &metrics, limits);
    let [eu, us] = ["eu", "us"].map(ClusterName::new);
    let pods = resources::POD.into();
    let [first, other] = [&eu, &us].map(|name| members.put(name, address("1")).expect("a usable endpoint"));
    let [endless, short] = [&first, &other].map(|member| member.managed(&pods));
    let replaced = async {
        while Arc::ptr_eq(&members.get(&eu).expect("registered"), &first) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), replaced).await.expect("the budget ends");
    let waiting = members.get(&eu).expect("it stays registered");
    let reason = waiting.over_budget().expect("it says why").to_string();
    for part in ["1 MiB or 1000 objects", "pods", "120 seconds", "--member-memory"] {
        assert!(reason.contains(part), "{part} in {reason}");
    }
    assert_eq!(waiting.health(), Health::NotReady);
    assert!(first.scope().is_requested() && !endless.is_synced());
    let unreached = waiting.client().text("/readyz").await.expect_err("nothing is sent");
    assert!(unreached.is_unreachable() && unreached.to_string().contains("1000 objects"), "{unreached}");
    // The other member is not affected, and the endpoint still is the same.
    assert!(short.synced().await && other.over_budget().is_none());
    let same = members.put(&eu, address("1")).expect("a usable endpoint");
    assert!(Arc::ptr_eq(&same, &waiting));
    tokio::time::sleep(Duration::from_secs(121)).await;
    let again = members.get(&eu).expect("registered");
    assert!(again.over_budget().is_none() && waiting.scope().is_requested());
    // Another address is tried at once.
    let moved = members.put(&eu, address("2")).expect("a usable endpoint");
    assert!(moved.over_budget().is_none() && again.scope().is_requested());
}

#[tokio::test]
async fn a_cache_of_a_member_is_started_once() {
    let scope = Shutdown::new();
    let members = Members::with_dial(&scope, Arc::new(|_, _| Ok(nowhere())));
    let member = members.put(&ClusterName::new("eu"), address("1")).expect("a usable endpoint");
    let pods = resources::POD.into();
    let mut started = 0;
    member.managed_with(&pods, |_| started += 1);
    member.managed_with(&pods, |_| started += 1);
    assert_eq!(started, 1);
}
