//! What offers disagree about, in words: field, value, winner, and who has something else.

use std::collections::BTreeMap;

use crate::discovery::export::Offer;

/// So many of those that disagree are named; a set may have hundreds.
const MOST_NAMED: usize = 5;
/// Values are shown up to this length: a message has to fit into a condition.
const LONGEST_SHOWN: usize = 256;

/// One property that differs between exports of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Its part of the reason of the condition `Conflict`.
    pub reason: &'static str,
    /// The field, the value that is used, whose it is and why, and who has another.
    pub message: String,
}

/// The conflict when offers, the oldest first, differ in a property of which the oldest wins.
pub(super) fn disagreement<'a, T: PartialEq>(
    offers: &'a [Offer],
    reason: &'static str,
    field: &str,
    value: impl Fn(&'a Offer) -> T,
    show: impl Fn(T) -> String,
) -> Option<Conflict> {
    let oldest = offers.first()?;
    let winner = value(oldest);
    let others: Vec<&Offer> = offers.iter().filter(|offer| value(offer) != winner).collect();
    if others.is_empty() {
        return None;
    }
    let named = others.iter().map(|offer| format!("{} has {}", offer.cluster, show(value(offer))));
    let message = format!(
        "{field}: {} is used, that of cluster {}, whose export is the oldest ({}); {} of {} clusters {}: {}",
        show(winner),
        oldest.cluster,
        oldest.since,
        others.len(),
        offers.len(),
        if others.len() == 1 { "disagrees" } else { "disagree" },
        listed(named),
    );
    Some(Conflict { reason, message })
}

/// The first few of a list of sentences, and how many more there are.
pub(super) fn listed(sentences: impl Iterator<Item = String>) -> String {
    let mut sentences: Vec<String> = sentences.collect();
    let more = sentences.len().saturating_sub(MOST_NAMED);
    sentences.truncate(MOST_NAMED);
    let mut text = sentences.join(", ");
    if more > 0 {
        text.push_str(&format!(", and {more} more"));
    }
    text
}

/// A value in quotation marks, cut when it is long.
pub(super) fn shown(value: &str) -> String {
    match value.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{:?}…", &value[..end]),
        None => format!("{value:?}"),
    }
}

/// Labels as they are written on a command line.
pub(super) fn pairs(map: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key}={value}")).collect();
    shown(&pairs.join(","))
}

/// The keys of annotations; their values may be long.
pub(super) fn keys(map: &BTreeMap<String, String>) -> String {
    let keys: Vec<&str> = map.keys().map(String::as_str).collect();
    match keys.is_empty() {
        true => "none".to_owned(),
        false => format!("values for {}", shown(&keys.join(","))),
    }
}
