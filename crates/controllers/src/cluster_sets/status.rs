//! Status of ClusterSets: phase of each member.

use std::sync::Arc;

use portolan_api::clusterset::{ClusterSet, ClusterSetStatus, MemberPhase, MemberStatus};
use portolan_object::ObjectKey;
use portolan_object::patch::difference;
use portolan_runtime::client::Patch;
use portolan_runtime::{ClientError, ClusterName, Outcome, Reconciler};
use serde_json::json;

use crate::hub::{Hub, JoinProgress};

struct StatusReconciler {
    hub: Hub,
}

pub(super) fn start(hub: &Hub) {
    let reconciler = Arc::new(StatusReconciler { hub: hub.clone() });
    portolan_runtime::driver::run(reconciler, hub.cluster_sets.status_queue(), 1, &hub.scope);
}

impl Reconciler for StatusReconciler {
    type Key = String;

    async fn reconcile(&self, name: &String) -> Outcome {
        let sets = &self.hub.cluster_sets;
        if !sets.is_known() {
            return Outcome::Done;
        }
        let key = ObjectKey::cluster(name.as_str());
        let Some(set) = sets.sets().get(&key) else { return Outcome::Done };
        self.update_status(&key, &set).await.into()
    }
}

impl StatusReconciler {
    async fn update_status(&self, key: &ObjectKey, set: &ClusterSet) -> Result<(), ClientError> {
        let members = self.members(set);
        let is_joined = |status: &&MemberStatus| status.phase == MemberPhase::Joined;
        let joined = format!("{}/{}", members.iter().filter(is_joined).count(), set.spec.members.len());
        let status = ClusterSetStatus { members, joined };
        if status == set.status {
            return Ok(());
        }
        let patch = difference(&json!(set.status), &json!(status));
        let patch = Patch::Merge(json!({
            "metadata": { "resourceVersion": set.metadata.resource_version }, "status": patch }));
        let written = self.hub.client.kind::<ClusterSet>().patch_status(key, &patch).await?;
        let version = written.metadata.resource_version.clone();
        self.hub.cluster_sets.sets().written(key.clone(), &version, written);
        Ok(())
    }

    fn members(&self, set: &ClusterSet) -> Vec<MemberStatus> {
        let listed = set.spec.members.iter().map(|member| {
            let (phase, uid, message) = self.phase(set, &member.cluster);
            let (cluster, id) = (member.cluster.clone(), member.id().to_owned());
            MemberStatus { cluster, id, uid, phase, message }
        });
        let is_listed = |cluster: &str| set.spec.members.iter().any(|member| member.cluster == cluster);
        let leaving =
            set.status.members.iter().filter(|status| !is_listed(&status.cluster)).filter_map(|status| {
                let cluster = ClusterName::new(status.cluster.as_str());
                // A cluster without Cluster object has been unjoined; there is nothing to wait for.
                self.hub.cluster(&cluster)?;
                if self.hub.cluster_sets.has_left(&cluster) || status.phase == MemberPhase::Refused {
                    return None;
                }
                let message =
                    "the objects of the set in the cluster are being deleted; the cluster must be reachable for that";
                Some(MemberStatus {
                    phase: MemberPhase::Leaving,
                    message: message.to_owned(),
                    ..status.clone()
                })
            });
        listed.chain(leaving).collect()
    }

    /// Phase, uid and message of a member that the set lists.
    fn phase(&self, set: &ClusterSet, cluster: &str) -> (MemberPhase, String, String) {
        let before = set.status.members.iter().find(|status| status.cluster == cluster);
        let uid = before.map(|status| status.uid.clone()).unwrap_or_default();
        let memberships = self.hub.cluster_sets.memberships();
        if let Some(refusal) = memberships.refusal(&set.metadata.name, cluster) {
            return (MemberPhase::Refused, uid, refusal.to_string());
        }
        match self.hub.cluster_sets.progress(&ClusterName::new(cluster)) {
            Some(JoinProgress::Joined(joined)) if memberships.of(cluster) == Some(&joined) => {
                (MemberPhase::Joined, joined.uid, String::new())
            }
            Some(JoinProgress::Contradicted(message)) => (MemberPhase::Refused, uid, message),
            // A joined cluster stays a member, with its id, while the hub cannot reach it.
            _ if before.is_some_and(|status| status.phase == MemberPhase::Joined) => {
                (MemberPhase::Joined, uid, String::new())
            }
            Some(JoinProgress::Pending(message)) => (MemberPhase::Pending, uid, message),
            _ => (MemberPhase::Pending, uid, "waiting for the cluster".to_owned()),
        }
    }
}
