//! SIGKILL at random points: what was acknowledged is there afterwards, and no batch is torn.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portolan_store::{Batch, Options, Query, Revision, Store, Write};

use crate::note::Note;

/// Set for the child process; the database it writes.
const DATABASE: &str = "PORTOLAN_STORE_CRASH_DATABASE";
const WRITERS: u64 = 8;
/// Keys of one batch; all hold the same number afterwards, or none does.
const PARTS: u64 = 3;
const KILLS: u64 = 12;

fn options() -> Options {
    // Compaction runs all the time.
    Options { keep_age: Duration::ZERO, keep_revisions: 50, ..Options::default() }
}

fn batch(writer: u64, number: u64) -> Batch<Note> {
    let key = |part| Arc::from(format!("/{writer}/{part}"));
    // Sizes that leave whole and half pages, now and then much more.
    let filler = "x".repeat(usize::try_from(number * 37 % 5000).expect("small"));
    let mut writes: Vec<_> =
        (0..PARTS).map(|part| Write::Put(key(part), Note::new(format!("{number} {filler}")))).collect();
    if number > 0 && number.is_multiple_of(5) {
        writes.insert(0, Write::Delete(key(0)));
    }
    Batch { guards: vec![], writes }
}

/// The child: writes without end and says what was acknowledged.
#[test]
#[ignore = "run by the crash test, in a separate process"]
fn child_that_writes_until_it_is_killed() {
    let Ok(path) = std::env::var(DATABASE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        let store = Store::<Note>::open_with(Path::new(&path), options()).await.expect("opened");
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = store.clone();
                tokio::spawn(async move {
                    for number in first_number(&store, writer).. {
                        let events = store.commit(batch(writer, number)).await.expect("committed");
                        let newest = events.last().expect("an event").revision;
                        let mut out = std::io::stdout().lock();
                        writeln!(out, "acknowledged {writer} {number} {newest}").expect("the parent reads");
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.expect("no panic");
        }
    });
}

fn number_of(store: &Store<Note>, writer: u64, part: u64) -> Option<u64> {
    let value = store.get(&format!("/{writer}/{part}"))?;
    value.value.text.split(' ').next()?.parse().ok()
}

fn first_number(store: &Store<Note>, writer: u64) -> u64 {
    number_of(store, writer, 0).map_or(0, |number| number + 1)
}

/// What the child got acknowledged before it died: the last number of each writer, and the newest revision.
fn run_and_kill(path: &Path, acknowledgements: u64) -> (BTreeMap<u64, u64>, u64) {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "crash::child_that_writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(DATABASE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let (mut last, mut newest, mut seen) = (BTreeMap::new(), 0, 0);
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let line = line.expect("text");
        // The last line may be cut off.
        let Some(["acknowledged", writer, number, revision]) =
            line.split(' ').collect::<Vec<_>>().first_chunk().copied()
        else {
            continue;
        };
        let (Ok(writer), Ok(number), Ok(revision)) =
            (writer.parse(), number.parse(), revision.parse::<u64>())
        else {
            continue;
        };
        last.insert(writer, number);
        newest = newest.max(revision);
        seen += 1;
        if seen == acknowledgements {
            child.kill().expect("killed");
        }
    }
    child.wait().expect("ended");
    assert!(seen >= acknowledgements, "the child ended by itself after {seen} acknowledgements");
    (last, newest)
}

async fn open(path: &Path) -> Store<Note> {
    // The system releases the lock after the process has ended, which may take a moment.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match Store::open_with(path, options()).await {
            Ok(store) => return store,
            Err(error) if Instant::now() > deadline => panic!("{error}"),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_acknowledged() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("store.db");
    for round in 0..KILLS {
        let (last, newest) = run_and_kill(&path, 1 + round * round * 7);
        let store = open(&path).await;
        assert!(store.revision() >= Revision(newest), "round {round}: {} < {newest}", store.revision());
        for writer in 0..WRITERS {
            let numbers: Vec<_> = (0..PARTS).map(|part| number_of(&store, writer, part)).collect();
            assert!(
                numbers.iter().all(|number| *number == numbers[0]),
                "round {round}: torn batch {numbers:?}"
            );
            assert!(
                numbers[0] >= last.get(&writer).copied(),
                "round {round}: {numbers:?} < {:?}",
                last.get(&writer)
            );
        }
        // Watchers go on from the recent past.
        let after = store.oldest();
        assert!(after.0 <= store.revision().0.saturating_sub(50));
        let mut watch = store.watch("", after).expect("covered");
        let history =
            std::iter::from_fn(|| watch.try_next().expect("not lagged")).map(|event| event.revision.0);
        assert!(history.eq(after.0 + 1..=store.revision().0), "round {round}: history has gaps");
        assert_eq!(store.range(&Query::prefix("")).expect("readable").revision, store.revision());
        store.close().await;
    }
}
