//! What a write uses of the quotas of its namespace, and which quota refuses it.
//!
//! # Source
//! `CheckRequest` of kubernetes staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go.

use jiff::Timestamp;
use serde_json::Value;

use super::amounts::{accumulate, increase, only, printed, to_list};
use super::counter::Counter;
use super::scopes;
use crate::kinds::core::pod::resources::{Amounts, amounts};
use crate::tree;

/// A write that quotas are asked about.
pub(crate) struct Request<'a> {
    /// How the objects of its resource are counted.
    pub(crate) counter: &'a Counter,
    /// The object as it will be stored.
    pub(crate) object: &'a Value,
    /// The stored object; `None` on create.
    pub(crate) old: Option<&'a Value>,
    /// When the request arrived.
    pub(crate) now: Timestamp,
}

/// The new `status.used` of each quota that the write uses more of; `None` where nothing changes.
///
/// # Errors
/// Why a quota refuses the write.
pub(crate) fn charge(quotas: &[Value], request: &Request<'_>) -> Result<Vec<Option<Value>>, String> {
    let Request { counter, object, old, now } = *request;
    for quota in quotas.iter().filter(|quota| is_about(quota, counter, object)) {
        check_complete(quota, counter, object)?;
    }
    let used = counter.usage(object, now);
    let used_before = old.map(|old| counter.usage(old, now));
    let charge = |quota: &Value| {
        if !is_about(quota, counter, object) {
            return Ok(None);
        }
        let counted_before = old.filter(|old| is_about(quota, counter, old)).and(used_before.as_ref());
        let more = increase(&used, counted_before.unwrap_or(&Amounts::new()));
        if more.is_empty() {
            return Ok(None);
        }
        charge_one(quota, more)
    };
    quotas.iter().map(charge).collect()
}

fn charge_one(quota: &Value, more: Amounts) -> Result<Option<Value>, String> {
    let [hard, used] = ["/status/hard", "/status/used"].map(|list| amounts(quota, list));
    let requested = only(more, &hard);
    let mut total = used.clone();
    accumulate(&mut total, &requested);
    let mut exceeded = only(total.clone(), &requested);
    exceeded.retain(|line, amount| hard.get(line).is_some_and(|hard| *amount > *hard));
    if exceeded.is_empty() {
        return Ok((!requested.is_empty()).then(|| to_list(&total)));
    }
    let of = |amounts: &Amounts| printed(&only(amounts.clone(), &exceeded));
    Err(format!(
        "exceeded quota: {}, requested: {}, used: {}, limited: {}",
        tree::str_at(quota, "/metadata/name"),
        of(&requested),
        of(&used),
        of(&hard)
    ))
}

/// Whether a quota counts an object.
fn is_about(quota: &Value, counter: &Counter, object: &Value) -> bool {
    tree::entries(quota, "/status/hard").any(|(line, _)| counter.counts(line))
        && scopes::contains(quota, counter, object)
}

/// Checks that the pod says what the quota counts, and that the quota knows its use.
fn check_complete(quota: &Value, counter: &Counter, object: &Value) -> Result<(), String> {
    let name = tree::str_at(quota, "/metadata/name");
    let lines: Vec<&str> = tree::entries(quota, "/status/hard")
        .map(|(line, _)| line)
        .filter(|line| counter.counts(line))
        .collect();
    if let Some(missing) = counter.missing(lines.iter().copied(), object) {
        return Err(format!("failed quota: {name}: {missing}"));
    }
    let used = amounts(quota, "/status/used");
    if lines.iter().any(|line| !used.contains_key(*line)) {
        return Err(format!("status unknown for quota: {name}, resources: {}", lines.join(",")));
    }
    Ok(())
}
