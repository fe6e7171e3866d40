//! Power failures by seeds: writes after the last sync are lost, kept or torn, and what was acknowledged is there.
//!
//! `strace` writes down every change of a file, every sync and every acknowledgement of a process that uses the store. From
//! that record a test makes the files as a power failure at any instant may leave them. Nothing of the store is replaced.
//! `PORTOLAN_SEEDS=5000 cargo test -p portolan-store --test it power -- --nocapture` is the long form.

mod trace;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use portolan_store::{Batch, Options, Store, Write};

use crate::crash::{DATABASE, PARTS, WRITERS, batch, check_store, options};
use crate::note::Note;
use crate::seeds::{Numbers, seeds};
use trace::{CALLS, Call, Event, parse};

const SECTOR: usize = 512;
/// Batches of each writer.
const BATCHES: u64 = 40;
/// Longest data that `strace` shows: the log is extended by 6 MiB at once.
const MAX_DATA: &str = "8000000";

/// The child: writes some batches and ends without closing the store.
#[test]
#[ignore = "run by the test of power failures, in a separate process"]
fn child_that_writes_some_batches() {
    let Ok(path) = std::env::var(DATABASE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    runtime.block_on(async {
        let store = Store::<Note>::open_with(Path::new(&path), options()).await.expect("opened");
        let writers = (0..WRITERS).map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..BATCHES {
                    let events = store.commit(batch(writer, number)).await.expect("committed");
                    let newest = events.last().expect("an event").revision;
                    crate::crash::acknowledge(writer, number, newest);
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.expect("no panic");
        }
    });
    std::process::exit(0);
}

/// What the child did to its files; `None` without `strace`.
fn record(directory: &Path) -> Option<Vec<Event>> {
    let file = directory.with_extension("trace");
    let status = Command::new("strace")
        .args(["-f", "-y", "-xx", "-s", MAX_DATA, "-e", &format!("trace={CALLS}"), "-o"])
        .arg(&file)
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", "power::child_that_writes_some_batches", "--ignored", "--nocapture"])
        .env(DATABASE, directory.join("store.db"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .output();
    let status = match status {
        Ok(output) => output.status,
        Err(error) => {
            println!("left out: strace does not run ({error})");
            return None;
        }
    };
    let trace = fs::read_to_string(&file).expect("a trace");
    assert!(status.success(), "{status}: {}", &trace[trace.len().saturating_sub(500)..]);
    fs::remove_file(&file).expect("removed");
    Some(parse(&trace, directory.to_str().expect("text")))
}

/// The line of the trace from which each event survives a power failure; `None` if nothing made it durable.
fn durable_from(events: &[Event]) -> Vec<Option<usize>> {
    let mut syncs = HashMap::<&str, Vec<(usize, usize)>>::new();
    for event in events.iter().filter(|event| event.call == Call::Sync) {
        syncs.entry(&event.path).or_default().push((event.start, event.end));
    }
    let of = |event: &Event| {
        let target = match event.call {
            Call::Create | Call::Unlink => Path::new(&event.path).parent()?.to_str()?,
            _ => &event.path,
        };
        let later = syncs.get(target)?.iter().filter(|(start, _)| *start > event.end);
        later.map(|(_, end)| *end).min()
    };
    events.iter().map(of).collect()
}

/// How a failure treats writes that were not synced.
#[derive(Clone, Copy)]
enum Unsynced {
    Lost,
    Kept,
    /// Each sector for itself.
    Torn,
}

/// The files after a power failure at a line of the trace.
fn files_after(
    events: &[Event],
    durable: &[Option<usize>],
    line: usize,
    numbers: &mut Numbers,
) -> BTreeMap<String, Vec<u8>> {
    let unsynced = *numbers.pick(&[Unsynced::Lost, Unsynced::Kept, Unsynced::Torn, Unsynced::Torn]);
    let mut files = BTreeMap::<String, Vec<u8>>::new();
    // Names become durable in order: directories are journaled.
    let mut names_survive = true;
    let happened = events.iter().zip(durable).take_while(|(event, _)| event.start <= line);
    for (event, durable) in happened {
        let is_durable = durable.is_some_and(|durable| durable <= line);
        let survives = is_durable
            || match unsynced {
                Unsynced::Lost => false,
                Unsynced::Kept => true,
                Unsynced::Torn => numbers.chance(50),
            };
        match &event.call {
            Call::Create | Call::Unlink => {
                names_survive &= survives;
                if !names_survive {
                    continue;
                }
                match event.call {
                    Call::Create => drop(files.insert(event.path.clone(), Vec::new())),
                    _ => drop(files.remove(&event.path)),
                }
            }
            Call::Truncate(length) if survives => {
                files.entry(event.path.clone()).and_modify(|file| file.resize(*length, 0));
            }
            Call::Write { offset, data } => {
                let Some(file) = files.get_mut(&event.path) else { continue };
                for (index, sector) in data.chunks(SECTOR).enumerate() {
                    let sector_survives = match unsynced {
                        Unsynced::Torn if !is_durable => numbers.chance(50),
                        _ => survives,
                    };
                    if sector_survives {
                        put(file, offset + index * SECTOR, sector);
                    }
                }
            }
            Call::Truncate(_) | Call::Sync | Call::Print(_) => {}
        }
    }
    files
}

fn put(file: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(data);
}

/// What was acknowledged up to a line: the last number of each writer, and the newest revision.
fn acknowledged(events: &[Event], line: usize) -> (BTreeMap<u64, u64>, u64) {
    let (mut last, mut newest) = (BTreeMap::new(), 0);
    for event in events.iter().take_while(|event| event.start <= line) {
        let Call::Print(text) = &event.call else { continue };
        for line in text.lines() {
            if let Some((writer, number, revision)) = crate::crash::parse(line) {
                last.insert(writer, number);
                newest = newest.max(revision);
            }
        }
    }
    (last, newest)
}

#[tokio::test]
async fn a_power_failure_loses_nothing_that_was_acknowledged() {
    let parent = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("directory");
    let directory = parent.path().canonicalize().expect("a path").join("written");
    fs::create_dir(&directory).expect("made");
    let Some(events) = record(&directory) else { return };
    let durable = durable_from(&events);
    let last_line = events.last().expect("events").end;
    assert_eq!(
        acknowledged(&events, last_line).0,
        (0..WRITERS).map(|writer| (writer, BATCHES - 1)).collect()
    );
    let syncs = events.iter().filter(|event| event.call == Call::Sync).count();
    let (mut failures, mut ahead) = (0, 0);
    for seed in seeds(60) {
        let numbers = &mut Numbers::new(seed);
        let line = numbers.below(last_line + 1);
        let image = parent.path().join(format!("after-{seed}"));
        fs::create_dir(&image).expect("made");
        for (path, bytes) in files_after(&events, &durable, line, numbers) {
            let name: PathBuf = Path::new(&path).file_name().expect("a name").into();
            fs::write(image.join(name), bytes).expect("written");
        }
        let (last, newest) = acknowledged(&events, line);
        let what = format!("seed {seed}, power failure at line {line}");
        let store = check_store(&image.join("store.db"), &last, newest, &what).await;
        assert!(store.damaged_below("").is_empty(), "{what}: damaged values");
        failures += 1;
        ahead += u64::from(store.revision().0 > newest);
        // The store goes on.
        let key = Arc::from("/after");
        let write = Batch { guards: vec![], writes: vec![Write::Put(key, Note::new("x"))] };
        store.commit(write).await.expect("committed");
        let revision = store.revision();
        store.close().await;
        let store = Store::<Note>::open_with(&image.join("store.db"), Options::default()).await.expect(&what);
        assert_eq!(store.revision(), revision, "{what}");
        store.close().await;
        fs::remove_dir_all(&image).expect("removed");
    }
    println!(
        "power failures: {failures} among {} changes and {syncs} syncs of {} batches of {PARTS}; {ahead} kept more than \
         was acknowledged; acknowledged and lost 0",
        events.len(),
        WRITERS * BATCHES
    );
}
