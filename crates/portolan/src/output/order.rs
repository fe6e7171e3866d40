//! The order of `--sort-by` (kubectl pkg/cmd/get/sorter.go).

use std::cmp::Ordering;

use portolan_object::quantity::Quantity;
use serde_json::Value;

/// Compares two values of one field: numbers and quantities by amount, texts so that `web-9` comes before `web-10`.
pub(crate) fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let number = |number: &serde_json::Number| number.as_f64().unwrap_or_default();
            number(one).total_cmp(&number(other))
        }
        (Value::String(one), Value::String(other)) => match (Quantity::parse(one), Quantity::parse(other)) {
            (Ok(one), Ok(other)) => one.cmp(&other),
            _ => natural(one, other),
        },
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        _ => rank(one).cmp(&rank(other)).then_with(|| natural(&one.to_string(), &other.to_string())),
    }
}

/// Values of different types: nothing first.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) | Value::Object(_) => 4,
    }
}

/// Compares texts; digits in them count as numbers.
fn natural(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one, other);
    loop {
        let (left, right) = (split(&mut one), split(&mut other));
        let order = match (left, right) {
            ("", "") => return Ordering::Equal,
            (left, right) if starts_with_digit(left) && starts_with_digit(right) => {
                let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
                left.len().cmp(&right.len()).then_with(|| left.cmp(right))
            }
            (left, right) => left.cmp(right),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Takes the digits, or the text without digits, at the start.
fn split<'a>(text: &mut &'a str) -> &'a str {
    let digits = starts_with_digit(text);
    let end = text.find(|next: char| next.is_ascii_digit() != digits).unwrap_or(text.len());
    let (first, rest) = text.split_at(end);
    *text = rest;
    first
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_ordered_as_people_read_them() {
        let cases = [
            (json!("web-9"), json!("web-10"), Ordering::Less),
            (json!("web-1"), json!("web-1"), Ordering::Equal),
            (json!("a"), json!("b"), Ordering::Less),
            (json!("100m"), json!("1"), Ordering::Less),
            (json!("2Gi"), json!("3000Mi"), Ordering::Less),
            (json!(9), json!(10.5), Ordering::Less),
            (json!(false), json!(true), Ordering::Less),
            (json!(null), json!(0), Ordering::Less),
            (json!("2026-01-01T00:00:00Z"), json!("2025-12-31T00:00:00Z"), Ordering::Greater),
            (json!("web-007"), json!("web-7"), Ordering::Equal),
        ];
        for (one, other, want) in cases {
            assert_eq!(compare(&one, &other), want, "{one} {other}");
            assert_eq!(compare(&other, &one), want.reverse(), "{other} {one}");
        }
    }
}
