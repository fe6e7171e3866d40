//! Servers that send too much: without an end, too fast, or again and again.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use portolan_api::resources;
use serde_json::json;
use tokio::time::Instant;

use super::script::{config_map, end_of_initial_events, event};
use super::*;
use crate::client::{Body, BoxError};
use crate::limits::{AnswerLimits, Budget, Excess, MemberLimits};

const LIMITS: MemberLimits = MemberLimits { memory_bytes: 4 << 20, objects: 2000 };
const ANSWERS: usize = 1 << 20;

/// A cache over a server that answers each path with a stream of chunks.
struct Flooded {
    cache: Cache<Object>,
    budget: Arc<Budget>,
    requests: Arc<AtomicUsize>,
    _scope: Shutdown,
}

type Chunks = futures::stream::BoxStream<'static, String>;

fn flooded(answer: impl Fn(&str) -> Option<Chunks> + Send + Sync + 'static) -> Flooded {
    let (answer, requests) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    let counted = requests.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        counted.fetch_add(1, Ordering::Relaxed);
        let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        std::future::ready(Ok::<_, BoxError>(respond(answer(&path))))
    });
    let budget = Arc::new(Budget::new(LIMITS));
    let answers = AnswerLimits { page_bytes: ANSWERS, object_bytes: ANSWERS / 4, ..AnswerLimits::default() };
    let client = Client::in_process(service).with_limits(answers).with_budget(budget.clone());
    let scope = Shutdown::new();
    let cache = Cache::of_objects(&client, resources::CONFIG_MAP.into()).start(&scope);
    Flooded { cache, budget, requests, _scope: scope }
}

/// An answer of 422 without chunks.
fn respond(chunks: Option<Chunks>) -> Response<Body> {
    let status = if chunks.is_some() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let chunks = chunks.unwrap_or_else(|| futures::stream::empty().boxed());
    let frames = chunks.map(|chunk| Ok::<_, BoxError>(Frame::data(Bytes::from(chunk))));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    *response.status_mut() = status;
    response
}

fn is_streaming_list(path: &str) -> bool {
    path.contains("sendInitialEvents")
}

/// Events of ever new objects.
fn new_objects() -> impl Stream<Item = String> {
    futures::stream::iter(1..)
        .map(|number: u64| event("ADDED", &config_map(&format!("a{number}"), number, "1")))
}

/// Waits for the end of the budget.
async fn excess(flooded: &Flooded) -> Excess {
    let ended = tokio::time::timeout(Duration::from_secs(60), flooded.budget.ended());
    let excess = ended.await.expect("the budget ends within a minute").excess;
    assert!(flooded.budget.bytes() <= LIMITS.memory_bytes && flooded.budget.objects() <= LIMITS.objects);
    excess
}

/// A page with one object and another page after it.
fn endless_pages(token: impl Fn() -> u64 + Send + Sync + 'static) -> Flooded {
    let object = AtomicU64::new(0);
    flooded(move |path| {
        let number = object.fetch_add(1, Ordering::Relaxed);
        let metadata = json!({ "resourceVersion": "5", "continue": format!("t{}", token()) });
        let page = json!({ "metadata": metadata, "items": [config_map(&format!("a{number}"), 1, "1")] });
        (!is_streaming_list(path)).then(|| futures::stream::iter([page.to_string()]).boxed())
    })
}

