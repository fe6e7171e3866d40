//! Imports of one member: one pass per service.
//!
//! An explicit import has precedence; otherwise the member's cluster set decides. Both forms run in every pass, because
//! each deletes its objects after the other has taken over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::problem::ImportProblem;
use portolan_plan::discovery::set_import::RefusedFamilies;
use portolan_plan::import_marks::is_import_of_set;
use portolan_runtime::client::ClientError;
use portolan_runtime::{EventRecorder, Outcome, Reconciler};

use crate::discovery::Discovery;
use crate::discovery::member_writer::MemberWriter;
use crate::discovery::moving_traffic::MovingTraffic;
use crate::discovery::problems;
use crate::discovery::refusals::REFUSED_RECHECK;
use crate::discovery::site::Site;
use crate::hub::MembershipState;

/// Requeue delay while a foreign Service has the name of a derived Service.
pub(super) const FOREIGN_SERVICE_RECHECK: Duration = Duration::from_secs(30);

/// Requeue delay while a change that the API server has is not in the cache.
const CACHE_RECHECK: Duration = Duration::from_millis(50);

/// Reconciles the imports of one member.
pub(super) struct Importer {
    pub(super) discovery: Arc<Discovery>,
    pub(super) site: Arc<Site>,
    pub(super) events: EventRecorder,
    /// Address families of derived Services that the member's API server has refused, by import.
    pub(super) refused_families: Mutex<BTreeMap<ObjectKey, RefusedFamilies>>,
    /// Traffic that moves to and away from exporters.
    pub(super) moving: MovingTraffic,
    /// Imports that passes have seen or written. One that is gone now was deleted.
    pub(super) seen_imports: Mutex<BTreeSet<ObjectKey>>,
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
    /// The API server has a Service with the marks of the import, which the cache does not have.
    #[error("the marks of service {service} as the derived service of the import have not arrived yet")]
    MarkNotSeen { service: ObjectKey },
}

impl Importer {
    pub(super) fn new(discovery: &Arc<Discovery>, site: &Arc<Site>, events: EventRecorder) -> Self {
        Self {
            discovery: discovery.clone(),
            site: site.clone(),
            events,
            refused_families: Mutex::default(),
            moving: MovingTraffic::default(),
            seen_imports: Mutex::default(),
        }
    }
}

impl Reconciler for Importer {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !self.site.is_synced()
            || !self.discovery.clusters.is_synced()
            || !self.discovery.policies.is_synced()
            || !self.discovery.profiles.is_synced()
        {
            // The key is queued again after the caches have synced.
            return Outcome::Done;
        }
        let Some(import) = self.site.import(key) else { return Outcome::Done };
        let Some(own) = self.site.member().hold().holder() else { return Outcome::Done };
        if import.is_some() {
            self.seen_imports.lock().insert(key.clone());
        }
        let (of_set, explicit): (Option<Arc<Object>>, Option<Arc<Object>>) = match import {
            Some(import) if is_import_of_set(&import) => (Some(import), None),
            import => (None, import),
        };
        let outcome = self.reconcile_both(key, of_set, explicit, own).await;
        self.set_problems(key, &outcome);
        match outcome {
            Ok(_) => {
                let is_refused = self.discovery.refusals.has(self.site.member().name(), key);
                match self.moving.outcome(key, self.discovery.clock.elapsed()) {
                    Outcome::Done if is_refused => Outcome::RequeueAfter(REFUSED_RECHECK),
                    Outcome::RequeueAfter(step) if is_refused => {
                        Outcome::RequeueAfter(step.min(REFUSED_RECHECK))
                    }
                    next => next,
                }
            }
            Err(ImportError::Client(error)) => Outcome::retry(error),
            Err(ImportError::MarkNotSeen { .. }) => Outcome::RequeueAfter(CACHE_RECHECK),
            Err(error @ ImportError::ForeignService { .. }) => {
                tracing::warn!(cluster = %self.site.member().name(), import = %key, %error);
                Outcome::RequeueAfter(FOREIGN_SERVICE_RECHECK)
            }
        }
    }
}

