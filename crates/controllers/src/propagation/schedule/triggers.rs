//! Reasons to schedule a binding that are not in the binding itself.
//!
//! Everything here is in memory. What a restart loses is made up for by the passes over all bindings that follow a start.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use portolan_object::ObjectKey;
use tokio::sync::OwnedMutexGuard;

/// Bindings with a reason to be scheduled; clones share state.
#[derive(Clone, Default)]
pub(in crate::propagation) struct Triggers {
    /// A cluster that their placement selects changed.
    asked: Arc<Mutex<HashSet<ObjectKey>>>,
    /// No cluster has room for them.
    waiting: Arc<Mutex<HashSet<ObjectKey>>>,
    /// Held while a workload of a group is placed.
    group_turn: Arc<tokio::sync::Mutex<()>>,
}

impl Triggers {
    /// A cluster changed that concerns the binding.
    pub(in crate::propagation) fn ask(&self, key: ObjectKey) {
        self.asked.lock().insert(key);
    }

    /// Whether [`Triggers::ask`] was called since the last call.
    pub(super) fn take_asked(&self, key: &ObjectKey) -> bool {
        self.asked.lock().remove(key)
    }

    /// The binding cannot be placed until a cluster has more room.
    pub(super) fn waits_for_room(&self, key: &ObjectKey) {
        self.waiting.lock().insert(key.clone());
    }

    /// The binding does not wait for room.
    pub(super) fn placed(&self, key: &ObjectKey) {
        self.waiting.lock().remove(key);
    }

    /// The binding is gone.
    pub(in crate::propagation) fn forget(&self, key: &ObjectKey) {
        self.asked.lock().remove(key);
        self.waiting.lock().remove(key);
    }

    /// The bindings that wait for room.
    pub(in crate::propagation) fn waiting(&self) -> Vec<ObjectKey> {
        self.waiting.lock().iter().cloned().collect()
    }

    /// Waits until no other workload of a group is being placed.
    pub(super) async fn group_turn(&self) -> OwnedMutexGuard<()> {
        self.group_turn.clone().lock_owned().await
    }
}
