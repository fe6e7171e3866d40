//! Runs `plan::kubernetes::replica_set` over the ReplicaSets, or the ReplicationControllers, of a cluster.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::replica_set::{ReplicaSetAction, plan};
use portolan_runtime::client::Delete;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{Api, Cache, Client, ClientError, EventRecorder, Outcome, Queue, Reconciler, driver};

use super::controller::controller_of_kind;
use super::expectations::{CREATION_TIMEOUT, Expectations};
use super::slow_start::slow_start;
use super::{WORKERS, claims};
use crate::failures::Failures;
use crate::merge::status_patch;
use crate::missing::ignore_missing;

/// The names of one of the two controllers.
pub(super) struct Names {
    /// The kind that it runs.
    pub(super) kind: &'static str,
    pub(super) queue: &'static str,
    /// Source of its events.
    pub(super) component: &'static str,
}

pub(super) const REPLICA_SETS: Names =
    Names { kind: "ReplicaSet", queue: "replica sets", component: "replicaset-controller" };
pub(super) const REPLICATION_CONTROLLERS: Names = Names {
    kind: "ReplicationController",
    queue: "replication controllers",
    component: "replication-controller",
};

struct ReplicaSets {
    api: Api<Object>,
    pods_api: Api<Object>,
    sets: Cache<Object>,
    pods: Cache<Object>,
    expectations: Arc<Expectations>,
    /// Why the last pass could not create pods.
    failures: Mutex<BTreeMap<ObjectKey, String>>,
    events: EventRecorder,
    clock: Clock,
}

pub(super) fn start(
    client: &Client,
    names: &Names,
    sets: &Cache<Object>,
    pods: &Cache<Object>,
    clock: &Clock,
    scope: &Shutdown,
) {
    let (queue, kind) = (Queue::new(names.queue), names.kind);
    let expectations = Arc::new(Expectations::default());
    let adder = queue.clone();
    sets.observe(move |change| adder.add(change.key.clone()));
    claims::observe_orphans(pods, sets, &queue);
    expectations.observe(pods, &queue, move |pod| controller_of_kind(pod, kind));
    let controller = ReplicaSets {
        api: client.resource(sets.resource()),
        pods_api: client.resource(pods.resource()),
        sets: sets.clone(),
        pods: pods.clone(),
        expectations,
        failures: Mutex::default(),
        events: EventRecorder::new(client, names.component, clock.clone(), scope),
        clock: clock.clone(),
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for ReplicaSets {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !(self.sets.synced().await && self.pods.synced().await) {
            return Outcome::Done;
        }
        let Some(set) = self.sets.get(key) else {
            self.expectations.forget(key);
            self.failures.lock().remove(key);
            return Outcome::Done;
        };
        if self.expectations.must_wait(key, &self.pods) {
            return Outcome::RequeueAfter(CREATION_TIMEOUT);
        }
        let pods = match claims::owned(&set, &self.api, &self.pods, &self.pods_api).await {
            Ok(Some(pods)) => pods,
            Ok(None) => return Outcome::Done,
            Err(error) => return Outcome::retry(error),
        };
        let pods: Vec<&Object> = pods.iter().map(|pod| &**pod).collect();
        let (failure, now) = (self.failures.lock().remove(key), self.clock.now());
        let planned = plan(&set, &pods, failure.as_deref(), now);
        let is_creation = |action: &ReplicaSetAction| matches!(action, ReplicaSetAction::Create(_));
        let (creations, others): (Vec<_>, Vec<_>) = planned.actions.into_iter().partition(is_creation);
        let mut failures = slow_start(creations.into_iter().map(|action| self.take(&set, action))).await;
        failures.append(Failures::of_all(others.into_iter().map(|action| self.take(&set, action))).await);
        match failures.into_result() {
            Ok(()) => planned.next.map_or(Outcome::Done, |next| {
                Outcome::RequeueAfter(Duration::try_from(next.duration_since(now)).unwrap_or_default())
            }),
            failed => failed.into(),
        }
    }
}

impl ReplicaSets {
    async fn take(&self, set: &Object, action: ReplicaSetAction) -> Result<(), ClientError> {
        let key = set.key();
        match action {
            ReplicaSetAction::Create(pod) => match self.pods_api.create(&pod).await {
                Ok(created) => {
                    self.expectations.created(&key, &created, &self.pods);
                    let message = format!("Created pod: {}", created.name());
                    self.record(set, Severity::Normal, "SuccessfulCreate", message);
                }
                Err(error) => {
                    let message = error.to_string();
                    self.failures.lock().insert(key, message.clone());
                    self.record(set, Severity::Warning, "FailedCreate", format!("Error creating: {message}"));
                    return Err(error);
                }
            },
            ReplicaSetAction::Delete(pod) => {
                ignore_missing(self.pods_api.delete(&pod, &Delete::background()).await).map(drop)?;
                self.record(set, Severity::Normal, "SuccessfulDelete", format!("Deleted pod: {}", pod.name));
            }
            ReplicaSetAction::Status(status) => {
                ignore_missing(self.api.patch_status(&key, &status_patch(set, &status)).await).map(drop)?;
            }
        }
        Ok(())
    }

    fn record(&self, set: &Object, severity: Severity, reason: &str, message: String) {
        self.events.record(Regarding::object(set), severity, reason, message);
    }
}
