//! What the error channel says when a session ends: a `metav1.Status`, since version 4 of the protocol.

use portolan_object::ObjectKey;
use serde_json::{Value, json};

/// The session did its work, and the program ended well if there was one.
pub(crate) fn success() -> Value {
    json!({ "metadata": {}, "status": "Success" })
}

/// The program ended with this code, which clients exit with as well.
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

/// The program could not be started at all.
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
