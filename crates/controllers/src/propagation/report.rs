//! What became of a binding: its own status from its Works, and the status of its template from that.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::conditions::binding as reasons;
use portolan_api::meta::{Condition, condition, set_condition};
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::aggregate::aggregate;
use portolan_plan::propagation::status::{aggregated, fully_applied, reports};
use portolan_runtime::client::Patch;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, Outcome};
use serde_json::json;
use tokio::time::Instant;

use crate::merge::difference;
use crate::propagation::Pipeline;
use crate::propagation::forms::Binding;
use crate::propagation::schedule::Scheduled;
use crate::propagation::works::of_binding;

/// Writes what changed; nothing when nothing did.
pub(super) async fn settle(
    pipeline: &Pipeline,
    key: &ObjectKey,
    binding: &Binding,
    template: &Object,
    scheduled: Scheduled,
) -> Result<Outcome, ClientError> {
    let now = pipeline.hub.now();
    let works = of_binding(&pipeline.hub, key);
    let items = aggregated(works.iter().map(AsRef::as_ref));
    let mut status = binding.status.clone();
    if let Some(decided) = scheduled.condition {
        tell(pipeline, binding, template, &decided);
        set_condition(&mut status.conditions, decided);
        if status.scheduler_observed_generation != binding.metadata.generation {
            status.scheduler_observed_generation = binding.metadata.generation;
            status.last_scheduled_time = Some(now.clone());
        }
        if let Some(name) = scheduled.affinity_name {
            status.scheduler_observed_affinity_name = name;
        }
    }
    // Without any Work yet there is nothing to say; the first one brings us here again.
    if !items.is_empty() || !status.aggregated_status.is_empty() {
        set_condition(&mut status.conditions, fully_applied(&binding.spec, &items, &now));
        status.aggregated_status = items;
    }
    if status != binding.status {
        let all_reported = works.iter().all(|work| !work.status.conditions.is_empty());
        let is_settled = all_reported && !works.is_empty();
        let is_urgent = condition(&status.conditions, reasons::SCHEDULED).is_some_and(|one| !one.is_true());
        let knew_before = !binding.status.aggregated_status.is_empty();
        if !(is_settled || is_urgent || knew_before || pipeline.first_reports.is_over(key)) {
            return Ok(Outcome::RequeueAfter(FIRST_REPORT));
        }
        let patch = difference(&json!(binding.status), &json!(status));
        let patch = Patch::Merge(json!({ "status": patch }));
        pipeline.bindings.written(pipeline.bindings.api(key).patch_status(key, &patch).await?);
    }
    pipeline.first_reports.forget(key);
    template_status(pipeline, template, &status.aggregated_status).await?;
    Ok(Outcome::Done)
}

/// How long the first status of a binding waits for all its clusters to report, which they do late while many objects
/// are on their way to them. One write then says it all; a member that does not answer delays it by no more than this.
const FIRST_REPORT: Duration = Duration::from_secs(4);

/// Bindings whose first status waits, and since when.
#[derive(Clone, Default)]
pub(super) struct FirstReports(Arc<Mutex<HashMap<ObjectKey, Instant>>>);

impl FirstReports {
    /// Whether a binding has waited long enough; the first question starts its wait.
    fn is_over(&self, key: &ObjectKey) -> bool {
        let now = Instant::now();
        let since = *self.0.lock().entry(key.clone()).or_insert(now);
        now.duration_since(since) >= FIRST_REPORT
    }

    pub(super) fn forget(&self, key: &ObjectKey) {
        self.0.lock().remove(key);
    }
}

/// An event when the decision is news.
fn tell(pipeline: &Pipeline, binding: &Binding, template: &Object, decided: &Condition) {
    let known = condition(&binding.status.conditions, reasons::SCHEDULED);
    let is_news = known.is_none_or(|known| known.message != decided.message);
    if is_news && !decided.is_true() {
        let about = Regarding::object(template);
        pipeline.hub.events.record(
            about,
            Severity::Warning,
            "ScheduleBindingFailed",
            decided.message.clone(),
        );
    }
}

/// The template's status, for kinds that have one to sum up.
async fn template_status(
    pipeline: &Pipeline,
    template: &Object,
    items: &[portolan_api::work::AggregatedStatusItem],
) -> Result<(), ClientError> {
    let Some(status) = aggregate(template, &reports(items)) else { return Ok(()) };
    let present = template.at(&["status"]).cloned().unwrap_or_else(|| json!({}));
    if status == present {
        return Ok(());
    }
    let kind = template.group_version_kind().group_kind();
    let Some(cache) = pipeline.templates.of_kind(&kind) else { return Ok(()) };
    let api = pipeline.hub.client.resource::<Object>(cache.resource());
    let patch = Patch::Merge(json!({ "status": difference(&present, &status) }));
    match api.patch_status(&template.key(), &patch).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}
