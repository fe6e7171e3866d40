//! Replies to requests that no handler answers.

use http::{Response, StatusCode};
use portolan_object::Status;
use portolan_object::status::Details;

use crate::kinds;
use crate::respond::{self, Body};

/// Why no handler answers a path.
#[derive(Debug)]
pub(super) enum Refusal {
    /// 404 as plain text, for paths outside the built-in groups.
    PlainNotFound,
    /// A status.
    Status(Box<Status>),
}

impl Refusal {
    pub(super) fn into_answer(self) -> Result<Response<Body>, Status> {
        match self {
            Self::PlainNotFound => Ok(respond::plain_text(StatusCode::NOT_FOUND, "404 page not found\n")),
            Self::Status(status) => Err(*status),
        }
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

/// 405 for a method that a path does not have.
pub(super) fn method_not_allowed() -> Status {
    let text = "the server does not allow this method on the requested resource";
    let mut status = Status::new(405, "MethodNotAllowed", text);
    status.details = Some(Box::new(Details::default()));
    status
}

/// 404 for a path below a known group version.
pub(super) fn no_such_path() -> Status {
    let mut status = Status::new(404, "NotFound", "the server could not find the requested resource");
    status.details = Some(Box::new(Details::default()));
    status
}

/// 404 for a path below a group: a status if the group is built in, otherwise plain text, even if the group has
/// custom resources.
pub(super) fn unknown_in(group: &str) -> Refusal {
    if group.is_empty() || kinds::group(group).is_some() {
        no_such_path().into()
    } else {
        Refusal::PlainNotFound
    }
}

/// 404 for a path that is neither a resource nor a document.
pub(super) fn unknown_path(path: &str) -> Refusal {
    let mut segments = path.trim_start_matches('/').split('/');
    match (segments.next(), segments.next()) {
        (Some("api"), _) => no_such_path().into(),
        (Some("apis"), Some(group)) if !group.is_empty() => unknown_in(group),
        _ => Refusal::PlainNotFound,
    }
}
