//! What a user can do when a member refuses an object. It follows the cause in the message of the Work's condition.

use portolan_runtime::ClientError;
use portolan_runtime::driver::is_terminating;

/// The text of an error, with the advice.
pub(super) fn with_advice(error: &ClientError) -> String {
    match advice(error) {
        Some(advice) => format!("{error}; {advice}"),
        None => error.to_string(),
    }
}

/// The advice for an error; `None` if the error says what to do, or nothing can be done.
fn advice(error: &ClientError) -> Option<&'static str> {
    Some(match error {
        ClientError::Forbidden(status) if is_terminating(status) => {
            "it is tried again, and the namespace is made again when it is gone"
        }
        ClientError::Forbidden(_) => {
            "give the account of the control plane in the cluster (of the agent, in pull mode) the right, or remove the rule \
             there that forbids it; `portolan cluster permissions` tells and grants what it needs"
        }
        ClientError::Invalid(_) => {
            "change the template or the override policy; a field that cannot be changed once it is set needs the object \
             in the cluster to be deleted, it is then made again"
        }
        ClientError::NotFound(_) => {
            "the cluster announces the kind and does not serve it, or the namespace is missing: look at the \
             CustomResourceDefinition or the API service there"
        }
        ClientError::Conflict(_) | ClientError::AlreadyExists(_) => {
            "something in the cluster changes the object all the time: look at its managedFields"
        }
        ClientError::Contested { .. } => {
            "look at metadata.managedFields of the object in the cluster, and stop the other writer"
        }
        ClientError::TooManyRequests { .. } => "it is tried again when the cluster allows",
        ClientError::Unreachable { .. } => "it is tried again; the condition Ready of the cluster has more",
        ClientError::Unreadable { .. } | ClientError::Other(_) => {
            "it is tried again; the log of the cluster's API server has the cause"
        }
        _ => return None,
    })
}
