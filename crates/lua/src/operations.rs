//! The operations of an interpreter: which function is called with what, and what its results mean.

use mlua::Value;
use portolan_api::config::{DependentObjectReference, InterpreterOperation};
use portolan_api::work::{AggregatedStatusItem, Component, ReplicaRequirements};
use portolan_object::Object;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};

use crate::call::Sandbox;
use crate::convert::{to_json, to_lua};
use crate::empty::Empties;
use crate::error::LuaError;
use crate::functions::function_of;
use crate::limits::Limits;

/// `GetReplicas`: the replicas that a template wants, and the requirements of one.
///
/// # Errors
/// See [`LuaError`].
pub fn replicas(
    script: &str,
    template: &Object,
    limits: Limits,
) -> Result<(i64, Option<ReplicaRequirements>), LuaError> {
    const FUNCTION: &str = function_of(InterpreterOperation::InterpretReplica);
    let (_sandbox, results) = run(script, FUNCTION, &[&template.0], limits)?;
    let count = match first(&results) {
        Value::Integer(number) => *number,
        // Go truncates too.
        #[allow(clippy::cast_possible_truncation)]
        Value::Number(number) => *number as i64,
        other => return Err(wrong_type(FUNCTION, other, "a number")),
    };
    let requirements = match results.get(1).unwrap_or(&Value::Nil) {
        Value::Nil => None,
        value @ Value::Table(_) => Some(read(FUNCTION, value, true)?),
        other => return Err(wrong_type(FUNCTION, other, "a table of requirements")),
    };
    Ok((count, requirements))
}

/// `GetComponents`: the components of a template with several pod templates.
///
/// # Errors
/// See [`LuaError`].
pub fn components(script: &str, template: &Object, limits: Limits) -> Result<Vec<Component>, LuaError> {
    const FUNCTION: &str = function_of(InterpreterOperation::InterpretComponent);
    let (_sandbox, results) = run(script, FUNCTION, &[&template.0], limits)?;
    match first(&results) {
        Value::Nil => Ok(Vec::new()),
        value @ Value::Table(_) => read(FUNCTION, value, false),
        other => Err(wrong_type(FUNCTION, other, "a table")),
    }
}

/// `ReviseReplica`: the template with a number of replicas.
///
/// # Errors
/// See [`LuaError`].
pub fn revise(script: &str, template: &Object, share: i64, limits: Limits) -> Result<Object, LuaError> {
    const FUNCTION: &str = function_of(InterpreterOperation::ReviseReplica);
    let (_sandbox, results) = run(script, FUNCTION, &[&template.0, &json!(share)], limits)?;
    table(FUNCTION, first(&results), &[&template.0]).map(Object)
}

/// `Retain`: the manifest with what the object in the member keeps.
///
/// # Errors
/// See [`LuaError`].
pub fn retain(
    script: &str,
    manifest: &Object,
    observed: &Object,
    limits: Limits,
) -> Result<Object, LuaError> {
    const FUNCTION: &str = function_of(InterpreterOperation::Retain);
    let (_sandbox, results) = run(script, FUNCTION, &[&manifest.0, &observed.0], limits)?;
    table(FUNCTION, first(&results), &[&manifest.0, &observed.0]).map(Object)
}

/// `AggregateStatus`: the new status of a template.
///
/// # Errors
/// See [`LuaError`].
pub fn aggregate(
    script: &str,
    template: &Object,
    items: &[AggregatedStatusItem],
    limits: Limits,
) -> Result<Json, LuaError> {
    const FUNCTION: &str = function_of(InterpreterOperation::AggregateStatus);
    // Karmada hands over `nil` while there is no item, and scripts test for it.
    let items = if items.is_empty() { Json::Null } else { json!(items) };
    let (_sandbox, results) = run(script, FUNCTION, &[&template.0, &items], limits)?;
    let mut aggregated = table(FUNCTION, first(&results), &[])?;
    Ok(match aggregated["status"].take() {
        Json::Null => json!({}),
        status => status,
    })
}

