//! Validating admission policies: expressions over the object, the request and parameters (kubernetes
//! staging/src/k8s.io/apiserver/pkg/admission/plugin/policy/validating).

use portolan_object::Status;
use portolan_object::budget::Budget;
use portolan_object::expression::Variables;
use portolan_object::schema::rules::OBJECT_COST_LIMIT;
use portolan_object::status::Cause;
use serde_json::Value;

use super::conditions::{evaluate, meet};
use super::evaluation::{compute, namespace_object, parameters, variables, version_for};
use super::matching::{Asked, Facts};
use super::policy::{Policy, Validation};
use super::review;
use super::types::FailurePolicy;
use crate::admission::Operation;
use crate::call::Call;

/// A rule that does not hold, or that could not be evaluated.
struct Violation {
    message: String,
    reason: String,
}

/// Asks all policies. Warnings go to the client.
///
/// # Errors
/// The status of the first rule that a binding with the action `Deny` enforces.
pub(super) fn validate(
    policies: &[Policy<Validation>],
    call: &Call,
    asked: &Asked<'_>,
    object: &Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    if policies.is_empty() {
        return Ok(());
    }
    let new = (asked.operation != Operation::Delete).then_some(object);
    let facts = Facts::of(call, asked, new, old);
    let budget = Budget::new(OBJECT_COST_LIMIT, &call.interrupt.for_computations());
    for policy in policies {
        let Some(resource) = version_for(policy, &facts) else { continue };
        let request = review::request("", &facts, &resource, &call.user, [new, old]);
        for violation in violations(policy, call, &facts, &request, &budget) {
            let (name, binding, message) = (&policy.rules.name, &policy.binding, &violation.message);
            if policy.denies() {
                let cause = format!(
                    "ValidatingAdmissionPolicy '{name}' with binding '{binding}' denied request: {message}"
                );
                return Err(denied(call, asked.name, &cause, &violation));
            }
            if policy.warns() {
                call.warn(format!(
                    "Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{binding}': {message}"
                ));
            }
        }
    }
    Ok(())
}

fn denied(call: &Call, name: &str, cause: &str, violation: &Violation) -> Status {
    let mut status = call.resource.forbidden(name, cause);
    status.code = match violation.reason.as_str() {
        "Unauthorized" => 401,
        "Forbidden" => 403,
        "RequestEntityTooLarge" => 413,
        _ => 422,
    };
    status.reason = if violation.reason.is_empty() { "Invalid" } else { &violation.reason }.to_owned();
    let details = status.details.get_or_insert_default();
    details.causes.push(Cause { message: cause.to_owned(), ..Cause::default() });
    status
}

/// The rules that do not hold, for each object of parameters.
fn violations(
    policy: &Policy<Validation>,
    call: &Call,
    facts: &Facts<'_>,
    request: &Value,
    budget: &Budget,
) -> Vec<Violation> {
    let rules = &policy.rules;
    let failed = |message: String| match rules.failure_policy {
        FailurePolicy::Fail => vec![Violation { message, reason: String::new() }],
        FailurePolicy::Ignore => Vec::new(),
    };
    let parameters = match parameters(policy, call, facts) {
        Ok(parameters) => parameters,
        Err(message) => return failed(message),
    };
    let namespace = namespace_object(call, facts);
    let mut found = Vec::new();
    for parameter in parameters {
        let mut variables = variables(request, &parameter, &namespace);
        match meet(&rules.conditions, &variables, budget) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(message) => {
                found.extend(failed(message));
                continue;
            }
        }
        compute(rules, &mut variables, budget);
        for validation in &rules.steps {
            match evaluate(&validation.rule, &variables, budget).map(|value| value.as_bool()) {
                Ok(Some(true)) => {}
                Ok(Some(false)) => found.push(validation.violation(&variables, budget)),
                Ok(None) => {
                    found.extend(failed(format!("expression '{}' is not a truth value", validation.source)))
                }
                Err(error) => {
                    found.extend(failed(format!(
                        "expression '{}' resulted in error: {error}",
                        validation.source
                    )));
                }
            }
        }
    }
    found
}

impl Validation {
    fn violation(&self, variables: &Variables, budget: &Budget) -> Violation {
        let computed = self.message_expression.as_ref().and_then(|expression| {
            let value = evaluate(expression, variables, budget).ok()?;
            value.as_text().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        });
        let message = computed.unwrap_or_else(|| match self.message.trim() {
            "" => format!("failed expression: {}", self.source),
            message => message.to_owned(),
        });
        Violation { message, reason: self.reason.clone() }
    }
}
