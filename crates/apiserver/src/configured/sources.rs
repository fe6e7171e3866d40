//! The configurations in the store, and what is in force of them.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use portolan_object::Status;
use portolan_store::{Query, Store, Watch};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::load::{self, InForce};
use crate::record::Record;

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
    pub(super) fn permit(&self) -> Result<SemaphorePermit<'_>, String> {
        self.calls.try_acquire().map_err(|_| format!("{MAX_CALLS} calls of webhooks are under way"))
    }

    /// The configurations; every change that was answered is included.
    ///
    /// # Errors
    /// 500 when the store cannot be read: without the configurations no write can be decided.
    pub(super) fn in_force(&self) -> Result<Arc<InForce>, Status> {
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
