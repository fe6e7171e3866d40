//! Admission that objects configure: webhooks and validating policies with the annotation `portolan.dev/run-here`.
//!
//! Without the annotation such an object belongs to the clusters that it is propagated to, and is only stored here. The write
//! path calls [`InForce::mutate`] after the defaults and [`InForce::validate`] after the validation of the kind.
//! Requests of this process itself are not asked about, so that a webhook cannot stop the server; neither
//! are writes of the configurations, so that a faulty one can be repaired.
//!
//! ```text
//! configurations in the store ─► load ─► InForce ─┬► webhooks ─► review ─► client ─► webhook
//!                  (again after a change)         └► policies ─► expressions
//!                                                      both: matching
//! ```

mod client;
mod load;
mod matching;
mod policies;
mod review;
mod types;
mod webhooks;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use portolan_object::Status;
use portolan_store::{Query, Store, Watch};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::call::Call;
use crate::record::Record;
pub(crate) use matching::Asked;
use policies::Policy;
use webhooks::Webhook;

/// Key prefix of all configurations.
const PREFIX: &str = "admissionregistration.k8s.io/";
/// Maximum number of calls of webhooks at a time; a further call fails.
const MAX_CALLS: usize = 256;

/// The configurations in force. Read from the store when first needed, and again after any of them changed.
pub(crate) struct Configured {
    store: Store<Record>,
    current: Mutex<Option<Current>>,
    calls: Semaphore,
}

/// Configurations, and a watch that has an event once they are outdated.
struct Current {
    in_force: Arc<InForce>,
    watch: Watch<Record>,
}

/// Everything that is asked about a write.
#[derive(Debug, Default)]
pub(crate) struct InForce {
    mutating: Vec<Webhook>,
    validating: Vec<Webhook>,
    policies: Vec<Policy>,
}

impl fmt::Debug for Configured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").finish_non_exhaustive()
    }
}

impl Configured {
    pub(crate) fn new(store: Store<Record>) -> Self {
        Self { store, current: Mutex::new(None), calls: Semaphore::new(MAX_CALLS) }
    }

    /// Room for one call of a webhook.
    fn permit(&self) -> Result<SemaphorePermit<'_>, String> {
        self.calls.try_acquire().map_err(|_| format!("{MAX_CALLS} calls of webhooks are under way"))
    }

    /// What is asked about the writes of a request; every change that was answered is included.
    ///
    /// # Errors
    /// 500 when the store cannot be read: without the configurations no write can be decided.
    pub(crate) fn in_force(&self, call: &Call) -> Result<Arc<InForce>, Status> {
        if call.is_own || call.resource.kind.group == "admissionregistration.k8s.io" {
            return Ok(Arc::default());
        }
        let mut current = self.current.lock();
        if let Some(current) = current.as_mut()
            && matches!(current.watch.try_next(), Ok(None))
        {
            return Ok(Arc::clone(&current.in_force));
        }
        *current = None;
        let unread = |error| Status::internal(format!("configurations of admission cannot be read: {error}"));
        let page = self.store.range(&Query::prefix(PREFIX)).map_err(unread)?;
        let objects: Vec<Value> = page.items.iter().map(|item| item.value.value()).collect();
        let watch = self.store.watch(PREFIX, page.revision).map_err(unread)?;
        let in_force = Arc::new(load::in_force(&objects));
        Ok(Arc::clone(&current.insert(Current { in_force, watch }).in_force))
    }
}

impl InForce {
    /// Lets mutating webhooks change an object; for a deletion, they only decide.
    ///
    /// # Errors
    /// The status of the webhook that refuses, or of the call that failed.
    pub(crate) async fn mutate(
        &self,
        call: &Call,
        asked: &Asked<'_>,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        if self.mutating.is_empty() {
            return Ok(());
        }
        webhooks::mutate(&self.mutating, call, asked, object, old).await
    }

    /// Asks policies and validating webhooks.
    ///
    /// # Errors
    /// The status of the first that refuses, policies before webhooks.
    pub(crate) async fn validate(
        &self,
        call: &Call,
        asked: &Asked<'_>,
        object: &Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        policies::validate(&self.policies, call, asked, object, old)?;
        if self.validating.is_empty() {
            return Ok(());
        }
        webhooks::validate(&self.validating, call, asked, object, old).await
    }
}
