//! Servers that are at a lower version than before, as after a restore of etcd.

use std::time::Duration;

use super::script::*;

/// The answer to a request for the present version.
fn version(version: u64) -> Answer {
    list(version, &[])
}

/// A watch that sends nothing and does not end.
fn silent() -> Answer {
    stream(vec![], true)
}

fn first(version: u64) -> Answer {
    stream(vec![event("ADDED", &config_map("a", version, "1")), end_of_initial_events(version)], false)
}

/// Waits until the cache has sent this many requests, and returns their queries.
async fn requests(watched: &mut Watched, count: usize) -> Vec<String> {
    let mut paths = Vec::new();
    let reached = async {
        while paths.len() < count {
            paths.extend(watched.paths());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(300), reached).await.expect("the requests within five minutes");
    paths.iter().map(|path| path.split_once("?").unwrap_or_default().1.to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_restored_server_is_noticed_soon_after_the_watch_was_resumed() {
    let restored = vec![event("ADDED", &config_map("a", 3, "2")), end_of_initial_events(3400)];
    let answers = vec![first(1_000_000), silent(), version(3400), stream(restored, true)];
    let mut watched = watched_remote(answers);
    let started = tokio::time::Instant::now();
    assert_eq!(watched.changes(2).await, ["a ->1", "a 1>2"]);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    let requests = requests(&mut watched, 4).await;
    assert!(requests[1].ends_with("resourceVersion=1000000"), "{requests:?}");
    assert_eq!(requests[2], "limit=1");
    assert!(requests[3].contains("sendInitialEvents=true"), "{requests:?}");
}

#[tokio::test(start_paused = true)]
async fn a_restored_server_is_noticed_although_the_watch_was_not_interrupted() {
    let open = vec![event("ADDED", &config_map("a", 9, "1")), end_of_initial_events(9)];
    let restored = vec![event("ADDED", &config_map("a", 3, "2")), end_of_initial_events(5)];
    let answers = vec![stream(open, true), version(5), stream(restored, true)];
    let watched = watched_remote(answers);
    assert_eq!(watched.changes(2).await, ["a ->1", "a 1>2"]);
}

#[tokio::test(start_paused = true)]
async fn an_object_with_the_same_version_but_other_content_is_replaced() {
    // The version 3 of before the restore, and another one of after it.
    let restored = vec![event("ADDED", &config_map("a", 3, "other")), end_of_initial_events(4)];
    let open = vec![event("ADDED", &config_map("a", 3, "1")), end_of_initial_events(9)];
    let answers = vec![stream(open, false), silent(), version(4), stream(restored, true)];
    let watched = watched_remote(answers);
    assert_eq!(watched.changes(2).await, ["a ->1", "a 1>other"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_forward_keeps_its_watch() {
    type Version = fn() -> Answer;
    let failing = || failure(403, "Forbidden", "list is forbidden");
    let cases: [(&str, Version); 3] = [
        ("the same version", || version(9)),
        ("a later version", || version(10_000)),
        ("no numbers", || {
            stream(vec![r#"{"metadata":{"resourceVersion":"x"},"items":[]}"#.to_owned()], false)
        }),
    ];
    for (name, answer) in cases {
        let mut watched = watched_remote(vec![first(9), silent(), answer(), failing(), answer()]);
        let requests = requests(&mut watched, 5).await;
        assert_eq!(requests[2..], ["limit=1", "limit=1", "limit=1"], "{name}");
        assert!(watched.cache.trouble().is_none(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_not_resumed_after_a_long_time_without_contact() {
    // The server may have been restored and reached the old version again meanwhile.
    let mut answers = vec![first(9)];
    answers.extend(std::iter::repeat_with(|| Answer::ConnectionRefused).take(400));
    let mut watched = watched(answers);
    assert!(watched.cache.synced().await);
    tokio::time::sleep(Duration::from_secs(590)).await;
    let resumed = watched.paths();
    assert!(resumed.iter().skip(1).all(|path| path.ends_with("resourceVersion=9")), "{resumed:?}");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let listed = watched.paths();
    assert!(
        listed.last().is_some_and(|path| path.contains("limit=500") || path.contains("sendInitial")),
        "{listed:?}"
    );
    assert_eq!(watched.cache.len(), 1, "the objects stay");
}
