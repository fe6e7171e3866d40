//! Mutating admission policies: expressions that make patches of the object (kubernetes
//! staging/src/k8s.io/apiserver/pkg/admission/plugin/policy/mutating).

use portolan_object::Status;
use portolan_object::apply::merge_configuration;
use portolan_object::budget::Budget;
use portolan_object::expression::Variables;
use portolan_object::patch::{PatchError, budget as patch_budget, json_patch_within};
use portolan_object::schema::rules::OBJECT_COST_LIMIT;
use portolan_object::status::Cause;
use serde_json::Value;

use super::conditions::{evaluate, meet};
use super::evaluation::{compute, namespace_object, parameters, variables, version_for};
use super::matching::{Asked, Facts, converted};
use super::patched;
use super::policy::{Mutation, Policy};
use super::review;
use super::types::{FailurePolicy, ReinvocationPolicy};
use crate::call::Call;
use crate::resources::Resource;

/// The policies that a round asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// All of them.
    First,
    /// Those with `reinvocationPolicy: IfNeeded`.
    Again,
}

/// Lets policies change an object, in their order; answers whether it has changed.
///
/// # Errors
/// 403 with the first failure of a policy with `failurePolicy: Fail`.
pub(super) fn mutate(
    policies: &[Policy<Mutation>],
    round: Round,
    call: &Call,
    asked: &Asked<'_>,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<bool, Status> {
    let mut has_changed = false;
    for policy in policies {
        let is_repeated = policy.rules.reinvocation_policy == ReinvocationPolicy::IfNeeded;
        if round == Round::Again && !is_repeated {
            continue;
        }
        match apply(policy, call, asked, object, old) {
            Ok(changed) => has_changed |= changed,
            Err(cause) if policy.rules.failure_policy == FailurePolicy::Ignore => {
                tracing::warn!(
                    policy = policy.rules.name,
                    binding = policy.binding,
                    cause,
                    "a mutating policy failed; its failure is ignored"
                );
                // What it changed before the failure stays.
                has_changed = true;
            }
            Err(cause) => return Err(denied(policy, call, asked.name, &cause)),
        }
    }
    Ok(has_changed)
}

fn denied(policy: &Policy<Mutation>, call: &Call, name: &str, cause: &str) -> Status {
    let text =
        format!("policy '{}' with binding '{}' denied request: {cause}", policy.rules.name, policy.binding);
    let mut status = call.resource.forbidden(name, "");
    status.reason = "Invalid".to_owned();
    let details = status.details.get_or_insert_default();
    details.causes.push(Cause { message: text.clone(), ..Cause::default() });
    status.message = text;
    status
}

/// Applies all changes of a policy, for each object of parameters; answers whether the object has changed. A failure in the
/// middle keeps the changes before it, as upstream.
fn apply(
    policy: &Policy<Mutation>,
    call: &Call,
    asked: &Asked<'_>,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<bool, String> {
    // Most policies are not about most objects: those cost no copy.
    let Some(resource) = version_for(policy, &Facts::of(call, asked, Some(&*object), old)) else {
        return Ok(false);
    };
    let budget = Budget::new(OBJECT_COST_LIMIT, &call.interrupt.for_computations());
    let matched = object.clone();
    let facts = Facts::of(call, asked, Some(&matched), old);
    let parameters =
        parameters(policy, call, &facts).map_err(|cause| format!("failed to configure binding: {cause}"))?;
    let namespace = namespace_object(call, &facts);
    for parameter in parameters {
        let of = |object: &Value| {
            let request = review::request("", &facts, &resource, &call.user, [Some(object), old]);
            variables(&request, &parameter, &namespace)
        };
        if !meet(&policy.rules.conditions, &of(object), &budget)? {
            continue;
        }
        for mutation in &policy.rules.steps {
            let mut variables = of(object);
            compute(&policy.rules, &mut variables, &budget);
            let shown = converted(object, &call.resource, &resource);
            if let Some(changed) = mutation.changed(call, &resource, &shown, &variables, &budget)? {
                *object =
                    patched::accept(&call.resource, object, converted(&changed, &resource, &call.resource))?;
            }
        }
    }
    Ok(*object != matched)
}

impl Mutation {
    /// The changed object; `None` if a `test` of a JSON patch fails, so that it does not apply.
    fn changed(
        &self,
        call: &Call,
        resource: &Resource,
        object: &Value,
        variables: &Variables,
        budget: &Budget,
    ) -> Result<Option<Value>, String> {
        let (Self::Apply(expression) | Self::JsonPatch(expression)) = self;
        let patch = evaluate(expression, variables, budget)?.to_json()?;
        match self {
            Self::Apply(_) => {
                let schema = resource.schema().ok_or_else(|| format!("{} has no schema", resource.kind))?;
                let merged = merge_configuration(object, &patch, schema);
                merged.map(Some).map_err(|cause| format!("error applying patch: {cause}"))
            }
            Self::JsonPatch(_) => {
                let work = patch_budget(&call.interrupt.for_computations());
                match json_patch_within(object, &patch, &work) {
                    Ok(patched) => Ok(Some(patched)),
                    Err(PatchError::TestFailed(_)) => Ok(None),
                    Err(error) => Err(format!("JSON Patch: {error}")),
                }
            }
        }
    }
}
