//! CronFederatedHPAs: executes their rules when they are due.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use portolan_api::Kind;
use portolan_api::autoscaling::{CronFederatedHPA, ExecutionHistory, FederatedHPA, ScaleTargetReference};
use portolan_object::ObjectKey;
use portolan_plan::autoscaling::cron::{CronPlan, Due, LimitsError, limits, plan, record};
use portolan_runtime::client::{BoxError, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClientError, Outcome, Reconciler, driver};
use serde_json::{Value, json};

use super::scale::{ScaleError, Workload, replicas};
use crate::hub::Hub;
use crate::propagation::Pipeline;

const WORKERS: usize = 4;
/// Longest time between two looks; the clock may be set.
const MAX_WAIT: Duration = Duration::from_secs(60);

struct CronAutoscalers {
    hub: Hub,
    pipeline: Pipeline,
    autoscalers: Cache<CronFederatedHPA>,
    /// Autoscalers with a target that was not looked at yet.
    unchecked: Arc<Mutex<BTreeSet<ObjectKey>>>,
}

/// Why a rule failed.
#[derive(Debug, thiserror::Error)]
enum ExecutionError {
    #[error("the rule has no targetReplicas: set it to scale {0}")]
    NoReplicas(String),
    #[error(transparent)]
    Scale(#[from] ScaleError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Limits(#[from] LimitsError),
}

impl ExecutionError {
    fn is_race(&self) -> bool {
        match self {
            Self::Client(error) | Self::Scale(ScaleError::Client(error)) => error.is_race(),
            _ => false,
        }
    }
}

/// Starts the controller of CronFederatedHPAs.
pub(super) fn start(hub: &Hub, pipeline: &Pipeline) {
    let autoscalers = Cache::<CronFederatedHPA>::of_kind(&hub.client)
        .trim(|autoscaler| autoscaler.metadata.managed_fields.clear())
        .start(&hub.scope);
    let queue = hub.client.metrics().queue("cron-autoscalers", None);
    let (hub, pipeline, scope) = (hub.clone(), pipeline.clone(), hub.scope.clone());
    spawn_until_stop(&scope, async move {
        if !autoscalers.synced().await {
            return;
        }
        let unchecked: Arc<Mutex<BTreeSet<ObjectKey>>> = Arc::default();
        let (changed, noted) = (queue.clone(), unchecked.clone());
        autoscalers.observe(move |change| {
            let target = |one: &Arc<CronFederatedHPA>| one.spec.scale_target_ref.clone();
            if change.new.is_some() && change.old.as_ref().map(target) != change.new.as_ref().map(target) {
                noted.lock().insert(change.key.clone());
            }
            changed.add(change.key.clone());
        });
        let scope = hub.scope.clone();
        let reconciler = CronAutoscalers { hub, pipeline, autoscalers, unchecked };
        driver::run(Arc::new(reconciler), &queue, WORKERS, &scope);
    });
}

impl Reconciler for CronAutoscalers {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(autoscaler) = self.autoscalers.get(key) else { return Outcome::Done };
        if autoscaler.metadata.is_deleting() {
            return Outcome::Done;
        }
        let is_unchecked = self.unchecked.lock().remove(key);
        if is_unchecked {
            self.check_target(key, &autoscaler).await;
        }
        self.execute_due(key, &autoscaler).await.into()
    }
}

impl CronAutoscalers {
    /// Says at once that no rule will be able to scale the target, not only when the first one is due.
    async fn check_target(&self, key: &ObjectKey, autoscaler: &CronFederatedHPA) {
        match self.target_fault(autoscaler).await {
            Ok(None) => {}
            Ok(Some(fault)) => {
                let message =
                    format!("spec.scaleTargetRef: {fault}; until this is corrected, every rule fails");
                self.warn(autoscaler, "TargetNotScalable", message);
            }
            // It is looked at again in the next pass.
            Err(_) => {
                self.unchecked.lock().insert(key.clone());
            }
        }
    }

