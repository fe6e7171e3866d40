//! When an object was seen by a watch.
//!
//! Every latency is measured between a request that this program sends and an event that arrives here. The watch is
//! open before the request goes out, and a separate task records the time, so nothing polls, and work of the measuring
//! side does not delay a time stamp.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use portolan_net::Shutdown;
use portolan_object::Object;
use portolan_runtime::client::{Client, Selection, WatchEvent, WatchStream};
use portolan_runtime::{ClientError, Resource};
use tokio::sync::mpsc;

/// Timeout after which an object counts as lost. Slow systems need minutes for some figures.
pub(crate) const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(120);

/// Capacity of the event channel. No scenario fills it.
const CAPACITY: usize = 1 << 16;

/// One event of the watch.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// When it was read completely.
    pub(crate) at: Instant,
    /// What happened.
    pub(crate) change: Change,
    /// The object.
    pub(crate) object: Object,
}

/// What an event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// The object is new.
    Added,
    /// It is different.
    Modified,
    /// It is gone.
    Deleted,
}

/// A watch, from which events are taken in order.
pub(crate) struct Arrivals {
    what: String,
    events: mpsc::Receiver<Result<Arrival, ClientError>>,
    present: Vec<Object>,
    scope: Shutdown,
}

impl Arrivals {
    /// Lists, and watches from there; the watch is open when this returns.
    ///
    /// # Errors
    /// When the server refuses either.
    pub(crate) async fn open(
        client: &Client,
        resource: &Resource,
        selection: &Selection,
        scope: &Shutdown,
    ) -> Result<Self> {
        let what = resource.to_string();
        let api = client.resource::<Object>(resource);
        let list = api.list(selection).await.with_context(|| format!("cannot list {what}"))?;
        let stream = api.watch(selection, &list.resource_version).await;
        let stream = stream.with_context(|| format!("cannot watch {what}"))?;
        let (sender, events) = mpsc::channel(CAPACITY);
        let scope = scope.child();
        let stop = scope.clone();
        scope.spawn(async move {
            tokio::select! {
                () = forward(stream, sender) => {}
                () = stop.requested() => {}
            }
        });
        let present = list.items.into_iter().map(|item| item.object).collect();
        Ok(Self { what, events, present, scope })
    }

    /// The objects that were there when the watch was opened.
    pub(crate) fn present(&self) -> &[Object] {
        &self.present
    }

    /// Waits for the first event that is `wanted`; those before it are dropped.
    ///
    /// # Errors
    /// When it does not come within [`ARRIVAL_TIMEOUT`], or the watch ends.
    pub(crate) async fn first(&mut self, wanted: impl Fn(&Arrival) -> bool) -> Result<Instant> {
        let what = self.what.clone();
        let search = async {
            loop {
                let arrival = self.next().await?;
                if wanted(&arrival) {
                    return anyhow::Ok(arrival.at);
                }
            }
        };
        match tokio::time::timeout(ARRIVAL_TIMEOUT, search).await {
            Ok(found) => found,
            Err(_) => bail!("nothing of what was expected arrived among {what} within {ARRIVAL_TIMEOUT:?}"),
        }
    }

    /// The next event.
    ///
    /// # Errors
    /// When the watch ended.
    pub(crate) async fn next(&mut self) -> Result<Arrival> {
        match self.events.recv().await {
            Some(Ok(arrival)) => Ok(arrival),
            Some(Err(error)) => Err(error).with_context(|| format!("the watch of {} broke", self.what)),
            None => bail!("the watch of {} ended", self.what),
        }
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.scope.request();
    }
}

/// Records the time of each event, until the stream ends or the receiver is dropped.
async fn forward(mut stream: WatchStream<Object>, sender: mpsc::Sender<Result<Arrival, ClientError>>) {
    loop {
        let event = stream.next().await;
        let at = Instant::now();
        let (change, seen) = match event {
            Ok(Some(WatchEvent::Added(seen))) => (Change::Added, seen),
            Ok(Some(WatchEvent::Modified(seen))) => (Change::Modified, seen),
            Ok(Some(WatchEvent::Deleted(seen))) => (Change::Deleted, seen),
            Ok(Some(WatchEvent::Bookmark { .. } | WatchEvent::Known { .. })) => continue,
            Ok(None) => return,
            Err(error) => {
                // An error means that the receiver was dropped.
                let _ = sender.send(Err(error)).await;
                return;
            }
        };
        if sender.send(Ok(Arrival { at, change, object: seen.object })).await.is_err() {
            return;
        }
    }
}
