//! The library `kube` (karmada luavm/kube.go).

use mlua::{Lua, MultiValue, Table, Value};
use portolan_object::quantity::Quantity;
use portolan_plan::propagation::interpreter::pod_references::PodReferences;
use portolan_plan::propagation::requirements::of_pod_spec;
use serde_json::{Value as Json, json};

use crate::convert::{to_json, to_lua};
use crate::empty::Empties;

/// | function | result |
/// | --- | --- |
/// | `resourceAdd(a, b, ...)` | the sum of quantities; `nil` is zero |
/// | `getResourceQuantity(a)` | a quantity as a number |
/// | `accuratePodRequirements(template)` | the requirements of a pod; `nil` if it has none |
/// | `getPodDependencies(template, namespace)` | the objects that a pod refers to |
pub(crate) fn table(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.set("resourceAdd", lua.create_function(|_, values: MultiValue| resource_add(&values))?)?;
    library.set("getResourceQuantity", lua.create_function(|_, value: Value| resource_quantity(&value))?)?;
    library.set("accuratePodRequirements", lua.create_function(pod_requirements)?)?;
    library.set("getPodDependencies", lua.create_function(pod_dependencies)?)?;
    Ok(library)
}

fn resource_add(values: &MultiValue) -> mlua::Result<String> {
    let zero = Quantity::parse("0").map_err(|error| failed(error.to_string()))?;
    let mut sum = zero;
    for value in values {
        let Some(quantity) = quantity(value)? else { continue };
        // The sum is written like its first summand that is not zero.
        sum = if sum.is_zero() { quantity.plus(sum) } else { sum.plus(quantity) };
    }
    Ok(sum.to_string())
}

fn resource_quantity(value: &Value) -> mlua::Result<f64> {
    let Some(quantity) = quantity(value)? else { return Ok(0.0) };
    if quantity.is_negative() {
        return Err(failed(format!("getResourceQuantity: {quantity} is negative")));
    }
    Ok(quantity.as_f64())
}

fn quantity(value: &Value) -> mlua::Result<Option<Quantity>> {
    let text = match value {
        Value::Nil => return Ok(None),
        Value::String(text) => text.to_str()?.to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Number(number) => number.to_string(),
        other => return Err(failed(format!("a quantity is a text, not a {}", other.type_name()))),
    };
    Quantity::parse(&text).map(Some).map_err(|error| failed(format!("quantity {text:?}: {error}")))
}

fn pod_requirements(lua: &Lua, template: Table) -> mlua::Result<Value> {
    let template = json_of(template)?;
    match of_pod_spec(&template["spec"]) {
        Some(requirements) => to_lua(lua, &json!(requirements)),
        None => Ok(Value::Nil),
    }
}

fn pod_dependencies(lua: &Lua, (template, namespace): (Table, Option<String>)) -> mlua::Result<Value> {
    let template = json_of(template)?;
    let mut found = PodReferences::default();
    found.add_pod_spec(&template["spec"]).map_err(|error| failed(format!("getPodDependencies: {error}")))?;
    let namespace = namespace.unwrap_or_else(|| "default".to_owned());
    to_lua(lua, &json!(found.in_namespace(&namespace)))
}

fn json_of(table: Table) -> mlua::Result<Json> {
    let mut json = to_json(&Value::Table(table)).map_err(failed)?;
    Empties::default().restore(&mut json);
    Ok(json)
}

fn failed(reason: String) -> mlua::Error {
    mlua::Error::RuntimeError(reason)
}
