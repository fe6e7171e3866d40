//! What is known about a Work that is being deleted, besides the Work.

use portolan_api::resources;
use portolan_api::work::Work;
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::removal::{Cause, Facts, Origin};
use portolan_runtime::{ClientError, ClusterName};

use crate::hub::Hub;
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
    Ok(Facts { is_cluster_leaving, is_namespace_gone, is_agent: false })
}