#[tokio::test(start_paused = true)]
async fn a_list_with_endless_pages_ends_at_the_budget() {
    let tokens = AtomicU64::new(0);
    let flooded = endless_pages(move || tokens.fetch_add(1, Ordering::Relaxed));
    assert_eq!(excess(&flooded).await, Excess::Budget(LIMITS));
    assert!(!flooded.cache.is_synced());
    let trouble = flooded.cache.trouble().expect("the cache tells why").reason;
    assert!(trouble.contains("4 MiB or 2000 objects"), "{trouble}");
    // Nothing is kept, and nothing is asked any more.
    assert_eq!((flooded.budget.bytes(), flooded.budget.objects()), (0, 0));
    let requests = flooded.requests.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(flooded.requests.load(Ordering::Relaxed), requests);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_repeats_a_page_ends() {
    let flooded = endless_pages(|| 7);
    assert_eq!(excess(&flooded).await, Excess::RepeatedPage);
    assert_eq!(flooded.requests.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_end_is_cut() {
    let flooded = flooded(|path| {
        let head = futures::stream::iter([r#"{"items":["#.to_owned()]);
        let rest = futures::stream::repeat_with(|| "{},".repeat(10_000));
        (!is_streaming_list(path)).then(|| head.chain(rest).boxed())
    });
    assert_eq!(excess(&flooded).await, Excess::Answer { bytes: ANSWERS });
    assert_eq!((flooded.budget.bytes(), flooded.budget.objects()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_of_ever_new_objects_ends_at_the_budget() {
    let flooded = flooded(|_| Some(new_objects().boxed()));
    assert_eq!(excess(&flooded).await, Excess::Budget(LIMITS));
    assert_eq!((flooded.cache.len(), flooded.budget.bytes()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_watch_of_ever_new_objects_ends_at_the_budget() {
    let flooded =
        flooded(|_| Some(futures::stream::iter([end_of_initial_events(5)]).chain(new_objects()).boxed()));
    assert_eq!(excess(&flooded).await, Excess::Budget(LIMITS));
    // Like a cache without contact, it keeps what it has until its scope ends.
    assert_eq!(flooded.cache.len() as u64, LIMITS.objects.min(flooded.budget.objects()));
    assert!(!flooded.cache.is_empty() && flooded.cache.is_synced());
}

#[tokio::test(start_paused = true)]
async fn an_event_without_end_is_cut() {
    let flooded = flooded(|_| {
        let head = futures::stream::iter([end_of_initial_events(5)]);
        Some(head.chain(futures::stream::repeat_with(|| "x".repeat(1000))).boxed())
    });
    assert_eq!(excess(&flooded).await, Excess::Object { bytes: ANSWERS / 4 });
}

#[tokio::test(start_paused = true)]
async fn large_objects_count_until_they_are_deleted() {
    let large = |kind: &str, number: u64| {
        event(kind, &config_map(&format!("a{number}"), number + 5, &"x".repeat(200_000)))
    };
    let events = (0..100).flat_map(move |number| [large("ADDED", number), large("DELETED", number)]);
    let events = [end_of_initial_events(5)].into_iter().chain(events).collect::<Vec<_>>();
    let flooded = flooded(move |path| {
        let chunks = futures::stream::iter(events.clone()).chain(futures::stream::pending());
        is_streaming_list(path).then(|| chunks.boxed())
    });
    let events = Arc::new(AtomicUsize::new(0));
    let counted = events.clone();
    flooded.cache.observe(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let all = async {
        while events.load(Ordering::Relaxed) < 200 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("20 MB go through a budget of 4 MiB");
    assert!(flooded.cache.is_empty() && flooded.budget.objects() == 0);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_changes_of_one_object_is_slowed_down() {
    let flooded = flooded(|path| {
        let same =
            futures::stream::iter(6..).map(|version| event("MODIFIED", &config_map("a", version, "1")));
        let chunks = futures::stream::iter([end_of_initial_events(5)]).chain(same.take(60_000));
        is_streaming_list(path).then(|| chunks.chain(futures::stream::pending()).boxed())
    });
    let started = Instant::now();
    let changes = Arc::new(AtomicUsize::new(0));
    let counted = changes.clone();
    flooded.cache.observe(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    while changes.load(Ordering::Relaxed) < 60_000 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(started.elapsed() >= Duration::from_secs(4), "{:?}", started.elapsed());
    assert_eq!(flooded.budget.objects(), 1);
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_after_one_event_are_opened_with_pauses() {
    let version = AtomicU64::new(5);
    let flooded = flooded(move |path| {
        let version = version.fetch_add(1, Ordering::Relaxed);
        let last = if is_streaming_list(path) {
            end_of_initial_events(version)
        } else {
            event("ADDED", &config_map("a", version, "1"))
        };
        Some(futures::stream::iter([last]).boxed())
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    let requests = flooded.requests.load(Ordering::Relaxed);
    assert!((5..30).contains(&requests), "{requests} requests in a minute");
}
