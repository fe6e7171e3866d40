//! Calls of webhooks: which are asked, in which order, and what a failure means.

use std::sync::Arc;
use std::time::Duration;

use portolan_object::Status;
use portolan_object::budget::Budget;
use portolan_object::expression::Variables;
use portolan_object::schema::rules::OBJECT_COST_LIMIT;
use serde_json::Value;

use super::conditions::meet;
use super::matching::{Asked, Facts, converted};
use super::patched;
use super::review::{self, Decision};
use super::types::{FailurePolicy, ReinvocationPolicy};
use super::webhook::Webhook;
use crate::admission::Operation;
use crate::call::Call;
use crate::resources::Resource;

/// Why a webhook gave no decision, and the URL that was asked.
struct Failed {
    url: String,
    cause: String,
}

impl Webhook {
    fn is_repeatable(&self) -> bool {
        self.spec.reinvocation_policy == ReinvocationPolicy::IfNeeded
    }

    /// The version of the resource in which the webhook is to be asked about a request; `None` if it is not to be asked.
    fn asked_version(&self, facts: &Facts<'_>) -> Option<Arc<Resource>> {
        let spec = &self.spec;
        let resource = facts.version_for(&spec.rules, spec.match_policy)?;
        facts.is_selected(&spec.namespace_selector, &spec.object_selector).then_some(resource)
    }

    /// Asks the webhook; `None` if it is not asked or its failure is ignored.
    async fn decide(
        &self,
        call: &Call,
        asked: &Asked<'_>,
        new: Option<&Value>,
        old: Option<&Value>,
    ) -> Result<Option<(Decision, Arc<Resource>)>, Status> {
        let facts = Facts::of(call, asked, new, old);
        let Some(resource) = self.asked_version(&facts) else { return Ok(None) };
        let uid = uuid::Uuid::new_v4().to_string();
        let request = review::request(&uid, &facts, &resource, &call.user, [new, old]);
        match self.meets_conditions(call, &request) {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(_) if self.spec.failure_policy == FailurePolicy::Ignore => return Ok(None),
            Err(cause) => return Err(call.resource.forbidden(asked.name, &cause)),
        }
        match self.ask(call, &uid, &request).await {
            Ok(decision) => {
                decision.warnings.iter().for_each(|warning| call.warn(warning));
                match decision.refusal {
                    Some(status) => Err(status),
                    None => Ok(Some((decision, resource))),
                }
            }
            Err(Failed { url, cause }) if self.spec.failure_policy == FailurePolicy::Ignore => {
                tracing::warn!(
                    webhook = self.spec.name,
                    url,
                    cause,
                    "a webhook failed; its failure is ignored"
                );
                Ok(None)
            }
            Err(Failed { url, cause }) => {
                let name = &self.spec.name;
                let text =
                    format!("failed calling webhook {name:?}: failed to call webhook: Post {url:?}: {cause}");
                Err(Status::internal(text))
            }
        }
    }

    /// Whether the match conditions hold.
    fn meets_conditions(&self, call: &Call, request: &Value) -> Result<bool, String> {
        if self.conditions.is_empty() {
            return Ok(true);
        }
        let mut variables = Variables::default();
        variables.bind("object", &request["object"]);
        variables.bind("oldObject", &request["oldObject"]);
        variables.bind("request", request);
        let budget = Budget::new(OBJECT_COST_LIMIT, &call.interrupt.for_computations());
        meet(&self.conditions, &variables, &budget)
    }

