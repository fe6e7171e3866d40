//! Templates for which an interpreter fails to give the number of replicas. Their bindings keep the last number, and a condition
//! says why.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use portolan_object::ObjectKey;

/// The failures, by binding. Clones share state.
#[derive(Debug, Clone, Default)]
pub(super) struct Uncounted(Arc<Mutex<HashMap<ObjectKey, String>>>);

impl Uncounted {
    /// Notes a failure; whether it is a new one.
    pub(super) fn note(&self, binding: &ObjectKey, failure: String) -> bool {
        self.0.lock().insert(binding.clone(), failure.clone()) != Some(failure)
    }

    /// The template was counted, or the binding is gone; whether there was a failure.
    pub(super) fn forget(&self, binding: &ObjectKey) -> bool {
        self.0.lock().remove(binding).is_some()
    }

    /// Why a binding does not follow its template.
    pub(super) fn failure(&self, binding: &ObjectKey) -> Option<String> {
        let failure = self.0.lock().get(binding).cloned()?;
        Some(format!("the latest change of the object is not in the members: {failure}"))
    }
}
