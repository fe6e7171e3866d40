//! One template: finds its policy, writes the claim, and keeps its binding up to date.

use std::sync::Arc;

use portolan_api::events::{
    APPLY_POLICY_FAILED, APPLY_POLICY_SUCCEED, PREEMPT_POLICY_FAILED, PREEMPT_POLICY_SUCCEED,
};
use portolan_api::{annotations, labels, resources};
use portolan_object::Object;
use portolan_plan::propagation::claim::{Claim, LABELS};
use portolan_plan::propagation::detect::{
    Activation, Candidate, Decision, Taking, activation, claim_of, decide, is_template,
};
use portolan_plan::propagation::{autoscaled, policy_messages};
use portolan_runtime::client::BoxError;
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{ClientError, Outcome, Reconciler};

use crate::propagation::bind::{Applied, Unmet, bind, binding_key, requirements};
use crate::propagation::scoped::{Binding, Policy};
use crate::propagation::{BY_SCALE_TARGET, Pipeline, TemplateKey, claims, federated};

pub(super) struct Templates(pub(super) Pipeline);

impl Reconciler for Templates {
    type Key = TemplateKey;

    async fn reconcile(&self, key: &TemplateKey) -> Outcome {
        match self.0.template(&key.kind, &key.key) {
            Some(template) if template.is_deleting() || !is_template(&template, &self.0.hub.skipped) => {
                Outcome::Done
            }
            Some(template) => self.reconcile_template(template).await.into(),
            None => {
                // The binding checks with the API server.
                self.0.binding_queue.add(binding_key(&key.kind.kind, &key.key));
                Outcome::Done
            }
        }
    }
}

/// The permanent ids of the policies that claim a binding.
pub(super) fn claim_ids(binding: &Binding) -> Vec<String> {
    LABELS.iter().filter_map(|label| binding.metadata.label(label)).map(str::to_owned).collect()
}

impl Templates {
    async fn reconcile_template(&self, template: Arc<Object>) -> Result<Outcome, BoxError> {
        if let Some(marking) = autoscaled::marking(&template, self.is_autoscaled(&template)) {
            claims::mark_autoscaled(&self.0, &template, marking).await?;
            // The change of the template queues it again.
            return Ok(Outcome::Done);
        }
        let policies = &self.0.policies;
        let namespaced = match template.namespace() {
            "" => Vec::new(),
            namespace => policies.namespaced.list_namespace(namespace),
        };
        let cluster = policies.cluster.list();
        let (namespaced, cluster) = (candidates(&namespaced), candidates(&cluster));
        match decide(&template, &namespaced, &cluster) {
            Decision::Nothing => federated::federate(&self.0, &template).await,
            Decision::Wait => Ok(Outcome::Done),
            Decision::Release(claim) => {
                self.release(&template, claim.as_ref()).await?;
                Ok(Outcome::Done)
            }
            Decision::Follow(policy) => {
                let applied = self.follow(&template, policy).await;
                self.report_applied(&template, policy, applied)
            }
            Decision::Take(taking) => {
                let applied = self.take(&template, &taking).await;
                federated::report_policy(&self.0, &template, &taking.policy.key().to_string());
                self.report_preemption(&template, &taking, &applied);
                self.report_applied(&template, taking.policy, applied)
            }
        }
    }

    /// Keeps the binding of a claimed template up to date, if the policy takes effect now.
    async fn follow(&self, template: &Object, policy: Candidate<'_>) -> Result<Applied, BoxError> {
        requirements(&self.0, policy)?;
        let activation = activation(template, policy, false, self.has_binding(template));
        self.activate(template, policy, &claim_of(policy.metadata), activation).await
    }

    /// Claims a template for a policy, and binds it if the policy takes effect now.
    async fn take(&self, template: &Object, taking: &Taking<'_>) -> Result<Applied, BoxError> {
        let policy = taking.policy;
        requirements(&self.0, policy)?;
        let is_first = Claim::on(template).is_none();
        let activation = activation(template, policy, is_first, self.has_binding(template));
        let record = match &activation {
            Activation::WaitAndRecord(record) => Some(record.as_str()),
            Activation::Wait => template.annotation(annotations::policy::ACTIVATION),
            Activation::Now | Activation::NowAndRecord(_) | Activation::NowAndForget => None,
        };
        let claimed = claims::claim(&self.0, template, &taking.claim, record).await?;
        self.activate(&claimed, policy, &taking.claim, activation).await
    }

