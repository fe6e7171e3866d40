//! The status of a binding from its Works, and the status of its template from that.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::conditions::binding as reasons;
use portolan_api::meta::{Condition, condition, set_condition};
use portolan_api::work::ResourceBindingStatus;
use portolan_object::patch::difference;
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::aggregate::status_patch;
use portolan_plan::propagation::collected;
use portolan_plan::propagation::status::{
    Shortfall, aggregated, binding_dispatching, fully_applied, held_back,
};
use portolan_runtime::client::{BoxError, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, Outcome};
use serde_json::json;
use tokio::time::Instant;

use crate::collections::{template_api, trim_template};
use crate::missing::ignore_missing;
use crate::propagation::schedule::{self, Scheduled};
use crate::propagation::scoped::Binding;
use crate::propagation::source::Source;
use crate::propagation::works::of_binding;
use crate::propagation::{Pipeline, federated};

/// What a pass over a binding decided, besides what the Works report.
pub(super) struct Decided {
    /// The result of scheduling.
    pub(super) scheduled: Scheduled,
    /// Messages of the override policies that could not be applied.
    pub(super) failed_overrides: Vec<String>,
    /// Why Works could not be made for other reasons.
    pub(super) not_made: Vec<String>,
    /// The condition about missing dependencies.
    pub(super) dependencies: Option<Condition>,
}

/// Writes the status of a binding and of its template if they changed.
pub(super) async fn aggregate_status(
    pipeline: &Pipeline,
    key: &ObjectKey,
    binding: &Binding,
    source: &Source,
    decided: Decided,
) -> Result<Outcome, BoxError> {
    let Decided { scheduled, failed_overrides, not_made, dependencies } = decided;
    let now = pipeline.hub.now();
    let works = of_binding(&pipeline.hub, key);
    let items = aggregated(works.iter().map(AsRef::as_ref));
    let is_urgent = !failed_overrides.is_empty() || !not_made.is_empty();
    let mut status = with_schedule(pipeline, binding, source.object(), scheduled, &now);
    if let Some(found) = dependencies {
        set_condition(&mut status.conditions, found);
    }
    let is_unscheduled = condition(&status.conditions, reasons::SCHEDULED).is_some_and(|one| !one.is_true());
    let all_reported = works.iter().all(|work| !work.status.conditions.is_empty()) && !works.is_empty();
    let had_report = !binding.status.aggregated_status.is_empty();
    // Without a Work there is nothing to report; the first one queues the binding again.
    let is_reportable = !items.is_empty() || had_report || is_urgent;
    let is_complete = all_reported || is_urgent || is_unscheduled || had_report;
    if is_reportable && !is_complete && !pipeline.first_reports.is_over(key) {
        // Without a backlog one more write costs nothing, and users see at once where the object goes.
        if pipeline.binding_queue.ready() == 0 {
            write_status(pipeline, key, binding, &status).await?;
        }
        return Ok(Outcome::RequeueAfter(FIRST_REPORT_TIMEOUT));
    }
    if is_reportable {
        let held_back = held_back(works.iter().map(AsRef::as_ref));
        let shortfall = Shortfall { failed_overrides, not_made, held_back };
        set_condition(&mut status.conditions, fully_applied(&binding.spec, &items, &shortfall, &now));
        status.aggregated_status = items;
    }
    let collected = collected::of_binding(works.iter().map(AsRef::as_ref), &status.conditions, &now);
    if let Some(collected) = collected {
        set_condition(&mut status.conditions, collected);
    }
    if let Some(dispatching) = binding_dispatching(&binding.spec, &status.conditions, &now) {
        set_condition(&mut status.conditions, dispatching);
    }
    write_status(pipeline, key, binding, &status).await?;
    pipeline.first_reports.forget(key);
    // The status of a federated object is about propagation.
    if let Source::Hub(template) = source {
        write_template_status(pipeline, binding, template, &status.aggregated_status).await?;
    }
    Ok(Outcome::Done)
}

/// The status of a binding with the result of scheduling. A failure for a new reason is an event.
fn with_schedule(
    pipeline: &Pipeline,
    binding: &Binding,
    template: &Object,
    scheduled: Scheduled,
    now: &str,
) -> ResourceBindingStatus {
    let mut status = binding.status.clone();
    let Some(decided) = scheduled.condition else { return status };
    emit_event(pipeline, binding, template, &decided);
    if decided.is_true() {
        status.scheduler_observed_generation = binding.metadata.generation;
    }
    if scheduled.is_new {
        status.last_scheduled_time = Some(now.to_owned());
    }
    set_condition(&mut status.conditions, decided);
    if let Some(name) = scheduled.affinity_name {
        status.scheduler_observed_affinity_name = name;
    }
    status
}

