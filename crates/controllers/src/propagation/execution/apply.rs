//! Applying one Work to its member: create, update, or report why not (karmada
//! pkg/controllers/execution/execution_controller.go, pkg/util/objectwatcher/objectwatcher.go).

use std::time::Duration;

use portolan_api::conditions::cluster::READY;
use portolan_api::conditions::work::APPLIED;
use portolan_api::meta::{condition, set_condition};
use portolan_api::policy::PropagationPolicy;
use portolan_api::work::{ResourceHealth, Work, WorkStatus};
use portolan_api::{Kind, annotations, labels};
use portolan_object::patch::difference;
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use portolan_plan::clusters::ownership::stamp;
use portolan_plan::covers::covers;
use portolan_plan::kubefed::is_left_alone;
use portolan_plan::propagation::claim::leave_to_cluster;
use portolan_plan::propagation::collected;
use portolan_plan::propagation::namespace::is_shared;
use portolan_plan::propagation::status::{applied, dispatching, is_applied, is_latest, manifest_status};
use portolan_plan::propagation::work::is_named_after_manifest;
use portolan_runtime::client::Patch;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{Api, ClientError, Outcome};
use serde_json::json;

use super::advice::with_advice;
use super::node_ports::{create, replace};
use super::{Executor, manifest};
use crate::missing::ignore_missing;
use crate::propagation::interpreters::InterpretError;

/// Interval at which a conflict with an object of another owner is checked; such objects are not watched.
const FOREIGN_RECHECK: Duration = Duration::from_secs(30);

/// Lost races in a row after which the Work says so. A few are normal.
const MAX_SILENT_RACES: u32 = 5;