    /// Binds a claimed template as far as lazy activation allows. A record is written after the binding: a pass that is
    /// interrupted between the two is repeated.
    async fn activate(
        &self,
        template: &Object,
        policy: Candidate<'_>,
        claim: &Claim,
        activation: Activation,
    ) -> Result<Applied, BoxError> {
        let present = template.annotation(annotations::policy::ACTIVATION);
        let (record, applied) = match activation {
            Activation::Now => return bind(&self.0, template, policy.spec, claim).await,
            Activation::Wait => return Ok(Applied::AsItWas),
            Activation::WaitAndRecord(record) => (Some(record), Applied::AsItWas),
            Activation::NowAndRecord(record) => {
                (Some(record), bind(&self.0, template, policy.spec, claim).await?)
            }
            Activation::NowAndForget => (None, bind(&self.0, template, policy.spec, claim).await?),
        };
        if present != record.as_deref() && matches!(applied, Applied::Written | Applied::AsItWas) {
            claims::record(&self.0, template, record.as_deref()).await?;
        }
        Ok(applied)
    }

    /// Whether a propagated HorizontalPodAutoscaler scales the template in the members.
    fn is_autoscaled(&self, template: &Object) -> bool {
        let autoscalers = resources::HORIZONTAL_POD_AUTOSCALER.gvk().group_kind();
        let target = autoscaled::index_value(&template.group_version_kind(), &template.key());
        let cache = self.0.templates.of_kind(&autoscalers);
        cache.is_some_and(|cache| !cache.keys_by_index(BY_SCALE_TARGET, &target).is_empty())
    }

    fn has_binding(&self, template: &Object) -> bool {
        self.0.bindings.get(&binding_key(template.kind(), &template.key())).is_some()
    }

    /// Removes the claim from the binding and then from the template. The binding, its Works and their objects stay.
    async fn release(&self, template: &Object, claim: Option<&Claim>) -> Result<(), BoxError> {
        let key = binding_key(template.kind(), &template.key());
        let labels = claim.map(Claim::labels).unwrap_or_default();
        if let Some(binding) = self.0.bindings.get(&key)
            && !labels.is_empty()
            && labels.iter().all(|(label, id)| binding.metadata.label(label) == Some(id.as_str()))
        {
            claims::release_binding(&self.0, &binding).await?;
        }
        claims::release_template(&self.0, template).await
    }

    /// Emits the event of an application that changed something or failed.
    fn report_applied(
        &self,
        template: &Object,
        policy: Candidate<'_>,
        applied: Result<Applied, BoxError>,
    ) -> Result<Outcome, BoxError> {
        let (about, events) = (Regarding::object(template), &self.0.hub.events);
        match applied {
            Ok(Applied::Written) => {
                let message = policy_messages::applied(policy.metadata);
                events.success(about, APPLY_POLICY_SUCCEED, message);
                Ok(Outcome::Done)
            }
            Ok(Applied::AsItWas) => Ok(Outcome::Done),
            Ok(Applied::Later) => Ok(Outcome::Stale),
            Ok(Applied::After(delay)) => Ok(Outcome::RequeueAfter(delay)),
            Err(error) if is_race(&error) => Err(error),
            Err(error) => {
                let message = policy_messages::not_applied(policy.metadata, &error);
                events.record(about, Severity::Warning, APPLY_POLICY_FAILED, message);
                self.report_unmet(policy, error)
            }
        }
    }

    /// A requirement of the policy that is not met is said on the policy too, and the change that meets it brings the
    /// template back. Any other failure is repeated.
    fn report_unmet(&self, policy: Candidate<'_>, error: BoxError) -> Result<Outcome, BoxError> {
        let Some(unmet) = error.downcast_ref::<Unmet>() else { return Err(error) };
        let Some(policy) = self.0.policies.get(&policy.key()) else { return Ok(Outcome::Done) };
        let about = policy.regarding();
        self.0.hub.events.record(about, Severity::Warning, APPLY_POLICY_FAILED, unmet.to_string());
        Ok(Outcome::Done)
    }

    /// Emits the event of a policy that took a template from another, or failed to.
    fn report_preemption(&self, template: &Object, taking: &Taking<'_>, applied: &Result<Applied, BoxError>) {
        let Some(from) = &taking.from else { return };
        let (about, events, to) = (Regarding::object(template), &self.0.hub.events, taking.policy.key());
        match applied {
            Ok(_) => events.success(about, PREEMPT_POLICY_SUCCEED, policy_messages::preempted(&to, from)),
            Err(error) if is_race(error) => {}
            Err(error) => {
                let message = policy_messages::not_preempted(&to, from, error);
                events.record(about, Severity::Warning, PREEMPT_POLICY_FAILED, message);
            }
        }
    }
}

fn is_race(error: &BoxError) -> bool {
    error.downcast_ref().is_some_and(ClientError::is_race)
}

fn candidates(policies: &[Arc<Policy>]) -> Vec<Candidate<'_>> {
    policies.iter().map(|policy| Candidate { metadata: &policy.metadata, spec: &policy.spec }).collect()
}

/// Whether a policy created the binding.
pub(super) fn is_claimed(binding: &Binding) -> bool {
    LABELS.iter().any(|label| binding.metadata.label(label).is_some())
        || binding.metadata.label(labels::binding::MANAGED_BY).is_some()
}
