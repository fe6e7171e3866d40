//! Writes into the status of a set how far its members are.

use std::sync::Arc;

use portolan_api::clusterset::{ClusterSet, ClusterSetStatus, MemberPhase, MemberStatus};
use portolan_object::ObjectKey;
use portolan_runtime::client::Patch;
use portolan_runtime::{ClientError, ClusterName, Outcome, Queue, Reconciler};
use serde_json::json;

use super::{ClusterSets, Progress};
use crate::hub::Hub;
use crate::merge::difference;

struct Report {
    hub: Hub,
    sets: ClusterSets,
}

pub(super) fn start(hub: &Hub, queue: &Queue<String>) {
    let report = Report { hub: hub.clone(), sets: hub.cluster_sets.clone() };
    portolan_runtime::driver::run(Arc::new(report), queue, 1, &hub.scope);
}

impl Reconciler for Report {
    type Key = String;

    async fn reconcile(&self, name: &String) -> Outcome {
        if !self.sets.is_known() {
            return Outcome::Done;
        }
        let key = ObjectKey::cluster(name.as_str());
        let Some(set) = self.sets.inner.sets.get(&key) else { return Outcome::Done };
        self.write(&key, &set).await.into()
    }
}

impl Report {
    async fn write(&self, key: &ObjectKey, set: &ClusterSet) -> Result<(), ClientError> {
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
        self.sets.inner.sets.written(key.clone(), &version, written);
        Ok(())
    }

    fn members(&self, set: &ClusterSet) -> Vec<MemberStatus> {
        let listed = set.spec.members.iter().map(|member| {
            let (phase, uid, message) = self.state(set, &member.cluster);
            let (cluster, id) = (member.cluster.clone(), member.id().to_owned());
            MemberStatus { cluster, id, uid, phase, message }
        });
        let is_listed = |cluster: &str| set.spec.members.iter().any(|member| member.cluster == cluster);
        let leaving =
            set.status.members.iter().filter(|status| !is_listed(&status.cluster)).filter_map(|status| {
                let cluster = ClusterName::new(status.cluster.as_str());
                // With the Cluster object everything that the hub knew of it is gone.
                self.hub.cluster(&cluster)?;
                if self.sets.has_left(&cluster) || status.phase == MemberPhase::Refused {
                    return None;
                }
                let message =
                    "what the set put into the cluster is being removed; it has to be reachable for that";
                Some(MemberStatus {
                    phase: MemberPhase::Leaving,
                    message: message.to_owned(),
                    ..status.clone()
                })
            });
        listed.chain(leaving).collect()
    }

    /// Phase, uid and message of a member that is listed.
    fn state(&self, set: &ClusterSet, cluster: &str) -> (MemberPhase, String, String) {
        let before = set.status.members.iter().find(|status| status.cluster == cluster);
        let uid = before.map(|status| status.uid.clone()).unwrap_or_default();
        let decided = self.sets.inner.decided.read().clone();
        if let Some(refusal) = decided.refusal(&set.metadata.name, cluster) {
            return (MemberPhase::Refused, uid, refusal.to_string());
        }
        let pending = "waiting for the cluster";
        match self.sets.inner.progress.lock().get(&ClusterName::new(cluster)) {
            Some(Progress::Joined(told)) if decided.of(cluster) == Some(told) => {
                (MemberPhase::Joined, told.uid.clone(), String::new())
            }
            Some(Progress::Contradicted(message)) => (MemberPhase::Refused, uid, message.clone()),
            // A cluster that joined stays a member while the hub cannot see it, and keeps its id.
            _ if before.is_some_and(|status| status.phase == MemberPhase::Joined) => {
                (MemberPhase::Joined, uid, String::new())
            }
            Some(Progress::Pending(message)) => (MemberPhase::Pending, uid, message.clone()),
            _ => (MemberPhase::Pending, uid, pending.to_owned()),
        }
    }
}
