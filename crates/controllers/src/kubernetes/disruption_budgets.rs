//! Runs `plan::kubernetes::disruption_budget` over the PodDisruptionBudgets of a cluster.

use std::sync::Arc;
use std::time::Duration;

use portolan_api::kubernetes::{ReplicaSet, StatefulSet, View, controller};
use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::disruption_budget::{covers, status};
use portolan_plan::kubernetes::replica_set::desired_replicas;
use portolan_runtime::cache::Caches;
use portolan_runtime::{Api, Cache, ClientError, Outcome, Queue, Reconciler, driver};

use crate::merge::status_patch;
use crate::missing::ignore_missing;

const WORKERS: usize = 2;
/// Time for which changes of pods are batched.
const BATCH: Duration = Duration::from_millis(100);

struct DisruptionBudgets {
    api: Api<Object>,
    budgets: Cache<Object>,
    pods: Cache<Object>,
    replica_sets: Cache<Object>,
    stateful_sets: Cache<Object>,
    clock: Clock,
}

pub(super) fn start(caches: &Caches, pods: &Cache<Object>, clock: &Clock, scope: &Shutdown) {
    let queue = Queue::new("disruption budgets");
    let budgets = caches.of(&resources::POD_DISRUPTION_BUDGET.into());
    let replica_sets = caches.of(&resources::REPLICA_SET.into());
    let stateful_sets = caches.of(&resources::STATEFUL_SET.into());
    let adder = queue.clone();
    budgets.observe(move |change| adder.add(change.key.clone()));
    for cause in [pods, &replica_sets, &stateful_sets] {
        let (adder, concerned) = (queue.clone(), budgets.clone());
        cause.observe(move |change| {
            for budget in concerned.list_namespace(&change.key.namespace) {
                adder.add_after(budget.key(), BATCH);
            }
        });
    }
    let api = caches.client().resource(budgets.resource());
    let pods = pods.clone();
    let controller =
        DisruptionBudgets { api, budgets, pods, replica_sets, stateful_sets, clock: clock.clone() };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

impl Reconciler for DisruptionBudgets {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let is_synced =
            self.pods.synced().await && self.replica_sets.synced().await && self.stateful_sets.synced().await;
        let budget = self.budgets.get(key).filter(|budget| !budget.is_deleting());
        match budget {
            Some(budget) if is_synced => self.write_status(&budget).await.into(),
            _ => Outcome::Done,
        }
    }
}

impl DisruptionBudgets {
    async fn write_status(&self, budget: &Object) -> Result<(), ClientError> {
        let pods = self.pods.list_namespace(budget.namespace());
        let pods: Vec<&Object> = pods.iter().map(|pod| &**pod).filter(|pod| covers(budget, pod)).collect();
        let now = crate::time::rfc3339(&self.clock);
        let status = status(budget, &pods, |pod| self.replicas(pod), &now);
        if budget.0.get("status") == Some(&status) {
            return Ok(());
        }
        ignore_missing(self.api.patch_status(&budget.key(), &status_patch(budget, &status)).await).map(drop)
    }

    /// How many pods the controller of a pod wants. The ReplicaSets of a Deployment add up to it while it rolls out.
    fn replicas(&self, pod: &Object) -> Option<(String, i64)> {
        let owner = controller(pod)?;
        let key = ObjectKey::namespaced(pod.namespace(), owner.name);
        let replicas = match owner.kind {
            "ReplicaSet" => ReplicaSet::read(&*self.replica_sets.get(&key)?).ok()?.spec.replicas,
            "StatefulSet" => StatefulSet::read(&*self.stateful_sets.get(&key)?).ok()?.spec.replicas,
            _ => return None,
        };
        Some((owner.uid.to_owned(), desired_replicas(replicas)))
    }
}
