//! What one user can cause: long computations, many requests, answers that are not read.

use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use portolan_apiserver::{ApiServer, Config};
use portolan_net::telemetry::{Build, Metrics};
use portolan_store::Store;
use serde_json::{Value, json};

use crate::cluster::{CONFIG_MAPS, Cluster, STRATEGIC, config_map};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
/// An answer that does not wait for a computation takes far less, even on a busy machine.
const SOON: Duration = Duration::from_secs(2);
const DEADLINE: Duration = Duration::from_secs(60);

/// A server with metrics, and two users that may do everything but are no masters.
async fn start() -> (Cluster, Cluster, Cluster) {
    let metrics = Some(Metrics::new(Build { version: "1", role: "server" }));
    let server = ApiServer::start(Config { metrics, ..Config::default() }, Store::in_memory()).await.unwrap();
    let admin = Cluster::of(server);
    let subject = |name: &str| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name});
    let binding = json!({
        "metadata": {"name": "users"}, "subjects": [subject("eve"), subject("bob")],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}});
    let made = admin.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await;
    assert_eq!(made.code, 201, "{}", made.text);
    let (eve, bob) = (admin.as_user("eve"), admin.as_user("bob"));
    (admin, eve, bob)
}

async fn metric(cluster: &Cluster, series: &str) -> Option<f64> {
    let text = cluster.get("/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok())
}

async fn wait_for_metric(cluster: &Cluster, series: &str, wanted: f64) {
    let end = Instant::now() + DEADLINE;
    while metric(cluster, series).await != Some(wanted) {
        assert!(Instant::now() < end, "{series} is {:?}", metric(cluster, series).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A deployment with many ports, and a patch of it that merges into all of them again and again.
async fn long_patch(admin: &Cluster) -> Value {
    let ports: Vec<Value> = (1..=4000).map(|port| json!({"containerPort": port})).collect();
    let container = json!({"name": "a", "image": "i", "ports": ports});
    let deployment = json!({"metadata": {"name": "d"}, "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}}}});
    let made = admin.post(DEPLOYMENTS, &deployment).await;
    assert_eq!(made.code, 201, "{}", made.text);
    let again = vec![json!({"name": "a", "ports": [{"containerPort": 1}]}); 4000];
    json!({"spec": {"template": {"spec": {"containers": again}}}})
}

#[tokio::test]
async fn others_are_answered_while_a_patch_computes_and_its_time_limit_ends_it() {
    let (admin, eve, bob) = start().await;
    let patch = long_patch(&admin).await;
    let patches: Vec<_> = (0..3)
        .map(|_| {
            let (user, patch) = (eve.as_user("eve"), patch.clone());
            let uri = format!("{DEPLOYMENTS}/d?timeout=1s");
            tokio::spawn(async move { user.patch(&uri, STRATEGIC, &patch).await.code })
        })
        .collect();
    let mut answers = 0;
    while patches.iter().any(|patch| !patch.is_finished()) {
        for (user, uri) in [(&bob, "/healthz"), (&bob, CONFIG_MAPS), (&eve, "/livez")] {
            let asked = Instant::now();
            assert_eq!(user.get(uri).await.code, 200);
            assert!(asked.elapsed() < SOON, "{uri} took {:?}", asked.elapsed());
            answers += 1;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(answers > 10, "{answers}");
    for patch in patches {
        // A fast machine finds that it is too much work before the time is over.
        let code = patch.await.unwrap();
        assert!(matches!(code, 504 | 413), "{code}");
    }
    wait_for_metric(&admin, "portolan_apiserver_compute_running", 0.0).await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_computation() {
    let (admin, eve, _) = start().await;
    let patch = long_patch(&admin).await;
    let left =
        tokio::spawn(async move { eve.patch(&format!("{DEPLOYMENTS}/d"), STRATEGIC, &patch).await.code });
    wait_for_metric(&admin, "portolan_apiserver_compute_running", 1.0).await;
    left.abort();
    wait_for_metric(&admin, "portolan_apiserver_compute_running", 0.0).await;
}

#[tokio::test]
async fn values_deleted_from_a_long_list_by_a_long_list() {
    let (_, eve, bob) = start().await;
    eve.post(CONFIG_MAPS, &config_map("a", "1")).await;
    let names =
        |prefix: &str| -> Vec<String> { (0..20_000).map(|index| format!("{prefix}{index}")).collect() };
    let patch = json!({"metadata": {
        "$deleteFromPrimitiveList/finalizers": names("x"), "finalizers": names("q/")}});
    let uri = format!("{CONFIG_MAPS}/a");
    for _ in 0..2 {
        let (one, two, health) = tokio::join!(
            eve.patch(&uri, STRATEGIC, &patch),
            eve.patch(&uri, STRATEGIC, &patch),
            bob.get("/healthz"),
        );
        assert_eq!((one.code, two.code, health.code), (200, 200, 200), "{} {}", one.summary(), two.summary());
    }
}

#[tokio::test]
async fn a_user_with_too_many_watches_is_refused_and_others_are_not() {
    let (admin, eve, bob) = start().await;
    let uri = format!("{CONFIG_MAPS}?watch=1&resourceVersion=0");
    let mut open = Vec::new();
    let refused = loop {
        let response = eve.open("GET", &uri, &[], "").await;
        if response.status() != 200 {
            break response;
        }
        open.push(response);
        assert!(open.len() < 10_000, "there is a limit");
    };
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    let body = refused.into_body().collect().await.unwrap().to_bytes();
    let status: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&status["kind"], &status["reason"]), (&json!("Status"), &json!("TooManyRequests")));
    assert_eq!(status["details"]["retryAfterSeconds"], 1);
    assert_eq!(bob.open("GET", &uri, &[], "").await.status(), 200);
    assert_eq!(eve.get(CONFIG_MAPS).await.code, 200, "requests are counted apart");
    let series = "portolan_apiserver_refused_requests_total{reason=\"watches\"}";
    assert_eq!(metric(&admin, series).await, Some(1.0));
    drop(open);
    assert_eq!(eve.open("GET", &uri, &[], "").await.status(), 200);
}

#[tokio::test]
async fn a_watch_with_large_events_sends_pieces_and_ends_when_its_user_has_too_many_waiting() {
    let (admin, eve, bob) = start().await;
    admin.post(CONFIG_MAPS, &config_map("large", &"x".repeat(1 << 20))).await;
    let uri = format!("{CONFIG_MAPS}?watch=1&resourceVersion=0");
    let mut waiting = Vec::new();
    let mut evicted = 0;
    for _ in 0..140 {
        let mut body = eve.open("GET", &uri, &[], "").await.into_body();
        let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(piece.len() <= 16 << 10, "{}", piece.len());
        let text = String::from_utf8_lossy(&piece);
        if text.starts_with("{\"type\":\"ERROR\"") {
            assert!(text.contains("\"code\":410") && text.contains("too old resource version"), "{text}");
            assert!(body.frame().await.is_none());
            evicted += 1;
        } else {
            waiting.push(body);
        }
    }
    assert!((100..140).contains(&waiting.len()), "{} wait", waiting.len());
    assert_eq!(metric(&admin, "portolan_apiserver_evicted_watches_total").await, Some(f64::from(evicted)));
    assert!(metric(&admin, "portolan_apiserver_held_bytes").await.unwrap() <= f64::from(129 << 20));
    let whole = waiting.pop().unwrap();
    let mut events = bob.watch(&uri).await;
    assert_eq!(events.next().await.unwrap()["object"]["metadata"]["name"], "large");
    drop((whole, waiting));
    assert_eq!(metric(&admin, "portolan_apiserver_held_bytes").await, Some(0.0));
}

#[tokio::test]
async fn answers_that_are_not_read_are_bounded() {
    let (admin, eve, bob) = start().await;
    admin.post(CONFIG_MAPS, &config_map("large", &"x".repeat(1 << 20))).await;
    let uri = format!("{CONFIG_MAPS}/large");
    let mut unread = Vec::new();
    let refused = loop {
        let response = eve.open("GET", &uri, &[], "").await;
        if response.status() != 200 {
            break response.status();
        }
        unread.push(response);
        assert!(unread.len() < 1000, "there is a limit");
    };
    assert_eq!(refused, 429);
    assert!(unread.len() >= 100, "{}", unread.len());
    assert_eq!(bob.get(&uri).await.code, 200);
    assert_eq!(eve.get("/healthz").await.code, 200);
    drop(unread);
    assert_eq!(eve.get(&uri).await.body["data"]["k"].as_str().map(str::len), Some(1 << 20));
}

#[tokio::test]
async fn the_first_objects_of_a_watch_come_page_by_page_in_the_state_of_its_start() {
    let (admin, _, _) = start().await;
    for index in 0..300 {
        admin.post(CONFIG_MAPS, &config_map(&format!("n{index:03}"), "1")).await;
    }
    let mut events = admin.watch(&format!("{CONFIG_MAPS}?watch=1&resourceVersion=0")).await;
    assert_eq!(events.summary().await, "ADDED n000(1)");
    for (name, value) in [("n000", "2"), ("n299", "2")] {
        admin.put(&format!("{CONFIG_MAPS}/{name}"), &config_map(name, value)).await;
    }
    admin.delete(&format!("{CONFIG_MAPS}/n298")).await;
    for index in 1..300 {
        assert_eq!(events.summary().await, format!("ADDED n{index:03}(1)"));
    }
    for change in ["MODIFIED n000(2)", "MODIFIED n299(2)", "DELETED n298(1)"] {
        assert_eq!(events.summary().await, change);
    }
}

#[tokio::test]
async fn a_short_role_that_grants_millions_of_permissions_is_refused_at_once() {
    let (admin, _, _) = start().await;
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let maker = json!({"metadata": {"name": "maker"}, "rules": [
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["create"]}]});
    assert_eq!(admin.post(&format!("{rbac}/clusterroles"), &maker).await.code, 201);
    let binding = json!({"metadata": {"name": "carol"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "carol"}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "maker"}});
    assert_eq!(admin.post(&format!("{rbac}/clusterrolebindings"), &binding).await.code, 201);
    let words = |prefix: &str| -> Vec<String> { (0..300).map(|index| format!("{prefix}{index}")).collect() };
    let rule = json!({"apiGroups": words("g"), "resources": words("r"), "verbs": words("v"),
        "resourceNames": words("n")});
    let role = json!({"metadata": {"name": "r"}, "rules": [rule]});
    let asked = Instant::now();
    let refused = admin.as_user("carol").post(&format!("{rbac}/namespaces/default/roles"), &role).await;
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    assert_eq!(refused.code, 403);
    assert!(refused.text.contains("more than 20000 single permissions"), "{}", refused.text);
}

#[tokio::test]
async fn the_errors_of_an_object_are_not_much_longer_than_the_object() {
    let (admin, _, _) = start().await;
    let owner = |index: usize| json!({"apiVersion": "v1", "kind": "Pod", "name": format!("p{index}"), "uid": "u", "controller": true});
    let owners: Vec<Value> = (0..2000).map(owner).collect();
    let finalizers: Vec<&str> = vec!["!"; 20_000];
    for metadata in
        [json!({"name": "a", "finalizers": finalizers}), json!({"name": "a", "ownerReferences": owners})]
    {
        let refused = admin.post(CONFIG_MAPS, &json!({"metadata": metadata})).await;
        assert_eq!(refused.code, 422);
        assert!(refused.text.len() < 4 << 20, "{} bytes", refused.text.len());
    }
}
