//! Runs one function of one script in a state of its own.

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, LuaOptions, MultiValue, StdLib, Value};

use crate::error::LuaError;
use crate::libraries;
use crate::limits::{Deadline, Limits};

/// A state in which a script runs.
pub(crate) struct Sandbox {
    lua: Lua,
    limits: Limits,
    deadline: Deadline,
}

impl Sandbox {
    pub(crate) fn new(limits: Limits) -> Result<Self, LuaError> {
        let deadline = Deadline::after(limits.time);
        let open = || {
            let lua = Lua::new_with(StdLib::TABLE | StdLib::STRING | StdLib::MATH, LuaOptions::default())?;
            lua.set_memory_limit(limits.memory)?;
            libraries::open(&lua, &deadline)?;
            deadline.watch(&lua)?;
            Ok(lua)
        };
        let lua = open().map_err(|error: mlua::Error| LuaError::Failed(message(&error)))?;
        Ok(Self { lua, limits, deadline })
    }

    pub(crate) fn lua(&self) -> &Lua {
        &self.lua
    }

    /// Runs the script, which defines its functions.
    pub(crate) fn load(&self, script: &str) -> Result<(), LuaError> {
        let chunk = self.lua.load(script).set_name("=script").set_mode(ChunkMode::Text);
        chunk.exec().map_err(|error| self.explain(&error))
    }

    /// A global function.
    pub(crate) fn function(&self, name: &'static str) -> Result<Function, LuaError> {
        let found: Option<Function> = self.lua.globals().get(name).map_err(|_| LuaError::NoFunction(name))?;
        found.ok_or(LuaError::NoFunction(name))
    }

    /// Calls a global function.
    pub(crate) fn call(&self, function: &'static str, arguments: Vec<Value>) -> Result<Vec<Value>, LuaError> {
        let found = self.function(function)?;
        let results: MultiValue =
            found.call(MultiValue::from_vec(arguments)).map_err(|error| self.explain(&error))?;
        Ok(results.into_vec())
    }

    /// The cause of a failed call.
    pub(crate) fn explain(&self, error: &mlua::Error) -> LuaError {
        if self.deadline.is_over() {
            return LuaError::TooLong(self.limits.time);
        }
        match root(error) {
            mlua::Error::MemoryError(_) => LuaError::TooLarge(self.limits.memory),
            mlua::Error::SyntaxError { message, .. } => LuaError::Syntax(message.clone()),
            other => LuaError::Failed(message(other)),
        }
    }
}

/// Whether a script is Lua; does not run it.
///
/// # Errors
/// The place and the cause.
pub fn check(script: &str) -> Result<(), LuaError> {
    let sandbox = Sandbox::new(Limits::default())?;
    let chunk = sandbox.lua.load(script).set_name("=script").set_mode(ChunkMode::Text);
    chunk.into_function().map(drop).map_err(|error| sandbox.explain(&error))
}

/// The error below those that only say through which functions it passed.
pub(crate) fn root(error: &mlua::Error) -> &mlua::Error {
    match error {
        mlua::Error::CallbackError { cause, .. } => root(cause),
        mlua::Error::WithContext { cause, .. } => root(cause),
        other => other,
    }
}

/// The text of an error without its traceback.
pub(crate) fn message(error: &mlua::Error) -> String {
    let text = match root(error) {
        mlua::Error::RuntimeError(text) => text.clone(),
        other => other.to_string(),
    };
    text.split("\nstack traceback:").next().unwrap_or_default().to_owned()
}
