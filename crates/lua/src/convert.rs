//! JSON to Lua values and back (karmada luavm/lua_convert.go, layeh.com/gopher-json).
//!
//! Lua has one kind of table. A table with the keys 1 to n is an array, an empty one is an array until
//! [`crate::empty`] knows better, any other one is an object.

use std::collections::HashSet;
use std::ffi::c_void;

use mlua::{Lua, Table, Value};
use serde_json::{Map, Number, Value as Json, json};

/// A Lua value from JSON. `null` fields and elements are left out, as Lua does with `nil`.
pub(crate) fn to_lua(lua: &Lua, json: &Json) -> mlua::Result<Value> {
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Boolean(*flag),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or_default()),
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            let mut index = 0;
            for item in items.iter().filter(|item| !item.is_null()) {
                index += 1;
                table.raw_set(index, to_lua(lua, item)?)?;
            }
            Value::Table(table)
        }
        Json::Object(fields) => {
            let table = lua.create_table_with_capacity(0, fields.len())?;
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                table.raw_set(name.as_str(), to_lua(lua, value)?)?;
            }
            Value::Table(table)
        }
    })
}

/// JSON from a Lua value. The error is a cause for people.
pub(crate) fn to_json(value: &Value) -> Result<Json, String> {
    convert(value, &mut HashSet::new())
}

fn convert(value: &Value, seen: &mut HashSet<*const c_void>) -> Result<Json, String> {
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Integer(number) => json!(number),
        Value::Number(number) => number_of(*number)?,
        Value::String(text) => {
            Json::String(text.to_str().map_err(|_| "a string is not UTF-8".to_owned())?.to_owned())
        }
        Value::Table(table) => {
            // A table in two places would grow with each level, and one inside of itself without end.
            if !seen.insert(table.to_pointer()) {
                return Err("a table is in it twice, or in itself; copy it".to_owned());
            }
            convert_table(table, seen)?
        }
        other => return Err(format!("it contains a {}", other.type_name())),
    })
}

/// Whole numbers are written without a fraction, as Go does.
fn number_of(number: f64) -> Result<Json, String> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= EXACT {
        // In range: `EXACT` is far below the largest i64.
        #[allow(clippy::cast_possible_truncation)]
        return Ok(json!(number as i64));
    }
    Number::from_f64(number).map(Json::Number).ok_or_else(|| format!("{number} is not a number in JSON"))
}

fn convert_table(table: &Table, seen: &mut HashSet<*const c_void>) -> Result<Json, String> {
    let mut items: Vec<(i64, Json)> = Vec::new();
    let mut fields = Map::new();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|error| error.to_string())?;
        match &key {
            Value::String(name) => {
                let name = name.to_str().map_err(|_| "a name is not UTF-8".to_owned())?.to_owned();
                fields.insert(name, convert(&value, seen)?);
            }
            Value::Integer(index) => items.push((*index, convert(&value, seen)?)),
            _ => return Err("a table has a key that is neither a text nor a whole number".to_owned()),
        }
    }
    if !items.is_empty() && !fields.is_empty() {
        return Err("a table has texts and numbers as keys".to_owned());
    }
    if !fields.is_empty() {
        return Ok(Json::Object(fields));
    }
    items.sort_by_key(|(index, _)| *index);
    if items.iter().zip(1..).any(|((index, _), wanted)| *index != wanted) {
        return Err("a list has gaps".to_owned());
    }
    Ok(Json::Array(items.into_iter().map(|(_, item)| item).collect()))
}
