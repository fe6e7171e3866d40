//! What both kinds of policies need before their own expressions: the version of the object, parameters, variables.

use std::sync::Arc;

use portolan_object::budget::Budget;
use portolan_object::expression::Variables;
use portolan_store::Query;
use serde_json::Value;

use super::conditions::evaluate;
use super::matching::{Facts, selects};
use super::policy::{Policy, Rules};
use crate::call::Call;
use crate::resources::Resource;

/// The variable with the entries of `spec.variables`.
const COMPUTED: &str = "variables";

/// The version of the resource that a policy is to see; `None` if policy or binding are not about the request.
pub(super) fn version_for<T>(policy: &Policy<T>, facts: &Facts<'_>) -> Option<Arc<Resource>> {
    let resource = facts.version_for_resources(&policy.rules.constraints)?;
    let is_bound = policy.resources.as_ref().is_none_or(|bound| facts.version_for_resources(bound).is_some());
    is_bound.then_some(resource)
}

/// The variables that a policy has besides its own.
pub(super) fn variables(request: &Value, parameter: &Value, namespace: &Value) -> Variables {
    let mut variables = Variables::default();
    variables.bind("object", &request["object"]);
    variables.bind("oldObject", &request["oldObject"]);
    variables.bind("request", request);
    variables.bind("params", parameter);
    variables.bind("namespaceObject", namespace);
    variables
}

/// Adds the policy's own variables. One that cannot be computed is missing, which is an error where it is used.
pub(super) fn compute<T>(rules: &Rules<T>, variables: &mut Variables, budget: &Budget) {
    for (name, variable) in &rules.variables {
        if let Ok(value) = evaluate(variable, variables, budget) {
            variables.bind_entry(COMPUTED, name, value);
        }
    }
}

/// The objects of parameters; one null for a policy without parameters.
///
/// # Errors
/// Why there are none.
pub(super) fn parameters<T>(
    policy: &Policy<T>,
    call: &Call,
    facts: &Facts<'_>,
) -> Result<Vec<Value>, String> {
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

/// The namespace of the object; null for one without.
pub(super) fn namespace_object(call: &Call, facts: &Facts<'_>) -> Value {
    match facts.namespace {
        "" => Value::Null,
        name => {
            let stored = call.server.store.get(&format!("core/namespaces/{name}"));
            stored.map_or(Value::Null, |item| item.value.value())
        }
    }
}
