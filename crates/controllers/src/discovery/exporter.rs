//! One pass over one export: its conditions, and an Event when it starts or ceases to be in trouble.

use std::sync::Arc;

use portolan_api::conditions::multicluster as types;
use portolan_api::meta::{Condition, condition};
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::conditions::{Standing as Judged, export_conditions, present};
use portolan_plan::discovery::export::judge;
use portolan_plan::discovery::merge::merge;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, EventRecorder, Outcome, Reconciler};
use serde_json::json;

use super::Discovery;
use super::site::Site;
use super::write::Writer;
use crate::cluster_sets::Standing;

/// Writes what becomes of the exports of one member.
pub(super) struct Exporter {
    pub(super) discovery: Arc<Discovery>,
    pub(super) site: Arc<Site>,
    pub(super) events: EventRecorder,
}

impl Reconciler for Exporter {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        if !self.site.is_known() {
            return Outcome::Done;
        }
        let Some(export) = self.site.export(key) else { return Outcome::Done };
        self.judge(key, &export).await.into()
    }
}

impl Exporter {
    async fn judge(&self, key: &ObjectKey, export: &Object) -> Result<(), ClientError> {
        let cluster = self.site.member().name();
        let now = crate::time::rfc3339(&self.discovery.clock);
        let service = self.site.service(key);
        let judged = judge(cluster.as_str(), export, service.as_deref());
        let judged = judged.as_ref().map(|_| ());
        let conditions = match self.discovery.sets.standing(cluster) {
            Standing::Unknown => return Ok(()),
            Standing::Alone => export_conditions(export, judged, Judged::Alone, &now),
            Standing::Pending(_) => export_conditions(export, judged, Judged::Unknown, &now),
            Standing::Member(membership) => {
                let exports = self.discovery.exports_of(&membership.set, key);
                match merge(exports.offers.clone(), exports.used) {
                    Some(merged) if exports.unknown.is_empty() || !has_judgement(export) => {
                        export_conditions(export, judged, Judged::Merged(&merged), &now)
                    }
                    // Members that cannot be seen may disagree, or may have been what the others disagreed with: what
                    // was said stays, apart from what this cluster alone decides.
                    Some(_) if judged.is_ok() => return Ok(()),
                    _ => export_conditions(export, judged, Judged::Unknown, &now),
                }
            }
        };
        self.write(export, conditions).await
    }

    async fn write(&self, export: &Object, conditions: Vec<Condition>) -> Result<(), ClientError> {
        let before = present(export);
        if before == conditions {
            return Ok(());
        }
        let Some(cache) = self.site.export_cache() else { return Ok(()) };
        // Only those that are ours; a condition of somebody else is theirs to keep.
        let ours: Vec<&Condition> = conditions.iter().filter(|condition| is_ours(condition)).collect();
        let mut status = Object::new(&cache.resource().gvk, &export.key());
        status.0["status"] = json!({ "conditions": ours });
        let writer = Writer { member: self.site.member(), cache: &cache };
        match writer.apply_status(&status).await {
            Err(error) if error.is_not_found() => return Ok(()),
            result => result?,
        }
        self.announce(export, &before, &conditions);
        Ok(())
    }

    fn announce(&self, export: &Object, before: &[Condition], after: &[Condition]) {
        for now in after.iter().filter(|condition| is_ours(condition)) {
            let then = condition(before, &now.kind);
            if then.is_some_and(|then| then.status == now.status) {
                continue;
            }
            let is_trouble = (now.kind == types::CONFLICT) == now.is_true();
            // The first word of an export that is well is not news.
            if then.is_none() && (!is_trouble || now.reason == types::PENDING) {
                continue;
            }
            let severity = if is_trouble { Severity::Warning } else { Severity::Normal };
            self.events.record(Regarding::object(export), severity, &now.reason, now.message.clone());
        }
    }
}

fn is_ours(condition: &Condition) -> bool {
    [types::VALID, types::READY, types::CONFLICT].contains(&condition.kind.as_str())
}

fn has_judgement(export: &Object) -> bool {
    condition(&present(export), types::CONFLICT).is_some()
}
