//! One MultiClusterService: finalizer, Service, conditions.

use portolan_api::finalizers;
use portolan_api::networking::MultiClusterService;
use portolan_object::ObjectKey;
use portolan_runtime::client::{BoxError, Patch};
use portolan_runtime::{ClientError, Outcome, Reconciler};
use serde_json::json;

use super::services::Services;
use super::unapplied::Unapplied;
use crate::missing::ignore_missing;
use crate::propagation::Pipeline;

/// Keeps the Services of MultiClusterServices bound, and reports.
pub(super) struct Controller {
    pub(super) services: Services,
    pub(super) pipeline: Pipeline,
}

impl Reconciler for Controller {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(service) = self.services.cache.get(key) else {
            self.services.dispatches.forget_service(key);
            return Outcome::Done;
        };
        let result = match service.is_cross_cluster() {
            true => self.apply(key, &service).await,
            false => self.leave(key, &service).await,
        };
        result.into()
    }
}

impl Controller {
    async fn apply(&self, key: &ObjectKey, service: &MultiClusterService) -> Result<Outcome, BoxError> {
        let kept = [finalizers::MULTI_CLUSTER_SERVICE.to_owned()];
        if !service.metadata.finalizers.contains(&kept[0]) {
            let all: Vec<String> = service.metadata.finalizers.iter().cloned().chain(kept).collect();
            self.set_finalizers(key, service, all).await?;
            // The change queues the key again.
            return Ok(Outcome::Done);
        }
        let applied = self.propagate(key, service).await;
        if let Err(Unapplied::Failed(error)) = applied {
            if error.downcast_ref().is_some_and(ClientError::is_race) {
                return Err(error);
            }
            self.report(key, service, Some(error.to_string())).await?;
            return Err(error);
        }
        self.report(key, service, applied.err().map(|unapplied| unapplied.to_string())).await?;
        Ok(Outcome::Done)
    }

    /// Releases the Service and its binding, which stay, and then the MultiClusterService.
    async fn leave(&self, key: &ObjectKey, service: &MultiClusterService) -> Result<Outcome, BoxError> {
        if !service.metadata.finalizers.iter().any(|name| name == finalizers::MULTI_CLUSTER_SERVICE) {
            return Ok(Outcome::Done);
        }
        self.release(key, service).await?;
        let left =
            service.metadata.finalizers.iter().filter(|name| *name != finalizers::MULTI_CLUSTER_SERVICE);
        self.set_finalizers(key, service, left.cloned().collect()).await?;
        Ok(Outcome::Done)
    }

    async fn set_finalizers(
        &self,
        key: &ObjectKey,
        service: &MultiClusterService,
        finalizers: Vec<String>,
    ) -> Result<(), ClientError> {
        let patch = json!({ "metadata": {
            "resourceVersion": service.metadata.resource_version, "finalizers": finalizers } });
        let api = self.pipeline.hub().client.kind::<MultiClusterService>();
        ignore_missing(api.patch(key, &Patch::Merge(patch)).await).map(drop)
    }
}
