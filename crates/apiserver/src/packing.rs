//! Compresses stored objects that are seldom read, and versions of objects that were replaced, which only late watches read.
//!
//! An object is compressed when it was neither written nor read between two passes; a version that was replaced, when it is
//! older than a pass.

use std::sync::Arc;
use std::time::Duration;

use portolan_packing::Packer;
use portolan_store::{Query, Revision, Store};
use tokio::sync::mpsc;

use crate::record::Record;
use crate::server::Server;

/// Time between two passes.
const INTERVAL: Duration = Duration::from_secs(10);
/// Objects that are read from the store at once.
const BATCH: usize = 256;

/// Two tasks that repeat passes until the server stops: one that waits, and one that compresses. The second one computes for
/// long, so it needs a thread of its own; it has no timers, because the runtime may end before its thread.
pub(crate) fn tasks(
    server: &Arc<Server>,
) -> (impl Future<Output = ()> + Send + 'static, impl Future<Output = ()> + Send + 'static) {
    let (due, passes) = mpsc::channel(1);
    let stopping = server.stopping.clone();
    let waiting = async move {
        let ticks = async {
            loop {
                tokio::time::sleep(INTERVAL).await;
                if due.send(()).await.is_err() {
                    return;
                }
            }
        };
        stopping.run_until_cancelled(ticks).await;
    };
    (waiting, compress(Arc::clone(server), passes))
}

/// Makes a pass for each message.
async fn compress(server: Arc<Server>, mut due: mpsc::Receiver<()>) {
    let compressing = async {
        let mut passes = Passes::default();
        while due.recv().await.is_some() {
            passes.replaced(&server.store).await;
            passes.stored(&server.store).await;
        }
    };
    server.stopping.run_until_cancelled(compressing).await;
}

#[derive(Default)]
struct Passes {
    packer: Packer,
    /// Versions that were replaced up to this write were compressed.
    done: Revision,
    /// The newest write at the last pass.
    newest: Revision,
}

impl Passes {
    /// Compresses the versions that had been replaced at the last pass.
    async fn replaced(&mut self, store: &Store<Record>) {
        let to = std::mem::replace(&mut self.newest, store.revision());
        while self.done < to {
            let (versions, last) = store.replaced(self.done, to, BATCH);
            versions.iter().for_each(|version| version.pack(&self.packer));
            if last <= self.done {
                break;
            }
            self.done = last;
            tokio::task::yield_now().await;
        }
    }

    /// Compresses the objects that were not read since the last pass.
    async fn stored(&self, store: &Store<Record>) {
        let mut query = Query { limit: BATCH, ..Query::default() };
        // The newest revision can always be read.
        while let Ok(items) = store.items(&query) {
            items.iter().for_each(|item| item.value.rest(&self.packer));
            let Some(last) = items.last() else { return };
            query.start_after = Some(last.key.to_string());
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use portolan_store::{Batch, Payload};
    use serde_json::{Value, json};

    use super::*;
    use crate::record::{Change, Opening};

    fn object(index: usize, value: &str) -> Value {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": format!("a{index}"), "uid": "u" },
            "data": { "k": value.repeat(100), "l": "0123456789".repeat(50) } })
    }

    fn record(index: usize, value: &str) -> Record {
        let opening = Opening::new("v1", "ConfigMap", Change::Added).expect("a short kind");
        Record::new(Arc::new(opening), &object(index, value))
    }

    #[tokio::test]
    async fn objects_that_rest_are_compressed_and_read_the_same() {
        let store = Store::in_memory();
        for index in 0..600 {
            let created = Batch::create(format!("k{index:03}"), record(index, "x"));
            store.commit(created).await.expect("no conflict");
        }
        let packed = || {
            let page = store.range(&Query::default()).expect("the newest revision");
            page.items.iter().filter(|item| item.value.is_packed()).count()
        };
        let passes = Passes::default();
        passes.stored(&store).await;
        assert_eq!(packed(), 0, "all were just written");
        let before = store.get("k007").expect("it is there").value.frame();
        passes.stored(&store).await;
        assert_eq!(packed(), 599, "one was read");
        passes.stored(&store).await;
        assert_eq!(packed(), 600);
        // The first read leaves it compressed, the second one does not.
        let item = store.get("k007").expect("it is there").value;
        assert_eq!((item.frame(), item.is_packed()), (before.clone(), true));
        assert_eq!((item.frame(), item.is_packed()), (before.clone(), false));
        assert_eq!(
            (item.weight(), item.value()["data"].clone()),
            (before.len(), object(7, "x")["data"].clone())
        );
    }

    #[tokio::test]
    async fn replaced_versions_are_compressed_a_pass_later() {
        let store = Store::in_memory();
        let created = store.commit(Batch::create("k", record(0, "a"))).await.expect("no conflict");
        let updated = Batch::update("k", created[0].revision, record(0, "b"));
        let events = store.commit(updated).await.expect("no conflict");
        let previous = events[0].previous.clone().expect("it was replaced").value;
        let before = previous.frame();
        let mut passes = Passes::default();
        passes.replaced(&store).await;
        assert!(!previous.is_packed());
        passes.replaced(&store).await;
        assert!(previous.is_packed() && !store.get("k").expect("it is there").value.is_packed());
        assert_eq!(previous.frame(), before);
    }
}
