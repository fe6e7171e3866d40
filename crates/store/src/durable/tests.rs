use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::durable::files::{lock, with_suffix};
use crate::options::Limits;
use crate::read::{Query, ReadError};
use crate::store::Store;
use crate::store::tests::{Text, render, text};
use crate::versioned::Revision;

mod damage;
mod transformed;

fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("sub/portolan.db");
    (directory, path)
}

async fn open(path: &Path) -> Store<Text> {
    Store::open(path).await.expect("opened")
}

async fn put(store: &Store<Text>, key: &str, value: &str) -> Result<Vec<Event<Text>>, CommitError<Text>> {
    store.commit(Batch { guards: vec![], writes: vec![Write::Put(key.into(), text(value))] }).await
}

fn list(store: &Store<Text>, at: Option<u64>) -> Vec<String> {
    let page = store.range(&Query { at: at.map(Revision), ..Query::default() }).expect("readable");
    page.items
        .iter()
        .map(|item| format!("{}={}@{}.{}", item.key, item.value.0, item.created, item.modified))
        .collect()
}

fn history(store: &Store<Text>, after: u64) -> Vec<String> {
    let mut watch = store.watch("", Revision(after)).expect("covered");
    std::iter::from_fn(|| watch.try_next().expect("not lagged")).map(|event| render(&event)).collect()
}

/// Changes the file behind the store's back.
fn damage(path: &Path, sql: &str) {
    Connection::open(path).expect("opened").execute_batch(sql).expect("executed");
}

#[tokio::test]
async fn a_new_file_has_pages_for_several_objects() {
    let (_directory, path) = directory();
    open(&path).await.close().await;
    let connection = Connection::open(&path).expect("opened");
    let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0)).expect("read");
    assert_eq!(page, 8192);
}

#[tokio::test]
async fn small_writes_do_not_make_the_log_longer() {
    let (_directory, path) = directory();
    let log = path.with_extension("db-wal");
    let length = || std::fs::metadata(&log).expect("the log").len();
    let store = open(&path).await;
    let reserved = length();
    assert!(reserved >= 4 << 20, "{reserved}");
    for index in 0..100 {
        put(&store, &format!("k{index}"), "v").await.expect("put");
    }
    assert_eq!(length(), reserved);
    // As after a crash: what is behind the last write is not taken for one.
    let copy = path.with_extension("copy");
    std::fs::copy(&path, &copy).expect("copied");
    for suffix in ["-wal", "-newest"] {
        std::fs::copy(with_suffix(&path, suffix), with_suffix(&copy, suffix)).expect("copied");
    }
    store.close().await;
    let store = open(&copy).await;
    assert_eq!(list(&store, None).len(), 100);
    store.close().await;
}

#[test]
fn a_lock_that_is_released_soon_is_waited_for() {
    let (_directory, path) = directory();
    let mut held = Some(lock(&path, || unreachable!("the lock is free")).expect("locked"));
    let mut pauses = 0;
    let taken = lock(&path, || {
        pauses += 1;
        if pauses == 3 {
            held = None;
        }
    });
    let taken = taken.expect("locked after its release");
    assert_eq!(pauses, 3);

    let mut pauses = 0;
    let refused = lock(&path, || pauses += 1);
    assert!(matches!(refused, Err(OpenError::Locked { .. })), "{refused:?}");
    assert!(pauses > 3, "{pauses}");
    drop(taken);
}

#[tokio::test]
async fn a_restart_finds_everything() {
    let (_directory, path) = directory();
    let store = open(&path).await;
    put(&store, "a", "1").await.expect("put");
    put(&store, "b", "1").await.expect("put");
    put(&store, "a", "2").await.expect("put");
    store.commit(Batch::delete("b", Revision(2))).await.expect("delete");
    put(&store, "b", "").await.expect("put");
    let conflict = store.commit(Batch::create("a", text("x"))).await;
    assert!(matches!(conflict, Err(CommitError::Conflict { .. })), "{conflict:?}");
    let (before, events) = (list(&store, None), history(&store, 0));
    assert_eq!(before, ["a=2@1.3", "b=@5.5"]);
    store.close().await;

    let store = open(&path).await;
    assert_eq!(store.revision(), Revision(5));
    assert_eq!(list(&store, None), before);
    assert_eq!(list(&store, Some(3)), ["a=2@1.3", "b=1@2.2"]);
    assert_eq!(history(&store, 0), events);
    assert_eq!(history(&store, 3), ["4-b<2", "5+b@5="]);
    let next = put(&store, "a", "3").await.expect("put");
    assert_eq!(next.iter().map(render).collect::<Vec<_>>(), ["6+a@1=3<3"]);
    store.close().await;
    let names: Vec<_> = std::fs::read_dir(path.parent().expect("parent"))
        .expect("listing")
        .map(|e| e.expect("entry").file_name())
        .collect();
    assert!(
        names.len() == 3 && !names.iter().any(|name| name.to_string_lossy().ends_with("-wal")),
        "{names:?}"
    );
}

