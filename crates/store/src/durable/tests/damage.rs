//! Damaged files: what is refused, what is reported and left out, and how it goes on.

use super::*;
use crate::durable::database::REVISION_STEP;
use crate::durable::newest;

/// A closed store with three objects.
async fn closed_store() -> (TempDir, PathBuf) {
    let (directory, path) = directory();
    let store = open(&path).await;
    for key in ["a", "b", "c"] {
        put(&store, key, "x").await.expect("put");
    }
    store.close().await;
    (directory, path)
}

fn beside(path: &Path) -> PathBuf {
    newest::path(path)
}

/// How a file is damaged, and what the refusal says.
struct Case {
    name: &'static str,
    damage: fn(&Path),
    want: &'static str,
}

fn case(name: &'static str, damage: fn(&Path), want: &'static str) -> Case {
    Case { name, damage, want }
}

fn damaged_content() -> Vec<Case> {
    vec![
        case(
            "a later version",
            |path| damage(path, "PRAGMA user_version = 7"),
            "has store format 7, this version reads format 2: run the version that wrote it, or choose",
        ),
        case(
            "another program",
            |path| damage(path, "PRAGMA application_id = 7"),
            "is a database of another program",
        ),
        case(
            "no database",
            |path| std::fs::write(path, [b'x'; 5000]).expect("written"),
            "is damaged (file is not a database): restore it with `portolan restore`",
        ),
        case(
            "a lost write",
            |path| damage(path, "DELETE FROM log WHERE revision = 2"),
            "is damaged (revision 2 is missing)",
        ),
        case(
            "a lost last write",
            |path| damage(path, "DELETE FROM log WHERE revision = 3"),
            "revision 3 was committed, and the database with its log ends at 2",
        ),
        case(
            "another last write",
            |path| {
                let row = "SELECT 3, key, 3, 0, written, value, checksum FROM log WHERE revision = 1";
                damage(
                    path,
                    &format!(
                        "CREATE TABLE t AS {row}; DELETE FROM log WHERE revision = 3; INSERT INTO log SELECT * FROM t"
                    ),
                );
            },
            "the row of revision 3 does not match its checksum",
        ),
        case(
            "another order",
            |path| damage(path, "UPDATE log SET previous = 1 WHERE revision = 2"),
            "the row of revision 2 does not match its checksum",
        ),
        case(
            "another key",
            |path| damage(path, "UPDATE log SET key = 'd' WHERE revision = 2"),
            "the row of revision 2 does not match its checksum",
        ),
        case(
            "a key that is no text",
            |path| damage(path, "UPDATE log SET key = CAST(x'ff' AS TEXT) WHERE revision = 2"),
            "the row of revision 2 does not match its checksum",
        ),
        case(
            "another position",
            |path| damage(path, "UPDATE position SET revision = 1"),
            "the table of the position does not match its checksum",
        ),
        case("no table", |path| damage(path, "DROP TABLE log"), "is damaged (no such table: log"),
    ]
}

fn damaged_files() -> Vec<Case> {
    vec![
        case(
            "half a file",
            |path| {
                let file = std::fs::OpenOptions::new().write(true).open(path).expect("opened");
                file.set_len(6000).expect("cut off");
            },
            "is damaged (",
        ),
        case(
            "an empty file",
            |path| std::fs::write(path, "").expect("emptied"),
            "is damaged (it is missing or empty, and",
        ),
        case(
            "no file beside",
            |path| std::fs::remove_file(beside(path)).expect("removed"),
            "is missing, so nothing tells whether the log is complete): restore it with `portolan restore`, or accept",
        ),
        case(
            "an empty file beside",
            |path| std::fs::write(beside(path), "").expect("emptied"),
            "is not readable, so nothing tells whether the log is complete",
        ),
    ]
}

#[tokio::test]
async fn files_that_cannot_be_opened_are_named_and_left_alone() {
    for case in damaged_content().into_iter().chain(damaged_files()) {
        let (_directory, path) = closed_store().await;
        (case.damage)(&path);
        let before = std::fs::read(&path).expect("read");
        for _ in 0..2 {
            let error = Store::<Text>::open(&path).await.expect_err(case.name).to_string();
            assert!(
                error.starts_with(&path.display().to_string()) && error.contains(case.want),
                "{}: {error}",
                case.name
            );
            assert!(std::fs::read(&path).expect("read") == before, "{}: the file was changed", case.name);
        }
    }
}

