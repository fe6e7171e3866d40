//! Validating admission policies: expressions over the object, the request and parameters (kubernetes
//! staging/src/k8s.io/apiserver/pkg/admission/plugin/policy/validating).

use std::sync::Arc;

use portolan_object::Status;
use portolan_object::budget::Budget;
use portolan_object::expression::Variables;
use portolan_object::schema::rules::OBJECT_COST_LIMIT;
use portolan_object::status::Cause;
use portolan_store::Query;
use serde_json::Value;

use super::conditions::{evaluate, meet};
use super::matching::{Asked, Facts, selects};
use super::policy::{Policy, Validation};
use super::review;
use super::types::FailurePolicy;
use crate::admission::Operation;
use crate::call::Call;
use crate::resources::Resource;

/// The variable with the entries of `spec.variables`.
const COMPUTED: &str = "variables";

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
    policies: &[Policy],
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

/// The version of the resource that a policy is to see; `None` if policy or binding are not about the request.
fn version_for(policy: &Policy, facts: &Facts<'_>) -> Option<Arc<Resource>> {
    let resource = facts.version_for_resources(&policy.rules.constraints)?;
    let is_bound = policy.resources.as_ref().is_none_or(|bound| facts.version_for_resources(bound).is_some());
    is_bound.then_some(resource)
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
    policy: &Policy,
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
    let mut found = Vec::new();
    for parameter in parameters {
        let mut variables = Variables::default();
        variables.bind("object", &request["object"]);
        variables.bind("oldObject", &request["oldObject"]);
        variables.bind("request", request);
        variables.bind("params", &parameter);
        variables.bind("namespaceObject", &namespace_object(call, facts));
        match meet(&rules.conditions, &variables, budget) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(message) => {
                found.extend(failed(message));
                continue;
            }
        }
        // A variable that cannot be computed is missing, which is an error where it is used.
        for (name, variable) in &rules.variables {
            if let Ok(value) = evaluate(variable, &variables, budget) {
                variables.bind_entry(COMPUTED, name, value);
            }
        }
        for validation in &rules.validations {
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

/// The objects of parameters; one null for a policy without parameters.
fn parameters(policy: &Policy, call: &Call, facts: &Facts<'_>) -> Result<Vec<Value>, String> {
    let (Some(kind), Some(reference)) = (&policy.rules.param_kind, &policy.parameters) else {
        return Ok(vec![Value::Null]);
    };
    let (group, version) = kind.api_version.split_once('/').unwrap_or(("", &kind.api_version));
    let Some(resource) = call.snapshot.find_kind(group, version, &kind.kind) else {
        return Err(format!(
            "failed to find resource referenced by paramKind: '{}, Kind={}'",
            kind.api_version, kind.kind
        ));
    };
    let namespace = match (resource.is_namespaced, reference.namespace.as_str()) {
        (false, _) => "",
        (true, "") if facts.namespace.is_empty() => {
            return Err(
                "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
                    .to_owned(),
            );
        }
        (true, "") => facts.namespace,
        (true, namespace) => namespace,
    };
    let read = |item: &_| resource.value(item);
    let found: Vec<Value> = if reference.name.is_empty() {
        let selector = reference.selector.clone().unwrap_or_default();
        let query = Query::prefix(resource.collection(namespace));
        let page = call.server.store.range(&query).map_err(|error| error.to_string())?;
        let objects = page.items.iter().map(read);
        objects.filter(|object| selects(&selector, &object["metadata"]["labels"])).collect()
    } else {
        let item = call.server.store.get(&resource.key(namespace, &reference.name));
        item.iter().map(read).collect()
    };
    if found.is_empty() && reference.parameter_not_found_action != "Allow" {
        return Err("no params found for policy binding with `Deny` parameterNotFoundAction".to_owned());
    }
    Ok(found)
}

fn namespace_object(call: &Call, facts: &Facts<'_>) -> Value {
    match facts.namespace {
        "" => Value::Null,
        name => {
            let stored = call.server.store.get(&format!("core/namespaces/{name}"));
            stored.map_or(Value::Null, |item| item.value.value())
        }
    }
}
