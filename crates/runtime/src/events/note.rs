//! What an Event says.

use portolan_object::{GroupVersionKind, Object, ObjectKey};

/// Largest `message`, in bytes (kubernetes pkg/apis/core/validation/events.go).
const MAX_MESSAGE_BYTES: usize = 1024;

/// The type of an Event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Information only.
    Normal,
    /// A problem.
    Warning,
}

impl Severity {
    /// The value of the Event's `type` (core/v1 `EventTypeNormal`, `EventTypeWarning`).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// The object of an Event (`involvedObject`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Regarding {
    /// Kind.
    pub gvk: GroupVersionKind,
    /// Namespace and name.
    pub key: ObjectKey,
    /// `metadata.uid`; empty if unknown.
    pub uid: String,
}

impl Regarding {
    /// The reference to an object.
    pub fn object(object: &Object) -> Self {
        Self { gvk: object.group_version_kind(), key: object.key(), uid: object.uid().to_owned() }
    }

    /// The reference to an object of a typed kind.
    pub fn kind<T: portolan_api::Kind>(object: &T) -> Self {
        Self { gvk: T::gvk(), key: object.key(), uid: object.metadata().uid.clone() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Note {
    pub(super) regarding: Regarding,
    pub(super) severity: Severity,
    pub(super) reason: String,
    pub(super) message: String,
}

impl Note {
    /// A note; a longer message is cut off.
    pub(super) fn new(regarding: Regarding, severity: Severity, reason: &str, mut message: String) -> Self {
        if message.len() > MAX_MESSAGE_BYTES {
            let cut = (0..=MAX_MESSAGE_BYTES).rev().find(|&end| message.is_char_boundary(end));
            message.truncate(cut.unwrap_or_default());
        }
        Self { regarding, severity, reason: reason.to_owned(), message }
    }
}
