//! One pass over one service of one importing member.
//!
//! An import that a user made keeps its explicit form; without one, the member's cluster set decides. Both run in every
//! pass, because each also takes back what it brought once the other has taken over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::cluster_set::is_of_set;
use portolan_runtime::client::ClientError;
use portolan_runtime::{Outcome, Reconciler};

use crate::discovery::Discovery;
use crate::discovery::site::Site;

/// A Service that is in the way is somebody else's; how long it may take until it is looked at again.
pub(super) const FOREIGN_RECHECK: Duration = Duration::from_secs(30);

/// Gives one member what its imports ask for.
pub(super) struct Importer {
    pub(super) discovery: Arc<Discovery>,
    pub(super) site: Arc<Site>,
    /// What the member's API server said when it refused the families of a derived Service.
    pub(super) refused: Mutex<BTreeMap<ObjectKey, String>>,
}

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the import has no derived service: service {service} exists and is not managed by Portolan")]
    Foreign { service: ObjectKey },
}

impl Importer {
    pub(super) fn new(discovery: &Arc<Discovery>, site: &Arc<Site>) -> Self {
        Self { discovery: discovery.clone(), site: site.clone(), refused: Mutex::default() }
    }
}

impl Reconciler for Importer {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !self.site.is_synced() || !self.discovery.clusters.is_synced() {
            // Whatever becomes known later adds the key again.
            return Outcome::Done;
        }
        let Some(import) = self.site.import(key) else { return Outcome::Done };
        let (of_set, explicit): (Option<Arc<Object>>, Option<Arc<Object>>) = match import {
            Some(import) if is_of_set(&import) => (Some(import), None),
            import => (None, import),
        };
        let is_explicit = explicit.is_some();
        let outcome = match self.import_explicitly(key, explicit).await {
            Ok(()) => self.import_of_set(key, of_set, is_explicit).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => Outcome::Done,
            Err(ActError::Client(error)) => Outcome::retry(error),
            Err(error @ ActError::Foreign { .. }) => {
                tracing::warn!(cluster = %self.site.member().name(), import = %key, %error);
                Outcome::RequeueAfter(FOREIGN_RECHECK)
            }
        }
    }
}

/// Keeps the first failure: one object that cannot be written must not keep back the others.
pub(super) fn first_failure(failure: &mut Option<ActError>, result: Result<(), ActError>) {
    if let Err(error) = result {
        failure.get_or_insert(error);
    }
}
