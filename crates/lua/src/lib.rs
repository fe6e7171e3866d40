//! Interpreters of kinds in Lua, for ResourceInterpreterCustomizations.
//!
//! ```text
//! operation ─► call: one sandbox per call ─► convert: objects to tables, tables to objects
//!                        ├─ limits: time and memory
//!                        └─ kube, os, pattern: the libraries that scripts may use
//! ```
//!
//! Scripts are Karmada's (karmada pkg/resourceinterpreter/customized/declarative/luavm): Lua 5.1, one global function per
//! operation, the libraries `table`, `string`, `math`, a part of `os`, and `require("kube")`. A script sees no file, no
//! process and no code but its own. Each call runs in a new state, so that no call sees what another one left, and
//! ends within [`Limits`] whatever the script does. Calls block the thread that makes them.
//!
//! ```
//! use portolan_lua::{Limits, health};
//! use portolan_object::Object;
//!
//! let script = "function InterpretHealth(observed) return observed.status.phase == 'Up' end";
//! let widget = Object(serde_json::json!({ "status": { "phase": "Up" } }));
//! assert!(health(script, &widget, Limits::default()).unwrap());
//! ```

mod call;
mod convert;
mod empty;
mod error;
mod functions;
mod kube;
mod libraries;
mod limits;
mod operations;
mod os;
mod pattern;

#[cfg(test)]
mod tests;

pub use call::check;
pub use error::LuaError;
pub use functions::defines;
pub use limits::Limits;
pub use operations::{aggregate, components, dependencies, health, reflect, replicas, retain, revise};
