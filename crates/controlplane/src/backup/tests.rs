use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use portolan_store::{Batch, Payload, PayloadError, Query, Revision, Store};
use tempfile::TempDir;

use super::*;
use crate::state::{RESTORED, StateDirectory};

struct Value(Bytes);

impl Payload for Value {
    fn stamp(&mut self, _: Revision) {}

    fn encode(&self) -> Bytes {
        self.0.clone()
    }

    fn decode(bytes: Bytes, _: Revision) -> Result<Self, PayloadError> {
        Ok(Self(bytes))
    }
}

fn now() -> Timestamp {
    "2026-05-04T03:02:01Z".parse().expect("a time")
}

/// A state directory with a database of `objects` objects, a key and a port.
async fn state(objects: usize) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("directory");
    let root = directory.path().join("state");
    let state = StateDirectory::open(&root).expect("opened");
    let folder = state.subdirectory(DIRECTORY).expect("made");
    let store = open(&root).await;
    for number in 0..objects {
        let value = Value("v".repeat(500).into());
        store.commit(Batch::create(format!("core/configmaps/d/{number:04}"), value)).await.expect("written");
    }
    store.close().await;
    fs::create_dir_all(folder.join("pki")).expect("made");
    fs::write(folder.join("pki/ca.key"), "secret").expect("written");
    fs::write(folder.join("port"), "6443\n").expect("written");
    (directory, root)
}

async fn open(root: &Path) -> Store<Value> {
    Store::open(&root.join(DIRECTORY).join(DATABASE)).await.expect("opened")
}

/// The number of objects, and the key of the authority.
async fn content(root: &Path) -> (usize, String) {
    let store = open(root).await;
    let objects = store.range(&Query::default()).expect("readable").items.len();
    store.close().await;
    (objects, fs::read_to_string(root.join(DIRECTORY).join("pki/ca.key")).expect("read"))
}

fn names(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root).expect("listing");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_backup_holds_everything_and_clients_list_again_after_its_restore() {
    let (directory, root) = state(20).await;
    let file = directory.path().join("backup.tar");
    let running = open(&root).await;
    let summary = backup(&root, &file, "0.0.0", now()).expect("made while the store is open");
    assert_eq!((summary.objects, summary.revision.0), (20, 20));
    assert_eq!(fs::metadata(&file).expect("metadata").permissions().mode() & 0o777, 0o600);
    running.close().await;
    assert_eq!(names(directory.path()), ["backup.tar", "state"], "no temporary files");

    let target = directory.path().join("other");
    let restored = restore(&target, &file, false, now()).expect("restored");
    assert_eq!((restored.summary.objects, restored.replaced), (20, None));
    assert_eq!(restored.created, "2026-05-04T03:02:01Z");
    assert_eq!(content(&target).await, (20, "secret".to_owned()));
    let store = open(&target).await;
    assert!(store.revision().0 > 1_000_000 && store.watch("", summary.revision).is_err());
    store.close().await;
    let marker = fs::read_to_string(target.join(DIRECTORY).join(RESTORED)).expect("a marker");
    assert!(marker.contains(r#""backupRevision": 20"#), "{marker}");
    assert_eq!(names(&target), ["_control-plane", "portolan.version"]);
}

#[tokio::test]
async fn an_existing_state_is_replaced_only_on_request_and_never_under_a_server() {
    let (directory, root) = state(3).await;
    let file = directory.path().join("backup.tar");
    backup(&root, &file, "0.0.0", now()).expect("made");
    let store = open(&root).await;
    store.clone().close().await;
    let refused = restore(&root, &file, false, now()).expect_err("occupied").to_string();
    assert!(refused.contains("holds a control plane already") && refused.contains("--force"), "{refused}");
    let running = open(&root).await;
    let refused = restore(&root, &file, true, now()).expect_err("a server").to_string();
    assert!(refused.contains("is in use by another process"), "{refused}");
    running.close().await;

    fs::write(root.join(DIRECTORY).join("pki/ca.key"), "newer").expect("written");
    let restored = restore(&root, &file, true, now()).expect("replaced");
    let kept = restored.replaced.expect("kept");
    assert!(kept.ends_with("_control-plane.before-20260504T030201"), "{}", kept.display());
    assert_eq!(fs::read_to_string(kept.join("pki/ca.key")).expect("read"), "newer");
    assert_eq!(content(&root).await, (3, "secret".to_owned()));
    restore(&root, &file, true, now()).expect("replaced again");
    assert_eq!(names(&root).len(), 4, "{:?}", names(&root));
}

#[tokio::test]
async fn a_damaged_backup_is_refused_and_changes_nothing() {
    let (directory, root) = state(5).await;
    let file = directory.path().join("backup.tar");
    backup(&root, &file, "0.0.0", now()).expect("made");
    let intact = fs::read(&file).expect("read");
    let damaged = directory.path().join("damaged.tar");
    let target = directory.path().join("target");
    let before = content(&root).await;
    let mut outcomes = BTreeMap::<bool, u32>::new();
    // Bits all over the file, and cuts.
    for step in 0..400 {
        let mut bytes = intact.clone();
        let at = step * (bytes.len() - 1) / 400;
        match step % 8 {
            0 => bytes.truncate(at),
            bit => bytes[at] ^= 1 << bit,
        }
        fs::write(&damaged, bytes).expect("written");
        let refused = restore(&root, &damaged, true, now());
        *outcomes.entry(refused.is_err()).or_default() += 1;
        match refused {
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains("damaged.tar is not a usable backup ("), "{step}: {text}");
                assert_eq!(names(&root), ["_control-plane", "portolan.version"], "{step}");
            }
            // Padding between the files has no meaning.
            Ok(restored) => {
                assert_eq!(
                    (restored.summary.objects, content(&root).await),
                    (before.0, before.clone()),
                    "{step}"
                );
                fs::remove_dir_all(restored.replaced.expect("kept")).expect("removed");
            }
        }
    }
    assert!(outcomes[&true] > 300, "{outcomes:?}");
    for other in ["no archive".to_owned(), "token: secret\n".repeat(100)] {
        fs::write(&damaged, other).expect("written");
        let refused = restore(&target, &damaged, false, now()).expect_err("no backup").to_string();
        assert!(!refused.contains("secret") && !refused.contains("\n"), "{refused}");
    }
    assert!(!target.exists(), "nothing was made");
    assert_eq!(content(&root).await, before);
}

