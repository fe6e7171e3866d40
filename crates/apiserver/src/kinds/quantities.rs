//! Canonical forms of resource quantities.

use portolan_object::quantity::Quantity;
use serde_json::{Map, Value};

use crate::tree::child_if_present;

/// Rewrites `limits` and `requests` in canonical form.
pub(crate) fn canonical_requirements(resources: &mut Map<String, Value>) {
    canonical_map(resources, "limits");
    canonical_map(resources, "requests");
}

/// Rewrites a map of quantities in canonical form, rounded up to thousandths.
pub(crate) fn canonical_map(parent: &mut Map<String, Value>, name: &str) {
    let Some(amounts) = child_if_present(parent, name) else { return };
    for amount in amounts.values_mut() {
        canonical(amount, Quantity::round_up_to_milli);
    }
}

/// Rewrites one quantity in canonical form.
pub(crate) fn canonical_field(parent: &mut Map<String, Value>, name: &str) {
    if let Some(amount) = parent.get_mut(name) {
        canonical(amount, |amount| amount);
    }
}

/// An invalid quantity stays, for validation to refuse.
fn canonical(amount: &mut Value, rounded: fn(Quantity) -> Quantity) {
    let text = match amount {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return,
    };
    if let Ok(quantity) = Quantity::parse(&text) {
        *amount = Value::String(rounded(quantity).to_string());
    }
}
