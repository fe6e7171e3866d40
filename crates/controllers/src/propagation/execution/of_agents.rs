//! Works of clusters with an agent, in the control plane: what the agent cannot decide.
//!
//! The agent deletes an object only for a cause that is recorded on the Work, because it sees neither bindings nor namespaces
//! of the control plane. The Works of a cluster that leaves without an answer are released here.

use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::READY;
use portolan_api::finalizers;
use portolan_api::meta::condition;
use portolan_api::work::Work;
use portolan_plan::propagation::removal::{Cause, Removal, decide};
use portolan_runtime::{ClientError, ClusterName, Outcome};

use super::facts::facts;
use crate::hub::Hub;
use crate::removal::{release, remove};

/// Records the cause for which a Work goes, or releases it, if the agent waits for that.
pub(super) async fn settle(hub: &Hub, cluster: &Cluster, work: &Work) -> Result<Outcome, ClientError> {
    if !work.metadata.has_finalizer(finalizers::EXECUTION) {
        return Ok(Outcome::Done);
    }
    let name = ClusterName::new(cluster.metadata.name.as_str());
    let is_ready = condition(&cluster.status.conditions, READY).is_some_and(|ready| ready.is_true());
    if cluster.metadata.is_deleting() && !is_ready {
        let key = work.metadata.key();
        tracing::info!(cluster = %name, work = %key, "the object stays in the member, which does not answer and is leaving");
        release(hub, work).await?;
        return Ok(Outcome::Done);
    }
    if Cause::of(work).is_some() {
        return Ok(Outcome::Done);
    }
    match decide(work, facts(hub, &name, work).await?) {
        Removal::Delete(Some(cause)) => remove(hub, work, cause).await?,
        Removal::Keep => release(hub, work).await?,
        // A Work that a user wrote and deleted is the agent's; one with a binding is the binding's.
        Removal::Delete(None) | Removal::Preserve | Removal::Wait => {}
    }
    Ok(Outcome::Done)
}
