//! The links between the pod networks of two clusters, and how they are cut.
//!
//! A link carries traffic until someone cuts it. Every connection over it holds its [`Gate`] and stalls while the
//! gate is closed, as packets on a dead line would be lost and sent again; nothing inside one cluster is ever cut.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::network::{ClusterName, DialError};

/// The state of the link between two clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Link {
    /// Traffic passes.
    Up = 0,
    /// Traffic is lost without a word: new connections time out, existing ones stall until the link is back.
    Silent = 1,
    /// New connections fail at once with "no route to host"; existing ones stall.
    Unreachable = 2,
}

/// All links of one network.
#[derive(Debug, Default)]
pub(crate) struct Links {
    gates: Mutex<BTreeMap<(ClusterName, ClusterName), Arc<Gate>>>,
}

impl Links {
    /// The gate between two clusters, whichever is named first; `None` inside one cluster.
    pub(crate) fn gate(&self, a: &ClusterName, b: &ClusterName) -> Option<Arc<Gate>> {
        if a == b {
            return None;
        }
        let pair = (a.min(b).clone(), a.max(b).clone());
        Some(self.gates.lock().entry(pair).or_default().clone())
    }

    /// Sets the state of the link between two clusters.
    pub(crate) fn set(&self, a: &ClusterName, b: &ClusterName, link: Link) {
        if let Some(gate) = self.gate(a, b) {
            gate.set(link);
        }
    }
}

/// What a connection looks at before it moves a byte.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: AtomicU8,
    changed: Arc<Notify>,
}

impl Gate {
    pub(crate) fn is_up(&self) -> bool {
        self.state.load(Ordering::Acquire) == Link::Up as u8
    }

    /// Waits while the link is silent.
    ///
    /// # Errors
    /// [`DialError::Unreachable`] when the link says so.
    pub(crate) async fn passable(&self) -> Result<(), DialError> {
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

    /// Wakes whoever is registered on it whenever the state changes.
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