    async fn ask(&self, call: &Call, uid: &str, request: &Value) -> Result<Decision, Failed> {
        let client = match &self.client {
            Ok(client) => client,
            Err(cause) => return Err(Failed { url: String::new(), cause: cause.clone() }),
        };
        let failed = |cause: String| Failed { url: client.url(), cause };
        let Some(version) = review::version(&self.spec.admission_review_versions) else {
            return Err(failed(
                "webhook does not accept known AdmissionReview versions (v1, v1beta1)".to_owned(),
            ));
        };
        let _permit = call.server.configured.permit().map_err(failed)?;
        let review = review::review(version, request);
        let seconds = self.spec.timeout_seconds;
        let answer = client.post(&call.server.store, seconds, &review);
        let limit = Duration::from_secs(u64::from(seconds));
        let bytes = match tokio::time::timeout(limit, answer).await {
            Ok(answered) => answered.map_err(failed)?,
            Err(_) => return Err(failed("context deadline exceeded".to_owned())),
        };
        review::decision(&self.spec.name, version, uid, &bytes).map_err(failed)
    }
}

/// What a round of mutating webhooks did.
#[derive(Debug)]
pub(super) struct FirstRound {
    /// Whether the object has changed.
    pub(super) has_changed: bool,
    /// The webhooks to be asked once more: those with `reinvocationPolicy: IfNeeded` before one that has changed the object.
    repeated: Vec<bool>,
}

/// Asks mutating webhooks one after another.
pub(super) async fn mutate(
    webhooks: &[Webhook],
    call: &Call,
    asked: &Asked<'_>,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<FirstRound, Status> {
    let mut round = FirstRound { has_changed: false, repeated: vec![false; webhooks.len()] };
    for (index, webhook) in webhooks.iter().enumerate() {
        if apply(webhook, call, asked, object, old).await? {
            round.has_changed = true;
            let earlier = webhooks[..index].iter().zip(&mut round.repeated);
            earlier.for_each(|(webhook, repeated)| *repeated |= webhook.is_repeatable());
        }
    }
    Ok(round)
}

impl FirstRound {
    /// The webhooks to be asked once more; all that want it if a policy has changed the object since.
    pub(super) fn repeated<'w>(&self, webhooks: &'w [Webhook], has_changed_since: bool) -> Vec<&'w Webhook> {
        let marked = webhooks.iter().zip(&self.repeated);
        let due = marked
            .filter(|(webhook, is_repeated)| **is_repeated || (has_changed_since && webhook.is_repeatable()));
        due.map(|(webhook, _)| webhook).collect()
    }
}

/// Asks webhooks once more.
pub(super) async fn mutate_again(
    webhooks: Vec<&Webhook>,
    call: &Call,
    asked: &Asked<'_>,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    for webhook in webhooks {
        apply(webhook, call, asked, object, old).await?;
    }
    Ok(())
}

/// Asks one mutating webhook and applies its patch; answers whether the object has changed.
async fn apply(
    webhook: &Webhook,
    call: &Call,
    asked: &Asked<'_>,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<bool, Status> {
    let is_deletion = asked.operation == Operation::Delete;
    let new = (!is_deletion).then_some(&*object);
    let Some((decision, resource)) = webhook.decide(call, asked, new, old).await? else { return Ok(false) };
    if is_deletion || decision.patch.is_null() {
        return Ok(false);
    }
    let before = converted(object, &call.resource, &resource);
    let patched = review::patched(&before, &decision.patch).and_then(|changed| {
        patched::accept(&call.resource, object, converted(&changed, &resource, &call.resource))
    });
    let patched = patched.map_err(|cause| {
        Status::internal(format!("the patch of webhook {:?} cannot be applied: {cause}", webhook.spec.name))
    })?;
    let has_changed = patched != *object;
    *object = patched;
    Ok(has_changed)
}

/// Asks validating webhooks at the same time; the first in order that refuses decides.
pub(super) async fn validate(
    webhooks: &[Webhook],
    call: &Call,
    asked: &Asked<'_>,
    object: &Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    let new = (asked.operation != Operation::Delete).then_some(object);
    let decisions = webhooks.iter().map(|webhook| webhook.decide(call, asked, new, old));
    futures::future::join_all(decisions).await.into_iter().try_for_each(|decision| decision.map(|_| ()))
}
