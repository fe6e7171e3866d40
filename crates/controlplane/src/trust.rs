//! Whether the state of a control plane may be older than what its members hold, so that deletions that follow from it are
//! held (`portolan_plan::propagation::brake`).

use jiff::Timestamp;
use portolan_controllers::Distrust;
use portolan_object::time::format_time;
use serde_json::Value;

/// Why the state is not trusted; `None` if it is. `restored` is the record of the last restore (`StateDirectory::restored`),
/// `damaged` the number of objects that cannot be read, `now` the start of the process.
pub(crate) fn distrust(restored: Option<&str>, damaged: usize, now: Timestamp) -> Option<Distrust> {
    if damaged > 0 {
        let objects = if damaged == 1 { "object" } else { "objects" };
        let reason =
            format!("{damaged} {objects} of the control plane cannot be read (`/readyz?verbose` names them)");
        return Some(Distrust { since: format_time(now), reason });
    }
    // A record that cannot be read counts from now.
    let record: Value = serde_json::from_str(restored?).unwrap_or_default();
    let time = record["restored"].as_str().and_then(|text| text.parse().ok()).unwrap_or(now);
    let created = record["created"].as_str().unwrap_or("an unknown time");
    let reason = format!("the control plane was restored from a backup of {created}");
    Some(Distrust { since: format_time(time), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restored_and_damaged_states_are_not_trusted() {
        let now: Timestamp = "2026-05-01T12:00:00.5Z".parse().expect("a time");
        assert_eq!(distrust(None, 0, now), None);
        let record = r#"{ "restored": "2026-05-01T11:00:00.25Z", "created": "2026-05-01T03:00:00Z" }"#;
        let restored = distrust(Some(record), 0, now).expect("restored");
        assert_eq!(restored.since, "2026-05-01T11:00:00Z");
        assert_eq!(restored.reason, "the control plane was restored from a backup of 2026-05-01T03:00:00Z");
        let unreadable = distrust(Some("{"), 0, now).expect("restored");
        assert_eq!(unreadable.since, "2026-05-01T12:00:00Z");
        let damaged = distrust(None, 1, now).expect("damaged");
        assert_eq!(
            damaged.reason,
            "1 object of the control plane cannot be read (`/readyz?verbose` names them)"
        );
    }
}
