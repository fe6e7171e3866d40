//! Imports of one member: one pass per service.
//!
//! An explicit import has precedence; otherwise the member's cluster set decides. Both forms run in every pass, because
//! each deletes its objects after the other has taken over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::set_import::RefusedFamilies;
use portolan_plan::import_marks::is_of_set;
use portolan_runtime::client::ClientError;
use portolan_runtime::{Outcome, Reconciler};

use crate::discovery::Discovery;
use crate::discovery::site::Site;

/// Requeue delay while a foreign Service has the name of a derived Service.
pub(super) const FOREIGN_SERVICE_RECHECK: Duration = Duration::from_secs(30);

/// Reconciles the imports of one member.
pub(super) struct Importer {
    pub(super) discovery: Arc<Discovery>,
    pub(super) site: Arc<Site>,
    /// Address families of derived Services that the member's API server has refused, by import.
    pub(super) refused_families: Mutex<BTreeMap<ObjectKey, RefusedFamilies>>,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImportError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(
        "cannot create the derived service of the import: service {service} exists and is not managed by Portolan: \
         delete or rename it"
    )]
    ForeignService { service: ObjectKey },
}

impl Importer {
    pub(super) fn new(discovery: &Arc<Discovery>, site: &Arc<Site>) -> Self {
        Self { discovery: discovery.clone(), site: site.clone(), refused_families: Mutex::default() }
    }
}

impl Reconciler for Importer {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !self.site.is_synced() || !self.discovery.clusters.is_synced() {
            // The key is queued again after the caches have synced.
            return Outcome::Done;
        }
        let Some(import) = self.site.import(key) else { return Outcome::Done };
        let Some(own) = self.site.member().hold().holder() else { return Outcome::Done };
        let (of_set, explicit): (Option<Arc<Object>>, Option<Arc<Object>>) = match import {
            Some(import) if is_of_set(&import) => (Some(import), None),
            import => (None, import),
        };
        let is_explicit = explicit.is_some();
        let outcome = match self.reconcile_explicit_import(key, explicit, &own).await {
            Ok(()) => self.reconcile_set_import(key, of_set, is_explicit, own).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => Outcome::Done,
            Err(ImportError::Client(error)) => Outcome::retry(error),
            Err(error @ ImportError::ForeignService { .. }) => {
                tracing::warn!(cluster = %self.site.member().name(), import = %key, %error);
                Outcome::RequeueAfter(FOREIGN_SERVICE_RECHECK)
            }
        }
    }
}

/// Keeps the first failure, so that the failed write of one object does not stop the writes of others.
pub(super) fn keep_first(failure: &mut Option<ImportError>, result: Result<(), ImportError>) {
    if let Err(error) = result {
        failure.get_or_insert(error);
    }
}
