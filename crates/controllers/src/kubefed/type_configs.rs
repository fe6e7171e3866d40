//! The status of FederatedTypeConfigs: whether their federated kinds are propagated, and an event that says why not.

use std::sync::Arc;
use std::time::Duration;

use portolan_api::kubefed::{
    ControllerStatus, FederatedTypeConfig, FederatedTypeConfigStatus, SYSTEM_NAMESPACE, TYPE_CONFIG_FINALIZER,
};
use portolan_object::ObjectKey;
use portolan_plan::kubefed::type_config::read;
use portolan_runtime::client::Patch;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, Outcome, Reconciler, driver};
use serde_json::json;

use crate::missing::ignore_missing;
use crate::propagation::Pipeline;

/// Time after which it is checked again whether a federated kind is served.
const SERVED_RECHECK: Duration = Duration::from_secs(2);

struct TypeConfigs(Pipeline);

/// Starts the controller.
pub(super) fn start(pipeline: &Pipeline) {
    let hub = pipeline.hub();
    let queue = hub.client.metrics().queue("federated-type-configs", None);
    let changed = queue.clone();
    hub.federated_types.configs.observe(move |change| changed.add(change.key.clone()));
    let (switched, configs) = (queue.clone(), hub.federated_types.configs.clone());
    hub.federated_types.settings.observe(move |_| {
        configs.keys().into_iter().for_each(|key| switched.add(key));
    });
    driver::run(Arc::new(TypeConfigs(pipeline.clone())), &queue, 1, &hub.scope);
}

impl Reconciler for TypeConfigs {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let found = self.0.hub().federated_types.configs.get(key);
        let Some(config) = found.filter(|_| key.namespace == SYSTEM_NAMESPACE) else { return Outcome::Done };
        if config.metadata.is_deleting() {
            return self.release(key, &config).await.into();
        }
        self.report(key, &config).await.into()
    }
}

impl TypeConfigs {
    async fn report(&self, key: &ObjectKey, config: &FederatedTypeConfig) -> Result<Outcome, ClientError> {
        let hub = self.0.hub();
        let settings = hub.federated_types.settings();
        let configured = read(config);
        let is_served = configured
            .as_ref()
            .is_ok_and(|configured| self.0.resource_of(&configured.of.federated.gvk).is_some());
        let obstacle = match &configured {
            Err(error) => Some(error.to_string()),
            Ok(configured) if configured.is_enabled && !is_served => Some(format!(
                "the API server does not serve {}: create its definition with `portolan federate enable {}`",
                configured.of.federated.gvk.kind, key.name
            )),
            Ok(configured) if configured.is_enabled && !settings.propagates => {
                Some("the feature gate PushReconciler of the KubeFedConfig is off".to_owned())
            }
            Ok(_) => None,
        };
        let is_enabled = configured.as_ref().is_ok_and(|configured| configured.is_enabled);
        let collects = configured.as_ref().is_ok_and(|configured| configured.collects_status);
        let has_statuses = configured.as_ref().is_ok_and(|configured| configured.has_service_status);
        let runs = is_enabled && is_served && settings.propagates;
        let status = FederatedTypeConfigStatus {
            observed_generation: config.metadata.generation,
            propagation_controller: ControllerStatus::from(runs),
            status_controller: collects
                .then(|| ControllerStatus::from(runs && (settings.collects_status || has_statuses))),
            message: obstacle.unwrap_or_default(),
        };
        let waits = is_enabled && !is_served;
        if status != config.status {
            if !status.message.is_empty() {
                let about = Regarding::kind(config);
                hub.events.record(about, Severity::Warning, "PropagationNotRunning", status.message.clone());
            }
            self.write(key, &status).await?;
        }
        Ok(if waits { Outcome::RequeueAfter(SERVED_RECHECK) } else { Outcome::Done })
    }

    async fn write(&self, key: &ObjectKey, status: &FederatedTypeConfigStatus) -> Result<(), ClientError> {
        let hub = self.0.hub();
        // All fields: two are required by the schema.
        let patch = json!({ "status": { "observedGeneration": status.observed_generation,
            "propagationController": status.propagation_controller, "statusController": status.status_controller,
            "message": (!status.message.is_empty()).then_some(&status.message) } });
        let api = hub.client.kind::<FederatedTypeConfig>();
        if let Some(written) = ignore_missing(api.patch_status(key, &Patch::Merge(patch)).await)? {
            let version = written.metadata.resource_version.clone();
            hub.federated_types.configs.written(key.clone(), &version, written);
        }
        Ok(())
    }

    /// Removes the finalizer that KubeFed put on the object.
    async fn release(&self, key: &ObjectKey, config: &FederatedTypeConfig) -> Result<(), ClientError> {
        let Some(finalizers) = config.metadata.without_finalizers(&[TYPE_CONFIG_FINALIZER]) else {
            return Ok(());
        };
        let patch = json!({ "metadata": {
            "resourceVersion": config.metadata.resource_version, "finalizers": finalizers } });
        let api = self.0.hub().client.kind::<FederatedTypeConfig>();
        ignore_missing(api.patch(key, &Patch::Merge(patch)).await).map(drop)
    }
}
