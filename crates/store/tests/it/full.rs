//! A file system without room, in a mount namespace of its own.

use std::path::Path;
use std::process::Command;

use portolan_store::{Batch, CommitError, Query, Store, Unavailable, Write};

use crate::crash::options;
use crate::note::Note;
use crate::seeds::{Numbers, seeds};

/// Set for the child process: a directory on a small file system, and the seed.
const DIRECTORY: &str = "PORTOLAN_STORE_FULL_DIRECTORY";
const SEED: &str = "PORTOLAN_STORE_FULL_SEED";

/// The child: fills the disk, and goes on when there is room.
#[test]
#[ignore = "run by the test of a full disk, in a separate process"]
fn child_on_a_full_disk() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(fill(Path::new(&directory), &mut Numbers::new(seed)));
}

async fn fill(directory: &Path, numbers: &mut Numbers) {
    let path = directory.join("store.db");
    let other = directory.join("of-another-program");
    std::fs::write(&other, vec![7; 12 << 20]).expect("written");
    let mut store = Store::<Note>::open_with(&path, options()).await.expect("opened");
    let mut keys = Vec::new();
    let refusal = loop {
        let key = format!("/{:05}", keys.len());
        let note = Note::new("x".repeat(1 + numbers.below(40_000)));
        match store.commit(Batch::create(key.clone(), note)).await {
            Ok(_) => keys.push(key),
            Err(error) => break error,
        }
    };
    let is_full = matches!(refusal, CommitError::Unavailable { source: Unavailable::Full { .. } });
    assert!(is_full && keys.len() > 100, "{} objects: {refusal:?}", keys.len());
    assert_eq!(count(&store), keys.len(), "reads go on");
    assert!(matches!(store.refusal(), Some(Unavailable::Full { .. })), "{:?}", store.refusal());
    std::fs::remove_file(&other).expect("removed");
    if numbers.chance(50) {
        store.close().await;
        store = Store::open_with(&path, options()).await.expect("opened again");
        assert_eq!(count(&store), keys.len());
    }
    store.commit(Batch::create("/room", Note::new("x"))).await.expect("there is room");
    assert!(store.refusal().is_none(), "{:?}", store.refusal());
    keys.push("/room".to_owned());
    // Up to half of the objects go; deletions need some room as well.
    for _ in 0..keys.len() / 2 {
        let Some(key) = keys.pop() else { break };
        let deletion = Batch { guards: vec![], writes: vec![Write::Delete(key.as_str().into())] };
        match store.commit(deletion).await {
            Ok(_) => {}
            Err(CommitError::Unavailable { source: Unavailable::Full { .. } }) => {
                keys.push(key);
                break;
            }
            Err(error) => panic!("{error:?}"),
        }
    }
    store.close().await;
    let store = Store::<Note>::open_with(&path, options()).await.expect("opened at the end");
    assert_eq!(count(&store), keys.len());
    store.close().await;
}

fn count(store: &Store<Note>) -> usize {
    store.range(&Query::default()).expect("readable").items.len()
}

#[test]
fn a_full_disk_refuses_writes_and_loses_nothing() {
    let directory = tempfile::tempdir().expect("directory");
    let mount = |script: &str| {
        let script = format!("mount -t tmpfs -o size=40m tmpfs \"{DIRECTORY_VARIABLE}\" && {script}");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]).env(DIRECTORY, directory.path());
        command
    };
    if !mount("true").output().is_ok_and(|output| output.status.success()) {
        println!("left out: no right to mount a file system");
        return;
    }
    let mut disks = 0;
    for seed in seeds(3) {
        let test = std::env::current_exe().expect("this test");
        let run =
            format!("exec \"{}\" --exact full::child_on_a_full_disk --ignored --nocapture", test.display());
        let output = mount(&run).env(SEED, seed.to_string()).output().expect("started");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "seed {seed}: {text}");
        disks += 1;
    }
    println!("full disks: {disks}; acknowledged and lost 0");
}

/// How the shell names [`DIRECTORY`].
const DIRECTORY_VARIABLE: &str = "$PORTOLAN_STORE_FULL_DIRECTORY";
