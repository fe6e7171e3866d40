//! The entry of `status.conditions` that all built-in kinds have in common.

use portolan_object::Object;
use serde::Deserialize;

use super::read_value;

/// One condition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition<'a> {
    /// `type`, such as `Ready`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// `True`, `False` or `Unknown`.
    pub status: &'a str,
    /// Reason, as one word for programs.
    pub reason: &'a str,
    /// Message for people.
    pub message: &'a str,
    /// Time of the last change of `status`, RFC 3339.
    pub last_transition_time: &'a str,
}

impl Condition<'_> {
    /// Whether `status` is `True`.
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }
}

/// The condition of a type in `status.conditions` of an object of any kind; `None` if absent or unreadable.
///
/// For decisions that read nothing else of the object. Allocates nothing.
pub fn condition<'a>(object: &'a Object, kind: &str) -> Option<Condition<'a>> {
    conditions(object).find(|condition| condition.kind == kind)
}

/// The readable entries of `status.conditions` of an object of any kind.
pub fn conditions(object: &Object) -> impl Iterator<Item = Condition<'_>> {
    let listed = object.at(&["status", "conditions"]).and_then(serde_json::Value::as_array);
    listed.into_iter().flatten().filter_map(|condition| read_value(condition).ok())
}

/// Whether the condition of a type is `True`.
pub fn is_condition_true(object: &Object, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition.is_true())
}
