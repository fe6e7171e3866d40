//! Figures of this machine. Run with `--ignored --nocapture`; asserts nothing that depends on the machine's speed.

use std::path::Path;
use std::time::{Duration, Instant};

use portolan_store::{Batch, Query, Revision, Store};

use crate::note::Note;

const VALUE: usize = 2048;

fn value() -> Note {
    Note::new("x".repeat(VALUE))
}

/// Commits per second and the latencies, `tasks` at a time, each with separate keys.
async fn rate(store: &Store<Note>, tasks: usize, each: usize) -> (f64, Duration, Duration) {
    let started = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::with_capacity(each);
                for number in 0..each {
                    let key = format!("/registry/configmaps/{task}/{:05}", number % 1000);
                    let batch = match store.get(&key) {
                        Some(old) => Batch::update(key, old.modified, value()),
                        None => Batch::create(key, value()),
                    };
                    let begun = Instant::now();
                    store.commit(batch).await.expect("committed");
                    latencies.push(begun.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in running {
        latencies.extend(task.await.expect("no panic"));
    }
    let elapsed = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let at = |percent: usize| latencies[(latencies.len() * percent / 100).min(latencies.len() - 1)];
    (latencies.len() as f64 / elapsed, at(50), at(99))
}

async fn report(name: &str, store: &Store<Note>, rounds: &[(usize, usize)]) {
    for (tasks, each) in rounds {
        let (rate, median, p99) = rate(store, *tasks, *each).await;
        println!("{name:8} {tasks:4} at a time: {rate:9.0} commits/s, median {median:9.1?}, p99 {p99:9.1?}");
    }
}

fn log_size(path: &Path) -> u64 {
    std::fs::metadata(path.with_extension("db-wal")).map_or(0, |file| file.len() >> 20)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn commits_per_second() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("directory");
    let path = directory.path().join("store.db");
    let store = Store::open(&path).await.expect("opened");
    report("sqlite", &store, &[(1, 2_000), (16, 1_000), (128, 400)]).await;
    println!("log {} MiB", log_size(&path));
    let size = store.range(&Query::default()).expect("readable").items.len();
    store.close().await;
    let begun = Instant::now();
    let store = Store::<Note>::open(&path).await.expect("opened");
    println!("sqlite   opened {size} keys at revision {} in {:.1?}", store.revision(), begun.elapsed());
    store.close().await;
    report("memory", &Store::in_memory(), &[(1, 50_000), (16, 5_000), (128, 1_000)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn idle_watchers_and_long_lists() {
    let store = Store::in_memory();
    let idle: Vec<_> = (0..1000)
        .map(|number| store.watch(&format!("/registry/secrets/{number}/"), Revision(0)).expect("watch"))
        .collect();
    report("1,000 watchers", &store, &[(1, 50_000)]).await;
    drop(idle);
    for number in 0..100_000 {
        store
            .commit(Batch::create(format!("/registry/pods/{number:06}"), Note::new("x")))
            .await
            .expect("committed");
    }
    let begun = Instant::now();
    let page = store.range(&Query::prefix("/registry/pods/")).expect("readable");
    println!("list of {} keys in {:.1?}", page.items.len(), begun.elapsed());
    let listing = {
        let store = store.clone();
        std::thread::spawn(move || {
            for _ in 0..20 {
                assert!(
                    store.range(&Query::prefix("/registry/pods/")).expect("readable").items.len() >= 100_000
                );
            }
        })
    };
    report("while listing", &store, &[(1, 20_000)]).await;
    listing.join().expect("no panic");
}
