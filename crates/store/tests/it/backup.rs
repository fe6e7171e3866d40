//! Copies of a database in use, and a store on such a copy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portolan_store::{
    Batch, OpenError, Query, Revision, Store, adopt_database, copy_database, lock_database,
};

use crate::note::Note;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_store_in_use_is_one_instant_of_it() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("store.db");
    let store = Store::<Note>::open(&path).await.expect("opened");
    let is_done = Arc::new(AtomicBool::new(false));
    let writer = {
        let (store, is_done) = (store.clone(), Arc::clone(&is_done));
        tokio::spawn(async move {
            let mut number = 0;
            while !is_done.load(Ordering::Relaxed) {
                let key = format!("/{:03}", number % 200);
                let batch = match store.get(&key) {
                    Some(old) => Batch::update(key, old.modified, Note::new(number.to_string())),
                    None => Batch::create(key, Note::new(number.to_string())),
                };
                store.commit(batch).await.expect("committed");
                number += 1;
            }
        })
    };
    for number in 0..8 {
        let copy = directory.path().join(format!("copy-{number}/store.db"));
        std::fs::create_dir(copy.parent().expect("a parent")).expect("made");
        let before = store.revision();
        let (from, to) = (path.clone(), copy.clone());
        let summary = tokio::task::spawn_blocking(move || copy_database(&from, &to)).await.expect("no panic");
        let summary = summary.expect("copied");
        assert!(before <= summary.revision && summary.revision <= store.revision(), "{summary:?}");
        assert!(summary.damaged.is_empty());
        let names = std::fs::read_dir(copy.parent().expect("a parent")).expect("listing").count();
        assert_eq!(names, 1, "a single file");

        let adopted = adopt_database(&copy).expect("adopted");
        assert_eq!(adopted.objects, summary.objects);
        assert!(adopted.revision.0 > store.revision().0 + 1_000_000);
        let restored = Store::<Note>::open(&copy).await.expect("opened");
        assert_eq!(restored.revision(), adopted.revision);
        let page = restored.range(&Query::default()).expect("readable");
        // The newest write at that instant is there, and nothing later.
        let newest = page.items.iter().map(|item| item.modified).max().unwrap_or_default();
        assert_eq!(newest, summary.revision);
        assert!(restored.watch("", summary.revision).is_err(), "clients list again");
        restored.commit(Batch::create("/new", Note::new("x"))).await.expect("committed");
        restored.close().await;
        let restored = Store::<Note>::open(&copy).await.expect("opened again");
        assert_eq!(restored.revision(), Revision(adopted.revision.0 + 1));
        restored.close().await;
    }
    is_done.store(true, Ordering::Relaxed);
    writer.await.expect("no panic");
    let locked = lock_database(&path);
    assert!(matches!(locked, Err(OpenError::Locked { .. })), "{locked:?}");
    store.close().await;
    lock_database(&path).expect("free");
}