#[tokio::test]
async fn old_history_goes_and_the_state_stays() {
    let (_directory, path) = directory();
    let now = Arc::new(AtomicU64::new(1_000));
    let clock = Arc::clone(&now);
    let options = Options {
        keep_age: Duration::from_secs(60),
        keep_revisions: 10,
        clock: Arc::new(move || Duration::from_secs(clock.load(Ordering::Relaxed))),
        ..Options::default()
    };
    let rows = |path: &Path| -> (i64, i64) {
        let counts = "SELECT count(*), count(*) - count(value) FROM log";
        let connection = Connection::open(path).expect("opened");
        connection.query_row(counts, [], |row| Ok((row.get(0)?, row.get(1)?))).expect("counted")
    };
    let store = Store::open_with(&path, options.clone()).await.expect("opened");
    put(&store, "constant", "x").await.expect("put");
    for number in 0..50 {
        put(&store, "changing", &number.to_string()).await.expect("put");
        let created = put(&store, &format!("gone-{number}"), "x").await.expect("put");
        store.commit(Batch::delete(&*created[0].key, created[0].revision)).await.expect("delete");
    }
    assert_eq!(rows(&path), (151, 50), "young history stays");
    now.fetch_add(62, Ordering::Relaxed);
    for number in 0..50 {
        put(&store, "changing", &number.to_string()).await.expect("put");
    }
    // Two values and the last ten revisions of the old history, and the fifty young writes.
    let (all, deletions) = rows(&path);
    assert!(all <= 70 && deletions <= 10, "{all} rows, {deletions} deletions");
    let (state, memory) = (list(&store, None), store.oldest());
    store.close().await;

    let store = Store::open_with(&path, options).await.expect("opened");
    assert_eq!(list(&store, None), state);
    assert_eq!(store.revision(), Revision(201));
    // Memory has dropped what is older than a minute.
    assert_eq!((memory, store.oldest() >= Revision(140)), (Revision(151), true));
    let oldest = store.oldest().0;
    assert_eq!(history(&store, oldest).len() as u64, 201 - oldest);
    assert!(list(&store, Some(oldest)).contains(&"constant=x@1.1".to_owned()));
    let compacted = store.watch("", Revision(oldest - 1)).map(|_| ());
    assert!(matches!(compacted, Err(ReadError::Compacted { .. })));
}

