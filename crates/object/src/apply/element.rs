//! Path elements: how one step of a field path is written in `FieldsV1`, and in messages.
//!
//! A list element that a key or its own value tells apart gets its identity here, so that merging, comparing and
//! ownership agree on what is the same element.

use serde_json::{Map, Value};

use crate::patch::go_text;
use crate::schema::{ListKind, Schema};

/// `f:name`.
pub(super) fn field(name: &str) -> String {
    let mut element = String::with_capacity(name.len() + 2);
    element.push_str("f:");
    element.push_str(name);
    element
}

/// Why a list element has no identity; the texts are upstream's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anonymous<'a> {
    Null { keyed: bool },
    NotAMap,
    NoKeys(&'a [Box<str>]),
    Map,
    List,
}

impl Anonymous<'_> {
    pub(super) fn into_message(self) -> String {
        match self {
            Self::Null { keyed: true } => "associative list with keys may not have a null element".to_owned(),
            Self::Null { keyed: false } => {
                "associative list without keys has an element that's an explicit null".to_owned()
            }
            Self::NotAMap => "associative list with keys may not have non-map elements".to_owned(),
            Self::NoKeys(keys) => {
                let keys: Vec<String> = keys.iter().map(|key| format!("{key:?}")).collect();
                format!(
                    "associative list with keys has an element that omits all key fields [{}] (and doesn't have \
                     default values for any key fields)",
                    keys.join(" ")
                )
            }
            Self::Map => "associative list without keys has an element that's a map type".to_owned(),
            Self::List => "not supported: associative list with lists as elements".to_owned(),
        }
    }
}

/// The identity of an element of a list that is a set or has keys; keys that are left out count as their default.
pub(super) fn of_item<'a>(
    item: &Value,
    kind: &'a ListKind,
    items: Option<Schema<'_>>,
) -> Result<String, Anonymous<'a>> {
    let ListKind::Map(keys) = kind else {
        return match item {
            Value::Null => Err(Anonymous::Null { keyed: false }),
            Value::Object(_) => Err(Anonymous::Map),
            Value::Array(_) => Err(Anonymous::List),
            scalar => Ok(format!("v:{scalar}")),
        };
    };
    let fields = match item {
        Value::Object(fields) => fields,
        Value::Null => return Err(Anonymous::Null { keyed: true }),
        _ => return Err(Anonymous::NotAMap),
    };
    let default = |key: &str| items?.property(key)?.node().default.as_ref();
    let present = keys.iter().filter_map(|key| Some((&**key, fields.get(&**key).or_else(|| default(key))?)));
    let mut present: Vec<(&str, &Value)> = present.collect();
    if present.is_empty() {
        return Err(Anonymous::NoKeys(keys));
    }
    present.sort_unstable_by_key(|(key, _)| *key);
    Ok(key_element(present.into_iter()))
}

fn key_element<'a>(fields: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    let mut element = String::from("k:");
    for (index, (key, value)) in fields.enumerate() {
        element.push(if index == 0 { '{' } else { ',' });
        element.push_str(&Value::from(key).to_string());
        element.push(':');
        element.push_str(&value.to_string());
    }
    element.push('}');
    element
}

/// The element in the one form in which we write it, since equal elements must be equal texts; `None` when it is
/// no element at all.
pub(super) fn canonical(element: &str) -> Option<String> {
    let (kind, content) = element.split_at_checked(2)?;
    match kind {
        "f:" => Some(element.to_owned()),
        "i:" => content.parse::<i64>().ok().map(|index| format!("i:{index}")),
        "v:" => serde_json::from_str::<Value>(content).ok().map(|value| format!("v:{value}")),
        "k:" => {
            let fields: Map<String, Value> = serde_json::from_str(content).ok()?;
            (!fields.is_empty()).then(|| key_element(fields.iter().map(|(key, value)| (key.as_str(), value))))
        }
        _ => None,
    }
}

/// The element in the form of messages: `.name`, `[name="x"]`, `[="x"]`, `[0]`.
pub(super) fn to_display(element: &str) -> String {
    let (kind, content) = element.split_at_checked(2).unwrap_or(("", element));
    let quoted = |value: &Value| match value {
        Value::String(text) => format!("{text:?}"),
        other => go_text(other),
    };
    match (kind, serde_json::from_str::<Value>(content)) {
        ("k:", Ok(Value::Object(fields))) => {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{key}={}", quoted(value))).collect();
            format!("[{}]", fields.join(","))
        }
        ("v:", Ok(value)) => format!("[={}]", quoted(&value)),
        ("i:", _) => format!("[{content}]"),
        _ => format!(".{content}"),
    }
}
