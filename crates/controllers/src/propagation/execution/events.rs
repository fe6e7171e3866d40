//! Events of a Work that was applied (karmada pkg/controllers/execution/execution_controller.go,
//! pkg/controllers/status/work_status_controller.go).

use portolan_api::annotations;
use portolan_api::conditions::work::{APPLIED, DISPATCHING};
use portolan_api::meta::{Condition, condition};
use portolan_api::work::{ResourceHealth, Work, WorkStatus};
use portolan_object::Object;
use portolan_runtime::events::{Regarding, Severity};

use super::{Executor, manifest};

impl Executor {
    /// Emits the events for what a new status says for the first time. `observed` is the object in the member.
    pub(super) fn emit_changes(&self, work: &Work, status: &WorkStatus, observed: Option<&Object>) {
        self.emit_dispatching(work, status);
        self.emit_applied(work, status);
        let Some(observed) = observed else { return };
        let (known, new) = (work.status.manifest_statuses.first(), status.manifest_statuses.first());
        let object = format!("{}/{}/{}", observed.kind(), observed.namespace(), observed.name());
        if known.map(|known| &known.status) != new.map(|new| &new.status) {
            let message = format!("Reflect status for object({object}) succeed.");
            self.hub.events.success(Regarding::kind(work), "ReflectStatusSucceed", message);
        }
        let health = new.and_then(|new| new.health);
        if known.and_then(|known| known.health) != health {
            let health = match health {
                Some(ResourceHealth::Healthy) => "healthy",
                Some(ResourceHealth::Unhealthy) => "unhealthy",
                // A failure has an event of its own.
                Some(ResourceHealth::Unknown) | None => return,
            };
            let message = format!("Interpret health of object({object}) as {health}.");
            self.hub.events.success(Regarding::kind(work), "InterpretHealthSucceed", message);
        }
    }

    fn emit_dispatching(&self, work: &Work, status: &WorkStatus) {
        let Some(new) = condition(&status.conditions, DISPATCHING) else { return };
        let known = condition(&work.status.conditions, DISPATCHING);
        if known.map(Condition::is_true) == Some(new.is_true()) {
            return;
        }
        if known.is_none() && new.is_true() {
            self.hub.events.success(Regarding::kind(work), "WorkDispatching", new.message.clone());
        } else {
            self.hub.events.record(
                Regarding::kind(work),
                Severity::Normal,
                "WorkDispatching",
                new.message.clone(),
            );
        }
    }

    fn emit_applied(&self, work: &Work, status: &WorkStatus) {
        let key = |conditions| {
            condition(conditions, APPLIED).map(|applied| (applied.is_true(), applied.observed_generation))
        };
        let (known, new) = (key(&work.status.conditions), key(&status.conditions));
        if known == new || !new.is_some_and(|(is_applied, _)| is_applied) {
            return;
        }
        let (cluster, metadata) = (self.member.name(), &work.metadata);
        let message =
            format!("Sync work({}/{}) to cluster({cluster}) successful.", metadata.namespace, metadata.name);
        self.hub.events.success(Regarding::kind(work), "SyncSucceed", message);
        if let Some(template) = self.template(work) {
            let (namespace, name) = (&template.key.namespace, &template.key.name);
            let message = format!("Successfully applied resource({namespace}/{name}) to cluster {cluster}");
            self.hub.events.success(template, "SyncSucceed", message);
        }
    }

    /// The template of a Work. `None` in an agent, which may write no events about templates.
    pub(super) fn template(&self, work: &Work) -> Option<Regarding> {
        let manifest = manifest(work).filter(|_| !self.hub.is_agent)?;
        let uid = manifest.annotation(annotations::template::UID).unwrap_or_default().to_owned();
        Some(Regarding { gvk: manifest.group_version_kind(), key: manifest.key(), uid })
    }
}
