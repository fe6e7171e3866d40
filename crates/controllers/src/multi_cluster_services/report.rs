//! Conditions and Events of a MultiClusterService.

use portolan_api::conditions::multi_cluster_service as reasons;
use portolan_api::events;
use portolan_api::meta::{Condition, condition, set_condition};
use portolan_api::networking::MultiClusterService;
use portolan_object::ObjectKey;
use portolan_plan::multi_cluster_service::{consumers, providers};
use portolan_runtime::ClientError;
use portolan_runtime::client::Patch;
use portolan_runtime::events::{Regarding, Severity};
use serde_json::json;

use super::controller::Controller;
use crate::missing::ignore_missing;

impl Controller {
    /// Writes the conditions, and an Event for each that changed and for each cluster that does not exist.
    /// `unapplied` is why the Service is not bound.
    pub(super) async fn report(
        &self,
        key: &ObjectKey,
        service: &MultiClusterService,
        unapplied: Option<String>,
    ) -> Result<(), ClientError> {
        let now = self.pipeline.hub().now();
        let mut conditions = service.status.conditions.clone();
        let (is_applied, reason, message) = match unapplied {
            None => (true, reasons::SERVICE_APPLIED_SUCCEED, self.applied_message(service)),
            Some(cause) => (false, reasons::SERVICE_APPLIED_FAILED, cause),
        };
        set_condition(
            &mut conditions,
            Condition::new(reasons::SERVICE_APPLIED, is_applied, reason, message, &now),
        );
        let dispatched = self.dispatched(key, service, &now);
        if let Some(dispatched) = dispatched {
            set_condition(&mut conditions, dispatched);
        }
        if conditions == service.status.conditions {
            return Ok(());
        }
        let patch = json!({ "metadata": { "resourceVersion": service.metadata.resource_version },
            "status": { "conditions": conditions } });
        let api = self.pipeline.hub().client.kind::<MultiClusterService>();
        if ignore_missing(api.patch_status(key, &Patch::Merge(patch)).await)?.is_some() {
            self.emit_events(service, &conditions);
        }
        Ok(())
    }

    /// The message of condition `ServiceApplied`, with the clusters that are named and do not exist.
    fn applied_message(&self, service: &MultiClusterService) -> String {
        let mut message = "Service is propagated to target clusters.".to_owned();
        let missing = self.missing(service);
        if !missing.is_empty() {
            message.push_str(&format!(" These clusters do not exist: {}", missing.join(", ")));
        }
        message
    }

    /// Clusters that the service names and that do not exist.
    fn missing(&self, service: &MultiClusterService) -> Vec<String> {
        let all = self.clusters();
        let named = providers(&service.spec, &all).into_iter().chain(consumers(&service.spec, &all));
        let mut missing: Vec<String> = named.filter(|name| !all.contains(name)).collect();
        missing.sort();
        missing.dedup();
        missing
    }

    /// Whether every cluster with clients that can be reached has the EndpointSlices. `None` before the first passes.
    fn dispatched(&self, key: &ObjectKey, service: &MultiClusterService, now: &str) -> Option<Condition> {
        let all = self.clusters();
        let mut failed = Vec::new();
        let mut is_known = false;
        for cluster in consumers(&service.spec, &all) {
            match self.services.dispatches.of(key, &cluster) {
                Some(Some(problem)) => failed.push(format!("cluster {cluster}: {problem}")),
                Some(None) => is_known = true,
                None => {}
            }
        }
        match failed.is_empty() {
            true => is_known.then(|| {
                let message = "EndpointSlice are dispatched successfully".to_owned();
                Condition::new(reasons::DISPATCHED, true, reasons::DISPATCHED_SUCCEED, message, now)
            }),
            false => {
                let message = failed.join("; ");
                Some(Condition::new(reasons::DISPATCHED, false, reasons::DISPATCHED_FAILED, message, now))
            }
        }
    }

    fn emit_events(&self, service: &MultiClusterService, after: &[Condition]) {
        let recorder = &self.pipeline.hub().events;
        let about = || Regarding::kind(service);
        let applied = |conditions: &[Condition]| {
            condition(conditions, reasons::SERVICE_APPLIED).map(|applied| applied.message.clone())
        };
        if applied(&service.status.conditions) != applied(after) {
            for cluster in self.missing(service) {
                let message = format!("cluster {cluster}, which the service names, is not found");
                recorder.record(about(), Severity::Warning, events::CLUSTER_NOT_FOUND, message);
            }
        }
        for now in after {
            let then = condition(&service.status.conditions, &now.kind);
            if then.is_some_and(|then| then.status == now.status && then.message == now.message) {
                continue;
            }
            let (good, bad) = match now.kind.as_str() {
                reasons::SERVICE_APPLIED => (events::SYNC_SERVICE_SUCCEED, events::SYNC_SERVICE_FAILED),
                reasons::DISPATCHED => {
                    (events::DISPATCH_ENDPOINT_SLICE_SUCCEED, events::DISPATCH_ENDPOINT_SLICE_FAILED)
                }
                _ => continue,
            };
            match now.is_true() {
                true => recorder.success(about(), good, now.message.clone()),
                false => recorder.record(about(), Severity::Warning, bad, now.message.clone()),
            }
        }
    }
}
