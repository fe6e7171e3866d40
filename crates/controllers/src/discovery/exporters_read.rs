//! Tells the owners of clients which exporters the control plane cannot read, and which are not used: conditions and Events of
//! the import.

use std::collections::BTreeMap;
use std::sync::Arc;

use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::READY;
use portolan_api::conditions::multicluster::{EXPORTERS_READ, EXPORTERS_USED};
use portolan_api::meta::{condition, set_condition};
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::conditions::{Exporters, present};
use portolan_plan::discovery::exporters_read::UnreadExporter;
use portolan_plan::discovery::exporters_used::ExportersUsed;
use portolan_plan::discovery::routing::Routing;
use portolan_plan::discovery::usage::Allotment;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, ClusterName};
use serde_json::json;

use super::Discovery;
use super::importer::Importer;
use super::member_writer::MemberWriter;
use crate::missing::ignore_missing;

/// Conditions of an import about its exporters.
const ABOUT_EXPORTERS: [&str; 2] = [EXPORTERS_READ, EXPORTERS_USED];

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
    /// Writes the conditions of an explicit import, of which nothing else in the status is Portolan's. A cluster that does not see
    /// the service is told nothing.
    pub(super) async fn write_exporters(
        &self,
        import: &Arc<Object>,
        exporters: &[ClusterName],
        routing: &Routing,
        allotted: &BTreeMap<String, Allotment>,
    ) -> Result<(), ClientError> {
        let Some(cache) = self.site.import_cache() else { return Ok(()) };
        let exporters = if routing.is_hidden { &[] } else { exporters };
        let unread = exporters.iter().filter_map(|cluster| {
            let since = self.discovery.lost_since(cluster)?;
            Some(UnreadExporter { cluster: cluster.to_string(), since })
        });
        let unread: Vec<UnreadExporter> = unread.collect();
        let exporters: Vec<String> = exporters.iter().map(ToString::to_string).collect();
        let before = present(import);
        let now = crate::time::rfc3339(&self.discovery.clock);
        let used = ExportersUsed { routing, allotted, exporters: &exporters }.told(&before, &now);
        let about = Exporters { unread: &unread, used };
        let mut after = before.clone();
        for wanted in about.conditions(&before, &now) {
            set_condition(&mut after, wanted);
        }
        if after == before {
            return Ok(());
        }
        let mut status = Object::new(&cache.resource().gvk, &import.key());
        after.retain(|condition| ABOUT_EXPORTERS.contains(&condition.kind.as_str()));
        status.0["status"] = json!({ "conditions": after });
        let writer = MemberWriter { member: self.site.member(), cache: &cache };
        if ignore_missing(writer.apply_status(&status).await)?.is_some() {
            self.report_exporters(Some(import), &status);
        }
        Ok(())
    }

    /// Emits an Event for each condition about the exporters that has changed.
    pub(super) fn report_exporters(&self, before: Option<&Object>, after: &Object) {
        for kind in ABOUT_EXPORTERS {
            let find = |import: &Object| condition(&present(import), kind).cloned();
            let (then, Some(now)) = (before.and_then(find), find(after)) else { continue };
            if then.is_some_and(|then| then.status == now.status) {
                continue;
            }
            let severity = if now.is_true() { Severity::Normal } else { Severity::Warning };
            let regarding = Regarding::object(before.unwrap_or(after));
            self.events.record(regarding, severity, &now.reason, now.message.clone());
        }
    }
}
