//! The policy that decides about a template.

use portolan_api::meta::ObjectMeta;
use portolan_api::policy::PropagationSpec;

use crate::propagation::detect::Candidate;

/// The policy that decides about a template.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen<'a> {
    pub(super) metadata: &'a ObjectMeta,
    pub(super) spec: &'a PropagationSpec,
}

impl<'a> Chosen<'a> {
    pub(super) fn of(policy: Candidate<'a>) -> Self {
        Self { metadata: policy.metadata, spec: policy.spec }
    }
}
