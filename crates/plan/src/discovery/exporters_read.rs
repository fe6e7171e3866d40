//! The condition that tells clients of an import which exporters the control plane cannot read, and since when.
//!
//! A lost link is not a dead cluster: its endpoints stay and get traffic. But they are the last known, which the owner of a
//! client has to see in the client's own cluster.

use portolan_api::conditions::multicluster as reasons;
use portolan_api::meta::Condition;

/// Exporters that are named, at most.
const MAX_NAMED: usize = 20;

/// An exporter that the control plane cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadExporter {
    /// Name of the cluster, or its id in the set.
    pub cluster: String,
    /// Since when, RFC 3339; empty if unknown.
    pub since: String,
}

/// The condition of an import with the conditions `before`. `None` if it has never been false: it would say nothing.
pub fn exporters_read(unread: &[UnreadExporter], before: &[Condition], now: &str) -> Option<Condition> {
    let kind = reasons::EXPORTERS_READ;
    if unread.is_empty() {
        let is_known = before.iter().any(|condition| condition.kind == kind);
        let message = "the endpoints of all exporting clusters are current";
        return is_known.then(|| Condition::new(kind, true, reasons::ALL_READ, message.to_owned(), now));
    }
    let text = |exporter: &UnreadExporter| match exporter.since.as_str() {
        "" => exporter.cluster.clone(),
        since => format!("{} (since {since})", exporter.cluster),
    };
    let clusters: Vec<String> = unread.iter().take(MAX_NAMED).map(text).collect();
    let more = match unread.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "not reached: {}{more}; the endpoints of these clusters are the last known, and get traffic: condition Ready of the \
         Cluster on the control plane says why",
        clusters.join(", ")
    );
    Some(Condition::new(kind, false, reasons::EXPORTER_UNREACHABLE, message, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(count: usize) -> Vec<UnreadExporter> {
        let one = |number: usize| UnreadExporter { cluster: format!("c{number}"), since: "t0".to_owned() };
        (0..count).map(one).collect()
    }

    #[test]
    fn the_condition_appears_with_the_first_loss_and_says_when_it_ended() {
        assert_eq!(exporters_read(&[], &[], "t1"), None, "nothing was ever lost");
        let unread = exporters_read(&lost(1), &[], "t2").expect("a condition");
        assert_eq!((unread.is_true(), unread.reason.as_str()), (false, reasons::EXPORTER_UNREACHABLE));
        assert!(unread.message.starts_with("not reached: c0 (since t0); "), "{}", unread.message);
        let read = exporters_read(&[], &[unread], "t3").expect("a condition");
        assert_eq!((read.is_true(), read.reason.as_str()), (true, reasons::ALL_READ));
    }

    #[test]
    fn the_message_is_bounded() {
        let unread = exporters_read(&lost(500), &[], "t1").expect("a condition");
        assert!(
            unread.message.contains(" and 480 more; ") && unread.message.len() < 1000,
            "{}",
            unread.message
        );
    }
}
