//! Reading an object for printing: ages, selectors, shortened lists.
//!
//! Every printer works on a [`Source`]; the words for missing values (`<none>`, `<unset>`, `<unknown>`) are part
//! of what users and scripts see, so each is spelled where its rule is.

use jiff::Timestamp;
use portolan_object::age;
use portolan_object::selector::LabelSelector;
use serde_json::{Value, json};

use crate::tree;

/// One object on its way into a row.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) object: &'a Value,
    pub(crate) now: Timestamp,
}

impl<'a> Row<'a> {
    pub(crate) fn name(self) -> Value {
        json!(self.text("/metadata/name"))
    }

    pub(crate) fn age(self) -> Value {
        json!(self.since("/metadata/creationTimestamp"))
    }

    pub(crate) fn text(self, pointer: &str) -> &'a str {
        tree::str_at(self.object, pointer)
    }

    /// The string at `pointer`; `word` if it is missing.
    pub(crate) fn text_or<'b>(self, pointer: &str, word: &'b str) -> &'b str
    where
        'a: 'b,
    {
        match self.text(pointer) {
            "" => word,
            text => text,
        }
    }

    pub(crate) fn integer(self, pointer: &str) -> i64 {
        tree::integer(self.object, pointer).unwrap_or_default()
    }

    pub(crate) fn list(self, pointer: &str) -> &'a [Value] {
        tree::list(self.object, pointer)
    }

    /// Number of entries of the map at `pointer`.
    pub(crate) fn count(self, pointer: &str) -> usize {
        tree::map(self.object, pointer).map_or(0, serde_json::Map::len)
    }

    pub(crate) fn is_deleting(self) -> bool {
        !self.text("/metadata/deletionTimestamp").is_empty()
    }

    /// The time at `pointer` in words, counted back from now.
    pub(crate) fn since(self, pointer: &str) -> String {
        elapsed(self.text(pointer), self.now)
    }

    /// `k=v,k2=v2` of the map of labels at `pointer`.
    pub(crate) fn labels(self, pointer: &str) -> String {
        labels(self.object.pointer(pointer))
    }

    /// The label selector at `pointer` in the form that list requests take.
    pub(crate) fn selector(self, pointer: &str) -> String {
        selector(self.object.pointer(pointer))
    }

    /// Names and images of the containers of the pod spec at `pointer`.
    pub(crate) fn containers(self, pointer: &str) -> [Value; 2] {
        let containers = self.list(&format!("{pointer}/containers"));
        ["/name", "/image"]
            .map(|field| json!(joined(containers.iter().map(|entry| tree::str_at(entry, field)))))
    }
}

/// The time from `earlier` to `now` in words; `<unknown>` when `earlier` is missing.
pub(crate) fn elapsed(earlier: &str, now: Timestamp) -> String {
    match earlier.parse::<Timestamp>() {
        Ok(earlier) => age::human(now.duration_since(earlier)),
        Err(_) => age::UNKNOWN.to_owned(),
    }
}

/// Words joined by commas.
pub(crate) fn joined<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(",")
}

/// `word` instead of an empty text.
pub(crate) fn or_word(text: String, word: &str) -> String {
    if text.is_empty() { word.to_owned() } else { text }
}

/// The first `limit` words joined by commas, and how many more there are.
pub(crate) fn shortened(words: &[String], limit: usize, separator: &str) -> String {
    let shown = words[..words.len().min(limit)].join(separator);
    match words.len().saturating_sub(limit) {
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

pub(crate) fn labels(labels: Option<&Value>) -> String {
    let pairs = labels.into_iter().flat_map(|labels| tree::entries(labels, ""));
    let pairs: Vec<String> =
        pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    or_word(pairs.join(","), "<none>")
}

pub(crate) fn selector(selector: Option<&Value>) -> String {
    match LabelSelector::from_value(selector.unwrap_or(&Value::Null)) {
        Ok(selector) => or_word(selector.to_string(), "<none>"),
        Err(_) => "<error>".to_owned(),
    }
}

/// A number or a text as it is written.
pub(crate) fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
