//! Links between the pod networks of two clusters, and their failures.
//!
//! A link is up until [`Links::set`] changes it, and silent while one of its clusters is isolated. Every connection over a
//! link holds its [`LinkWatch`] and stalls while the link is down, as TCP does while packets are lost. Traffic inside one
//! cluster has no link.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::network::address::ClusterName;
use crate::network::error::DialError;

/// State of the link between two clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Link {
    /// Traffic passes.
    Up = 0,
    /// Traffic is dropped silently: new connections time out, existing ones stall until the link is up.
    Silent = 1,
    /// New connections fail immediately with "no route to host"; existing ones stall.
    Unreachable = 2,
}

/// All links of one network.
#[derive(Debug, Default)]
pub(crate) struct Links(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    /// As switched, without regard to isolated clusters. Links that were never switched are up.
    switched: BTreeMap<(ClusterName, ClusterName), Link>,
    isolated: BTreeSet<ClusterName>,
    watches: BTreeMap<(ClusterName, ClusterName), Arc<LinkWatch>>,
}

impl Table {
    fn switched(&self, pair: &(ClusterName, ClusterName)) -> Link {
        self.switched.get(pair).copied().unwrap_or(Link::Up)
    }

    fn effective(&self, pair: &(ClusterName, ClusterName)) -> Link {
        match [&pair.0, &pair.1].into_iter().any(|cluster| self.isolated.contains(cluster)) {
            true => Link::Silent,
            false => self.switched(pair),
        }
    }

    fn update_watches(&self) {
        for (pair, watch) in &self.watches {
            watch.set(self.effective(pair));
        }
    }
}

fn pair(a: &ClusterName, b: &ClusterName) -> (ClusterName, ClusterName) {
    (a.min(b).clone(), a.max(b).clone())
}

impl Links {
    /// The watch of the link between two clusters, in either order; `None` inside one cluster.
    pub(crate) fn watch(&self, a: &ClusterName, b: &ClusterName) -> Option<Arc<LinkWatch>> {
        if a == b {
            return None;
        }
        let (mut table, pair) = (self.0.lock(), pair(a, b));
        if let Some(watch) = table.watches.get(&pair) {
            return Some(watch.clone());
        }
        let watch = Arc::new(LinkWatch::default());
        watch.set(table.effective(&pair));
        table.watches.insert(pair, watch.clone());
        Some(watch)
    }

    /// Sets the state of the link between two clusters.
    pub(crate) fn set(&self, a: &ClusterName, b: &ClusterName, link: Link) {
        if a != b {
            let mut table = self.0.lock();
            table.switched.insert(pair(a, b), link);
            table.update_watches();
        }
    }

    /// Makes all links of a cluster silent, or gives them back the state that they were set to.
    pub(crate) fn isolate(&self, cluster: &ClusterName, is_isolated: bool) {
        let mut table = self.0.lock();
        if is_isolated {
            table.isolated.insert(cluster.clone());
        } else {
            table.isolated.remove(cluster);
        }
        table.update_watches();
    }

    /// The state that a link was set to; it may be silent for another cause.
    pub(crate) fn switched(&self, a: &ClusterName, b: &ClusterName) -> Link {
        self.0.lock().switched(&pair(a, b))
    }

    /// The state of a link.
    pub(crate) fn effective(&self, a: &ClusterName, b: &ClusterName) -> Link {
        self.0.lock().effective(&pair(a, b))
    }
}

/// Current state of one link, checked by a connection before it moves a byte.
#[derive(Debug, Default)]
pub(crate) struct LinkWatch {
    state: AtomicU8,
    changed: Arc<Notify>,
}

impl LinkWatch {
    pub(crate) fn is_up(&self) -> bool {
        self.state.load(Ordering::Acquire) == Link::Up as u8
    }

    /// Waits while the link is silent.
    ///
    /// # Errors
    /// [`DialError::Unreachable`] when the link is [`Link::Unreachable`].
    pub(crate) async fn until_up(&self) -> Result<(), DialError> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the state is read, so that no change is missed.
            changed.as_mut().enable();
            match self.state.load(Ordering::Acquire) {
                state if state == Link::Up as u8 => return Ok(()),
                state if state == Link::Unreachable as u8 => return Err(DialError::Unreachable),
                _ => changed.await,
            }
        }
    }

    /// Notified whenever the state changes.
    pub(crate) fn changed(&self) -> &Arc<Notify> {
        &self.changed
    }

    fn set(&self, link: Link) {
        self.state.store(link as u8, Ordering::Release);
        self.changed.notify_waiters();
    }
}
