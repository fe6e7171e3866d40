//! Values as Go's `%v` prints them, which is what some answers of an API server quote.

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// The value in the form `map[a:1 b:[x y]]`, keys in order.
pub fn go_text(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

fn write_value(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("<nil>"),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => write_number(text, number),
        Value::String(string) => text.push_str(string),
        Value::Array(elements) => {
            text.push('[');
            for (index, element) in elements.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { " " });
                write_value(text, element);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push_str("map[");
            for (index, (key, member)) in fields.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { " " });
                text.push_str(key);
                text.push(':');
                write_value(text, member);
            }
            text.push(']');
        }
    }
}

/// Whole numbers as they are; others in the shortest form, with an exponent below 1e-4 and from 1e21 on.
fn write_number(text: &mut String, number: &Number) {
    let written = match number.as_f64() {
        Some(float) if number.is_f64() && float != 0.0 && !(1e-4..1e21).contains(&float.abs()) => {
            let scientific = format!("{float:e}");
            let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
            let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
            write!(text, "{digits}e{sign}{exponent:0>2}")
        }
        Some(float) if number.is_f64() => write!(text, "{float}"),
        _ => write!(text, "{number}"),
    };
    written.expect("writing to a String cannot fail");
}

/// The type as Go's `%T` prints it.
pub(crate) fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_print_as_in_go() {
        let cases = [
            (json!({"b": [1, "x", null], "a": {"c": true}}), "map[a:map[c:true] b:[1 x <nil>]]"),
            (json!([]), "[]"),
            (json!(1.5), "1.5"),
            (json!(2.0), "2"),
            (json!(1e21), "1e+21"),
            (json!(0.00001), "1e-05"),
            (json!(-7), "-7"),
        ];
        for (value, want) in cases {
            assert_eq!(go_text(&value), want);
        }
    }
}
