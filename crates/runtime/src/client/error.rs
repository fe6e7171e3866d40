//! Errors of requests, by what the caller can do about them.
//!
//! `client` makes them from HTTP answers and transport failures. Controllers match on the variants; the text is for people.

use std::time::Duration;

use http::StatusCode;
use portolan_object::Status;

use super::dial_error::is_distrusted;
use crate::limits::{Excess, MAX_REPETITIONS};

/// metav1 `CauseTypeResourceVersionTooLarge`.
const VERSION_TOO_LARGE: &str = "ResourceVersionTooLarge";
/// Delay for an answer of 429 that names none.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(1);
/// Longest message of a [`Status`] that is kept, in bytes: it goes into logs and conditions. metav1 allows 32 KiB there.
const MAX_MESSAGE_BYTES: usize = 8 << 10;
/// Start of an answer in which failed checks are looked for, in bytes.
const MAX_REPORT_BYTES: usize = 64 << 10;
/// Causes of a [`Status`] that are kept.
const MAX_CAUSES: usize = 100;
/// Upper bound for a delay that a server asks for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(120);

/// An error of a lower layer.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a request failed. [`Status`] is the API server's own description.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The object does not exist, or the server does not serve the resource.
    #[error(transparent)]
    NotFound(Status),
    /// Another client changed the object first, or a precondition failed. Read the object again and retry.
    #[error(transparent)]
    Conflict(Status),
    /// The object exists already.
    #[error(transparent)]
    AlreadyExists(Status),
    /// The API server refuses the content; repeating the request does not help.
    #[error(transparent)]
    Invalid(Status),
    /// Not authenticated or not allowed.
    #[error(transparent)]
    Forbidden(Status),
    /// The server no longer has this resource version or continue token. List again.
    #[error(transparent)]
    Expired(Status),
    /// The server limits requests.
    #[error("{status}, retry after {retry_after:?}")]
    TooManyRequests {
        /// The server's description.
        status: Status,
        /// The delay that the server asks for; one second if it names none.
        retry_after: Duration,
    },
    /// No answer: the connection was refused, reset or timed out, or TLS failed.
    #[error("cannot reach {server}: {}", chain(source.as_ref()))]
    Unreachable {
        /// Address of the server.
        server: String,
        /// Cause.
        source: BoxError,
    },
    /// The path of a request is not a valid URI.
    #[error("{path:?} is not a valid request path: {source}")]
    InvalidPath {
        /// The path.
        path: String,
        /// Cause.
        source: http::uri::InvalidUri,
    },
    /// The answer is not the expected JSON.
    #[error("cannot read the answer to {request}: {source}")]
    Unreadable {
        /// Method and path.
        request: String,
        /// Cause, with its place in the answer.
        source: serde_json::Error,
    },
    /// Nothing was sent: this control plane does not hold the member.
    #[error("not written: {reason}")]
    NotHeld {
        /// Cause and next step.
        reason: String,
    },
    /// Nothing was sent: the object has been written too often with the same content, because another writer changes it
    /// back.
    #[error(
        "{object} was written {MAX_REPETITIONS} times in a minute with content that it had before: another writer changes it \
         back; the next write is in {} s",
        retry_after.as_secs()
    )]
    Contested {
        /// Path of the object.
        object: String,
        /// Time until the next write.
        retry_after: Duration,
    },
    /// The server sent more than this process accepts.
    #[error("{server} sent {excess}")]
    Excessive {
        /// Address of the server.
        server: String,
        /// The limit.
        excess: Excess,
    },
    /// Any other answer of 400 or above.
    #[error(transparent)]
    Other(Status),
}

impl ClientError {
    /// The API server's description, if it answered.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::NotFound(status)
            | Self::Conflict(status)
            | Self::AlreadyExists(status)
            | Self::Invalid(status)
            | Self::Forbidden(status)
            | Self::Expired(status)
            | Self::TooManyRequests { status, .. }
            | Self::Other(status) => Some(status),
            Self::Unreachable { .. }
            | Self::InvalidPath { .. }
            | Self::Unreadable { .. }
            | Self::NotHeld { .. }
            | Self::Contested { .. }
            | Self::Excessive { .. } => None,
        }
    }

    /// Whether the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// Whether another client won a race, so that a retry with fresh data helps.
    pub fn is_race(&self) -> bool {
        matches!(self, Self::Conflict(_) | Self::AlreadyExists(_))
    }

    /// Whether there was no answer.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether there was no answer because the certificate of the server is not trusted: of another authority, for another
    /// name, expired, or not valid yet.
    pub fn is_distrusted(&self) -> bool {
        if let Self::Unreachable { source, .. } = self { is_distrusted(source.as_ref()) } else { false }
    }

    /// Whether the server has not reached the resource version of the request yet (504, metav1
    /// `CauseTypeResourceVersionTooLarge`).
    pub(crate) fn is_version_too_large(&self) -> bool {
        let details = self.status().and_then(|status| status.details.as_ref());
        details.is_some_and(|details| details.causes.iter().any(|cause| cause.reason == VERSION_TOO_LARGE))
    }

    /// How long the server asks to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::TooManyRequests { retry_after, .. } | Self::Contested { retry_after, .. } = self {
            return Some(*retry_after);
        }
        let seconds = self.status()?.details.as_ref()?.retry_after_seconds?;
        Some(capped(Duration::from_secs(seconds.into())))
    }

    /// The error for an answer of 400 or above.
    pub(crate) fn from_answer(code: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Self {
        let mut status = shortened(read_status(code, body));
        let requested = status.details.as_ref().and_then(|details| details.retry_after_seconds);
        if let (None, Some(delay)) = (requested, retry_after) {
            let seconds = u32::try_from(delay.as_secs()).unwrap_or(u32::MAX);
            status.details.get_or_insert_default().retry_after_seconds = Some(seconds);
        }
        match (status.code, status.reason.as_str()) {
            (404, _) => Self::NotFound(status),
            (409, "AlreadyExists") => Self::AlreadyExists(status),
            (409, _) => Self::Conflict(status),
            (400 | 413 | 415 | 422, _) => Self::Invalid(status),
            (401 | 403, _) => Self::Forbidden(status),
            (410, _) => Self::Expired(status),
            (429, _) => {
                let seconds = requested.map(|seconds| Duration::from_secs(seconds.into()));
                let retry_after = capped(retry_after.or(seconds).unwrap_or(DEFAULT_RETRY_AFTER));
                Self::TooManyRequests { status, retry_after }
            }
            _ => Self::Other(status),
        }
    }

    /// The error for an ERROR event of a watch.
    pub(crate) fn from_status(status: Status) -> Self {
        let status = shortened(status);
        let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match code {
            StatusCode::GONE => Self::Expired(status),
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Self::Forbidden(status),
            StatusCode::TOO_MANY_REQUESTS => {
                let seconds = status.details.as_ref().and_then(|details| details.retry_after_seconds);
                let delay = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                Self::TooManyRequests { status, retry_after: capped(delay.unwrap_or(DEFAULT_RETRY_AFTER)) }
            }
            _ => Self::Other(status),
        }
    }
}