#[tokio::test]
async fn a_missing_database_or_the_file_of_another_store_is_refused() {
    let (_directory, path) = closed_store().await;
    let (_other_directory, other) = closed_store().await;
    let own = std::fs::read(beside(&path)).expect("read");
    std::fs::copy(beside(&other), beside(&path)).expect("copied");
    let error = Store::<Text>::open(&path).await.expect_err("another store").to_string();
    assert!(error.contains("belongs to another store"), "{error}");
    std::fs::write(beside(&path), own).expect("written");
    assert_eq!(list(&open(&path).await, None).len(), 3);

    std::fs::remove_file(&path).expect("removed");
    let error = Store::<Text>::open(&path).await.expect_err("no database").to_string();
    assert!(error.contains("it is missing or empty, and"), "{error}");
    assert!(!path.exists(), "no new database was made");
}

#[tokio::test]
async fn a_log_that_is_damaged_cut_or_missing_is_not_taken_for_less_history() {
    /// Changes the log of a store that was not closed.
    type Damage = fn(&mut Vec<u8>);
    let cases: [(&str, Damage); 6] = [
        ("the magic number", |log| log[3] ^= 1),
        ("a salt", |log| log[18] ^= 1),
        ("the first frame", |log| log[100] ^= 1),
        ("a later frame", |log| log[40_000] ^= 1),
        ("cut off", |log| log.truncate(9_000)),
        ("empty", Vec::clear),
    ];
    for (name, change) in cases {
        let (_directory, path) = directory();
        let store = open(&path).await;
        for number in 0..20 {
            put(&store, &format!("k{number}"), &"x".repeat(2000)).await.expect("put");
        }
        // As after SIGKILL.
        let copy = path.with_extension("copy");
        std::fs::copy(&path, &copy).expect("copied");
        for suffix in ["-wal", "-newest"] {
            std::fs::copy(with_suffix(&path, suffix), with_suffix(&copy, suffix)).expect("copied");
        }
        let log = with_suffix(&copy, "-wal");
        let mut bytes = std::fs::read(&log).expect("read");
        change(&mut bytes);
        std::fs::write(&log, &bytes).expect("written");
        for _ in 0..2 {
            let error = Store::<Text>::open(&copy).await.expect_err(name).to_string();
            assert!(
                error.contains("revision 20 was committed, and the database with its log ends at"),
                "{name}: {error}"
            );
            assert_eq!(std::fs::metadata(&log).expect("the log").len(), bytes.len() as u64, "{name}");
        }
        std::fs::write(beside(&copy), "accept\n").expect("accepted");
        let accepted = open(&copy).await;
        let found = list(&accepted, None).len() as u64;
        assert!(found < 20, "{name}: {found}");
        assert_eq!(accepted.revision().0, found + REVISION_STEP, "{name}");
        let resumed = accepted.watch("", Revision(found)).map(|_| ());
        assert!(matches!(resumed, Err(ReadError::Compacted { .. })), "{name}: clients list again");
        put(&accepted, "new", "x").await.expect("writes go on");
        accepted.close().await;
        assert_eq!(list(&open(&copy).await, None).len() as u64, found + 1, "{name}");
    }
}

#[tokio::test]
async fn a_damaged_value_is_left_out_until_it_is_deleted() {
    let (_directory, path) = closed_store().await;
    damage(&path, "UPDATE log SET value = x'79' WHERE key = 'b'");
    for _ in 0..2 {
        let store = open(&path).await;
        assert_eq!(list(&store, None), ["a=x@1.1", "c=x@3.3"]);
        assert!(store.get("b").is_none());
        let damaged = store.damaged("b").expect("reported");
        assert_eq!((&*damaged.key, damaged.revision), ("b", Revision(2)));
        assert_eq!((store.damaged_below("").len(), store.damaged_below("c").len()), (1, 0));
        let batches = [
            Batch::create("b", text("new")),
            Batch::update("b", Revision(2), text("new")),
            Batch { guards: vec![], writes: vec![Write::Put("b".into(), text("new"))] },
        ];
        for batch in batches {
            let refused = store.commit(batch).await;
            assert!(matches!(&refused, Err(CommitError::Damaged(value)) if value.revision == Revision(2)));
        }
        let resumed = store.watch("", Revision(2)).map(|_| ());
        assert!(matches!(resumed, Err(ReadError::Compacted { .. })), "clients list again");
        store.close().await;
    }
    let store = open(&path).await;
    let deletion = || Batch { guards: vec![], writes: vec![Write::Delete("b".into())] };
    let deleted = store.commit(deletion()).await.expect("deleted");
    assert_eq!(deleted.iter().map(render).collect::<Vec<_>>(), ["4-b"]);
    assert!(store.damaged("b").is_none());
    assert!(matches!(store.commit(deletion()).await, Err(CommitError::Conflict { .. })));
    store.commit(Batch::create("b", text("new"))).await.expect("created");
    store.close().await;
    let store = open(&path).await;
    assert_eq!(list(&store, None), ["a=x@1.1", "b=new@5.5", "c=x@3.3"]);
    assert!(store.damaged_below("").is_empty());
}