/// `ReflectStatus`: the status to report for an object in a member.
///
/// # Errors
/// See [`LuaError`].
pub fn reflect(script: &str, observed: &Object, limits: Limits) -> Result<Json, LuaError> {
    const FUNCTION: &str = function_of(InterpreterOperation::InterpretStatus);
    let (_sandbox, results) = run(script, FUNCTION, &[&observed.0], limits)?;
    table(FUNCTION, first(&results), &[])
}

/// `InterpretHealth`: whether an object does its job in a member.
///
/// # Errors
/// See [`LuaError`].
pub fn health(script: &str, observed: &Object, limits: Limits) -> Result<bool, LuaError> {
    const FUNCTION: &str = function_of(InterpreterOperation::InterpretHealth);
    let (_sandbox, results) = run(script, FUNCTION, &[&observed.0], limits)?;
    match first(&results) {
        Value::Boolean(healthy) => Ok(*healthy),
        other => Err(wrong_type(FUNCTION, other, "a boolean")),
    }
}

/// `GetDependencies`: other objects that a template refers to.
///
/// # Errors
/// See [`LuaError`].
pub fn dependencies(
    script: &str,
    template: &Object,
    limits: Limits,
) -> Result<Vec<DependentObjectReference>, LuaError> {
    const FUNCTION: &str = function_of(InterpreterOperation::InterpretDependency);
    let (_sandbox, results) = run(script, FUNCTION, &[&template.0], limits)?;
    match first(&results) {
        value @ Value::Table(_) => read(FUNCTION, value, false),
        other => Err(wrong_type(FUNCTION, other, "a table")),
    }
}

/// Calls a function. The values live as long as the sandbox.
fn run(
    script: &str,
    function: &'static str,
    arguments: &[&Json],
    limits: Limits,
) -> Result<(Sandbox, Vec<Value>), LuaError> {
    let sandbox = Sandbox::new(limits)?;
    sandbox.load(script)?;
    let arguments = arguments.iter().map(|argument| to_lua(sandbox.lua(), argument));
    let arguments: mlua::Result<Vec<Value>> = arguments.collect();
    let arguments = arguments.map_err(|error| sandbox.explain(&error))?;
    let results = sandbox.call(function, arguments)?;
    Ok((sandbox, results))
}

fn first(results: &[Value]) -> &Value {
    results.first().unwrap_or(&Value::Nil)
}

/// An object from a table. Empty tables in it become what they are in `references`.
fn table(function: &'static str, value: &Value, references: &[&Json]) -> Result<Json, LuaError> {
    if !matches!(value, Value::Table(_)) {
        return Err(wrong_type(function, value, "a table"));
    }
    let unusable = |reason| LuaError::Unusable { function, reason };
    let mut json = to_json(value).map_err(unusable)?;
    match &json {
        Json::Array(items) if items.is_empty() => json = Json::Object(Map::new()),
        Json::Array(_) => return Err(wrong_type(function, value, "a table with names, not a list")),
        _ => Empties::of(references).restore(&mut json),
    }
    Ok(json)
}

/// A typed value from a table.
fn read<T: DeserializeOwned>(function: &'static str, value: &Value, is_object: bool) -> Result<T, LuaError> {
    let unusable = |reason| LuaError::Unusable { function, reason };
    let mut json = to_json(value).map_err(unusable)?;
    match &json {
        Json::Array(items) if items.is_empty() && is_object => json = Json::Object(Map::new()),
        _ => Empties::default().restore(&mut json),
    }
    serde_json::from_value(json).map_err(|error| unusable(error.to_string()))
}

fn wrong_type(function: &'static str, found: &Value, expected: &'static str) -> LuaError {
    // Lua 5.1 has one type of numbers.
    let found = if found.is_integer() { "number" } else { found.type_name() };
    LuaError::WrongType { function, found, expected }
}
