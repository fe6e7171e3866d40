//! Bodies with one fault each: every field of a kind's object is removed, or has a value of another type, an empty one, or
//! one that no rule allows. All are dry runs of a create.

use serde_json::{Value, json};

use super::kinds::Kind;
use super::{Case, JSON, write};

/// The cases of a kind.
pub(super) fn cases(kind: &Kind) -> Vec<Case> {
    let mut places = Vec::new();
    collect(&kind.content, String::new(), &mut places);
    let path = format!("{}?dryRun=All&fieldValidation=Strict", kind.collection());
    let mut cases = Vec::new();
    for place in places {
        for (fault, object) in faulty(&kind.object(), &place) {
            let name = format!("{} {}: {place} {fault}", kind.version, kind.kind);
            cases.push(Case { name, request: write("POST", path.clone(), JSON, object) });
        }
    }
    cases
}

/// JSON pointers of all fields and elements below a value.
fn collect(value: &Value, place: String, places: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, child)| (name.replace('~', "~0").replace('/', "~1"), child)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, child)| (index.to_string(), child)).collect()
        }
        _ => Vec::new(),
    };
    for (name, child) in children {
        let place = format!("{place}/{name}");
        places.push(place.clone());
        collect(child, place, places);
    }
}

/// The object with each fault at a place.
fn faulty(object: &Value, place: &str) -> Vec<(&'static str, Value)> {
    let replacements = match object.pointer(place) {
        Some(Value::String(_)) => vec![
            ("is a number", json!(7)),
            ("is empty", json!("")),
            ("is odd", json!("-Odd_Value!")),
            ("is null", Value::Null),
        ],
        Some(Value::Number(_)) => vec![
            ("is a text", json!("x")),
            ("is negative", json!(-1)),
            ("is huge", json!(99_999_999_999_u64)),
            ("is a fraction", json!(1.5)),
        ],
        Some(Value::Bool(_)) => vec![("is a text", json!("true")), ("is the other", json!(false))],
        Some(Value::Array(items)) => {
            let first = items.first().cloned().unwrap_or_default();
            vec![
                ("is an object", json!({})),
                ("is empty", json!([])),
                ("is doubled", json!([first, first])),
                ("contains null", json!([null])),
            ]
        }
        Some(Value::Object(_)) => vec![
            ("is a list", json!([])),
            ("is empty", json!({})),
            ("has an unknown field", {
                let mut more = object.pointer(place).cloned().unwrap_or_default();
                more["unknown"] = json!("x");
                more
            }),
        ],
        _ => Vec::new(),
    };
    let mut objects: Vec<_> = replacements
        .into_iter()
        .filter_map(|(fault, value)| {
            let mut changed = object.clone();
            *changed.pointer_mut(place)? = value;
            Some((fault, changed))
        })
        .collect();
    let (parent, field) = place.rsplit_once('/').unwrap_or_default();
    let mut without = object.clone();
    if let Some(Value::Object(fields)) = without.pointer_mut(parent) {
        fields.remove(&field.replace("~1", "/").replace("~0", "~"));
        objects.push(("is missing", without));
    }
    objects
}
