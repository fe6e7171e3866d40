//! What a cache does when lists and watches fail. The cases are those of client-go (k8s.io/client-go v0.35,
//! `tools/cache/reflector_test.go` and `reflector_watchlist_test.go`) that apply here.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::script::*;
use crate::cache::Trouble;
use crate::metrics::CacheReader as _;

const STREAMING: &str = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan";

/// Shortens request paths to what the cases differ in.
fn kinds(paths: &[String]) -> Vec<String> {
    let kind = |path: &String| match path.split_once("resourceVersion=") {
        Some((_, version)) => format!("watch {version}"),
        None if path.ends_with(STREAMING) => "streaming list".to_owned(),
        None if path.contains("watch=true") => "watch".to_owned(),
        None => format!("list {}", path.split_once('?').unwrap_or_default().1).trim_end().to_owned(),
    };
    paths.iter().map(kind).collect()
}

fn added(name: &str, version: u64) -> String {
    event("ADDED", &config_map(name, version, "1"))
}

fn bookmark(version: u64) -> String {
    let metadata = json!({ "resourceVersion": version.to_string() });
    event("BOOKMARK", &json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata }))
}

/// Waits until the trouble of the cache is as `wanted`.
async fn wait_for_trouble(watched: &Watched, wanted: impl Fn(Option<&Trouble>) -> bool) {
    let reached = async {
        while !wanted(watched.cache.trouble().as_ref()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reached).await.expect("trouble changes within a minute");
}

/// A list and a watch that follow the failure of a streaming list.
fn list_and_watch() -> [Answer; 2] {
    [list(5, &[config_map("a", 1, "1")]), stream(vec![added("b", 6)], true)]
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_that_fails_is_replaced_by_a_list() {
    let old_etcd = "no list watch: required storage feature RequestWatchProgress is disabled";
    let busy = (0..400).map(|number| added("a", number)).collect();
    // Each row: the answer to the streaming list, and whether the next one is a streaming list again.
    let cases = [
        ("ERROR: etcd too old", stream(vec![error(500, "InternalError", old_etcd)], false), true),
        ("ERROR after events", stream(vec![added("c", 3), error(500, "InternalError", "x")], true), true),
        ("ERROR: expired", stream(vec![gone()], true), true),
        ("ERROR: version too large", stream(vec![error(504, "Timeout", "too large")], true), true),
        (
            "ERROR without a Status",
            stream(vec!["{\"type\":\"ERROR\",\"object\":7}\n".to_owned()], true),
            true,
        ),
        ("422: parameter unknown", refused(), false),
        ("400", failure(400, "BadRequest", "x"), false),
        ("403", failure(403, "Forbidden", "x"), true),
        ("404", failure(404, "NotFound", "x"), true),
        ("500", failure(500, "InternalError", "x"), true),
        ("503", failure(503, "ServiceUnavailable", "x"), true),
        ("connection refused", Answer::ConnectionRefused, true),
        ("end of stream", stream(vec![added("c", 3)], false), false),
        ("end of an empty stream", stream(vec![], false), false),
        ("silence", stream(vec![added("c", 3)], true), false),
        (
            "silence after a bookmark without annotation",
            stream(vec![added("c", 3), bookmark(4)], true),
            false,
        ),
        ("events without end", slow_stream(busy, Duration::from_secs(1)), false),
        ("garbage", stream(vec!["<html>\n".to_owned()], true), true),
        ("garbage without line end", stream(vec!["<html>".to_owned()], false), false),
        ("a frame that is cut off", stream(vec![added("c", 3)[..40].to_owned()], false), false),
        ("an unknown type of event", stream(vec![event("NEWS", &json!({}))], true), true),
    ];
    for (name, answer, streams_again) in cases {
        let [list, watch] = list_and_watch();
        let expired = stream(vec![gone()], true);
        let mut watched = watched(vec![answer, list, watch_until_expired(watch), expired]);
        assert_eq!(watched.changes(2).await, ["a ->1", "b ->1"], "{name}");
        tokio::time::sleep(Duration::from_secs(5)).await;
        let requests = kinds(&watched.paths());
        assert_eq!(requests[..3], ["streaming list", "list limit=500", "watch 5"], "{name}");
        assert_eq!(requests[3] == "streaming list", streams_again, "{name}: {requests:?}");
    }
}

/// The same stream, ended by the expiry of history.
fn watch_until_expired(watch: Answer) -> Answer {
    let Answer::Http { code, headers, mut chunks, .. } = watch else { return watch };
    chunks.push(gone());
    Answer::Http { code, headers, chunks, open: false }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_for_long_is_asked_at_the_pace_of_the_back_off() {
    let [list, _] = list_and_watch();
    let mut answers = vec![refused(), list, stream(vec![added("b", 6)], false)];
    answers.extend((0..1000).map(|_| Answer::ConnectionRefused));
    let mut watched = watched(answers);
    assert_eq!(watched.changes(2).await, ["a ->1", "b ->1"]);
    let in_minutes = async |watched: &mut Watched, minutes: u64| {
        tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
        watched.paths().len()
    };
    in_minutes(&mut watched, 9).await;
    // Two requests after each of at most 40 pauses.
    let asked = in_minutes(&mut watched, 15).await;
    assert!((30..=80).contains(&asked), "{asked} requests in a quarter of an hour");
}

#[tokio::test(start_paused = true)]
async fn an_expired_page_leads_to_a_list_without_pages() {
    let page = stream(
        vec![
            json!({ "metadata": { "resourceVersion": "4", "continue": "t" }, "items": [config_map("a", 1, "1")] })
                .to_string(),
        ],
        false,
    );
    let expired = failure(410, "Expired", "the provided continue parameter is too old");
    let [list, watch] = list_and_watch();
    let mut watched = watched(vec![refused(), page, expired, list, watch]);
    assert_eq!(watched.changes(2).await, ["a ->1", "b ->1"]);
    let requests = kinds(&watched.paths());
    assert_eq!(
        requests,
        ["streaming list", "list limit=500", "list limit=500&continue=t", "list", "watch 5"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_version_that_the_server_lacks_leads_to_a_list() {
    let mut too_large =
        portolan_object::Status::new(504, "Timeout", "Too large resource version: 9, current: 5");
    too_large.details.get_or_insert_default().causes.push(portolan_object::status::Cause {
        reason: "ResourceVersionTooLarge".to_owned(),
        ..Default::default()
    });
    let too_large = stream(vec![event("ERROR", &too_large.to_value())], false);
    let cases = [
        ("410 in the answer", failure(410, "Expired", "too old resource version")),
        ("410 Gone in the answer", failure(410, "Gone", "too old resource version")),
        ("410 in the stream", stream(vec![gone()], false)),
        ("504 in the stream", too_large),
    ];
    for (name, answer) in cases {
        let first = stream(vec![added("a", 9), end_of_initial_events(9)], false);
        let second = stream(vec![event("ADDED", &config_map("a", 3, "2")), end_of_initial_events(5)], true);
        let mut watched = watched(vec![first, answer, second]);
        assert_eq!(watched.changes(2).await, ["a ->1", "a 1>2"], "{name}");
        assert_eq!(kinds(&watched.paths()), ["streaming list", "watch 9", "streaming list"], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_fails_is_resumed_where_it_stopped() {
    let cases = [
        ("end in order", stream(vec![bookmark(7)], false), 7),
        ("ERROR", stream(vec![error(500, "InternalError", "x")], false), 5),
        ("ERROR after an event", stream(vec![bookmark(7), error(500, "InternalError", "x")], false), 7),
        ("500", failure(500, "InternalError", "x"), 5),
        ("connection refused", Answer::ConnectionRefused, 5),
        ("429", failure(429, "TooManyRequests", "x"), 5),
        ("garbage", stream(vec!["<html>\n".to_owned()], true), 5),
        ("an empty watch", stream(vec![], false), 5),
    ];
    for (name, answer, resumed) in cases {
        let first = stream(vec![added("a", 1), end_of_initial_events(5)], false);
        let last = stream(vec![added("b", 9)], true);
        let mut watched = watched(vec![first, answer, last]);
        assert_eq!(watched.changes(2).await, ["a ->1", "b ->1"], "{name}");
        let requests = kinds(&watched.paths());
        assert_eq!(requests, ["streaming list", "watch 5", &*format!("watch {resumed}")], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn watches_that_fail_again_and_again_lead_to_a_list() {
    type Repeated = fn() -> Answer;
    let cases: [(&str, Repeated); 4] = [
        ("ERROR", || stream(vec![error(500, "InternalError", "x")], false)),
        ("400", || failure(400, "BadRequest", "invalid resource version")),
        ("garbage", || stream(vec!["<html>\n".to_owned()], true)),
        ("an empty watch", || stream(vec![], false)),
    ];
    for (name, answer) in cases {
        let first = stream(vec![added("a", 1), end_of_initial_events(5)], false);
        let last = stream(vec![event("ADDED", &config_map("a", 9, "2")), end_of_initial_events(9)], true);
        let mut watched = watched(vec![first, answer(), answer(), answer(), last]);
        assert_eq!(watched.changes(2).await, ["a ->1", "a 1>2"], "{name}");
        let requests = kinds(&watched.paths());
        assert_eq!(requests, ["streaming list", "watch 5", "watch 5", "watch 5", "streaming list"], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn bookmarks_and_lower_versions_move_the_watch() {
    let first = stream(vec![end_of_initial_events(5), bookmark(8)], false);
    let second = stream(vec![added("a", 3)], false);
    let mut watched = watched(vec![first, second, stream(vec![added("b", 4)], true)]);
    assert_eq!(watched.changes(2).await, ["a ->1", "b ->1"]);
    assert_eq!(kinds(&watched.paths()), ["streaming list", "watch 8", "watch 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_time_gets_it() {
    let busy = |code, reason| failure(code, reason, "later").header("retry-after", "7");
    let cases = [
        ("streaming list, 429", vec![busy(429, "TooManyRequests")]),
        ("list, 429", vec![refused(), busy(429, "TooManyRequests")]),
        ("list, 503", vec![refused(), busy(503, "ServiceUnavailable")]),
    ];
    for (name, mut answers) in cases {
        let is_listed = answers.len() > 1;
        let [list, watch] = list_and_watch();
        let streamed = stream(vec![added("a", 1), end_of_initial_events(5), added("b", 6)], true);
        answers.extend(if is_listed { vec![list, watch] } else { vec![streamed] });
        let started = Instant::now();
        let watched = watched(answers);
        assert!(watched.cache.synced().await);
        let waited = started.elapsed();
        assert!((7..9).contains(&waited.as_secs()), "{name}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_without_versions_is_watched_from_the_start() {
    let list = stream(vec![json!({ "items": [config_map("a", 1, "1")] }).to_string()], false);
    let mut watched = watched(vec![refused(), list, stream(vec![added("b", 6)], true)]);
    assert_eq!(watched.changes(2).await, ["a ->1", "b ->1"]);
    assert_eq!(kinds(&watched.paths()), ["streaming list", "list limit=500", "watch"]);
}

#[tokio::test(start_paused = true)]
async fn trouble_names_the_reason_and_its_beginning() {
    let first = stream(vec![added("a", 1), end_of_initial_events(5)], false);
    let forbidden = || failure(403, "Forbidden", "configmaps is forbidden");
    let watched = watched(vec![first, forbidden(), forbidden(), stream(vec![], true)]);
    assert!(watched.cache.synced().await);
    let started = Instant::now();
    wait_for_trouble(&watched, |trouble| trouble.is_some()).await;
    let trouble = watched.cache.trouble().expect("it was there");
    assert_eq!(trouble.reason, "configmaps is forbidden");
    assert!(!trouble.is_not_served);
    assert!(trouble.since.duration_since(started) < Duration::from_millis(100), "the first failure counts");
    // The next watch brings no event; that it stays open is enough.
    wait_for_trouble(&watched, |trouble| trouble.is_none()).await;
    let status = watched.cache.shared.status();
    assert_eq!((status.objects, status.is_failing, status.failures, status.lists), (1, false, 2, 1));
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(watched.cache.shared.status().age.as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_never_synced_is_in_trouble() {
    let missing = || failure(404, "NotFound", "the server could not find the requested resource");
    let watched = watched(vec![missing(), missing(), missing(), missing()]);
    wait_for_trouble(&watched, |trouble| trouble.is_some_and(|trouble| trouble.is_not_served)).await;
    assert!(!watched.cache.is_synced());
}

#[tokio::test(start_paused = true)]
async fn relisting_again_and_again_is_trouble() {
    // Each list succeeds, and each watch fails: the cache is up to date only from time to time.
    let mut answers = vec![refused()];
    for version in 1..9 {
        answers.extend([list(version, &[]), stream(vec![gone()], false)]);
    }
    let watched = watched(answers);
    assert!(watched.cache.synced().await);
    wait_for_trouble(&watched, |trouble| trouble.is_some()).await;
    let started = Instant::now();
    while watched.cache.shared.status().lists < 8 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(started.elapsed() > Duration::from_secs(5), "lists back off: {:?}", started.elapsed());
    assert!(watched.cache.trouble().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_retry_cuts_the_back_off_short() {
    let mut answers: Vec<_> = std::iter::repeat_with(|| Answer::ConnectionRefused).take(30).collect();
    answers.push(stream(vec![end_of_initial_events(5)], true));
    let watched = watched(answers);
    // Thirty refused requests are fifteen attempts; the pauses between the last ones are half a minute.
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert!(!watched.cache.is_synced());
    for _ in 0..8 {
        watched.cache.retry();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(watched.cache.is_synced());
}
