//! Caches against a scripted server.

mod failures;
mod limits;
mod rewinds;
mod script;

use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::resources;

use super::*;
use compact::RECENT_TIME;
use script::{
    client, config_map, end_of_initial_events, event, failure, gone, list, refused, stream, watched,
};

#[tokio::test(start_paused = true)]
async fn a_streaming_list_goes_over_into_the_watch() {
    let chunks = vec![
        event("ADDED", &config_map("b", 2, "1")),
        event("ADDED", &config_map("a", 1, "1")),
        end_of_initial_events(5),
        event("MODIFIED", &config_map("a", 6, "2")),
        event("DELETED", &config_map("b", 7, "1")),
    ];
    let mut watched = watched(vec![stream(chunks, true)]);
    assert!(watched.cache.synced().await);
    let mut changes = watched.changes(4).await;
    changes[..2].sort();
    assert_eq!(changes, ["a ->1", "b ->1", "a 1>2", "b 1>-"]);
    let key = ObjectKey::namespaced("n", "a");
    let object = watched.cache.get(&key).expect("a is there");
    assert_eq!(object.at(&["metadata", "managedFields"]), None, "trimmed");
    assert_eq!(watched.cache.keys_by_index("data", "2"), [key]);
    let paths = watched.paths();
    assert_eq!(paths.len(), 1);
    assert!(paths[0].contains("sendInitialEvents=true&resourceVersionMatch=NotOlderThan"), "{paths:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_streaming_lists_is_listed() {
    let follow = stream(vec![event("ADDED", &config_map("b", 6, "1"))], true);
    let mut watched = watched(vec![refused(), list(5, &[config_map("a", 1, "1")]), follow]);
    assert_eq!(watched.changes(2).await, ["a ->1", "b ->1"]);
    let paths = watched.paths();
    assert!(paths[1].ends_with("configmaps?limit=500"), "{paths:?}");
    assert!(paths[2].ends_with("&resourceVersion=5"), "{paths:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_the_wish_for_streaming_is_listed() {
    let silent = stream(vec![event("ADDED", &config_map("a", 1, "1"))], true);
    let watched = watched(vec![silent, list(5, &[config_map("a", 1, "1")])]);
    assert!(watched.cache.synced().await);
    assert_eq!(watched.changes(1).await, ["a ->1"]);
}

#[tokio::test(start_paused = true)]
async fn an_ended_watch_resumes_after_the_last_event() {
    let first = stream(vec![end_of_initial_events(5), event("ADDED", &config_map("a", 6, "1"))], false);
    let second = stream(vec![event("MODIFIED", &config_map("a", 8, "2"))], true);
    let mut watched = watched(vec![first, second]);
    assert_eq!(watched.changes(2).await, ["a ->1", "a 1>2"]);
    assert!(watched.paths()[1].ends_with("&resourceVersion=6"));
}

#[tokio::test(start_paused = true)]
async fn expired_history_is_listed_again_and_only_differences_are_announced() {
    let first = vec![
        event("ADDED", &config_map("a", 1, "1")),
        event("ADDED", &config_map("b", 2, "1")),
        event("ADDED", &config_map("c", 3, "1")),
        end_of_initial_events(5),
        gone(),
    ];
    let second = vec![
        event("ADDED", &config_map("a", 1, "1")),
        event("ADDED", &config_map("b", 9, "2")),
        end_of_initial_events(9),
    ];
    let watched = watched(vec![stream(first, true), stream(second, true)]);
    let changes = watched.changes(5).await;
    assert_eq!(changes[3..], ["b 1>2", "c 1>-"]);
    assert_eq!(watched.cache.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn losing_contact_keeps_the_state() {
    let first = stream(vec![event("ADDED", &config_map("a", 1, "1")), end_of_initial_events(5)], false);
    let failed = || failure(503, "ServiceUnavailable", "no");
    let watched = watched(vec![first, failed(), failed(), failed()]);
    assert!(watched.cache.synced().await);
    let troubled = async {
        while watched.cache.trouble().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), troubled).await.expect("trouble is told");
    assert_eq!(watched.cache.len(), 1);
    assert_eq!(watched.changes(1).await, ["a ->1"]);
}

#[tokio::test]
async fn long_frames_are_decoded_elsewhere_and_keep_their_place() {
    let long = "2".repeat(200_000);
    let chunks = vec![
        end_of_initial_events(5),
        event("ADDED", &config_map("a", 6, "1")),
        event("MODIFIED", &config_map("a", 7, &long)),
        event("MODIFIED", &config_map("a", 8, "3")),
    ];
    let watched = watched(vec![stream(chunks, true)]);
    assert_eq!(watched.changes(3).await, ["a ->1".to_owned(), format!("a 1>{long}"), format!("a {long}>3")]);
}

#[tokio::test(start_paused = true)]
async fn an_event_may_come_in_pieces() {
    let whole = event("ADDED", &config_map("a", 6, "1"));
    let (head, tail) = whole.split_at(40);
    let chunks = vec![end_of_initial_events(5), head.to_owned(), tail.to_owned()];
    let watched = watched(vec![stream(chunks, true)]);
    assert_eq!(watched.changes(1).await, ["a ->1"]);
}

#[tokio::test(start_paused = true)]
async fn a_compact_cache_that_rests_keeps_nothing_decoded() {
    let chunks = vec![end_of_initial_events(5), event("ADDED", &config_map("a", 6, "1"))];
    let (client, _requests) = client(vec![stream(chunks, true)]);
    let scope = Shutdown::new();
    let cache = Cache::of_objects(&client, resources::CONFIG_MAP.into()).compact().start(&scope);
    let key = ObjectKey::namespaced("n", "a");
    let arrived = async {
        while !cache.contains(&key) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), arrived).await.expect("the object arrives");
    assert!(cache.shared.has_recent());
    let before = cache.get(&key);
    tokio::time::sleep(2 * RECENT_TIME).await;
    assert!(!cache.shared.has_recent());
    assert_eq!(cache.get(&key), before);
}
