//! Arithmetic with the lines of quotas (kubernetes staging/src/k8s.io/apiserver/pkg/quota/v1/resources.go).

use portolan_object::quantity::Quantity;
use serde_json::{Map, Value, json};

use crate::kinds::core::pod::resources::Amounts;

/// Adds amounts; a sum that begins with nothing is written as the addend is.
pub(super) fn accumulate(sum: &mut Amounts, more: &Amounts) {
    for (line, amount) in more {
        let total = match sum.get(line) {
            Some(sum) if !sum.is_zero() => sum.plus(*amount),
            _ => *amount,
        };
        sum.insert(line.clone(), total);
    }
}

/// The amounts with one more line.
pub(super) fn with(mut amounts: Amounts, line: &str, amount: Quantity) -> Amounts {
    amounts.insert(line.to_owned(), amount);
    amounts
}

/// What is used more than before; nothing where less is used.
pub(super) fn increase(new: &Amounts, old: &Amounts) -> Amounts {
    let grown = new.iter().filter_map(|(line, amount)| {
        let more = old.get(line).map_or(*amount, |old| amount.minus(*old));
        (!more.is_zero() && !more.is_negative()).then(|| (line.clone(), more))
    });
    grown.collect()
}

/// The lines that are in `lines`.
pub(super) fn only(mut amounts: Amounts, lines: &Amounts) -> Amounts {
    amounts.retain(|line, _| lines.contains_key(line));
    amounts
}

/// As errors print it.
pub(super) fn printed(amounts: &Amounts) -> String {
    let lines: Vec<String> = amounts.iter().map(|(line, amount)| format!("{line}={amount}")).collect();
    lines.join(",")
}

/// As a `ResourceList`.
pub(super) fn to_list(amounts: &Amounts) -> Value {
    let lines = amounts.iter().map(|(line, amount)| (line.clone(), json!(amount.to_string())));
    Value::Object(lines.collect::<Map<_, _>>())
}
