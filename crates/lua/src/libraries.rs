//! The global functions and libraries of a script.

use mlua::{Function, Lua, MultiValue, Value};

use crate::call::{message, root};
use crate::limits::Deadline;
use crate::{kube, os, pattern};

/// Functions that reach code, metatables or the collector. They raise Karmada's error.
const FORBIDDEN: &[&str] = &[
    "collectgarbage",
    "dofile",
    "getfenv",
    "getmetatable",
    "load",
    "loadfile",
    "loadstring",
    "rawequal",
    "rawget",
    "rawset",
    "setfenv",
    "setmetatable",
    "module",
    "newproxy",
];

/// Globals of Lua 5.1 that Karmada's scripts do not have.
const ABSENT: &[&str] = &["coroutine", "gcinfo", "package", "io", "debug"];

/// Adds what scripts may use, and takes away what they may not.
pub(crate) fn open(lua: &Lua, deadline: &Deadline) -> mlua::Result<()> {
    let globals = lua.globals();
    for name in FORBIDDEN {
        let text =
            format!("call function {name} is not supported in karmada customized resourceinterpreter.");
        let refuse = lua
            .create_function(move |_, _: MultiValue| Err::<(), _>(mlua::Error::RuntimeError(text.clone())))?;
        globals.set(*name, refuse)?;
    }
    for name in ABSENT {
        globals.set(*name, Value::Nil)?;
    }
    globals.set("print", lua.create_function(print)?)?;
    let limit = deadline.clone();
    globals.set(
        "pcall",
        lua.create_function(move |lua, (function, arguments): (Value, MultiValue)| {
            protect(lua, &limit, &function, arguments, None)
        })?,
    )?;
    let limit = deadline.clone();
    globals.set(
        "xpcall",
        lua.create_function(move |lua, (function, handler): (Value, Function)| {
            protect(lua, &limit, &function, MultiValue::new(), Some(&handler))
        })?,
    )?;
    globals.set("os", os::table(lua)?)?;
    pattern::install(lua, deadline)?;
    let library = kube::table(lua)?;
    globals.set(
        "require",
        lua.create_function(move |_, name: String| match name.as_str() {
            "kube" => Ok(library.clone()),
            other => Err(mlua::Error::RuntimeError(format!("module {other} not found; there is only kube"))),
        })?,
    )
}

/// `pcall` and `xpcall`. The end of the time cannot be caught, so that a script cannot go on after it.
fn protect(
    lua: &Lua,
    deadline: &Deadline,
    function: &Value,
    arguments: MultiValue,
    handler: Option<&Function>,
) -> mlua::Result<MultiValue> {
    let called = match function {
        Value::Function(function) => function.call::<MultiValue>(arguments),
        other => Err(mlua::Error::RuntimeError(format!("attempt to call a {} value", other.type_name()))),
    };
    deadline.check()?;
    match called {
        Ok(mut results) => {
            results.push_front(Value::Boolean(true));
            Ok(results)
        }
        Err(error) if matches!(root(&error), mlua::Error::MemoryError(_)) => Err(error),
        Err(error) => {
            let text = Value::String(lua.create_string(message(&error))?);
            let handled = handler.map(|handler| handler.call::<Value>(text.clone())).transpose()?;
            Ok(MultiValue::from_vec(vec![Value::Boolean(false), handled.unwrap_or(text)]))
        }
    }
}

/// Writes into the log, for authors of scripts.
fn print(_: &Lua, values: MultiValue) -> mlua::Result<()> {
    let texts: Vec<String> = values.iter().map(|value| value.to_string().unwrap_or_default()).collect();
    tracing::debug!(text = texts.join("\t"), "a script prints");
    Ok(())
}
