//! What is known about a Work that is being deleted, besides the Work.

use portolan_api::resources;
use portolan_api::work::{ClusterResourceBinding, ResourceBinding, Work};
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::removal::{Cause, Facts, Origin};
use portolan_runtime::{ClientError, ClusterName};

use crate::hub::{Hub, binding_of};
use crate::missing::ignore_missing;

/// The facts for `portolan_plan::propagation::removal::decide`. For an agent, the control plane has looked at
/// them before it deleted the Work.
pub(super) async fn facts(hub: &Hub, cluster: &ClusterName, work: &Work) -> Result<Facts, ClientError> {
    let cluster = hub.cluster(cluster);
    let is_cluster_leaving = cluster.is_none_or(|cluster| cluster.metadata.is_deleting());
    if hub.is_agent {
        return Ok(Facts { is_cluster_leaving, is_agent: true, ..Facts::default() });
    }
    let is_namespace_gone = match Origin::of(work) {
        Origin::Namespace { name, uid } if Cause::of(work).is_none() => {
            let api = hub.client.resource::<Object>(&resources::NAMESPACE.into());
            let found = ignore_missing(api.get(&ObjectKey::cluster(name)).await)?;
            found.is_none_or(|found| found.uid() != uid || found.is_deleting())
        }
        _ => false,
    };
    let has_binding = match binding_of(work).filter(|_| Cause::of(work).is_none()) {
        Some(binding) => exists(hub, &binding).await?,
        None => false,
    };
    Ok(Facts { is_cluster_leaving, is_namespace_gone, has_binding, is_agent: false })
}

/// Whether the API server has a binding.
async fn exists(hub: &Hub, binding: &ObjectKey) -> Result<bool, ClientError> {
    let client = &hub.client;
    if binding.namespace.is_empty() {
        let found = ignore_missing(client.kind::<ClusterResourceBinding>().get(binding).await)?;
        return Ok(found.is_some());
    }
    Ok(ignore_missing(client.kind::<ResourceBinding>().get(binding).await)?.is_some())
}
