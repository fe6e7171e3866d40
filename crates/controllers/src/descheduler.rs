//! The descheduler: looks in intervals for replicas that their cluster cannot run, and gives them back to the scheduler.

use std::time::Duration;

use portolan_api::work::ResourceBinding;
use portolan_object::time::age;
use portolan_object::{GroupVersion, ObjectKey};
use portolan_plan::descheduler::{deschedule, is_concerned, unschedulable};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClientError};

use crate::hub::Hub;

/// How the descheduler runs.
#[derive(Debug, Clone, Copy)]
pub struct Descheduling {
    /// Time between two rounds.
    pub interval: Duration,
    /// Time for which a pod must be unschedulable.
    pub threshold: Duration,
}

impl Default for Descheduling {
    fn default() -> Self {
        Self { interval: Duration::from_secs(120), threshold: Duration::from_secs(300) }
    }
}

/// Starts the descheduler.
pub(crate) fn start(hub: &Hub, settings: Descheduling) {
    let bindings = Cache::<ResourceBinding>::of_kind(&hub.client)
        .trim(|binding| binding.metadata.managed_fields.clear())
        .compact()
        .start(&hub.scope);
    let hub = hub.clone();
    spawn_until_stop(&hub.scope.clone(), async move {
        if !bindings.synced().await {
            return;
        }
        loop {
            tokio::time::sleep(settings.interval).await;
            for binding in bindings.keys().iter().filter_map(|key| bindings.get(key)) {
                look_at(&hub, &binding, settings.threshold).await;
            }
        }
    });
}

/// Lowers the replicas of one binding where pods cannot be scheduled.
async fn look_at(hub: &Hub, binding: &ResourceBinding, threshold: Duration) {
    if binding.metadata.is_deleting() || !is_concerned(&binding.metadata, &binding.spec) {
        return;
    }
    let resource = &binding.spec.resource;
    let unschedulable = |cluster: &str| {
        let capacity = hub.capacities.of(cluster);
        let pods = capacity.and_then(|capacity| {
            capacity.pods_of(&resource.kind, &binding.metadata.namespace, &resource.name)
        });
        let pods = pods.unwrap_or_default();
        let now = hub.clock.now();
        unschedulable(pods.iter().map(AsRef::as_ref), |since| age(since, now), threshold)
    };
    let Some(result) = deschedule(&binding.spec, &binding.status, unschedulable) else { return };
    let mut changed = binding.clone();
    changed.spec.clusters = result.clusters;
    let written = hub.client.kind::<ResourceBinding>().replace(&changed).await;
    report(hub, binding, written.map(|_| result.message));
}

/// Emits an event on the binding and one on the template.
fn report(hub: &Hub, binding: &ResourceBinding, result: Result<String, ClientError>) {
    let resource = &binding.spec.resource;
    let version = resource.api_version.parse::<GroupVersion>().unwrap_or_else(|_| GroupVersion::new("", ""));
    let template = Regarding {
        gvk: version.kind(&*resource.kind),
        key: ObjectKey::namespaced(&*binding.metadata.namespace, &*resource.name),
        uid: resource.uid.clone(),
    };
    for about in [Regarding::kind(binding), template] {
        match &result {
            Ok(message) => {
                hub.events.record(about, Severity::Normal, "DescheduleBindingSucceed", message.as_str());
            }
            Err(error) => {
                hub.events.record(about, Severity::Warning, "DescheduleBindingFailed", error.to_string());
            }
        }
    }
}