#[tokio::test]
async fn a_value_that_is_intact_and_cannot_be_decoded_is_left_out() {
    let (_directory, path) = directory();
    let store = open(&path).await;
    put(&store, "a", "x").await.expect("put");
    store.close().await;
    let store = Store::<Refused>::open(&path).await.expect("opened");
    assert_eq!(&*store.damaged("a").expect("reported").reason, "no");
}

/// A value that is never valid.
struct Refused;

impl Payload for Refused {
    fn stamp(&mut self, _: Revision) {}

    fn encode(&self) -> Bytes {
        Bytes::new()
    }

    fn decode(_: Bytes, _: Revision) -> Result<Self, crate::PayloadError> {
        Err(crate::PayloadError::new("no"))
    }
}

#[tokio::test]
async fn damaged_old_versions_cost_only_the_history() {
    let (_directory, path) = directory();
    let store = open(&path).await;
    for value in ["1", "2", "3"] {
        put(&store, "a", value).await.expect("put");
    }
    put(&store, "b", "1").await.expect("put");
    store.close().await;
    damage(&path, "UPDATE log SET value = x'79' WHERE revision = 2");
    let store = open(&path).await;
    assert_eq!(list(&store, None), ["a=3@1.3", "b=1@4.4"]);
    assert_eq!((store.oldest(), store.damaged_below("").len()), (Revision(4), 0));
    put(&store, "a", "4").await.expect("put");
    assert_eq!(history(&store, 4), ["5+a@1=4<3"]);
    store.close().await;
    assert_eq!(list(&open(&path).await, None), ["a=4@1.5", "b=1@4.4"]);
}

#[tokio::test]
async fn lost_rows_of_the_state_are_noticed() {
    let (_directory, path) = directory();
    let options = Options { keep_age: Duration::ZERO, keep_revisions: 1, ..Options::default() };
    let store = Store::open_with(&path, options).await.expect("opened");
    for number in 0..40 {
        put(&store, &format!("k{number}"), "x").await.expect("put");
    }
    store.close().await;
    let pristine = std::fs::read(&path).expect("read");
    let changes = [
        "DELETE FROM log WHERE revision = 7",
        "DELETE FROM log WHERE revision <= 10",
        "UPDATE log SET revision = 100 WHERE revision = 7",
    ];
    for change in changes {
        std::fs::write(&path, &pristine).expect("written");
        damage(&path, change);
        let error = Store::<Text>::open(&path).await.expect_err(change).to_string();
        assert!(error.contains("is damaged ("), "{change}: {error}");
    }
}

#[tokio::test]
async fn a_store_of_the_previous_format_is_upgraded() {
    let (_directory, path) = directory();
    std::fs::create_dir_all(path.parent().expect("parent")).expect("made");
    damage(
        &path,
        "PRAGMA journal_mode = WAL;
        CREATE TABLE log (revision INTEGER PRIMARY KEY, key TEXT NOT NULL, created INTEGER NOT NULL,
            previous INTEGER NOT NULL, written INTEGER NOT NULL, value BLOB) STRICT;
        CREATE TABLE position (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        INSERT INTO position VALUES ('compacted', 2);
        INSERT INTO log VALUES (1, 'a', 1, 0, 1000, x'78'), (3, 'b', 3, 0, 1000, x''), (4, 'a', 0, 1, 1000, NULL),
            (5, 'c', 5, 0, 1000, x'78');
        PRAGMA application_id = 0x506f7274;
        PRAGMA user_version = 1;",
    );
    for round in 0..2 {
        let store = open(&path).await;
        assert_eq!(list(&store, None), ["b=@3.3", "c=x@5.5"], "{round}");
        assert_eq!(history(&store, 2), ["3+b@3=", "4-a<1", "5+c@5=x"], "{round}");
        store.close().await;
    }
    damage(&path, "DELETE FROM log WHERE revision = 5");
    let error = Store::<Text>::open(&path).await.expect_err("a lost write").to_string();
    assert!(error.contains("revision 5 was committed"), "{error}");
}