    async fn target_fault(&self, autoscaler: &CronFederatedHPA) -> Result<Option<String>, ClientError> {
        let target = &autoscaler.spec.scale_target_ref;
        let namespace = &autoscaler.metadata.namespace;
        if is_autoscaler(target) {
            let key = ObjectKey::namespaced(&**namespace, &*target.name);
            return match self.hub.client.kind::<FederatedHPA>().get(&key).await {
                Ok(_) => Ok(None),
                Err(error) if error.is_not_found() => Ok(Some(format!("FederatedHPA {key} does not exist"))),
                Err(error) => Err(error),
            };
        }
        match Workload::find(&self.hub.client, &self.pipeline, namespace, target) {
            Ok(workload) => workload.fault().await,
            Err(error) => Ok(Some(error.to_string())),
        }
    }

    async fn execute_due(&self, key: &ObjectKey, autoscaler: &CronFederatedHPA) -> Result<Outcome, BoxError> {
        let now = self.hub.clock.now();
        let CronPlan { due, mut histories, wake, faults } =
            plan(&autoscaler.spec, &autoscaler.status.execution_histories, now);
        for (rule, fault) in faults {
            let message = format!("rule {rule}: {fault}");
            self.warn(autoscaler, "StartRuleFailed", message);
        }
        for due in due {
            let result = self.execute(autoscaler, &due).await;
            if let Err(error) = &result {
                if error.is_race() {
                    return Ok(Outcome::Stale);
                }
                self.warn(autoscaler, "ScaleFailed", format!("rule {}: {error}", due.rule.name));
            }
            record(&mut histories, &due, result.map_err(|error| error.to_string()), self.hub.clock.now());
        }
        self.write_status(key, autoscaler, histories).await?;
        Ok(wake.map_or(Outcome::Done, |wake| Outcome::RequeueAfter(time_until(wake, self.hub.clock.now()))))
    }

    async fn execute(&self, autoscaler: &CronFederatedHPA, due: &Due) -> Result<(), ExecutionError> {
        let target = &autoscaler.spec.scale_target_ref;
        let namespace = &autoscaler.metadata.namespace;
        if is_autoscaler(target) {
            let api = self.hub.client.kind::<FederatedHPA>();
            let key = ObjectKey::namespaced(&**namespace, &*target.name);
            let found = api.get(&key).await?;
            let Some((min, max)) = limits(&found.spec, &due.rule)? else { return Ok(()) };
            let patch = json!({ "metadata": { "resourceVersion": found.metadata.resource_version },
                "spec": { "minReplicas": min, "maxReplicas": max } });
            api.patch(&key, &Patch::Merge(patch)).await?;
            return Ok(());
        }
        let Some(wanted) = due.rule.target_replicas else {
            return Err(ExecutionError::NoReplicas(target.kind.clone()));
        };
        let workload = Workload::find(&self.hub.client, &self.pipeline, namespace, target)?;
        let scale = workload.scale().await?;
        if replicas(&scale) != wanted {
            workload.write(scale, wanted).await?;
        }
        Ok(())
    }

    async fn write_status(
        &self,
        key: &ObjectKey,
        autoscaler: &CronFederatedHPA,
        histories: Vec<ExecutionHistory>,
    ) -> Result<(), ClientError> {
        if histories == autoscaler.status.execution_histories {
            return Ok(());
        }
        let value = if histories.is_empty() { Value::Null } else { json!(histories) };
        let version = &autoscaler.metadata.resource_version;
        let patch =
            json!({ "metadata": { "resourceVersion": version }, "status": { "executionHistories": value } });
        let api = self.hub.client.kind::<CronFederatedHPA>();
        let written = api.patch_status(key, &Patch::Merge(patch)).await?;
        let version = written.metadata.resource_version.clone();
        self.autoscalers.written(key.clone(), &version, written);
        Ok(())
    }

    fn warn(&self, autoscaler: &CronFederatedHPA, reason: &str, message: String) {
        self.hub.events.record(Regarding::kind(autoscaler), Severity::Warning, reason, message);
    }
}

/// Whether the target is a FederatedHPA, of which rules change the limits.
fn is_autoscaler(target: &ScaleTargetReference) -> bool {
    target.kind == FederatedHPA::KIND && target.api_version.split('/').next() == Some(FederatedHPA::GROUP)
}

fn time_until(wake: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(wake.duration_since(now)).unwrap_or_default().min(MAX_WAIT)
}
