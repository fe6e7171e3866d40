//! The final `metav1.Status` of a session, sent on the error channel since version 4 of the protocol.

use portolan_object::ObjectKey;
use serde_json::{Value, json};

/// The session succeeded; its program, if any, ended with code 0.
pub(crate) fn success() -> Value {
    json!({ "metadata": {}, "status": "Success" })
}

/// The program ended with this exit code; clients exit with the same code.
pub(crate) fn exit_code(code: i32) -> Value {
    if code == 0 {
        return success();
    }
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "reason": "NonZeroExitCode",
        "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
    })
}

/// The program could not be started.
pub(crate) fn failure(container: &str, pod: &ObjectKey, problem: &str) -> Value {
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("container {container:?} of pod {pod}: {problem}"),
        "reason": "InternalError",
        "details": { "causes": [{ "message": problem }] },
        "code": 500,
    })
}
