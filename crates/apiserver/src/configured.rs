//! Admission that objects configure: webhooks and policies with the annotation `portolan.dev/run-here`.
//!
//! Without the annotation such an object belongs to the clusters that it is propagated to, and is only stored here. The write
//! path calls [`InForce::mutate`] after the defaults and [`InForce::validate`] after the validation of the kind.
//! Requests of this process itself are not asked about, so that a webhook cannot stop the server; neither
//! are writes of the configurations, so that a faulty one can be repaired.
//!
//! ```text
//! configurations in the store ─► load ─► InForce ─┬► webhooks ─► review ─► client ─► webhook
//!                  (again after a change)         ├► policies ──┬► evaluation ─► expressions
//!                                                 └► mutations ─┘
//!                                                      all: matching
//! ```

mod client;
mod conditions;
mod evaluation;
mod load;
mod matching;
mod mutations;
mod patched;
mod policies;
mod policy;
mod review;
pub(crate) mod sources;
mod types;
mod webhook;
mod webhooks;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use portolan_object::Status;
use serde_json::Value;

use crate::admission::Operation;
use crate::call::Call;
use load::InForce;
pub(crate) use matching::Asked;
use mutations::Round;

/// What is asked about the writes of a request.
///
/// # Errors
/// 500 when the store cannot be read.
pub(crate) fn in_force(call: &Call) -> Result<Arc<InForce>, Status> {
    if call.is_own || call.resource.kind.group == "admissionregistration.k8s.io" {
        return Ok(Arc::default());
    }
    call.server.configured.in_force()
}

impl InForce {
    /// Lets mutating policies and then webhooks change an object; for a deletion, webhooks only decide. If one of them has
    /// changed it, those with `reinvocationPolicy: IfNeeded` are asked once more, in the same order.
    ///
    /// # Errors
    /// The status of the policy or webhook that refuses, or of the call that failed.
    pub(crate) async fn mutate(
        &self,
        call: &Call,
        asked: &Asked<'_>,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        let is_deletion = asked.operation == Operation::Delete;
        let policies = if is_deletion { &[][..] } else { &self.mutations[..] };
        if self.mutating.is_empty() && policies.is_empty() {
            return Ok(());
        }
        let mut has_changed = mutations::mutate(policies, Round::First, call, asked, object, old)?;
        let round = webhooks::mutate(&self.mutating, call, asked, object, old).await?;
        has_changed |= round.has_changed;
        let has_changed_again =
            has_changed && mutations::mutate(policies, Round::Again, call, asked, object, old)?;
        let repeated = round.repeated(&self.mutating, has_changed_again);
        webhooks::mutate_again(repeated, call, asked, object, old).await
    }

    /// Asks policies and validating webhooks.
    ///
    /// # Errors
    /// The status of the first that refuses, policies before webhooks.
    pub(crate) async fn validate(
        &self,
        call: &Call,
        asked: &Asked<'_>,
        object: &Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        policies::validate(&self.policies, call, asked, object, old)?;
        if self.validating.is_empty() {
            return Ok(());
        }
        webhooks::validate(&self.validating, call, asked, object, old).await
    }
}
