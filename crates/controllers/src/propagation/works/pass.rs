//! What a pass over the Works of a binding has collected, and how it is written.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use portolan_api::policy::PurgeMode;
use portolan_api::work::{ResourceBindingSpec, Work};
use portolan_object::ObjectKey;
use portolan_plan::kubefed::changes::ChangeError;
use portolan_plan::propagation::overrides::OverrideError;
use portolan_plan::propagation::removal::Cause;
use portolan_plan::propagation::work::is_of_template;
use portolan_runtime::client::BoxError;

use super::events::{report_failed_override, report_failure, report_overrides, report_success};
use super::write::{WorkWrite, is_removed, send};
use crate::failures::Failures;
use crate::hub::Hub;
use crate::propagation::Pipeline;
use crate::propagation::interpreters::InterpretError;
use crate::propagation::scoped::Binding;
use crate::propagation::source::Source;
use crate::removal::remove;

/// The result of a pass over the Works of a binding.
pub(in crate::propagation) struct SyncedWorks {
    /// Messages of the override policies that could not be applied.
    pub(in crate::propagation) failed_overrides: Vec<String>,
    /// Why Works could not be made for other reasons.
    pub(in crate::propagation) not_made: Vec<String>,
    /// The failures of the pass, those of overrides among them.
    pub(in crate::propagation) result: Result<(), BoxError>,
    /// Time until Works that were deleted by hand are made again.
    pub(in crate::propagation) again: Option<Duration>,
    /// Time until an override that was deleted is out of effect.
    pub(in crate::propagation) held: Option<Duration>,
}

impl From<Result<(), BoxError>> for SyncedWorks {
    fn from(result: Result<(), BoxError>) -> Self {
        Self { failed_overrides: Vec::new(), not_made: Vec::new(), result, again: None, held: None }
    }
}

/// The Work of one target cannot be built; its cluster keeps the object from before.
#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
    #[error(transparent)]
    Override(#[from] OverrideError),
    #[error(transparent)]
    Interpret(#[from] InterpretError),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(
        "cluster {cluster} has this object from the binding {owner} already: remove one of the two, or take the cluster \
         out of the placement of one"
    )]
    Taken { cluster: String, owner: ObjectKey },
}

/// What a pass over the Works of a binding has collected.
pub(super) struct Pass<'a> {
    hub: &'a Hub,
    binding: &'a Binding,
    source: &'a Source,
    writes: Vec<WorkWrite>,
    /// Works to be written with other overrides than before.
    overridden: Vec<Work>,
    failed_overrides: Vec<String>,
    not_made: Vec<String>,
    failures: Failures,
    again: Option<Duration>,
    held: Option<Duration>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(pipeline: &'a Pipeline, binding: &'a Binding, source: &'a Source) -> Self {
        Self {
            hub: &pipeline.hub,
            binding,
            source,
            writes: Vec::new(),
            overridden: Vec::new(),
            failed_overrides: Vec::new(),
            not_made: Vec::new(),
            failures: Failures::default(),
            again: None,
            held: None,
        }
    }

    /// An override that was deleted counts for this time.
    pub(super) fn hold(&mut self, time: Duration) {
        self.held = Some(self.held.map_or(time, |held| held.min(time)));
    }

    pub(super) fn add(&mut self, write: Option<WorkWrite>, old: Option<&Work>) {
        let Some(write) = write else { return };
        match write.wait(self.hub) {
            Some(wait) => self.again = self.again.max(Some(wait)),
            None => {
                self.overridden.extend(write.overridden(old));
                self.writes.push(write);
            }
        }
    }

    /// The Work of a target cannot be built.
    pub(super) fn fail(&mut self, error: TargetError, old: Option<&Work>) {
        match error {
            // The federated object says so in its status; the cluster keeps the object from before.
            TargetError::Change(_) => {}
            TargetError::Interpret(_) | TargetError::Taken { .. } => {
                report_failure(self.hub, self.source.object(), self.binding, &error.to_string());
                self.not_made.push(error.to_string());
                self.failures.push(error);
            }
            TargetError::Override(error) => {
                report_failed_override(self.hub, self.source.object(), &error);
                self.failed_overrides.push(error.to_string());
                // The Work of an earlier release can have an object that no override may make.
                let template = self.source.template();
                let is_spoiled = |old: &&Work| !old.metadata.is_deleting() && !is_of_template(old, template);
                if let Some(spoiled) = old.filter(is_spoiled) {
                    self.writes.push(WorkWrite::Remove(Box::new(spoiled.clone())));
                }
                self.failures.push(error);
            }
        }
    }

    /// Sends the writes, and then deletes the Works of clusters that are no targets: an object that moves is created before
    /// it is deleted.
    pub(super) async fn send(self, others: HashMap<&str, &Arc<Work>>) -> SyncedWorks {
        let Self {
            hub,
            binding,
            source,
            writes,
            overridden,
            failed_overrides,
            not_made,
            mut failures,
            again,
            held,
        } = self;
        let has_writes = !writes.is_empty();
        let failed_writes = Failures::of_all(writes.into_iter().map(|write| send(hub, write))).await;
        if has_writes && failed_writes.is_empty() {
            report_success(hub, source.object(), binding);
            overridden.iter().for_each(|work| report_overrides(hub, source.object(), work));
        }
        if failed_writes.is_empty() && again.is_none() {
            let surplus = others
                .iter()
                .filter(|(cluster, work)| !is_removed(work) && !is_evicting(&binding.spec, cluster));
            let removals = surplus.map(|(_, work)| remove(hub, work, Cause::Withdrawn));
            failures.append(Failures::of_all(removals).await);
        }
        failures.append(failed_writes);
        SyncedWorks { failed_overrides, not_made, result: failures.into_result(), again, held }
    }
}

/// Whether a cluster keeps its Work until the object runs elsewhere.
fn is_evicting(spec: &ResourceBindingSpec, cluster: &str) -> bool {
    let mut tasks = spec.graceful_eviction_tasks.iter();
    tasks.any(|task| task.from_cluster == cluster && task.purge_mode != Some(PurgeMode::Directly))
}
