//! The function that a script defines for each operation (karmada
//! pkg/resourceinterpreter/customized/declarative/luavm).

use portolan_api::config::InterpreterOperation;

use crate::call::Sandbox;
use crate::error::LuaError;
use crate::limits::Limits;

/// The name of the function of an operation.
pub(crate) const fn function_of(operation: InterpreterOperation) -> &'static str {
    match operation {
        InterpreterOperation::InterpretReplica => "GetReplicas",
        InterpreterOperation::InterpretComponent => "GetComponents",
        InterpreterOperation::ReviseReplica => "ReviseReplica",
        InterpreterOperation::Retain => "Retain",
        InterpreterOperation::AggregateStatus => "AggregateStatus",
        InterpreterOperation::InterpretStatus => "ReflectStatus",
        InterpreterOperation::InterpretHealth => "InterpretHealth",
        InterpreterOperation::InterpretDependency => "GetDependencies",
    }
}

/// Whether a script defines the function of its operation. Runs the script, and not the function.
///
/// # Errors
/// Why it does not.
pub fn defines(script: &str, operation: InterpreterOperation) -> Result<(), LuaError> {
    let sandbox = Sandbox::new(Limits::default())?;
    sandbox.load(script)?;
    sandbox.function(function_of(operation)).map(drop)
}