#[tokio::test]
async fn one_process_at_a_time() {
    let (directory, path) = directory();
    let store = open(&path).await;
    let error = Store::<Text>::open(&path).await.expect_err("locked").to_string();
    assert_eq!(
        error,
        format!(
            "{} is in use by another process: stop that one, or choose another directory",
            path.display()
        )
    );
    store.close().await;
    open(&path).await.close().await;
    // Neither a directory nor a path through a file is a place for a store.
    for wrong in [directory.path().join("sub"), path.join("below")] {
        let error = Store::<Text>::open(&wrong).await.expect_err("no file").to_string();
        assert!(error.contains(&wrong.display().to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_writes_go_on_once_there_is_room() {
    let (_directory, path) = directory();
    let small = Options { max_bytes: Some(256 << 10), ..Options::default() };
    let store = Store::open_with(&path, small).await.expect("opened");
    let mut accepted = 0;
    let refusal = loop {
        match put(&store, &format!("{accepted:04}"), &"x".repeat(2000)).await {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&refusal, CommitError::Unavailable { source: Unavailable::Full { .. } }), "{refusal:?}");
    let source = std::error::Error::source(&refusal).expect("a source").to_string();
    assert!(source.contains(&path.display().to_string()) && source.contains("free some"), "{source}");
    assert!(accepted > 50);
    assert!(matches!(store.refusal(), Some(Unavailable::Full { .. })), "{:?}", store.refusal());
    assert_eq!(list(&store, None).len(), accepted, "reads go on");
    assert_eq!(store.revision().0, accepted as u64);
    let watch = store.watch("", Revision(0)).expect("history is readable");
    drop(watch);
    store.close().await;

    let store = open(&path).await;
    assert_eq!(list(&store, None).len(), accepted);
    assert_eq!(put(&store, "more", "x").await.expect("room")[0].revision.0, accepted as u64 + 1);
    store.close().await;
}

#[tokio::test]
async fn a_full_disk_is_relieved_by_old_history() {
    let (_directory, path) = directory();
    let limits = Limits { events: 5, bytes: 1 << 20 };
    let small = Options { max_bytes: Some(256 << 10), limits, keep_revisions: 1, ..Options::default() };
    let store = Store::open_with(&path, small).await.expect("opened");
    // Two hundred times the same key is far more than fits, but only its last values are wanted.
    for number in 0..200 {
        put(&store, "key", &format!("{number:04000}")).await.expect("compaction keeps room");
    }
    store.close().await;
    assert!(std::fs::metadata(&path).expect("metadata").len() <= 256 << 10);
}

#[tokio::test]
async fn a_faulty_database_stops_writes_for_good_but_not_reads() {
    let (_directory, path) = directory();
    let store = open(&path).await;
    put(&store, "a", "1").await.expect("put");
    damage(&path, "ALTER TABLE log RENAME TO elsewhere");
    for _ in 0..2 {
        let refusal = put(&store, "a", "2").await;
        let Err(CommitError::Unavailable { source: source @ Unavailable::Faulty { .. } }) = refusal else {
            panic!("{refusal:?}")
        };
        assert!(source.to_string().contains(&path.display().to_string()), "{source}");
        assert!(matches!(store.refusal(), Some(Unavailable::Faulty { .. })), "{:?}", store.refusal());
        damage(&path, "ALTER TABLE elsewhere RENAME TO log; ALTER TABLE log RENAME TO elsewhere");
    }
    assert_eq!(list(&store, None), ["a=1@1.1"]);
    store.close().await;
    damage(&path, "ALTER TABLE elsewhere RENAME TO log");
    assert_eq!(list(&open(&path).await, None), ["a=1@1.1"]);
}

#[tokio::test]
async fn batches_that_wait_share_a_transaction() {
    const BATCHES: u64 = 300;
    let (_directory, path) = directory();
    // The writer reads the clock once per transaction.
    let transactions = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&transactions);
    let clock = Arc::new(move || Duration::from_secs(count.fetch_add(1, Ordering::Relaxed)));
    let store = Store::open_with(&path, Options { clock, ..Options::default() }).await.expect("opened");
    let commits: Vec<_> = (0..BATCHES)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(
                async move { put(&store, &number.to_string(), "x").await.expect("put")[0].revision.0 },
            )
        })
        .collect();
    let mut revisions = Vec::new();
    for commit in commits {
        revisions.push(commit.await.expect("no panic"));
    }
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=BATCHES).collect::<Vec<_>>());
    let transactions = transactions.load(Ordering::Relaxed);
    assert!(transactions <= BATCHES / 5, "{transactions} transactions");
    store.close().await;
}

#[tokio::test]
async fn a_closed_store_finishes_what_it_accepted() {
    let (_directory, path) = directory();
    let store = open(&path).await;
    let accepted: Vec<_> = (0..100)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { put(&store, &number.to_string(), "x").await })
        })
        .collect();
    tokio::task::yield_now().await;
    tokio::join!(store.clone().close(), store.clone().close());
    let mut written = 0;
    for commit in accepted {
        match commit.await.expect("no panic") {
            Ok(_) => written += 1,
            Err(CommitError::Unavailable { source: Unavailable::Closed }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(list(&store, None).len(), written, "reads go on");
    assert_eq!(list(&open(&path).await, None).len(), written);
}
