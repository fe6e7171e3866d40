//! Conflicts between exports, with their message: field, value, winner, and the clusters with other values.

use std::collections::BTreeMap;

use crate::discovery::export::ValidExport;

/// Maximum clusters named in one message; a set may have hundreds.
const MAX_NAMED: usize = 5;
/// Maximum characters of a value in a message, which must fit into a condition.
const MAX_SHOWN: usize = 256;

/// A property that differs between the exports of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Reason in condition `Conflict`.
    pub reason: &'static str,
    /// The field, the value in use and its cluster, and the clusters with other values.
    pub message: String,
}

/// The conflict if sorted exports differ in a property. The first one is the oldest and wins.
pub(super) fn disagreement<'a, T: PartialEq>(
    exports: &'a [ValidExport],
    reason: &'static str,
    field: &str,
    value: impl Fn(&'a ValidExport) -> T,
    show: impl Fn(T) -> String,
) -> Option<Conflict> {
    let oldest = exports.first()?;
    let winner = value(oldest);
    let others: Vec<&ValidExport> = exports.iter().filter(|export| value(export) != winner).collect();
    if others.is_empty() {
        return None;
    }
    let named = others.iter().map(|export| format!("{} has {}", export.cluster, show(value(export))));
    let message = format!(
        "{field}: {} of cluster {} is used, because its export is the oldest ({}); {} of {} clusters {}: {}",
        show(winner),
        oldest.cluster,
        oldest.since,
        others.len(),
        exports.len(),
        if others.len() == 1 { "disagrees" } else { "disagree" },
        listed(named),
    );
    Some(Conflict { reason, message })
}

/// The first [`MAX_NAMED`] sentences, and the number of further ones.
pub(super) fn listed(sentences: impl Iterator<Item = String>) -> String {
    let mut sentences: Vec<String> = sentences.collect();
    let more = sentences.len().saturating_sub(MAX_NAMED);
    sentences.truncate(MAX_NAMED);
    let mut text = sentences.join(", ");
    if more > 0 {
        text.push_str(&format!(", and {more} more"));
    }
    text
}

/// A value in quotation marks, truncated to [`MAX_SHOWN`] characters.
pub(super) fn shown(value: &str) -> String {
    match value.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{:?}…", &value[..end]),
        None => format!("{value:?}"),
    }
}

/// Labels in the format of kubectl, `key=value,…`.
pub(super) fn pairs(map: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}={value}")).collect();
    shown(&pairs.join(","))
}

/// The keys of annotations. Their values may be long, so they are left out.
pub(super) fn keys(map: &BTreeMap<String, String>) -> String {
    let keys: Vec<&str> = map.keys().map(String::as_str).collect();
    match keys.is_empty() {
        true => "none".to_owned(),
        false => format!("values for {}", shown(&keys.join(","))),
    }
}
