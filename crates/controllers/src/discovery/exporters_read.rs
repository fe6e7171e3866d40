//! Tells the owners of clients which exporters the control plane cannot read: a condition and an Event on the import.

use std::sync::Arc;

use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::READY;
use portolan_api::conditions::multicluster::EXPORTERS_READ;
use portolan_api::meta::condition;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::conditions::present;
use portolan_plan::discovery::exporters_read::{UnreadExporter, exporters_read};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, ClusterName};
use serde_json::json;

use super::Discovery;
use super::importer::Importer;
use super::member_writer::MemberWriter;
use crate::missing::ignore_missing;

/// Since when a cluster has not been ready; `None` while it is, and before its first probe.
pub(super) fn not_ready_since(cluster: &Cluster) -> Option<String> {
    let ready = condition(&cluster.status.conditions, READY)?;
    (!ready.is_true()).then(|| ready.last_transition_time.clone())
}

impl Discovery {
    /// Re-queues in every other member what it imports from a cluster, after the link to that cluster was lost or is back.
    pub(super) fn queue_imports_from(&self, cluster: &ClusterName) {
        let Some(own) = self.site(cluster) else { return };
        let exported = own.exported();
        for site in self.all_sites().iter().filter(|site| site.member().name() != cluster) {
            let imported = exported.iter().filter(|key| site.imports_service(key));
            imported.for_each(|key| site.imports_queue().add(key.clone()));
        }
    }

    /// Members of a set to which the link is lost, by their ids.
    pub(super) fn unreachable_members(&self, set: &str) -> Vec<UnreadExporter> {
        let members = self.sets.members_of(set).into_iter();
        let unread = members.filter_map(|(cluster, membership)| {
            Some(UnreadExporter { since: self.lost_since(&cluster)?, cluster: membership.id })
        });
        unread.collect()
    }

    /// Since when the link to a cluster is lost.
    fn lost_since(&self, cluster: &ClusterName) -> Option<String> {
        not_ready_since(&*self.clusters.get(&ObjectKey::cluster(cluster.as_str()))?)
    }
}

impl Importer {
    /// Writes the condition of an explicit import, of which nothing else in the status is Portolan's.
    pub(super) async fn write_unread(
        &self,
        import: &Arc<Object>,
        exporters: &[ClusterName],
    ) -> Result<(), ClientError> {
        let Some(cache) = self.site.import_cache() else { return Ok(()) };
        let unread = exporters.iter().filter_map(|cluster| {
            let since = self.discovery.lost_since(cluster)?;
            Some(UnreadExporter { cluster: cluster.to_string(), since })
        });
        let unread: Vec<UnreadExporter> = unread.collect();
        let before = present(import);
        let now = crate::time::rfc3339(&self.discovery.clock);
        let Some(mut wanted) = exporters_read(&unread, &before, &now) else { return Ok(()) };
        if let Some(known) = condition(&before, EXPORTERS_READ) {
            if known.status == wanted.status && known.message == wanted.message {
                return Ok(());
            }
            if known.status == wanted.status {
                wanted.last_transition_time.clone_from(&known.last_transition_time);
            }
        }
        let mut status = Object::new(&cache.resource().gvk, &import.key());
        status.0["status"] = json!({ "conditions": [wanted] });
        let writer = MemberWriter { member: self.site.member(), cache: &cache };
        if ignore_missing(writer.apply_status(&status).await)?.is_some() {
            self.report_unread(Some(import), &status);
        }
        Ok(())
    }

    /// Emits an Event if the control plane stops or starts to read an exporter.
    pub(super) fn report_unread(&self, before: Option<&Object>, after: &Object) {
        let find = |import: &Object| condition(&present(import), EXPORTERS_READ).cloned();
        let (then, Some(now)) = (before.and_then(find), find(after)) else { return };
        if then.is_some_and(|then| then.status == now.status) {
            return;
        }
        let severity = if now.is_true() { Severity::Normal } else { Severity::Warning };
        let regarding = Regarding::object(before.unwrap_or(after));
        self.events.record(regarding, severity, &now.reason, now.message.clone());
    }
}
