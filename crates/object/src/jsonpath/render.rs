//! Matches as text.

use serde_json::Value;

use super::evaluate::Walk;
use super::{JsonPathError, Part};
use crate::patch::go_text;

/// Values side by side with a blank between them: strings and numbers plain, lists and maps as compact JSON.
pub fn render_values(values: &[&Value]) -> String {
    let mut text = String::new();
    write_values(&mut text, values);
    text
}

/// Renders the parts of a template with `value` as the current object.
pub(super) fn parts(
    text: &mut String,
    parts: &[Part],
    value: &Value,
    walk: &Walk<'_>,
) -> Result<(), JsonPathError> {
    for part in parts {
        match part {
            Part::Text(plain) => text.push_str(plain),
            Part::Path(steps) => write_values(text, &walk.evaluate(vec![value], steps)?),
            Part::Range(steps, body) => {
                for element in walk.evaluate(vec![value], steps)? {
                    self::parts(text, body, element, walk)?;
                }
            }
        }
    }
    Ok(())
}

fn write_values(text: &mut String, values: &[&Value]) {
    for (index, value) in values.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { " " });
        match value {
            Value::Null => text.push_str("null"),
            Value::Object(_) | Value::Array(_) => text.push_str(&escape_html(&value.to_string())),
            scalar => text.push_str(&go_text(scalar)),
        }
    }
}

/// Go's encoder escapes what would be special in HTML; in JSON those characters only stand inside strings.
fn escape_html(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => escaped.push(other),
        }
    }
    escaped
}
