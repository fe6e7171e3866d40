//! `status.loadBalancer` of Services and Ingresses.

use serde_json::{Value, json};

use super::Report;
use super::counters::statuses;

/// Every address once: host names first, then addresses.
pub(super) fn merge(reports: &[Report]) -> Value {
    let entries =
        statuses(reports).filter_map(|status| status["loadBalancer"]["ingress"].as_array()).flatten();
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    let mut sorted: Vec<&Value> = entries.collect();
    sorted.sort_by_cached_key(|entry| {
        let hostname = text(entry, "hostname");
        (hostname.is_empty(), hostname, text(entry, "ip"), text(entry, "ipMode"))
    });
    sorted.dedup();
    if sorted.is_empty() {
        json!({ "loadBalancer": {} })
    } else {
        json!({ "loadBalancer": { "ingress": sorted } })
    }
}
