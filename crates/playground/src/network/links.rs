//! Links between the pod networks of two clusters, and their failures.
//!
//! A link is up until [`Links::set`] changes it. Every connection over a link holds its [`LinkWatch`] and stalls while
//! the link is down, as TCP does while packets are lost. Traffic inside one cluster has no link.

use std::collections::BTreeMap;
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
pub(crate) struct Links {
    watches: Mutex<BTreeMap<(ClusterName, ClusterName), Arc<LinkWatch>>>,
}

impl Links {
    /// The watch of the link between two clusters, in either order; `None` inside one cluster.
    pub(crate) fn watch(&self, a: &ClusterName, b: &ClusterName) -> Option<Arc<LinkWatch>> {
        if a == b {
            return None;
        }
        let pair = (a.min(b).clone(), a.max(b).clone());
        Some(self.watches.lock().entry(pair).or_default().clone())
    }

    /// Sets the state of the link between two clusters.
    pub(crate) fn set(&self, a: &ClusterName, b: &ClusterName, link: Link) {
        if let Some(watch) = self.watch(a, b) {
            watch.set(link);
        }
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

    pub(crate) fn state(&self) -> Link {
        match self.state.load(Ordering::Acquire) {
            state if state == Link::Up as u8 => Link::Up,
            state if state == Link::Silent as u8 => Link::Silent,
            _ => Link::Unreachable,
        }
    }

    fn set(&self, link: Link) {
        self.state.store(link as u8, Ordering::Release);
        self.changed.notify_waiters();
    }
}
