//! What a user can do when a request to a member fails, beside the message in the Work's condition.

use portolan_plan::propagation::refusal::Refusal;
use portolan_runtime::ClientError;
use portolan_runtime::driver::is_terminating;

/// The text of an error, with the advice.
pub(super) fn with_advice(error: &ClientError) -> String {
    let text = error.to_string();
    match refusal(error, &text).advice() {
        Some(advice) => format!("{text}; {advice}"),
        None => text,
    }
}

/// The kind of a failure: by what the member says, or else by the status of its answer.
fn refusal(error: &ClientError, text: &str) -> Refusal {
    let by_status = match error {
        ClientError::Forbidden(status) if is_terminating(status) => return Refusal::Terminating,
        ClientError::Conflict(_) | ClientError::AlreadyExists(_) | ClientError::Contested { .. } => {
            return Refusal::Contested;
        }
        ClientError::TooManyRequests { .. } => return Refusal::Busy,
        ClientError::Unreachable { .. } => return Refusal::Unreachable,
        ClientError::Forbidden(_) => Refusal::Forbidden,
        ClientError::Invalid(_) => Refusal::Invalid,
        ClientError::NotFound(_) => Refusal::NotFound,
        ClientError::Unreadable { .. } | ClientError::Other(_) => Refusal::ServerError,
        _ => return Refusal::Other,
    };
    match Refusal::said(text) {
        Refusal::Other | Refusal::Invalid | Refusal::Forbidden => by_status,
        said => said,
    }
}

#[cfg(test)]
mod tests {
    use portolan_object::Status;

    use super::*;

    fn status(message: &str) -> Status {
        serde_json::from_value(serde_json::json!({ "code": 400, "message": message })).expect("a status")
    }

    #[test]
    fn the_advice_follows_what_the_member_says() {
        let cases = [
            (ClientError::NotFound(status("namespaces \"shop\" not found")), Refusal::NoNamespace),
            (ClientError::NotFound(status("the server could not find it")), Refusal::NotFound),
            (ClientError::Forbidden(status("is forbidden: exceeded quota: q")), Refusal::Quota),
            (ClientError::Forbidden(status("is forbidden: not today")), Refusal::Forbidden),
            (ClientError::Invalid(status("spec.selector: field is immutable")), Refusal::Immutable),
            (ClientError::Invalid(status("strict decoding error")), Refusal::Invalid),
            (ClientError::Conflict(status("the object has been modified")), Refusal::Contested),
            (ClientError::Other(status("failed calling webhook \"w\"")), Refusal::SilentWebhook),
            (ClientError::Other(status("etcd is down")), Refusal::ServerError),
        ];
        for (error, want) in cases {
            let text = with_advice(&error);
            assert_eq!(Refusal::of(&text), want, "{text}");
        }
    }
}
