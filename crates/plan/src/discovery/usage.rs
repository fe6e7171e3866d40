//! Imported endpoints that a cluster does not use, although their own cluster says that they are ready.
//!
//! The EndpointSlices stay, and their endpoints are not ready: the proxies and the DNS of every cluster leave such endpoints
//! out, and the agent goes on probing them. `conditions.serving` keeps what the exporter has said, so that the endpoints can
//! be used again while the exporter cannot be read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use portolan_api::annotations::endpoint_slice::NOT_USED;
use portolan_api::kubernetes::{EndpointSlice, View};
use portolan_api::labels;
use portolan_object::Object;
use serde_json::{Value, json};

use super::slices::is_exportable;

/// What a cluster does with the endpoints of an exporter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Usage {
    /// They get traffic.
    #[default]
    Keep,
    /// They get no new connections while any other endpoint is ready: they count as terminating.
    Drain,
    /// They get no traffic.
    Withdraw,
}

impl Usage {
    /// The value of the annotation; `None` for endpoints that are used.
    fn mark(self) -> Option<&'static str> {
        match self {
            Self::Keep => None,
            Self::Drain => Some("Drain"),
            Self::Withdraw => Some("Withdraw"),
        }
    }

    /// What the marks of an imported slice say.
    pub fn of_slice(slice: &Object) -> Self {
        match slice.annotation(NOT_USED) {
            None => Self::Keep,
            Some("Drain") => Self::Drain,
            Some(_) => Self::Withdraw,
        }
    }
}

/// An exporter with endpoints that are not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotUsed {
    /// What is done with them.
    pub usage: Usage,
    /// Since when, RFC 3339.
    pub since: String,
    /// Why.
    pub cause: String,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "used",
            Self::Drain => "drained",
            Self::Withdraw => "withdrawn",
        })
    }
}

/// The number of endpoints of a slice that are ready in their own cluster.
pub fn ready_at_source(slice: &Object) -> usize {
    let is_used = Usage::of_slice(slice) == Usage::Keep;
    let Ok(view) = EndpointSlice::read(slice) else { return 0 };
    let is_ready = |endpoint: &&portolan_api::kubernetes::Endpoint<'_>| match is_used {
        true => endpoint.is_ready(),
        false => endpoint.conditions.serving == Some(true),
    };
    view.endpoints.iter().filter(is_ready).count()
}

/// What is done with each source of a service, so that some endpoint stays in use: `wanted` unless no other source has a
/// ready endpoint. `ready` is the number of ready endpoints of each source.
pub fn failing_open(
    ready: &BTreeMap<String, usize>,
    wanted: impl Fn(&str) -> Usage,
) -> BTreeMap<String, Usage> {
    let is_left = ready.iter().any(|(source, count)| *count > 0 && wanted(source) == Usage::Keep);
    ready.keys().map(|source| (source.clone(), if is_left { wanted(source) } else { Usage::Keep })).collect()
}

/// What `usage` says of the source of an imported slice.
pub(super) fn usage_of_source(slice: &Object, usage: &BTreeMap<String, Usage>) -> Usage {
    usage.get(source_of(slice)).copied().unwrap_or_default()
}

