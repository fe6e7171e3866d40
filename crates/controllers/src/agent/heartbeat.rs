//! Renews the Lease in the control plane by which it knows that the agent runs (karmada
//! pkg/controllers/status/cluster_status_controller.go).

use std::sync::Arc;
use std::time::Duration;

use portolan_api::{labels, names, resources};
use portolan_object::time::format_micro_time;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::{Api, ClientError, ClusterName};
use serde_json::json;
use tokio::sync::Notify;

use crate::clusters::Leasing;
use crate::hub::Hub;
use crate::missing::ignore_missing;

/// Timeout of each request.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Delay after a failed renewal: the control plane hears the agent soon after it is back.
const RETRY: Duration = Duration::from_secs(1);

pub(super) struct Heartbeat {
    pub(super) hub: Hub,
    pub(super) cluster: ClusterName,
    pub(super) leasing: Leasing,
}

impl Heartbeat {
    pub(super) async fn run(self) {
        let membership = self.membership_changes();
        let mut written = None;
        loop {
            let is_known = self.hub.clusters.synced().await;
            // A cluster that is not registered, or has left, has no Lease.
            let is_member =
                is_known && self.hub.cluster(&self.cluster).is_some_and(|own| !own.metadata.is_deleting());
            let mut pause = self.leasing.renewal;
            if is_member {
                written = match self.renew(written.take()).await {
                    Ok(lease) => Some(lease),
                    Err(error) => {
                        tracing::debug!(cluster = %self.cluster, %error, "the control plane does not take the heartbeat");
                        pause = pause.min(RETRY);
                        None
                    }
                };
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = membership.notified() => {}
            }
        }
    }

    /// Wakes when the Cluster is registered or leaves.
    fn membership_changes(&self) -> Arc<Notify> {
        let (notify, own) = (Arc::new(Notify::new()), self.cluster.clone());
        let waker = notify.clone();
        self.hub.clusters.observe(move |change| {
            if change.key.name == own.as_str() && (change.old.is_none() || change.new.is_none()) {
                waker.notify_one();
            }
        });
        notify
    }

    /// Renews the Lease, as it was written last or as it is found, or creates it.
    async fn renew(&self, written: Option<Object>) -> Result<Object, ClientError> {
        let client = self.hub.client.clone().with_timeout(TIMEOUT);
        let api: Api<Object> = client.resource(&resources::LEASE.into());
        if let Some(written) = written {
            match api.replace(&self.lease(Some(&written))).await {
                Err(error) if error.is_race() || error.is_not_found() => {}
                renewed => return renewed,
            }
        }
        let key = ObjectKey::namespaced(names::CLUSTER_NAMESPACE, self.cluster.as_str());
        match ignore_missing(api.get(&key).await)? {
            Some(present) => api.replace(&self.lease(Some(&present))).await,
            None => api.create(&self.lease(None)).await,
        }
    }

    fn lease(&self, present: Option<&Object>) -> Object {
        let key = ObjectKey::namespaced(names::CLUSTER_NAMESPACE, self.cluster.as_str());
        let mut lease = Object::new(&resources::LEASE.gvk(), &key);
        if let Some(present) = present {
            lease.0["metadata"] = present.0["metadata"].clone();
            lease.metadata_mut().remove("managedFields");
        }
        lease.set_label(labels::SYSTEM, labels::TRUE);
        lease.0["spec"] = json!({
            "holderIdentity": self.cluster.as_str(),
            "leaseDurationSeconds": self.leasing.duration.as_secs().max(1),
            "renewTime": format_micro_time(self.hub.clock.now()),
        });
        lease
    }
}
