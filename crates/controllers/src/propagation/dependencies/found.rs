//! Whether the objects exist that an independent binding refers to.

use portolan_api::Kind;
use portolan_api::meta::{Condition, condition};
use portolan_api::work::ResourceBinding;
use portolan_plan::propagation::dependencies::{self, NOT_FOUND, recorded};
use portolan_runtime::events::{Regarding, Severity};

use super::referred;
use crate::propagation::Pipeline;
use crate::propagation::scoped::Binding;

/// The condition about missing dependencies; `None` while there is nothing to tell. A change for the worse is an event on
/// the binding.
pub(in crate::propagation) fn found(pipeline: &Pipeline, binding: &Binding) -> Option<Condition> {
    let mut missing = if binding.spec.propagate_deps { recorded(&binding.metadata) } else { Vec::new() };
    missing.retain(|reference| !reference.name.is_empty() && referred(pipeline, reference).is_empty());
    let known = &binding.status.conditions;
    let wanted = dependencies::condition(&missing, known, &pipeline.hub.now())?;
    let is_known = condition(known, &wanted.kind).is_some_and(|known| known.message == wanted.message);
    if !wanted.is_true() && !is_known {
        let (key, uid) = (binding.metadata.key(), binding.metadata.uid.clone());
        let about = Regarding { gvk: ResourceBinding::gvk(), key, uid };
        pipeline.hub.events.record(about, Severity::Warning, NOT_FOUND, wanted.message.clone());
    }
    Some(wanted)
}
