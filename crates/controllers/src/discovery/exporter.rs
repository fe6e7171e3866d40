//! Exports of one member: conditions of each ServiceExport, and an Event when a condition changes.

use std::sync::Arc;

use portolan_api::conditions::multicluster as types;
use portolan_api::meta::{Condition, condition};
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::conditions::{OtherExports, Trouble, export_conditions, present};
use portolan_plan::discovery::export::validate_export;
use portolan_plan::discovery::importable::refused;
use portolan_plan::discovery::merge::merge;
use portolan_plan::discovery::problem::export_doubts;
use portolan_plan::discovery::traffic_policy::policies_of;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, EventRecorder, Outcome, Reconciler};
use serde_json::json;

use super::member_writer::MemberWriter;
use super::site::Site;
use super::{Discovery, id_of};
use crate::hub::MembershipState;
use crate::missing::ignore_missing;

/// Writes the status of this member's exports.
pub(super) struct Exporter {
    pub(super) discovery: Arc<Discovery>,
    pub(super) site: Arc<Site>,
    pub(super) events: EventRecorder,
}

impl Reconciler for Exporter {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let is_known = self.site.is_known() && self.discovery.policies.is_synced();
        if !is_known || self.site.member().hold().holder().is_none() {
            // The key is queued again after the caches have synced, and when the hold of the member changes.
            return Outcome::Done;
        }
        let Some(export) = self.site.export(key) else { return Outcome::Done };
        self.update_conditions(key, &export).await.into()
    }
}

impl Exporter {
    async fn update_conditions(&self, key: &ObjectKey, export: &Object) -> Result<(), ClientError> {
        let cluster = self.site.member().name();
        let now = crate::time::rfc3339(&self.discovery.clock);
        let service = self.site.service(key);
        let validated = validate_export(cluster.as_str(), export, service.as_deref());
        let validity = validated.as_ref().map(|_| ());
        let state = self.discovery.sets.state(cluster);
        let trouble = self.trouble(key, service.as_deref(), &state);
        let conditions_with =
            |others: OtherExports<'_>| export_conditions(export, validity, others, &trouble, &now);
        let conditions = match state {
            MembershipState::Unknown => return Ok(()),
            MembershipState::NoSet => conditions_with(OtherExports::NoSet),
            MembershipState::Pending(_) => conditions_with(OtherExports::Unknown),
            MembershipState::Member(membership) => {
                let exports = self.discovery.exports_of(&membership.set, key);
                match merge(exports.valid.clone(), exports.used) {
                    Some(merged) if exports.unknown.is_empty() || !has_conflict_condition(export) => {
                        conditions_with(OtherExports::Merged(&merged))
                    }
                    // Unreachable members may cause or resolve a conflict, so the present conditions stay.
                    Some(_) if validity.is_ok() => return Ok(()),
                    _ => conditions_with(OtherExports::Unknown),
                }
            }
        };
        self.write(export, conditions).await
    }

    /// What is wrong in importing members: endpoints that they refuse, by the rules that every API server has and by their
    /// answers, and the problems of their passes.
    fn trouble(&self, key: &ObjectKey, service: Option<&Object>, state: &MembershipState) -> Trouble {
        let slices = self.site.slices(key);
        let slices: Vec<&Object> = slices.iter().map(AsRef::as_ref).collect();
        let by_rule = refused(slices.iter().copied()).into_iter().map(|refused| refused.to_string());
        let name = self.site.member().name().as_str();
        let names = [name, id_of(state).unwrap_or(name)];
        let (failed, in_importers) = self.discovery.problems.of(key, &names);
        let policies = self.discovery.policies.list_namespace(&key.namespace);
        let limiting = policies_of(key, policies.iter().map(AsRef::as_ref)).into_iter();
        let limiting = limiting.filter(|policy| policy.spec.visible_to.is_some());
        Trouble {
            limited_by: limiting.map(|policy| policy.metadata.name.clone()).collect(),
            refused: by_rule.chain(self.discovery.refusals.of(key, &names)).collect(),
            failed,
            doubts: export_doubts(service, &slices).into_iter().chain(in_importers).collect(),
        }
    }

    async fn write(&self, export: &Object, conditions: Vec<Condition>) -> Result<(), ClientError> {
        let before = present(export);
        if before == conditions {
            return Ok(());
        }
        let Some(cache) = self.site.export_cache() else { return Ok(()) };
        // Server-side apply with our condition types only; conditions of other managers stay.
        let ours: Vec<&Condition> = conditions.iter().filter(|condition| is_ours(condition)).collect();
        let mut status = Object::new(&cache.resource().gvk, &export.key());
        status.0["status"] = json!({ "conditions": ours });
        let writer = MemberWriter { member: self.site.member(), cache: &cache };
        if ignore_missing(writer.apply_status(&status).await)?.is_some() {
            self.emit_events(export, &before, &conditions);
        }
        Ok(())
    }

    /// Emits an Event for each condition with a changed status.
    fn emit_events(&self, export: &Object, before: &[Condition], after: &[Condition]) {
        for now in after.iter().filter(|condition| is_ours(condition)) {
            let then = condition(before, &now.kind);
            if then.is_some_and(|then| then.status == now.status) {
                continue;
            }
            let is_problem = (now.kind == types::CONFLICT) == now.is_true();
            // Do not emit an event for the first healthy condition.
            if then.is_none() && (!is_problem || now.reason == types::PENDING) {
                continue;
            }
            let severity = if is_problem { Severity::Warning } else { Severity::Normal };
            self.events.record(Regarding::object(export), severity, &now.reason, now.message.clone());
        }
    }
}

fn is_ours(condition: &Condition) -> bool {
    [types::VALID, types::READY, types::CONFLICT].contains(&condition.kind.as_str())
}

fn has_conflict_condition(export: &Object) -> bool {
    condition(&present(export), types::CONFLICT).is_some()
}
