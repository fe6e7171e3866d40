//! Works and bindings that were deleted by hand: they are made again after a moment in which they do not exist.
//!
//! `kubectl delete` reads the object first and lists it then, to watch it until it is gone. If another object with its name
//! appears between the two, kubectl takes it for the first one and waits without end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_object::ObjectKey;
use tokio::time::Instant;

/// Time for which nothing with the name exists; a busy client has noticed it then.
const ABSENCE: Duration = Duration::from_secs(1);

/// Time after which a note is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// The keys of Works and bindings that end, or ended a moment ago; clones share state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Released(Arc<Mutex<HashMap<ObjectKey, Instant>>>);

impl Released {
    /// Notes that an object ends now, because nothing of this control plane holds it any more.
    pub(crate) fn note(&self, key: ObjectKey) {
        let mut notes = self.0.lock();
        notes.retain(|_, at| at.elapsed() < FORGOTTEN);
        notes.insert(key, Instant::now());
    }

    /// A noted object is gone. That is later than the note if another finalizer held it.
    pub(crate) fn ended(&self, key: &ObjectKey) {
        if let Some(at) = self.0.lock().get_mut(key) {
            *at = Instant::now();
        }
    }

    /// The time until an object of this name may be made; `None` if that is now.
    pub(crate) fn wait(&self, key: &ObjectKey) -> Option<Duration> {
        let elapsed = self.0.lock().get(key)?.elapsed();
        ABSENCE.checked_sub(elapsed).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_object_is_made_again_after_a_second() {
        let released = Released::default();
        let (work, other) = (ObjectKey::namespaced("karmada-es-eu", "w"), ObjectKey::cluster("w"));
        released.note(work.clone());
        assert_eq!(released.wait(&other), None);
        tokio::time::advance(Duration::from_millis(400)).await;
        assert_eq!(released.wait(&work), Some(Duration::from_millis(600)));
        tokio::time::advance(Duration::from_millis(600)).await;
        assert_eq!(released.wait(&work), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_second_begins_when_the_last_finalizer_is_gone() {
        let released = Released::default();
        let work = ObjectKey::namespaced("karmada-es-eu", "w");
        released.note(work.clone());
        tokio::time::advance(Duration::from_secs(5)).await;
        released.ended(&work);
        assert_eq!(released.wait(&work), Some(ABSENCE));
        tokio::time::advance(FORGOTTEN).await;
        released.note(ObjectKey::cluster("other"));
        assert_eq!(released.0.lock().len(), 1, "the old note is forgotten");
    }
}
