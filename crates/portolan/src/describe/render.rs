//! An object as text: its names, its fields, its events. Pure.
//!
//! The form is that in which kubectl describes kinds that it does not know (kubectl pkg/describe/describe.go,
//! `genericDescriber`), for every kind.

use jiff::Timestamp;
use portolan_object::{Object, age};
use serde_json::{Map, Value};

use crate::output::table::align;

/// The text of what is not there.
const NONE: &str = "<none>";
/// Fields of the metadata that are left out: the first lines have them, or they are of use to API servers only.
const NOT_REPEATED: [&str; 5] = ["name", "namespace", "labels", "annotations", "managedFields"];
/// Space between a label and its value.
const GAP: usize = 2;
/// Abbreviations in the names of fields.
const UPPERCASE: [&str; 7] = ["API", "CIDR", "DNS", "ID", "IP", "UID", "URL"];

/// An object with its events.
#[derive(Debug)]
pub(super) struct Described {
    /// Name of the member, or of the control plane.
    pub(super) cluster: String,
    pub(super) object: Object,
    /// `None` if they could not be read.
    pub(super) events: Option<Vec<Object>>,
}

/// The text of an object.
pub(super) fn render(described: &Described, now: Timestamp) -> String {
    let object = &described.object;
    let pairs = |pairs: std::collections::BTreeMap<String, String>, sign: &str| {
        let lines: Vec<String> =
            pairs.into_iter().map(|(key, value)| format!("{key}{sign}{value}")).collect();
        if lines.is_empty() { vec![NONE.to_owned()] } else { lines }
    };
    let mut head = vec![("Name", vec![object.name().to_owned()])];
    if !object.namespace().is_empty() {
        head.push(("Namespace", vec![object.namespace().to_owned()]));
    }
    head.push(("Cluster", vec![described.cluster.clone()]));
    head.push(("Labels", pairs(object.labels(), "=")));
    head.push(("Annotations", pairs(object.annotations(), ": ")));
    head.push(("API Version", vec![object.api_version().to_owned()]));
    head.push(("Kind", vec![object.kind().to_owned()]));
    let width = head.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + 1 + GAP;
    let mut text = String::new();
    for (name, lines) in head {
        for (index, line) in lines.iter().enumerate() {
            let label = if index == 0 { format!("{name}:") } else { String::new() };
            text.push_str(&format!("{label:width$}{}\n", line.replace('\n', " ")));
        }
    }
    let mut fields = object.0.as_object().cloned().unwrap_or_default();
    fields.remove("apiVersion");
    fields.remove("kind");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        NOT_REPEATED.iter().for_each(|field| drop(metadata.remove(*field)));
    }
    map(&mut text, &fields, 0);
    text.push_str(&events(described.events.as_deref(), now));
    text
}

/// Plain values first, below each other; then what contains others.
fn map(text: &mut String, fields: &Map<String, Value>, depth: usize) {
    let indent = "  ".repeat(depth);
    let is_plain = |value: &Value| !value.is_object() && !value.is_array();
    let width = fields.iter().filter(|(_, value)| is_plain(value)).map(|(name, _)| title(name).len()).max();
    let width = width.unwrap_or_default() + 1 + GAP;
    for (name, value) in fields {
        let label = format!("{}:", title(name));
        match value {
            Value::Object(inner) => {
                text.push_str(&format!("{indent}{label}\n"));
                map(text, inner, depth + 1);
            }
            Value::Array(items) => {
                text.push_str(&format!("{indent}{label}\n"));
                list(text, items, depth + 1);
            }
            plain => text.push_str(&format!("{indent}{label:width$}{}\n", scalar(plain, &indent, width))),
        }
    }
}

fn list(text: &mut String, items: &[Value], depth: usize) {
    let indent = "  ".repeat(depth);
    for item in items {
        match item {
            Value::Object(inner) => {
                let mut block = String::new();
                map(&mut block, inner, depth + 1);
                // A mark before the first field tells one item from the next.
                text.push_str(&format!("{indent}- {}", block.trim_start()));
            }
            Value::Array(items) => list(text, items, depth + 1),
            plain => text.push_str(&format!("{indent}{}\n", scalar(plain, &indent, 0))),
        }
    }
}

/// A plain value; further lines of a text stand below its first.
fn scalar(value: &Value, indent: &str, width: usize) -> String {
    match value {
        Value::String(text) => text.trim_end().replace('\n', &format!("\n{indent}{}", " ".repeat(width))),
        other => other.to_string(),
    }
}

