use std::fs;
use std::time::Duration;

use futures::FutureExt;
use http::Method;
use serde_json::{Value, json};

use super::event::{ObjectRef, drop_managed_fields, response_status};
use super::log::{Log, LogSettings};
use super::policy::{Level, Policy};
use crate::auth::User;
use crate::request::RequestInfo;
use crate::request::query::Query;

const POLICY: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ['system:kube-probe']
- level: None
  nonResourceURLs: ['/healthz*', '/version']
- level: Metadata
  resources:
  - group: ''
    resources: [secrets, pods/log, '*/scale']
- level: Request
  verbs: [create]
  namespaces: [prod]
  omitStages: [ResponseStarted]
- level: RequestResponse
  userGroups: [auditors]
  omitManagedFields: true
";

fn level(method: &Method, path: &str, user: &User) -> Level {
    let query = Query::parse("");
    let info = RequestInfo::parse(method, path, &query);
    Policy::parse(POLICY).unwrap().decide(&info, path, Some(user)).level
}

#[test]
fn the_first_rule_that_matches_decides() {
    let (jane, auditor) = (User::new("jane", ["dev"]), User::new("joe", ["auditors"]));
    let probe = User::new("system:kube-probe", ["x"]);
    let cases = [
        (Method::GET, "/api/v1/namespaces/a/secrets/s", &jane, Level::Metadata),
        (Method::GET, "/api/v1/namespaces/a/secrets/s/status", &jane, Level::None),
        (Method::GET, "/api/v1/namespaces/a/pods/p/log", &jane, Level::Metadata),
        (Method::GET, "/api/v1/namespaces/a/replicationcontrollers/p/scale", &jane, Level::Metadata),
        (Method::GET, "/apis/apps/v1/namespaces/a/deployments/p/scale", &jane, Level::None),
        (Method::POST, "/api/v1/namespaces/prod/configmaps", &jane, Level::Request),
        (Method::POST, "/api/v1/namespaces/test/configmaps", &jane, Level::None),
        (Method::GET, "/healthz/ping", &auditor, Level::None),
        (Method::GET, "/api", &auditor, Level::RequestResponse),
        (Method::GET, "/api/v1/secrets", &probe, Level::None),
    ];
    for (method, path, user, want) in cases {
        assert_eq!(level(&method, path, user), want, "{method} {path} {}", user.name);
    }
}

#[test]
fn a_policy_that_contradicts_itself_is_refused() {
    let rule = |rule: &str| format!("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{rule}]");
    for (text, want) in [
        (rule("{level: Everything}"), "it is no Policy of audit.k8s.io/v1: unknown variant `Everything`"),
        (rule("{level: None, user: [a]}"), "it is no Policy of audit.k8s.io/v1: unknown field `user`"),
        (
            rule("{level: None, nonResourceURLs: ['/a'], namespaces: [a]}"),
            "rules[0]: rules cannot apply to both regular resources and non-resource URLs",
        ),
        (rule("{level: None, nonResourceURLs: ['a']}"), "rules[0]: nonResourceURLs begin with a slash"),
        (
            "apiVersion: v1\nkind: Policy\nrules: []".to_owned(),
            "it is no Policy of audit.k8s.io/v1: got v1, Policy",
        ),
    ] {
        let error = Policy::parse(&text).unwrap_err().to_string();
        assert!(error.starts_with(want), "{error}");
    }
}

#[test]
fn parts_of_an_event() {
    let info = RequestInfo::parse(&Method::POST, "/apis/apps/v1/namespaces/a/deployments", &Query::parse(""));
    let mut reference = ObjectRef::of(&info).unwrap();
    reference.complete(&json!({ "metadata": { "name": "web", "namespace": "other" } }));
    let shown = serde_json::to_value(&reference).unwrap();
    let want = json!({ "resource": "deployments", "namespace": "a", "name": "web", "apiGroup": "apps", "apiVersion": "v1" });
    assert_eq!(shown, want);
    let failure =
        json!({ "kind": "Status", "status": "Failure", "message": "no", "reason": "Forbidden", "code": 403 });
    let want =
        json!({ "metadata": {}, "status": "Failure", "message": "no", "reason": "Forbidden", "code": 403 });
    assert_eq!(response_status(403, Some(&failure)), want);
    assert_eq!(
        response_status(200, Some(&json!({ "kind": "Secret" }))),
        json!({ "metadata": {}, "code": 200 })
    );
    let mut list = json!({ "items": [{ "metadata": { "name": "a", "managedFields": [] } }] });
    drop_managed_fields(&mut list);
    assert_eq!(list, json!({ "items": [{ "metadata": { "name": "a" } }] }));
}

#[tokio::test]
async fn a_full_file_is_renamed_and_the_oldest_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let log = Log::open(LogSettings { path: path.clone(), max_bytes: 20, max_backups: 2 }).unwrap();
    for index in 0..8 {
        log.room().await;
        log.write(&json!({ "number": index }));
    }
    let read = || fs::read_to_string(&path).unwrap_or_default();
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while !read().contains("{\"number\":7}") {
        assert!(tokio::time::Instant::now() < end, "{}", read());
        tokio::task::yield_now().await;
    }
    let line: Value = serde_json::from_str(read().lines().next().unwrap()).unwrap();
    assert_eq!(line, json!({ "number": 7 }));
    drop(log);
    let files = fs::read_dir(folder.path()).unwrap().count();
    assert!(files <= 3, "{files} files");
}

#[tokio::test]
async fn events_wait_within_a_bound_of_bytes() {
    let (log, mut waiting) = Log::with_room(10_000);
    let event = |bytes: usize| json!({ "content": "x".repeat(bytes) });
    let has_room = || log.room().now_or_never().is_some();
    // Few and large, or one that is larger than the room: the number of events does not matter.
    for sizes in [vec![4000, 4000], vec![50_000]] {
        for bytes in &sizes {
            assert!(has_room(), "{sizes:?}");
            log.write(&event(*bytes));
        }
        log.write(&event(4000));
        // The last one waits for room in a task of its own.
        tokio::task::yield_now().await;
        assert!(!has_room(), "{sizes:?}");
        let mut received = 0;
        while received < sizes.len() + 1 {
            assert!(waiting.recv().await.is_some());
            received += 1;
        }
    }
    assert!(has_room());
}

#[tokio::test]
async fn all_events_can_be_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let log = Log::open(LogSettings { path: path.clone(), max_bytes: 1 << 20, max_backups: 1 }).unwrap();
    for index in 0..500 {
        log.room().await;
        log.write(&json!({ "number": index }));
    }
    assert!(log.is_written(Duration::from_secs(10)).await);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 500);
    // An event that no thread takes is not written.
    let (stuck, _waiting) = Log::with_room(10_000);
    stuck.write(&json!({}));
    assert!(!stuck.is_written(Duration::from_millis(10)).await);
}
