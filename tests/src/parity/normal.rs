//! Comparison of two answers without what differs between two runs of one server: uids, times, versions, allocated
//! addresses and ports, generated names.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

use crate::proxy::Reply;

/// Warnings that only a control plane of a federation gives.
const OWN_WARNINGS: [&str; 2] = ["the control plane only stores this", "this API server stores"];

/// One difference: where, and the two values.
#[derive(Debug, Clone)]
pub struct Difference {
    /// `code`, `warnings`, or the path of a field of the body, such as `body.metadata.labels`.
    pub place: String,
    /// The value of the embedded server.
    pub ours: String,
    /// The value of kube-apiserver.
    pub theirs: String,
}

/// All differences of two answers to one request.
pub fn differences(ours: &Reply, theirs: &Reply) -> Vec<Difference> {
    let mut found = Vec::new();
    let [our_warnings, their_warnings] = [ours, theirs].map(|reply| {
        let kept = reply.warnings.iter().filter(|text| !OWN_WARNINGS.iter().any(|own| text.starts_with(own)));
        kept.map(|text| json!(normal_text(text))).collect::<Vec<_>>()
    });
    compare("warnings", &json!(our_warnings), &json!(their_warnings), &mut found);
    let [our_body, their_body] = [ours, theirs].map(|reply| {
        let mut body = normal(&reply.body, "");
        // kube-apiserver lists conflicts in the order of a Go map.
        if let (409, Some(causes)) =
            (reply.code, body.pointer_mut("/details/causes").and_then(Value::as_array_mut))
        {
            causes.sort_by_key(Value::to_string);
        }
        body
    });
    if ours.code != theirs.code {
        let text =
            |code: u16, body: &Value| format!("{code} {}", body["message"].as_str().unwrap_or_default());
        let (ours, theirs) = (text(ours.code, &our_body), text(theirs.code, &their_body));
        found.push(Difference { place: "code".to_owned(), ours, theirs });
    } else {
        compare("body", &our_body, &their_body, &mut found);
    }
    found
}

fn compare(place: &str, ours: &Value, theirs: &Value, found: &mut Vec<Difference>) {
    match (ours, theirs) {
        (Value::Object(our_fields), Value::Object(their_fields)) => {
            let names =
                our_fields.keys().chain(their_fields.keys().filter(|name| !our_fields.contains_key(*name)));
            for name in names {
                let place = format!("{place}.{name}");
                compare(&place, &ours[name.as_str()], &theirs[name.as_str()], found);
            }
        }
        (Value::Array(our_items), Value::Array(their_items)) if our_items.len() == their_items.len() => {
            for (index, (our, their)) in our_items.iter().zip(their_items).enumerate() {
                compare(&format!("{place}[{index}]"), our, their, found);
            }
        }
        _ if ours == theirs => {}
        _ => found.push(Difference {
            place: place.to_owned(),
            ours: ours.to_string(),
            theirs: theirs.to_string(),
        }),
    }
}

fn normal(value: &Value, field: &str) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, child)| (name.clone(), normal(child, name))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| normal(item, field)).collect()),
        Value::String(text) if text.is_empty() => value.clone(),
        Value::String(_) if field == "resourceVersion" => json!("VERSION"),
        Value::String(_) if field == "continue" => json!("CONTINUE"),
        Value::String(_) if field == "token" => json!("TOKEN"),
        Value::Number(_) if matches!(field, "nodePort" | "healthCheckNodePort") => json!("PORT"),
        Value::String(text) => json!(normal_text(text)),
        other => other.clone(),
    }
}

/// Patterns and what stands in their place.
static PATTERNS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    let pattern = |text: &str| Regex::new(text).expect("a constant pattern");
    vec![
        (pattern(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UID"),
        (pattern(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
        (pattern(r"\b10\.96\.\d+\.\d+\b"), "ADDRESS"),
        (pattern(r"\bmade-[a-z0-9]{5}\b"), "made-XXXXX"),
        (pattern(r"\b3\d{4}/TCP"), "PORT/TCP"),
        (pattern(r"^(\d+[smhd])+$"), "AGE"),
        (pattern(r"current: \d+"), "current: N"),
        (pattern(r"in record \(\d+\)"), "in record (N)"),
        // A file of the version of Kubernetes.
        (pattern(r#" in scheme "[^"]*""#), ""),
        (pattern(r"\bkube-api-access-[a-z0-9]{5}\b"), "kube-api-access-XXXXX"),
        (pattern(r"0x[0-9a-f]{9,}"), "POINTER"),
    ]
});

fn normal_text(text: &str) -> String {
    PATTERNS.iter().fold(text.to_owned(), |text, (pattern, replacement)| {
        pattern.replace_all(&text, *replacement).into_owned()
    })
}
