use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use portolan_net::Shutdown;
use portolan_object::Object;
use prometheus_client::encoding::text;

use super::*;
use crate::client::{Body, Client};
use crate::driver::{self, Outcome, Reconciler};
use crate::{Cache, Resource};

fn lines(metrics: &Metrics, start: &str) -> Vec<String> {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    text::encode(&mut text, &registry).expect("no collector fails");
    let mut lines: Vec<_> = text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// A client of a server that answers everything with `code` and an empty object.
fn answering(code: u16) -> Client {
    Client::in_process(tower::service_fn(move |_: Request<Body>| async move {
        Ok::<_, Infallible>(Response::builder().status(code).body(Full::from("{}")).expect("a response"))
    }))
}

struct FailsOnce(AtomicU32);

impl Reconciler for FailsOnce {
    type Key = String;

    async fn reconcile(&self, _: &String) -> Outcome {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Outcome::Retry("no".into()),
            _ => Outcome::Done,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn passes_are_counted_by_outcome_and_the_latency_includes_retries() {
    let (metrics, scope) = (Metrics::default(), Shutdown::new());
    let queue = metrics.queue("templates", None);
    driver::run(Arc::new(FailsOnce(AtomicU32::new(0))), &queue, 1, &scope);
    queue.add("a".to_owned());
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        lines(&metrics, "workqueue_adds"),
        ["workqueue_adds_total{name=\"templates\",cluster=\"\"} 1"]
    );
    assert_eq!(
        lines(&metrics, "workqueue_retries"),
        ["workqueue_retries_total{name=\"templates\",cluster=\"\"} 1"]
    );
    let passes = lines(&metrics, "portolan_reconciles_total");
    let ended = |outcome: &str, count: u32| {
        format!("portolan_reconciles_total{{controller=\"templates\",outcome=\"{outcome}\"}} {count}")
    };
    assert_eq!(
        passes,
        [ended("done", 1), ended("failed", 1), ended("panicked", 0), ended("raced", 0), ended("requeued", 0)]
    );
    let latency = "portolan_reconcile_latency_seconds";
    assert_eq!(
        lines(&metrics, &format!("{latency}_count")),
        [format!("{latency}_count{{controller=\"templates\"}} 1")]
    );
    let fast = lines(&metrics, &format!("{latency}_bucket{{le=\"0.001\""));
    assert_eq!(
        fast,
        [format!("{latency}_bucket{{le=\"0.001\",controller=\"templates\"}} 0")],
        "the back-off counts"
    );
}

/// Takes a second and hands the key over to the next controller.
struct HandsOver(crate::Queue<String>);

impl Reconciler for HandsOver {
    type Key = String;

    async fn reconcile(&self, key: &String) -> Outcome {
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.0.add(key.clone());
        Outcome::Done
    }
}

#[tokio::test(start_paused = true)]
async fn the_latency_of_a_change_counts_from_the_first_controller() {
    let (metrics, scope) = (Metrics::default(), Shutdown::new());
    let (first, second) = (metrics.queue("templates", None), metrics.queue("works", None));
    driver::run(Arc::new(HandsOver(second.clone())), &first, 1, &scope);
    driver::run(Arc::new(FailsOnce(AtomicU32::new(1))), &second, 1, &scope);
    first.add("a".to_owned());
    tokio::time::sleep(Duration::from_secs(5)).await;
    let sum = |name: &str| lines(&metrics, &format!("{name}_sum{{controller=\"works\"}}"));
    let change = "portolan_change_latency_seconds";
    assert!(sum(change)[0].contains("} 1.0"), "{:?}", sum(change));
    assert!(sum("portolan_reconcile_latency_seconds")[0].contains("} 0.0"), "its own pass took no time");
}

#[tokio::test(start_paused = true)]
async fn a_queue_shows_what_waits_and_what_runs() {
    let metrics = Metrics::default();
    let queue = metrics.queue::<String>("works", Some(&ClusterName::new("eu")));
    queue.add("a".to_owned());
    queue.add("b".to_owned());
    let running = queue.next().await;
    tokio::time::advance(Duration::from_secs(3)).await;
    let series = |name: &str, value: &str| vec![format!("{name}{{name=\"works\",cluster=\"eu\"}} {value}")];
    let cases = [
        ("workqueue_depth", "1.0"),
        ("portolan_workqueue_oldest_seconds", "3.0"),
        ("workqueue_unfinished_work_seconds", "3.0"),
        ("workqueue_longest_running_processor_seconds", "3.0"),
    ];
    for (name, value) in cases {
        assert_eq!(lines(&metrics, name), series(name, value));
    }
    assert_eq!(running.as_deref(), Some("a"));
    drop(queue);
    assert!(lines(&metrics, "workqueue_depth").is_empty(), "the queue is gone");
}

#[tokio::test]
async fn requests_are_counted_by_cluster_until_it_leaves() {
    let metrics = Metrics::default();
    let eu = ClusterName::new("eu");
    let clients =
        [answering(200).with_metrics(&metrics, None), answering(503).with_metrics(&metrics, Some(&eu))];
    for client in &clients {
        let _ = client.text("/readyz").await;
    }
    let requests = |cluster: &str, code: u16| {
        format!("rest_client_requests_total{{cluster=\"{cluster}\",method=\"GET\",code=\"{code}\"}} 1")
    };
    assert_eq!(lines(&metrics, "rest_client_requests"), [requests("", 200), requests("eu", 503)]);
    metrics.set_ready(&eu, false);
    assert_eq!(lines(&metrics, "portolan_cluster_lost"), ["portolan_cluster_lost_total{cluster=\"eu\"} 1"]);
    metrics.forget(&eu);
    let _ = clients[1].text("/readyz").await;
    assert_eq!(lines(&metrics, "rest_client_requests"), [requests("", 200)], "also not for a late answer");
    assert!(lines(&metrics, "portolan_cluster").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_cache_without_contact_is_failing_and_grows_old() {
    let (metrics, scope) = (Metrics::default(), Shutdown::new());
    let eu = ClusterName::new("eu");
    let client = answering(500).with_metrics(&metrics, Some(&eu));
    let deployments = Resource::namespaced("apps", "v1", "Deployment", "deployments");
    let cache: Cache<Object> = Cache::of_objects(&client, deployments).start(&scope);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let series =
        |name: &str, value: &str| format!("{name}{{cluster=\"eu\",resource=\"deployments.apps\"}} {value}");
    let failing = "portolan_cache_failing";
    assert_eq!(lines(&metrics, failing), [series(failing, "1.0")]);
    assert_eq!(lines(&metrics, "portolan_cache_objects"), [series("portolan_cache_objects", "0.0")]);
    assert!(lines(&metrics, "portolan_cache_age").iter().any(|line| line.contains("} 6")), "a minute");
    assert!(cache.trouble().is_some());
}
