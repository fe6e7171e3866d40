//! Runs `plan::kubernetes::job` over the Jobs of a cluster.

use std::sync::Arc;
use std::time::Duration;

use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::job::{JobAction, plan};
use portolan_runtime::client::Delete;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{Api, Cache, Client, ClientError, EventRecorder, Outcome, Queue, Reconciler, driver};

use super::WORKERS;
use super::controller::controller_of_kind;
use super::expectations::{CREATION_TIMEOUT, Expectations};
use super::slow_start::slow_start;
use crate::failures::Failures;
use crate::merge::status_patch;
use crate::missing::ignore_missing;

struct Jobs {
    api: Api<Object>,
    pods_api: Api<Object>,
    jobs: Cache<Object>,
    pods: Cache<Object>,
    expectations: Arc<Expectations>,
    events: EventRecorder,
    clock: Clock,
}

pub(super) fn start(
    client: &Client,
    jobs: &Cache<Object>,
    pods: &Cache<Object>,
    clock: &Clock,
    scope: &Shutdown,
) {
    let queue = Queue::new("jobs");
    let expectations = Arc::new(Expectations::default());
    let adder = queue.clone();
    jobs.observe(move |change| adder.add(change.key.clone()));
    expectations.observe(pods, &queue, |pod| controller_of_kind(pod, "Job"));
    let controller = Jobs {
        api: client.resource(jobs.resource()),
        pods_api: client.resource(pods.resource()),
        jobs: jobs.clone(),
        pods: pods.clone(),
        expectations,
        events: EventRecorder::new(client, "job-controller", clock.clone(), scope),
        clock: clock.clone(),
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for Jobs {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !(self.jobs.synced().await && self.pods.synced().await) {
            return Outcome::Done;
        }
        let Some(job) = self.jobs.get(key) else {
            self.expectations.forget(key);
            return Outcome::Done;
        };
        if self.expectations.must_wait(key, &self.pods) {
            return Outcome::RequeueAfter(CREATION_TIMEOUT);
        }
        let pods = self.pods.by_index("controller", job.uid());
        let pods: Vec<&Object> = pods.iter().map(|pod| &**pod).collect();
        let now = self.clock.now();
        let planned = plan(&job, &pods, now);
        let is_creation = |action: &JobAction| matches!(action, JobAction::Create(_));
        let (creations, others): (Vec<_>, Vec<_>) = planned.actions.into_iter().partition(is_creation);
        let mut failures = slow_start(creations.into_iter().map(|action| self.take(&job, action))).await;
        failures.append(Failures::of_all(others.into_iter().map(|action| self.take(&job, action))).await);
        match failures.into_result() {
            Ok(()) => planned.next.map_or(Outcome::Done, |next| {
                Outcome::RequeueAfter(Duration::try_from(next.duration_since(now)).unwrap_or_default())
            }),
            failed => failed.into(),
        }
    }
}

impl Jobs {
    async fn take(&self, job: &Object, action: JobAction) -> Result<(), ClientError> {
        let key = job.key();
        match action {
            JobAction::Create(pod) => {
                let created = self.pods_api.create(&pod).await?;
                self.expectations.created(&key, &created, &self.pods);
                self.record(
                    job,
                    Severity::Normal,
                    "SuccessfulCreate",
                    format!("Created pod: {}", created.name()),
                );
            }
            JobAction::Delete(pod) => {
                ignore_missing(self.pods_api.delete(&pod, &Delete::background()).await).map(drop)?;
                self.record(job, Severity::Normal, "SuccessfulDelete", format!("Deleted pod: {}", pod.name));
            }
            JobAction::Expire => {
                let delete = Delete::background().uid(job.uid());
                ignore_missing(self.api.delete(&key, &delete).await).map(drop)?;
            }
            JobAction::Warn(message) => self.record(job, Severity::Warning, "UnsupportedFields", message),
            JobAction::Status(status) => {
                ignore_missing(self.api.patch_status(&key, &status_patch(job, &status)).await).map(drop)?;
            }
        }
        Ok(())
    }

    fn record(&self, job: &Object, severity: Severity, reason: &str, message: String) {
        self.events.record(Regarding::object(job), severity, reason, message);
    }
}
