//! Runs `plan::kubernetes::cron_job` over the CronJobs of a cluster.

use std::sync::Arc;
use std::time::Duration;

use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::cron_job::{CronJobAction, plan};
use portolan_runtime::client::Delete;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{
    Api, Cache, Client, ClientError, EventRecorder, Outcome, Queue, Reconciler, Resource, driver,
};

use super::controller::controller_of_kind;
use crate::failures::Failures;
use crate::merge::status_patch;
use crate::missing::ignore_missing;

const WORKERS: usize = 2;

struct CronJobs {
    api: Api<Object>,
    jobs_api: Api<Object>,
    cron_jobs: Cache<Object>,
    jobs: Cache<Object>,
    events: EventRecorder,
    clock: Clock,
}

pub(super) fn start(client: &Client, jobs: &Cache<Object>, clock: &Clock, scope: &Shutdown) {
    let resource = Resource::from(resources::CRON_JOB);
    let cron_jobs = Cache::of_objects(client, resource.clone()).start(scope);
    let queue = Queue::new("cron jobs");
    let adder = queue.clone();
    cron_jobs.observe(move |change| adder.add(change.key.clone()));
    let adder = queue.clone();
    jobs.observe(move |change| {
        let owners =
            change.old.iter().chain(&change.new).filter_map(|job| controller_of_kind(job, "CronJob"));
        owners.for_each(|owner| adder.add(owner));
    });
    let controller = CronJobs {
        api: client.resource(&resource),
        jobs_api: client.resource(jobs.resource()),
        cron_jobs,
        jobs: jobs.clone(),
        events: EventRecorder::new(client, "cronjob-controller", clock.clone(), scope),
        clock: clock.clone(),
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for CronJobs {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !(self.cron_jobs.synced().await && self.jobs.synced().await) {
            return Outcome::Done;
        }
        let Some(cron_job) = self.cron_jobs.get(key) else { return Outcome::Done };
        let jobs = self.jobs.by_index("controller", cron_job.uid());
        let jobs: Vec<&Object> = jobs.iter().map(|job| &**job).collect();
        let now = self.clock.now();
        let planned = plan(&cron_job, &jobs, now);
        let writes = planned.actions.into_iter().map(|action| self.take(&cron_job, action));
        match Failures::of_all(writes).await.into_result() {
            Ok(()) => planned.next.map_or(Outcome::Done, |next| {
                Outcome::RequeueAfter(Duration::try_from(next.duration_since(now)).unwrap_or_default())
            }),
            failed => failed.into(),
        }
    }
}

impl CronJobs {
    async fn take(&self, cron_job: &Object, action: CronJobAction) -> Result<(), ClientError> {
        match action {
            CronJobAction::Create(job) => match self.jobs_api.create(&job).await {
                // Made by the pass before, which this cache does not show yet.
                Err(ClientError::AlreadyExists(_)) => {}
                result => {
                    let job = result?;
                    self.record(
                        cron_job,
                        Severity::Normal,
                        "SuccessfulCreate",
                        format!("Created job {}", job.name()),
                    );
                }
            },
            CronJobAction::Delete(job) => {
                ignore_missing(self.jobs_api.delete(&job, &Delete::background()).await).map(drop)?;
                self.record(
                    cron_job,
                    Severity::Normal,
                    "SuccessfulDelete",
                    format!("Deleted job {}", job.name),
                );
            }
            CronJobAction::Warn(reason, message) => self.record(cron_job, Severity::Warning, reason, message),
            CronJobAction::Status(status) => {
                let patch = status_patch(cron_job, &status);
                ignore_missing(self.api.patch_status(&cron_job.key(), &patch).await).map(drop)?;
            }
        }
        Ok(())
    }

    fn record(&self, cron_job: &Object, severity: Severity, reason: &str, message: String) {
        self.events.record(Regarding::object(cron_job), severity, reason, message);
    }
}