/// Interval at which a deferred report is checked.
const REPORT_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// A manifest was not applied.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApplyError {
    #[error("the work holds no manifest")]
    Empty,
    #[error("the work was made for another object than {kind} {key}, which is in it: it is not applied")]
    Misnamed { kind: String, key: ObjectKey },
    #[error("cluster {cluster} does not serve {kind} yet")]
    NotServed { cluster: String, kind: GroupVersionKind },
    // The text is Karmada's: users and tests look for it.
    #[error(
        "resource(kind={kind}, {key}) already exists in the cluster {cluster} and the \
         work.karmada.io/conflict-resolution strategy value is empty, Karmada will not manage this resource"
    )]
    Foreign { kind: String, key: ObjectKey, cluster: String },
    #[error(
        "{kind} {key} in cluster {cluster} has the label kubefed.io/managed=false: it is not changed; remove the label, or \
         set it to true, to have it managed"
    )]
    Unmanaged { kind: String, key: ObjectKey, cluster: String },
    #[error("cluster {cluster} is not ready ({reason}); this is applied as soon as it answers again")]
    NotReady { cluster: String, reason: String },
    #[error(transparent)]
    Interpret(#[from] InterpretError),
    #[error("{}", with_advice(.0))]
    Member(#[from] ClientError),
}

impl ApplyError {
    /// The outcome of the pass: when to try again.
    fn outcome(self, work: &Work) -> Outcome {
        match self {
            // A change of the Work, of the kinds that the member serves, or of its health queues the Work again.
            Self::Empty | Self::Misnamed { .. } | Self::NotServed { .. } | Self::NotReady { .. } => {
                Outcome::Done
            }
            Self::Foreign { key, cluster, .. } | Self::Unmanaged { key, cluster, .. } => {
                let work = &work.metadata.name;
                tracing::warn!(%cluster, object = %key, work, "the object in the member is not ours and stays as it is");
                Outcome::RequeueAfter(FOREIGN_RECHECK)
            }
            Self::Interpret(_) => Outcome::Retry(Box::new(self)),
            Self::Member(error) => match error.retry_after() {
                Some(delay) => Outcome::RetryAfter(delay, Box::new(Self::Member(error))),
                None => Outcome::Retry(Box::new(Self::Member(error))),
            },
        }
    }
}

impl Executor {
    /// Applies a Work and reports on it.
    pub(super) async fn apply(&self, work: &Work) -> Outcome {
        let is_suspended = work.spec.suspend_dispatching == Some(true);
        if self.unreported.waits(work, self.queue.ready()) {
            return Outcome::RequeueAfter(REPORT_POLL_INTERVAL);
        }
        let result = match is_suspended {
            true => Ok(self.observed(work)),
            false => self.create_or_update(work).await.map(Some),
        };
        if let Err(ApplyError::Member(error)) = &result
            && error.is_race()
            && self.queue.failures(&work.metadata.key()) < MAX_SILENT_RACES
        {
            return Outcome::Stale;
        }
        if result.is_ok() && !is_suspended && self.unreported.note(work, self.queue.ready()) {
            return Outcome::RequeueAfter(REPORT_POLL_INTERVAL);
        }
        self.conclude(work, is_suspended, result).await
    }

    /// Reports that the member does not answer, unless the Work is applied already or suspended.
    pub(super) async fn postpone(&self, work: &Work) -> Outcome {
        if is_applied(work) || work.spec.suspend_dispatching == Some(true) {
            return Outcome::Done;
        }
        let cluster = self.hub.cluster(self.member.name());
        let ready = cluster.as_ref().and_then(|cluster| condition(&cluster.status.conditions, READY));
        let reason = ready.map_or("no answer yet", |ready| ready.message.as_str()).to_owned();
        let failure = ApplyError::NotReady { cluster: self.member.name().to_string(), reason };
        self.conclude(work, false, Err(failure)).await
    }

    /// Writes the status of a Work and decides when to run again.
    async fn conclude(
        &self,
        work: &Work,
        is_suspended: bool,
        result: Result<Option<Object>, ApplyError>,
    ) -> Outcome {
        let (status, interpreted) = self.status(work, is_suspended, &result).await;
        if let Err(error) = self.report(work, &status).await {
            return Outcome::retry(error);
        }
        self.unreported.forget(&work.metadata.key());
        self.emit_changes(work, &status, result.as_ref().ok().and_then(Option::as_ref));
        match result {
            Ok(_) => interpreted.into(),
            Err(error) => {
                self.emit_event(work, &error);
                error.outcome(work)
            }
        }
    }

    /// The object in the member, from the cache.
    fn observed(&self, work: &Work) -> Option<Object> {
        let manifest = manifest(work)?;
        let resource = self.member.resource(&manifest.group_version_kind())?;
        self.managed(&resource).get(&manifest.key()).map(|object| (*object).clone())
    }

    /// Creates or updates the object in the member and returns it.
    async fn create_or_update(&self, work: &Work) -> Result<Object, ApplyError> {
        let mut manifest = manifest(work).ok_or(ApplyError::Empty)?;
        let Some(own) = self.member.hold().holder() else {
            let reason = "its lease is not held by this control plane".to_owned();
            return Err(ApplyError::NotReady { cluster: self.member.name().to_string(), reason });
        };
        stamp(&mut manifest, &own);
        if self.member.resource(&PropagationPolicy::gvk()).is_some() {
            leave_to_cluster(&mut manifest);
        }
        let kind = manifest.group_version_kind();
        if !is_named_after_manifest(work) {
            return Err(ApplyError::Misnamed { kind: kind.kind, key: manifest.key() });
        }
        let Some(resource) = self.member.resource(&kind) else {
            return Err(ApplyError::NotServed { cluster: self.member.name().to_string(), kind });
        };
        let api = self.member.client().resource::<Object>(&resource);
        let managed = self.managed(&resource);
        if let Some(observed) = managed.get(&manifest.key()) {
            return self.update(&api, work, manifest, &observed).await;
        }
        // Not in the cache: nearly always it does not exist, and creating it is the only request.
        let observed = match create(&api, &manifest).await {
            Ok(created) => {
                managed.written(created.key(), created.resource_version(), created.clone());
                return Ok(created);
            }
            Err(ClientError::AlreadyExists(_)) => api.get(&manifest.key()).await?,
            // An API server claims addresses and node ports before it looks for the name (kubernetes
            // pkg/registry/core/service/storage), so that a Service is refused for the port that it has already.
            Err(ClientError::Invalid(refusal)) => match api.get(&manifest.key()).await {
                Ok(observed) => observed,
                Err(_) => return Err(ClientError::Invalid(refusal).into()),
            },
            Err(error) => return Err(error.into()),
        };
        let is_ours = observed.label(labels::MANAGED) == Some(labels::TRUE);
        if is_ours || wants_overwrite(&manifest) {
            return self.update(&api, work, manifest, &observed).await;
        }
        if is_shared(&manifest) {
            return Ok(observed);
        }
        let key = manifest.key();
        Err(ApplyError::Foreign { kind: kind.kind, key, cluster: self.member.name().to_string() })
    }

    /// Replaces the object by the manifest with the fields that the member keeps. Sends nothing if nothing differs.
    async fn update(
        &self,
        api: &Api<Object>,
        work: &Work,
        manifest: Object,
        observed: &Object,
    ) -> Result<Object, ApplyError> {
        if is_left_alone(&manifest, observed) {
            let (kind, key) = (manifest.kind().to_owned(), manifest.key());
            return Err(ApplyError::Unmanaged { kind, key, cluster: self.member.name().to_string() });
        }
        let desired = self.interpreters.retain(manifest, observed).await?;
        if (is_applied(work) || self.unreported.has(work)) && covers(observed, &desired) {
            return Ok(observed.clone());
        }
        let mut written = replace(api, &desired).await?;
        portolan_runtime::cache::drop_managed_fields(&mut written);
        Ok(written)
    }

    /// The new status of a Work, and the failures of reading status and health from the object.
    async fn status(
        &self,
        work: &Work,
        is_suspended: bool,
        result: &Result<Option<Object>, ApplyError>,
    ) -> (WorkStatus, Result<(), InterpretError>) {
        let (now, mut status) = (self.hub.now(), work.status.clone());
        set_condition(&mut status.conditions, dispatching(is_suspended, &now));
        let is_judged = match result {
            _ if !is_suspended => true,
            Ok(Some(object)) => self.is_in_member(work, object).await,
            _ => false,
        };
        if is_judged {
            let failure = result.as_ref().err().map(ToString::to_string);
            let mut condition = applied(failure.as_deref(), &now);
            condition.observed_generation = Some(work.metadata.generation);
            set_condition(&mut status.conditions, condition);
        }
        let mut interpreted: Result<(), InterpretError> = Ok(());
        if let Ok(Some(object)) = result {
            let reported = status.manifest_statuses.first().and_then(|reported| reported.status.clone());
            let reflected = self.interpreters.reflect(object).await.unwrap_or_else(|error| {
                self.warn(work, "ReflectStatusFailed", &error);
                interpreted = Err(error);
                reported
            });
            let health = self.interpreters.health(object).await.unwrap_or_else(|error| {
                self.warn(work, "InterpretHealthFailed", &error);
                interpreted = Err(error);
                ResourceHealth::Unknown
            });
            status.manifest_statuses = vec![manifest_status(object, reflected, health)];
            let failure = interpreted.as_ref().err().map(ToString::to_string);
            if let Some(collected) = collected::of_work(failure.as_deref(), &status.conditions, &now) {
                set_condition(&mut status.conditions, collected);
            }
        }
        (status, interpreted)
    }

    /// Whether the object in the member is what a suspended Work asks for.
    async fn is_in_member(&self, work: &Work, observed: &Object) -> bool {
        let (Some(mut desired), Some(own)) = (manifest(work), self.member.hold().holder()) else {
            return false;
        };
        stamp(&mut desired, &own);
        self.interpreters.retain(desired, observed).await.is_ok_and(|desired| is_latest(observed, &desired))
    }

    async fn report(&self, work: &Work, status: &WorkStatus) -> Result<(), ClientError> {
        if *status == work.status {
            return Ok(());
        }
        let patch = difference(&json!(work.status), &json!(status));
        let key = work.metadata.key();
        let api = self.hub.client.kind::<Work>();
        let written =
            ignore_missing(api.patch_status(&key, &Patch::Merge(json!({ "status": patch }))).await)?;
        if let Some(written) = written {
            self.hub.work_written(written);
        }
        Ok(())
    }

    /// Emits an event for a status or health that cannot be read from the object in the member.
    fn warn(&self, work: &Work, reason: &str, error: &InterpretError) {
        let message = format!("In cluster {}: {error}", self.member.name());
        self.hub.events.record(Regarding::kind(work), Severity::Warning, reason, message);
    }

    /// Emits an event for a new failure.
    fn emit_event(&self, work: &Work, error: &ApplyError) {
        let text = error.to_string();
        let known = condition(&work.status.conditions, APPLIED);
        if known.is_none_or(|known| !known.message.ends_with(&text)) {
            let message = format!("Failed to apply manifest to cluster {}: {text}", self.member.name());
            self.hub.events.record(Regarding::kind(work), Severity::Warning, "SyncFailed", message.clone());
            if let Some(template) = self.template(work) {
                self.hub.events.record(template, Severity::Warning, "SyncFailed", message);
            }
        }
    }
}

fn wants_overwrite(manifest: &Object) -> bool {
    manifest.annotation(annotations::work::CONFLICT_RESOLUTION) == Some("overwrite")
}