async fn write_status(
    pipeline: &Pipeline,
    key: &ObjectKey,
    binding: &Binding,
    status: &ResourceBindingStatus,
) -> Result<(), ClientError> {
    if *status == binding.status {
        return Ok(());
    }
    let patch = difference(&json!(binding.status), &json!(status));
    let patch = Patch::Merge(json!({ "status": patch }));
    pipeline.bindings.written(pipeline.bindings.api(key).patch_status(key, &patch).await?);
    if status.aggregated_status != binding.status.aggregated_status {
        let (kind, namespace, name) = (&binding.kind, &key.namespace, &key.name);
        let message = format!("Update {kind}({namespace}/{name}) with AggregatedStatus successfully.");
        pipeline.hub.events.success(binding.regarding(), "AggregateStatusSucceed", message);
    }
    if status.last_scheduled_time != binding.status.last_scheduled_time {
        schedule::emit_success(pipeline, binding);
    }
    Ok(())
}

/// Time that the first status of a binding waits for the reports of all clusters. Reports are late while many objects are
/// written to the members; one write then has all of them. A member that does not answer delays it by this time.
const FIRST_REPORT_TIMEOUT: Duration = Duration::from_secs(4);

/// Bindings that wait for their first status, with the start of the wait. Clones share state.
#[derive(Clone, Default)]
pub(super) struct FirstReports(Arc<Mutex<HashMap<ObjectKey, Instant>>>);

impl FirstReports {
    /// Whether the wait of a binding is over; the first call starts it.
    fn is_over(&self, key: &ObjectKey) -> bool {
        let now = Instant::now();
        let since = *self.0.lock().entry(key.clone()).or_insert(now);
        now.duration_since(since) >= FIRST_REPORT_TIMEOUT
    }

    pub(super) fn forget(&self, key: &ObjectKey) {
        self.0.lock().remove(key);
    }
}

/// Emits events on binding and template if scheduling failed for a new reason.
fn emit_event(pipeline: &Pipeline, binding: &Binding, template: &Object, decided: &Condition) {
    let known = condition(&binding.status.conditions, reasons::SCHEDULED);
    let changed = known.is_none_or(|known| known.message != decided.message);
    if changed && !decided.is_true() {
        for about in [Regarding::object(template), binding.regarding()] {
            let message = decided.message.clone();
            pipeline.hub.events.record(about, Severity::Warning, "ScheduleBindingFailed", message);
        }
    }
}

/// Writes the template's status, for kinds with an `aggregate` hook.
///
/// The patch is valid for the version in the cache only. If the cache is behind, the write fails as a lost race and the
/// pass is repeated; a change of the status by another client queues the binding (`Pipeline::template_changed`).
async fn write_template_status(
    pipeline: &Pipeline,
    binding: &Binding,
    template: &Object,
    items: &[portolan_api::work::AggregatedStatusItem],
) -> Result<(), BoxError> {
    let kind = template.group_version_kind().group_kind();
    let Some(cache) = pipeline.templates.of_kind(&kind) else { return Ok(()) };
    let key = template.key();
    // The pass may have waited for writes of Works meanwhile.
    let latest = cache.get(&key).filter(|latest| latest.uid() == template.uid());
    let template = latest.as_deref().unwrap_or(template);
    let items = federated::visible(pipeline, binding, items);
    let aggregated = pipeline.interpreters.aggregate(template, &items).await.inspect_err(|error| {
        for about in [Regarding::object(template), binding.regarding()] {
            pipeline.hub.events.record(about, Severity::Warning, "AggregateStatusFailed", error.to_string());
        }
    });
    let Some(patch) = aggregated?.and_then(|status| status_patch(template, &status)) else { return Ok(()) };
    let api = template_api(&pipeline.hub.client, cache.resource());
    if let Some(mut written) = ignore_missing(api.patch_status(&key, &Patch::Merge(patch)).await)? {
        trim_template(&mut written);
        let version = written.resource_version().to_owned();
        cache.written(key, &version, written);
        let message = "Update Resource with AggregatedStatus successfully.";
        pipeline.hub.events.success(Regarding::object(template), "AggregateStatusSucceed", message);
    }
    Ok(())
}