impl Importer {
    /// The form of the import comes first, so that it has endpoints before those of the other form are deleted.
    async fn reconcile_both(
        &self,
        key: &ObjectKey,
        of_set: Option<Arc<Object>>,
        explicit: Option<Arc<Object>>,
        own: Arc<str>,
    ) -> Result<Vec<ImportProblem>, ImportError> {
        let is_explicit = explicit.is_some();
        if let Some(import) = &of_set {
            self.check_mark(key, import).await?;
            let state = self.discovery.sets.state(self.site.member().name());
            if matches!(state, MembershipState::Unknown | MembershipState::Pending(_)) {
                // The set writes nothing yet, so what an explicit import before has left is still in use.
                return Ok(Vec::new());
            }
            let found = self.reconcile_set_import(key, of_set, is_explicit, own.clone()).await?;
            let of_other = self.reconcile_explicit_import(key, explicit, &own).await?;
            return Ok(found.into_iter().chain(of_other).collect());
        }
        let found = self.reconcile_explicit_import(key, explicit, &own).await?;
        let of_other = self.reconcile_set_import(key, of_set, is_explicit, own).await?;
        Ok(found.into_iter().chain(of_other).collect())
    }

    /// Notes the problems of a pass, for the conditions of the exports. An error that passes changes nothing.
    fn set_problems(&self, key: &ObjectKey, outcome: &Result<Vec<ImportProblem>, ImportError>) {
        let found = match outcome {
            Ok(found) => found.clone(),
            Err(ImportError::ForeignService { service }) => {
                vec![ImportProblem::ForeignService(service.clone())]
            }
            Err(ImportError::MarkNotSeen { .. }) => return,
            Err(ImportError::Client(error)) => match problems::of_error(error) {
                Some(problem) => vec![problem],
                None => return,
            },
        };
        if self.discovery.problems.set(self.site.member().name(), key, found) {
            self.discovery.queue_exporters(key);
        }
    }

    /// Writes an EndpointSlice of an import. One that the member refuses as invalid is reported at the export and sent again
    /// after minutes, or when it changes.
    pub(super) async fn put_slice(&self, key: &ObjectKey, slice: Object) -> Result<(), ImportError> {
        let (member, refusals) = (self.site.member(), &self.discovery.refusals);
        if refusals.holds(member.name(), &slice) {
            return Ok(());
        }
        let writer = MemberWriter { member, cache: self.site.slice_cache() };
        let is_changed = match writer.put(slice.clone()).await {
            Err(ClientError::Invalid(status)) => {
                tracing::warn!(cluster = %member.name(), import = %key, slice = %slice.key(), %status,
                    "the cluster refuses an imported EndpointSlice");
                refusals.note(member.name(), key, &slice, status.to_string())
            }
            result => {
                result?;
                refusals.forget(member.name(), &slice.key())
            }
        };
        self.refusals_changed(key, is_changed);
        Ok(())
    }

    /// Forgets refusals of slices that are no longer wanted. `wanted` are the slices that a pass writes.
    pub(super) fn keep_refusals(&self, key: &ObjectKey, manager: &str, wanted: &[ObjectKey]) {
        let member = self.site.member().name();
        let is_changed = self.discovery.refusals.keep(member, key, manager, wanted);
        self.refusals_changed(key, is_changed);
    }

    fn refusals_changed(&self, key: &ObjectKey, is_changed: bool) {
        if is_changed {
            let member = self.site.member();
            let count = self.discovery.refusals.count(member.name());
            member.client().metrics().set_refused_slices(member.name(), count);
            self.discovery.queue_exporters(key);
        }
    }
}

/// Keeps the first failure, so that the failed write of one object does not stop the writes of others.
pub(super) fn keep_first(failure: &mut Option<ImportError>, result: Result<(), ImportError>) {
    if let Err(error) = result {
        failure.get_or_insert(error);
    }
}
