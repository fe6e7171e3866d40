//! SIGKILL at random points: what was acknowledged is there afterwards, and no batch is torn.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portolan_store::{Batch, Options, Query, Revision, Store, Write};

use crate::note::Note;
use crate::seeds::{Numbers, seeds};

/// Set for the child process; the database it writes.
pub(crate) const DATABASE: &str = "PORTOLAN_STORE_CRASH_DATABASE";
pub(crate) const WRITERS: u64 = 8;
/// Keys of one batch; all hold the same number afterwards, or none does.
pub(crate) const PARTS: u64 = 3;

pub(crate) fn options() -> Options {
    // Compaction runs all the time.
    Options { keep_age: Duration::ZERO, keep_revisions: 50, ..Options::default() }
}

pub(crate) fn batch(writer: u64, number: u64) -> Batch<Note> {
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
                        acknowledge(writer, number, newest);
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.expect("no panic");
        }
    });
}

/// Says on standard output that a batch was acknowledged.
pub(crate) fn acknowledge(writer: u64, number: u64, newest: Revision) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "acknowledged {writer} {number} {newest}").expect("the parent reads");
}

/// Writer, number and revision of an acknowledgement. The last line may be cut off, and the test's harness prints others.
pub(crate) fn parse(line: &str) -> Option<(u64, u64, u64)> {
    let parts: Vec<&str> = line.split(' ').collect();
    let ["acknowledged", writer, number, revision] = parts.first_chunk().copied()? else { return None };
    Some((writer.parse().ok()?, number.parse().ok()?, revision.parse().ok()?))
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
        let Some((writer, number, revision)) = parse(&line) else { continue };
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

/// Opens the store and checks that it holds what was acknowledged, whole batches, and a history without gaps.
pub(crate) async fn check_store(
    path: &Path,
    last: &BTreeMap<u64, u64>,
    newest: u64,
    what: &str,
) -> Store<Note> {
    let store = open(path).await;
    assert!(store.revision() >= Revision(newest), "{what}: {} < {newest}", store.revision());
    for writer in 0..WRITERS {
        let numbers: Vec<_> = (0..PARTS).map(|part| number_of(&store, writer, part)).collect();
        assert!(numbers.iter().all(|number| *number == numbers[0]), "{what}: torn batch {numbers:?}");
        assert!(numbers[0] >= last.get(&writer).copied(), "{what}: {numbers:?} < {:?}", last.get(&writer));
    }
    // Watchers go on from the recent past.
    let after = store.oldest();
    assert!(after.0 <= store.revision().0.saturating_sub(50));
    let mut watch = store.watch("", after).expect("covered");
    let history = std::iter::from_fn(|| watch.try_next().expect("not lagged")).map(|event| event.revision.0);
    assert!(history.eq(after.0 + 1..=store.revision().0), "{what}: history has gaps");
    assert_eq!(store.range(&Query::prefix("")).expect("readable").revision, store.revision());
    store
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_acknowledged() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("store.db");
    let mut newest_before = 0;
    let mut kills = 0;
    for seed in seeds(12) {
        let acknowledgements = 1 + Numbers::new(seed).below(900) as u64;
        let (last, newest) = run_and_kill(&path, acknowledgements);
        let store = check_store(&path, &last, newest, &format!("seed {seed}")).await;
        assert!(store.revision().0 > newest_before, "seed {seed}");
        newest_before = store.revision().0;
        kills += 1;
        store.close().await;
    }
    println!("kills: {kills}, {newest_before} revisions; acknowledged and lost 0");
}
