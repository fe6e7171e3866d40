//! Values that have another form on disk.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::transformer::{TransformError, TransformedValue};

/// Writes `KEY!` before a value that it reverses. Reads values of some keys.
struct Reversed {
    writes: u8,
    reads: &'static [u8],
}

impl ValueTransformer for Reversed {
    fn transform_to_storage(&self, _: &str, value: Bytes) -> Bytes {
        let reversed = value.iter().rev().copied();
        [self.writes, b'!'].into_iter().chain(reversed).collect()
    }

    fn transform_from_storage(&self, _: &str, stored: Bytes) -> Result<TransformedValue, TransformError> {
        match stored.first_chunk::<2>() {
            Some([key, b'!']) if self.reads.contains(key) => {
                let bytes = stored[2..].iter().rev().copied().collect();
                Ok(TransformedValue { bytes, is_stale: *key != self.writes })
            }
            Some([key, b'!']) => Err(TransformError::new(format!("no key {}", char::from(*key)))),
            _ => Ok(TransformedValue { bytes: stored, is_stale: true }),
        }
    }

    fn hides_values(&self) -> bool {
        true
    }
}

fn with(writes: u8, reads: &'static [u8]) -> Options {
    Options { transformer: Arc::new(Reversed { writes, reads }), ..Options::default() }
}

async fn open_with(path: &Path, options: &Options) -> Store<Text> {
    Store::open_with(path, options.clone()).await.expect("opened")
}

fn holds(path: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(path.parent().expect("a parent")).expect("listing");
    files.into_iter().any(|file| {
        let bytes = std::fs::read(file.expect("entry").path()).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test]
async fn state_and_history_are_read_back() {
    let (_directory, path) = directory();
    let store = open_with(&path, &with(b'a', b"a")).await;
    put(&store, "x", "first-value").await.expect("put");
    put(&store, "x", "second-value").await.expect("put");
    let events = history(&store, 0);
    store.close().await;
    assert!(!holds(&path, "first-value") && holds(&path, "a!eulav-dnoces"));
    let store = open_with(&path, &with(b'a', b"a")).await;
    assert_eq!((list(&store, None), history(&store, 0)), (vec!["x=second-value@1.2".to_owned()], events));
    assert!(!store.is_stale("x"));
    store.close().await;
}

#[tokio::test]
async fn values_of_another_form_are_stale_until_they_are_written_again() {
    let (_directory, path) = directory();
    let store = open_with(&path, &with(b'a', b"a")).await;
    for key in ["x", "y", "z"] {
        put(&store, key, "v").await.expect("put");
    }
    store.close().await;
    let store = open_with(&path, &with(b'b', b"ab")).await;
    put(&store, "x", "v").await.expect("put");
    store.commit(Batch::delete("y", Revision(2))).await.expect("deleted");
    let stale = |store: &Store<Text>| ["x", "y", "z"].map(|key| store.is_stale(key));
    assert_eq!(stale(&store), [false, false, true]);
    store.close().await;
    let store = open_with(&path, &with(b'b', b"ab")).await;
    assert_eq!(
        stale(&store),
        [false, false, true],
        "also after a restart, with the old value in the history"
    );
    store.close().await;
}

#[tokio::test]
async fn a_value_that_is_not_readable_is_damaged_and_is_there_again_with_its_key() {
    let (_directory, path) = directory();
    let store = open_with(&path, &with(b'a', b"a")).await;
    put(&store, "x", "v").await.expect("put");
    store.close().await;
    let store = open_with(&path, &with(b'b', b"b")).await;
    assert_eq!(store.damaged("x").map(|damaged| damaged.reason.to_string()), Some("no key a".to_owned()));
    put(&store, "y", "v").await.expect("put");
    store.close().await;
    let store = open_with(&path, &with(b'b', b"ab")).await;
    assert_eq!(list(&store, None), ["x=v@1.1", "y=v@2.2"]);
    store.close().await;
}

#[tokio::test]
async fn all_values_are_rewritten_and_earlier_ones_are_gone() {
    let (_directory, path) = directory();
    let store = open(&path).await;
    for number in 0..300 {
        put(&store, &format!("k{number:03}"), &format!("clear-{number}")).await.expect("put");
    }
    // Longer than a page.
    put(&store, "long", &"clear-long".repeat(5000)).await.expect("put");
    put(&store, "k000", "clear-changed").await.expect("put");
    store.commit(Batch::delete("k001", Revision(2))).await.expect("deleted");
    let before = list(&store, None);
    let locked = rewrite_database::<Text>(&path, with(b'a', b"a").transformer).expect_err("in use");
    assert!(matches!(locked, OpenError::Locked { .. }), "{locked}");
    store.close().await;
    let noted = std::fs::read(with_suffix(&path, "-newest")).expect("read");

    let summary = rewrite_database::<Text>(&path, with(b'a', b"a").transformer).expect("rewritten");
    assert_eq!(summary, RewriteSummary { objects: 300, rewritten: 300, damaged: Vec::new() });
    assert!(!holds(&path, "clear-"), "nothing of the earlier values is left");
    let again = rewrite_database::<Text>(&path, with(b'a', b"a").transformer).expect("nothing to do");
    assert_eq!(again.rewritten, 0);
    for newest in [None, Some(noted)] {
        // Killed after the transaction: the file beside the database is the old one.
        newest
            .into_iter()
            .for_each(|bytes| std::fs::write(with_suffix(&path, "-newest"), bytes).expect("written"));
        let store = open_with(&path, &with(b'a', b"a")).await;
        assert_eq!(list(&store, None), before, "revisions are kept");
        assert_eq!(store.revision(), Revision(303));
        assert!(store.watch("", Revision(302)).is_err(), "the history is gone");
        assert!(!store.is_stale("k002"));
        store.close().await;
    }
    let store = open_with(&path, &with(b'a', b"a")).await;
    put(&store, "k002", "next").await.expect("put");
    assert_eq!(store.revision(), Revision(304));
    store.close().await;
    open_with(&path, &with(b'a', b"a")).await.close().await;
}

#[tokio::test]
async fn what_cannot_be_read_stays_as_it_is() {
    let (_directory, path) = directory();
    let store = open_with(&path, &with(b'a', b"a")).await;
    put(&store, "x", "v").await.expect("put");
    store.close().await;
    let store = open_with(&path, &with(b'b', b"b")).await;
    put(&store, "y", "v").await.expect("put");
    store.close().await;
    let summary = rewrite_database::<Text>(&path, with(b'c', b"cb").transformer).expect("rewritten");
    assert_eq!((summary.objects, summary.rewritten, summary.damaged.len()), (1, 1, 1));
    let store = open_with(&path, &with(b'c', b"abc")).await;
    assert_eq!(list(&store, None), ["x=v@1.1", "y=v@2.2"]);
    assert!(store.is_stale("x") && !store.is_stale("y"));
    store.close().await;
}
