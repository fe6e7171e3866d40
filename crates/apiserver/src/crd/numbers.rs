//! Numbers as Kubernetes keeps them.

use serde_json::Value;

/// Whole numbers beyond this are exact in floating point only by chance.
const LIMIT: f64 = 9_223_372_036_854_775_808.0;

/// Makes whole numbers of those that were written with a fraction or exponent but have none: `1.0` and `1e2` become
/// `1` and `100`, in objects of custom resources only (kube-api-contract 2.14).
pub(super) fn normalize(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().filter(|_| number.is_f64()).and_then(whole) {
                *value = Value::from(whole);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(normalize),
        Value::Object(map) => map.values_mut().for_each(normalize),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the number is whole and in range")]
    (number.fract() == 0.0 && number.abs() < LIMIT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_lose_their_fraction() {
        let cases = [
            ("1.0", "1"),
            ("1e2", "100"),
            ("-0.0", "0"),
            ("2.5", "2.5"),
            ("1e30", "1e30"),
            ("9007199254740993", "9007199254740993"),
            (r#"{"a":[3.0,{"b":4.0}],"c":"5.0"}"#, r#"{"a":[3,{"b":4}],"c":"5.0"}"#),
        ];
        for (text, want) in cases {
            let mut value: Value = serde_json::from_str(text).unwrap();
            normalize(&mut value);
            assert_eq!(value, serde_json::from_str::<Value>(want).unwrap(), "{text}");
        }
    }
}