/// `creationTimestamp` as `Creation Timestamp`, `podIP` as `Pod IP`. A name that is no word, such as a key with dots or
/// dashes, stays as it is.
fn title(name: &str) -> String {
    if name.contains(['.', '/', '-', '_', ':']) || name.is_empty() {
        return name.to_owned();
    }
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (index, &letter) in letters.iter().enumerate() {
        let follows_small = index > 0 && !letters[index - 1].is_uppercase();
        let precedes_small = letters.get(index + 1).is_some_and(|next| next.is_lowercase());
        if index > 0 && letter.is_uppercase() && (follows_small || precedes_small) {
            words.push(String::new());
        }
        words.last_mut().expect("there is always a word").push(letter);
    }
    let capital = |word: &String| {
        let upper = word.to_uppercase();
        if UPPERCASE.contains(&upper.as_str()) {
            return upper;
        }
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    };
    words.iter().map(capital).collect::<Vec<String>>().join(" ")
}

/// When an event was seen last.
pub(super) fn event_time(event: &Object) -> Option<&str> {
    let times = [&["lastTimestamp"][..], &["eventTime"][..], &["metadata", "creationTimestamp"][..]];
    times.into_iter().map(|path| event.str_at(path)).find(|time| !time.is_empty())
}

fn events(events: Option<&[Object]>, now: Timestamp) -> String {
    let events = match events {
        None => return "Events:  <unknown>\n".to_owned(),
        Some([]) => return format!("Events:  {NONE}\n"),
        Some(events) => events,
    };
    let words = |words: [&str; 5]| words.map(str::to_owned).to_vec();
    let mut lines = vec![words(["  Type", "Reason", "Age", "From", "Message"])];
    lines.push(words(["  ----", "------", "----", "----", "-------"]));
    for event in events {
        let age = event_time(event).and_then(|time| time.parse::<Timestamp>().ok());
        let age = age.map_or_else(|| age::UNKNOWN.to_owned(), |time| age::human(now.duration_since(time)));
        let count = event.at(&["count"]).and_then(Value::as_i64).unwrap_or(1);
        let age = if count > 1 { format!("{age} (x{count})") } else { age };
        let from = [event.str_at(&["source", "component"]), event.str_at(&["reportingComponent"])];
        let from = from.into_iter().find(|from| !from.is_empty()).unwrap_or_default();
        let message = event.str_at(&["message"]).trim().replace('\n', " ");
        let kind = format!("  {}", event.str_at(&["type"]));
        lines.push(vec![kind, event.str_at(&["reason"]).to_owned(), age, from.to_owned(), message]);
    }
    format!("Events:\n{}", align(&lines.iter().collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_described_with_its_events() {
        let object = Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "shop", "labels": { "app": "web" }, "uid": "u",
                "managedFields": [] },
            "spec": { "replicas": 2, "template": { "spec": { "containers": [
                { "name": "a", "image": "a:1" }, { "name": "b", "args": ["-v", "x"] }] } } } }));
        let event = Object(json!({ "type": "Normal", "reason": "ScalingReplicaSet", "count": 2,
            "lastTimestamp": "2026-01-01T00:00:00Z", "source": { "component": "deployment-controller" },
            "message": "Scaled up\n" }));
        let described = Described { cluster: "eu".to_owned(), object, events: Some(vec![event]) };
        let now = "2026-01-01T00:01:00Z".parse().expect("a time");
        let want = "\
Name:         web
Namespace:    shop
Cluster:      eu
Labels:       app=web
Annotations:  <none>
API Version:  apps/v1
Kind:         Deployment
Metadata:
  UID:  u
Spec:
  Replicas:  2
  Template:
    Spec:
      Containers:
        - Image:  a:1
          Name:   a
        - Args:
            -v
            x
          Name:  b
Events:
  Type     Reason              Age        From                    Message
  ----     ------              ----       ----                    -------
  Normal   ScalingReplicaSet   60s (x2)   deployment-controller   Scaled up
";
        assert_eq!(render(&described, now), want);
    }

    #[test]
    fn names_of_fields_are_words() {
        let cases = [
            ("creationTimestamp", "Creation Timestamp"),
            ("podIP", "Pod IP"),
            ("podIPs", "Pod I Ps"),
            ("clusterIP", "Cluster IP"),
            ("uid", "UID"),
            ("externalID", "External ID"),
            ("app.kubernetes.io/name", "app.kubernetes.io/name"),
            ("apiEndpoint", "API Endpoint"),
        ];
        for (name, want) in cases {
            assert_eq!(title(name), want, "{name}");
        }
    }
}