/// The number of ready endpoints of each source: those of its exported slices, and for sources that cannot be read those that
/// were imported last. A slice among `imported` of a source in `exported` does not count.
pub(super) fn ready_by_source<'a>(
    exported: impl IntoIterator<Item = (&'a str, &'a [&'a Object])>,
    imported: impl IntoIterator<Item = &'a Object>,
) -> BTreeMap<String, usize> {
    let mut ready: BTreeMap<String, usize> = BTreeMap::new();
    for (source, slices) in exported {
        let slices = slices.iter().filter(|slice| is_exportable(slice));
        *ready.entry(source.to_owned()).or_default() +=
            slices.map(|slice| ready_at_source(slice)).sum::<usize>();
    }
    let read: BTreeSet<String> = ready.keys().cloned().collect();
    for slice in imported.into_iter().filter(|slice| !read.contains(source_of(slice))) {
        *ready.entry(source_of(slice).to_owned()).or_default() += ready_at_source(slice);
    }
    ready
}

fn source_of(slice: &Object) -> &str {
    slice.label(labels::endpoint_slice::SOURCE_CLUSTER).unwrap_or_default()
}

/// Sets how the endpoints of a slice are used. An earlier usage is undone first.
pub fn set_usage(slice: &mut Object, usage: Usage) {
    let before = Usage::of_slice(slice);
    if before == usage {
        return;
    }
    for endpoint in slice.0.get_mut("endpoints").and_then(Value::as_array_mut).into_iter().flatten() {
        let conditions = &endpoint["conditions"];
        let flag = |name: &str| conditions.get(name).and_then(Value::as_bool);
        let (is_ready, is_terminating) = match before {
            Usage::Keep => (flag("ready") != Some(false), flag("terminating") == Some(true)),
            // A drained endpoint counts as terminating; whether it was is not kept.
            Usage::Drain => (flag("serving") == Some(true), flag("serving") != Some(true)),
            Usage::Withdraw => (flag("serving") == Some(true), flag("terminating") == Some(true)),
        };
        endpoint["conditions"] = match usage {
            Usage::Keep => json!({ "ready": is_ready, "serving": is_ready, "terminating": is_terminating }),
            Usage::Drain => json!({ "ready": false, "serving": is_ready, "terminating": true }),
            Usage::Withdraw => json!({ "ready": false, "serving": is_ready, "terminating": is_terminating }),
        };
    }
    match usage.mark() {
        Some(mark) => slice.set_annotation(NOT_USED, mark),
        None => {
            let annotations = slice.metadata_mut().get_mut("annotations").and_then(Value::as_object_mut);
            if let Some(annotations) = annotations {
                annotations.remove(NOT_USED);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice() -> Object {
        let endpoint = |address: &str, ready: Value, terminating: bool| {
            json!({ "addresses": [address],
            "conditions": { "ready": ready, "serving": true, "terminating": terminating } })
        };
        Object(json!({ "metadata": { "name": "x" }, "addressType": "IPv4", "endpoints": [
            endpoint("10.0.0.1", json!(true), false), endpoint("10.0.0.2", Value::Null, false),
            endpoint("10.0.0.3", json!(false), true)] }))
    }

    fn ready(slice: &Object) -> Vec<bool> {
        EndpointSlice::read(slice)
            .expect("a slice")
            .endpoints
            .iter()
            .map(|endpoint| endpoint.is_ready())
            .collect()
    }

    #[test]
    fn endpoints_that_are_not_used_come_back_as_they_were() {
        for usage in [Usage::Drain, Usage::Withdraw] {
            let mut changed = slice();
            set_usage(&mut changed, usage);
            assert_eq!(ready(&changed), [false; 3], "{usage}");
            assert_eq!((Usage::of_slice(&changed), ready_at_source(&changed)), (usage, 2), "{usage}");
            let once = changed.clone();
            set_usage(&mut changed, usage);
            assert_eq!(changed, once, "{usage} again changes nothing");
            set_usage(&mut changed, Usage::Keep);
            assert_eq!(ready(&changed), ready(&slice()), "{usage}");
            assert_eq!(changed.annotations(), slice().annotations(), "{usage}");
        }
        let mut drained = slice();
        set_usage(&mut drained, Usage::Withdraw);
        set_usage(&mut drained, Usage::Drain);
        assert_eq!((Usage::of_slice(&drained), ready_at_source(&drained)), (Usage::Drain, 2));
        let conditions = &drained.0["endpoints"][0]["conditions"];
        assert_eq!(
            *conditions,
            json!({ "ready": false, "serving": true, "terminating": true }),
            "as a proxy falls back to"
        );
    }

    #[test]
    fn some_endpoint_stays_in_use() {
        let cases = [
            ("another source", [("east", 2), ("west", 1)], Usage::Withdraw),
            ("another source without a ready endpoint", [("east", 2), ("west", 0)], Usage::Keep),
            ("both would go", [("east", 2), ("east2", 3)], Usage::Keep),
        ];
        for (name, ready, want) in cases {
            let ready = ready.into_iter().map(|(source, count)| (source.to_owned(), count)).collect();
            let wanted =
                |source: &str| if source.starts_with("east") { Usage::Withdraw } else { Usage::Keep };
            assert_eq!(failing_open(&ready, wanted)["east"], want, "{name}");
        }
    }
}