/// Limits a delay that a server asks for, so that a faulty server cannot stop a controller for years.
fn capped(delay: Duration) -> Duration {
    delay.min(MAX_RETRY_AFTER)
}

/// Cuts the texts of a Status, which a faulty server may make very long.
fn shortened(mut status: Status) -> Status {
    cut(&mut status.message);
    cut(&mut status.reason);
    if let Some(details) = &mut status.details {
        details.causes.truncate(MAX_CAUSES);
        details.causes.iter_mut().for_each(|cause| cut(&mut cause.message));
    }
    status
}

fn cut(text: &mut String) {
    if text.len() > MAX_MESSAGE_BYTES {
        text.truncate(text.floor_char_boundary(MAX_MESSAGE_BYTES));
        text.push('…');
    }
}

fn read_status(code: StatusCode, body: &[u8]) -> Status {
    let parsed = serde_json::from_slice::<Status>(body).ok().filter(|status| status.code >= 400);
    parsed.unwrap_or_else(|| {
        let start = |bytes: usize| String::from_utf8_lossy(&body[..body.len().min(bytes)]);
        let message = failed_checks(&start(MAX_REPORT_BYTES)).unwrap_or_else(|| match start(512).trim() {
            "" => code.canonical_reason().unwrap_or("unknown error").to_owned(),
            text => text.to_owned(),
        });
        Status::new(code.as_u16(), "", message)
    })
}

/// The failed checks in the report of `/readyz`, where most lines are about others (kubernetes
/// staging/src/k8s.io/apiserver/pkg/server/healthz); `None` if the text is no such report.
fn failed_checks(text: &str) -> Option<String> {
    let failed: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("[-]")).collect();
    (!failed.is_empty()).then(|| failed.join("; "))
}

/// The text of an error and all its causes; the outermost text of a transport error alone says little.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_sort_by_what_the_caller_can_do() {
        let status = |code: u16, reason: &str| Status::new(code, reason, "words").to_value().to_string();
        let kind = |code: u16, reason: &str| {
            let code_value = StatusCode::from_u16(code).expect("a valid code");
            let error = ClientError::from_answer(code_value, None, status(code, reason).as_bytes());
            format!("{error:?}").split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
        };
        let cases = [
            (404, "NotFound", "NotFound"),
            (409, "Conflict", "Conflict"),
            (409, "AlreadyExists", "AlreadyExists"),
            (422, "Invalid", "Invalid"),
            (401, "Unauthorized", "Forbidden"),
            (403, "Forbidden", "Forbidden"),
            (410, "Expired", "Expired"),
            (429, "TooManyRequests", "TooManyRequests"),
            (500, "InternalError", "Other"),
        ];
        for (code, reason, want) in cases {
            assert_eq!(kind(code, reason), want, "{code} {reason}");
        }
    }

    #[test]
    fn a_very_long_message_is_cut() {
        let body = Status::new(500, "InternalError", "é".repeat(100_000)).to_value().to_string();
        let error = ClientError::from_answer(StatusCode::INTERNAL_SERVER_ERROR, None, body.as_bytes());
        let message = error.to_string();
        assert!(message.len() < MAX_MESSAGE_BYTES + 10 && message.ends_with("é…"), "{} bytes", message.len());
    }

    #[test]
    fn a_report_of_health_tells_what_failed() {
        let others = "[+]poststarthook/start-apiextensions-controllers ok\n".repeat(20);
        let report = format!(
            "[+]ping ok\n{others}[-]etcd failed: reason withheld\n[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\n\
             readyz check failed\n"
        );
        let error = ClientError::from_answer(StatusCode::INTERNAL_SERVER_ERROR, None, report.as_bytes());
        let failed =
            "etcd failed: reason withheld; poststarthook/rbac/bootstrap-roles failed: reason withheld";
        assert_eq!(error.to_string(), failed);
    }

    #[test]
    fn a_plain_text_answer_keeps_its_text() {
        let error = ClientError::from_answer(StatusCode::NOT_FOUND, None, b"404 page not found\n");
        assert_eq!(error.to_string(), "404 page not found");
    }
}
