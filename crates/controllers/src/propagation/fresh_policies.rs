//! Policies as the API server has them now, for templates that a Federation is about to take.
//!
//! The caches of templates and of policies are fed by different watches. A policy that was created before its template can
//! arrive after it; without this look the Federation would put the object into clusters from which the policy withdraws it
//! a moment later. One read serves all templates that wait for it.

use std::sync::Arc;

use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::detect::{Candidate, Decision, decide};
use portolan_runtime::ClientError;
use portolan_runtime::client::Selection;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::propagation::scoped::{Policy, Scoped};

/// The last read. Clones share state.
#[derive(Clone, Default)]
pub(super) struct FreshPolicies(Arc<Mutex<Option<Read>>>);

struct Read {
    started: Instant,
    policies: Arc<Vec<Policy>>,
}

impl FreshPolicies {
    /// Whether any policy decides about a template, by a read that starts after this call.
    pub(super) async fn decide_about(
        &self,
        policies: &Scoped<Policy>,
        template: &Object,
    ) -> Result<bool, ClientError> {
        let policies = self.read(policies).await?;
        let candidates = |is_of_scope: &dyn Fn(&str) -> bool| -> Vec<Candidate<'_>> {
            let of_scope = policies.iter().filter(|policy| is_of_scope(&policy.metadata.namespace));
            of_scope.map(|policy| Candidate { metadata: &policy.metadata, spec: &policy.spec }).collect()
        };
        let namespaced = candidates(&|namespace| !namespace.is_empty() && namespace == template.namespace());
        let cluster = candidates(&str::is_empty);
        Ok(!matches!(decide(template, &namespaced, &cluster), Decision::Nothing))
    }

    async fn read(&self, policies: &Scoped<Policy>) -> Result<Arc<Vec<Policy>>, ClientError> {
        let asked = Instant::now();
        let mut last = self.0.lock().await;
        if let Some(read) = last.as_ref().filter(|read| read.started >= asked) {
            return Ok(read.policies.clone());
        }
        let started = Instant::now();
        let mut found = Vec::new();
        for variant in [ObjectKey::namespaced("any", ""), ObjectKey::cluster("")] {
            let listed = policies.api(&variant).list(&Selection::all()).await?;
            found.extend(listed.items.into_iter().map(|seen| seen.object));
        }
        let policies = Arc::new(found);
        *last = Some(Read { started, policies: policies.clone() });
        Ok(policies)
    }
}
