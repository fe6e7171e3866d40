//! [`Summary`]: what selectors and deletion read often of an object.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Ends each part of [`Summary::text`]. No uid, label or value may have it.
const END: char = '\0';

/// Fields of an object that are read without parsing it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// `metadata.uid`, then the name and value of each label. One text, because there is a summary for each version of each
    /// object.
    text: Box<str>,
    /// Whether `metadata.deletionTimestamp` is set.
    pub is_deleting: bool,
}

/// The fields of `metadata` that the summary has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(default, borrow)]
    uid: Cow<'a, str>,
    #[serde(default, borrow)]
    labels: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    deletion_timestamp: Option<serde::de::IgnoredAny>,
}

impl Summary {
    /// Of an object.
    pub(super) fn of(object: &Value) -> Self {
        let metadata = &object["metadata"];
        let labels = metadata["labels"].as_object().into_iter().flatten();
        let labels = labels.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
        let uid = metadata["uid"].as_str().unwrap_or_default();
        Self::new(uid, labels, metadata["deletionTimestamp"].is_string())
    }

    /// Of the JSON of `metadata`.
    pub(super) fn parse(metadata: &str) -> serde_json::Result<Self> {
        let metadata: Metadata<'_> = serde_json::from_str(metadata)?;
        let labels = metadata.labels.iter().map(|(key, value)| (&**key, &**value));
        Ok(Self::new(&metadata.uid, labels, metadata.deletion_timestamp.is_some()))
    }

    fn new<'a>(uid: &str, labels: impl Iterator<Item = (&'a str, &'a str)>, is_deleting: bool) -> Self {
        let mut text = String::with_capacity(128);
        let mut push = |part: &str| {
            text.push_str(part);
            text.push(END);
        };
        push(uid);
        for (key, value) in labels.filter(|(key, value)| !key.contains(END) && !value.contains(END)) {
            push(key);
            push(value);
        }
        // A copy of the right size.
        Self { text: Box::from(text.as_str()), is_deleting }
    }

    /// `metadata.uid`.
    pub fn uid(&self) -> &str {
        self.text.split(END).next().unwrap_or_default()
    }

    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        let mut parts = self.text.split_terminator(END).skip(1);
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            if name == key {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_ways_to_a_summary_lead_to_the_same() {
        let labels = json!({ "app": "web", "empty": "", "example.com/tier": "a", "x": "y\u{0}z" });
        let object = json!({ "metadata": { "uid": "u-1", "labels": labels, "deletionTimestamp": "2026-01-01T00:00:00Z" } });
        let summary = Summary::of(&object);
        assert_eq!(Summary::parse(&object["metadata"].to_string()).expect("valid metadata"), summary);
        assert_eq!((summary.uid(), summary.is_deleting), ("u-1", true));
        let found = ["app", "empty", "example.com/tier", "web", "", "u-1", "x"].map(|key| summary.label(key));
        assert_eq!(found, [Some("web"), Some(""), Some("a"), None, None, None, None]);
        let nothing = Summary::of(&json!({}));
        assert_eq!((nothing.uid(), nothing.label(""), nothing.is_deleting), ("", None, false));
    }
}
