use std::convert::Infallible;
use std::time::Duration;

use portolan_object::{GroupVersionKind, ObjectKey};
use serde_json::Value;

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use parking_lot::Mutex;

use super::*;
use crate::client::Body;

type Writes = Arc<Mutex<Vec<(Method, String, Value)>>>;

/// A server that answers every write with what was sent, and keeps it.
fn echo() -> (Client, Writes) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let sink = sink.clone();
        async move {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let body = request.into_body().collect().await.expect("a whole body").to_bytes();
            let value: Value = serde_json::from_slice(&body).expect("JSON");
            sink.lock().push((method, path, value));
            Ok::<_, Infallible>(Response::new(http_body_util::Full::new(body)))
        }
    });
    (Client::in_process(service), seen)
}

fn deployment() -> Regarding {
    Regarding {
        gvk: GroupVersionKind::new("apps", "v1", "Deployment"),
        key: ObjectKey::namespaced("shop", "web"),
        uid: "1".to_owned(),
    }
}

async fn wait_for(seen: &Writes, count: usize) {
    while seen.lock().len() < count {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_note_is_one_event_with_a_count() {
    let (client, seen) = echo();
    let scope = Shutdown::new();
    let recorder = EventRecorder::new(&client, "portolan", Clock::system(), &scope);
    for count in 1..=3 {
        recorder.record(deployment(), Severity::Warning, "SyncFailed", "no");
        wait_for(&seen, count).await;
    }
    let cluster = Regarding { key: ObjectKey::cluster("eu"), ..deployment() };
    recorder.record(cluster, Severity::Normal, "SyncSucceed", "x".repeat(2000));
    wait_for(&seen, 4).await;
    let seen = seen.lock();
    let methods: Vec<_> = seen.iter().map(|(method, ..)| method.as_str()).collect();
    assert_eq!(methods, ["POST", "PATCH", "PATCH", "POST"]);
    assert_eq!(seen[0].1, "/api/v1/namespaces/shop/events");
    assert_eq!(seen[0].2["involvedObject"]["uid"], "1");
    assert_eq!(seen[0].2["type"], "Warning");
    assert_eq!(seen[2].2["count"], 3);
    assert_eq!(seen[3].1, "/api/v1/namespaces/default/events");
    assert_eq!(seen[3].2["message"].as_str().map(str::len), Some(1024));
}

#[tokio::test(start_paused = true)]
async fn successes_are_normal_events_written_after_problems_and_can_be_off() {
    let (client, seen) = echo();
    let scope = Shutdown::new();
    let recorder = EventRecorder::new(&client, "portolan", Clock::system(), &scope);
    recorder.clone().with_successes(SuccessEvents::Off).success(deployment(), "Never", "");
    for _ in 0..3 {
        recorder.success(deployment(), "SyncSucceed", "done");
    }
    recorder.record(deployment(), Severity::Warning, "SyncFailed", "no");
    wait_for(&seen, 2).await;
    let seen = seen.lock();
    let written: Vec<_> = seen.iter().map(|(.., event)| (&event["reason"], &event["count"])).collect();
    assert_eq!(written[0].0, "SyncFailed");
    assert_eq!((written[1].0, written[1].1), (&Value::from("SyncSucceed"), &Value::from(3)));
    assert_eq!(seen[1].2["type"], "Normal");
}
