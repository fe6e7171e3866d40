//! Conditions: observations of a controller about an object.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::is_default;

/// `metav1.Condition`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// `type`, such as `Ready`.
    #[serde(rename = "type")]
    #[schemars(
        length(max = 316),
        regex(
            pattern = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
        )
    )]
    pub kind: String,
    /// `status`.
    pub status: ConditionStatus,
    /// Generation of the object from which the condition was computed.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// Time of the last change of `status`.
    #[schemars(extend("format" = "date-time"))]
    pub last_transition_time: String,
    /// Reason, as one word for programs.
    #[schemars(length(min = 1, max = 1024), regex(pattern = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"))]
    pub reason: String,
    /// Message for people.
    #[schemars(length(max = 32768))]
    pub message: String,
}

/// Status of a condition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// `True`.
    True,
    /// `False`.
    False,
    /// `Unknown`.
    #[default]
    Unknown,
}

impl ConditionStatus {
    /// The value in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl Condition {
    /// A condition as of `now` (RFC 3339).
    pub fn new(
        kind: impl Into<String>,
        status: impl Into<ConditionStatus>,
        reason: impl Into<String>,
        message: impl Into<String>,
        now: impl Into<String>,
    ) -> Self {
        Self {
            kind: kind.into(),
            status: status.into(),
            observed_generation: None,
            last_transition_time: now.into(),
            reason: reason.into(),
            message: message.into(),
        }
    }

    /// Whether the status is `True`.
    pub fn is_true(&self) -> bool {
        self.status == ConditionStatus::True
    }
}

/// The condition of a type.
pub fn condition<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

/// Replaces the condition of the type of `new`, or appends it; returns whether anything changed.
///
/// While the status stays the same the old transition time is kept, so that writing an unchanged condition again
/// changes nothing.
pub fn set_condition(conditions: &mut Vec<Condition>, mut new: Condition) -> bool {
    let Some(old) = conditions.iter_mut().find(|condition| condition.kind == new.kind) else {
        conditions.push(new);
        return true;
    };
    if old.status == new.status {
        new.last_transition_time.clone_from(&old.last_transition_time);
    }
    let changed = *old != new;
    *old = new;
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transition_time_moves_with_the_status_only() {
        let at = |status: bool, reason: &str, now: &str| Condition::new("Ready", status, reason, "", now);
        let mut conditions = vec![];
        for (name, new, changes, since) in [
            ("first", at(true, "A", "t1"), true, "t1"),
            ("same again", at(true, "A", "t2"), false, "t1"),
            ("other reason", at(true, "B", "t3"), true, "t1"),
            ("other status", at(false, "B", "t4"), true, "t4"),
        ] {
            assert_eq!(set_condition(&mut conditions, new), changes, "{name}");
            assert_eq!(conditions[0].last_transition_time, since, "{name}");
        }
        assert!(set_condition(&mut conditions, Condition::new("Other", true, "A", "", "t5")));
        assert_eq!(conditions.len(), 2);
        assert!(condition(&conditions, "Other").is_some_and(Condition::is_true));
    }
}