#[tokio::test]
async fn a_place_that_cannot_hold_a_backup_is_named() {
    let (directory, root) = state(1).await;
    let absent = directory.path().join("absent");
    let refused = backup(&root, &absent.join("b.tar"), "0.0.0", now()).expect_err("no folder").to_string();
    let named = format!("the directory {} does not exist", absent.display());
    assert!(refused.starts_with(&named), "{refused}");
    let refused = backup(&root, directory.path(), "0.0.0", now()).expect_err("a folder").to_string();
    assert!(refused.ends_with("is a directory: give the name of a file in it"), "{refused}");
    assert_eq!(names(directory.path()), ["state"], "nothing is left");
}

#[tokio::test]
async fn what_a_killed_restore_left_is_cleared_and_an_old_state_is_kept() {
    let (directory, root) = state(2).await;
    let file = directory.path().join("backup.tar");
    backup(&root, &file, "0.0.0", now()).expect("made");
    let staging = root.join("_control-plane.restoring");
    // Killed while it unpacked.
    fs::create_dir(&staging).expect("made");
    fs::write(staging.join(".incomplete"), "").expect("written");
    fs::write(staging.join(DATABASE), "half").expect("written");
    restore(&root, &file, true, now()).expect("restored");
    assert!(!staging.exists());
    // Killed after the exchange.
    let kept = root.join("_control-plane.before-20260504T030201");
    fs::rename(&kept, &staging).expect("renamed");
    restore(&root, &file, true, now()).expect("restored");
    assert_eq!(content(&root).await, (2, "secret".to_owned()));
    assert!(kept.join(DATABASE).exists(), "{:?}", names(&root));
}

/// Directories of the child process: the state and the backup.
const CHILD: [&str; 2] = ["PORTOLAN_RESTORE_STATE", "PORTOLAN_RESTORE_BACKUP"];

#[test]
#[ignore = "run by the test of killed restores, in a separate process"]
fn child_that_restores() {
    let [Ok(root), Ok(file)] = CHILD.map(std::env::var) else { return };
    restore(Path::new(&root), Path::new(&file), true, now()).expect("restored");
}

#[tokio::test]
async fn a_killed_restore_leaves_the_old_state_or_the_new_one() {
    const KILLS: u32 = 20;
    let (directory, root) = state(20).await;
    let file = directory.path().join("backup.tar");
    backup(&root, &file, "0.0.0", now()).expect("made");
    let (_old_directory, old) = state(30).await;
    fs::write(old.join(DIRECTORY).join("pki/ca.key"), "old").expect("written");
    let spawn = |root: &Path| {
        std::process::Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "backup::tests::child_that_restores", "--ignored"])
            .env(CHILD[0], root)
            .env(CHILD[1], &file)
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("started")
    };
    let copy = |name: String| {
        let target = directory.path().join(name);
        fs::create_dir_all(target.join(DIRECTORY).join("pki")).expect("made");
        fs::copy(old.join("portolan.version"), target.join("portolan.version")).expect("copied");
        for name in ["store.db", "store.db-newest", "pki/ca.key"] {
            let name = format!("{DIRECTORY}/{name}");
            fs::copy(old.join(&name), target.join(&name)).expect("copied");
        }
        target
    };
    let whole = copy("whole".to_owned());
    let begun = std::time::Instant::now();
    assert!(spawn(&whole).wait().expect("ended").success());
    let duration = begun.elapsed();
    assert_eq!(content(&whole).await, (20, "secret".to_owned()));
    let mut is_new = Vec::new();
    for number in 0..KILLS {
        let target = copy(format!("killed-{number}"));
        let mut child = spawn(&target);
        std::thread::sleep(duration * number * 12 / (KILLS * 10));
        child.kill().expect("killed");
        child.wait().expect("ended");
        let found = content(&target).await;
        let outcomes = [(30, "old".to_owned()), (20, "secret".to_owned())];
        assert!(outcomes.contains(&found), "kill {number}: {found:?}");
        is_new.push(found == outcomes[1]);
        restore(&target, &file, true, now()).expect("a restore after the kill");
        assert_eq!(content(&target).await, outcomes[1]);
    }
    println!("killed restores: {KILLS}, with the new state: {}", is_new.iter().filter(|new| **new).count());
}
