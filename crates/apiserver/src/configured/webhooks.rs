//! Calls of webhooks: which are asked, in which order, and what a failure means.

use std::sync::Arc;
use std::time::Duration;

use portolan_object::Status;
use portolan_object::budget::Budget;
use portolan_object::expression::Variables;
use portolan_object::schema::decode::{self, Source};
use portolan_object::schema::rules::OBJECT_COST_LIMIT;
use serde_json::Value;

use super::conditions::meet;
use super::matching::{Asked, Facts, converted};
use super::review::{self, Decision};
use super::types::{FailurePolicy, ReinvocationPolicy};
use super::webhook::Webhook;
use crate::admission::Operation;
use crate::call::Call;
use crate::resources::{Resource, Source as Origin};

/// Why a webhook gave no decision, and the URL that was asked.
struct Failed {
    url: String,
    cause: String,
}

impl Webhook {
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

/// Asks mutating webhooks one after another. Those with `reinvocationPolicy: IfNeeded` are asked once more when one after
/// them has changed the object.
pub(super) async fn mutate(
    webhooks: &[Webhook],
    call: &Call,
    asked: &Asked<'_>,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    let mut repeated = vec![false; webhooks.len()];
    for (index, webhook) in webhooks.iter().enumerate() {
        if apply(webhook, call, asked, object, old).await? {
            let earlier = webhooks[..index].iter().zip(&mut repeated);
            earlier.for_each(|(webhook, repeated)| {
                *repeated |= webhook.spec.reinvocation_policy == ReinvocationPolicy::IfNeeded;
            });
        }
    }
    for (webhook, _) in webhooks.iter().zip(repeated).filter(|(_, is_repeated)| *is_repeated) {
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
    let patched = review::patched(&before, &decision.patch).and_then(|patched| {
        let mut patched = converted(&patched, &resource, &call.resource);
        conform(&call.resource, &mut patched)?;
        let kept = ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace", "/metadata/uid"];
        match kept.iter().find(|field| patched.pointer(field) != object.pointer(field)) {
            Some(field) => Err(format!("the patch changes {field}")),
            None => Ok(patched),
        }
    });
    let mut patched = patched.map_err(|cause| {
        Status::internal(format!("the patch of webhook {:?} cannot be applied: {cause}", webhook.spec.name))
    })?;
    call.resource.strategy().apply_defaults(&mut patched);
    let has_changed = patched != *object;
    *object = patched;
    Ok(has_changed)
}

/// Converts a patched object to the types of its schema.
fn conform(resource: &Resource, object: &mut Value) -> Result<(), String> {
    match (&resource.source, resource.schema()) {
        (Origin::Custom(version), _) => version.conform(object).map(|_| ()),
        (Origin::Builtin(_), Some(schema)) => {
            decode::decode(object, schema, Source::Json).map_err(|error| error.to_string())
        }
        (Origin::Builtin(_), None) => Ok(()),
    }
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
