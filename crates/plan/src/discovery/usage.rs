//! Imported endpoints that a cluster does not use, although their own cluster says that they are ready.
//!
//! The EndpointSlices stay, and their endpoints are not ready: the proxies and the DNS of every cluster leave such endpoints
//! out, and the agent goes on probing them. `conditions.serving` keeps what the exporter has said, so that the endpoints can
//! be used again while the exporter cannot be read.

use std::fmt;

use portolan_api::annotations::endpoint_slice::NOT_USED;
use portolan_api::kubernetes::{EndpointSlice, View};
use portolan_object::Object;
use serde_json::{Value, json};

/// What a cluster does with the endpoints of an exporter, by increasing distance from full use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Usage {
    /// They get traffic.
    #[default]
    Keep,
    /// Some of them get traffic.
    Part,
    /// They get no new connections, because nearer endpoints are ready: they count as terminating.
    Standby,
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
            Self::Part => Some("Part"),
            Self::Standby => Some("Standby"),
            Self::Drain => Some("Drain"),
            Self::Withdraw => Some("Withdraw"),
        }
    }

    /// What the marks of an imported slice say.
    pub fn of_slice(slice: &Object) -> Self {
        match slice.annotation(NOT_USED) {
            None => Self::Keep,
            Some("Part") => Self::Part,
            Some("Standby") => Self::Standby,
            Some("Drain") => Self::Drain,
            Some(_) => Self::Withdraw,
        }
    }

    /// Whether endpoints are left out because of a failure or a user's command, and not because others are preferred.
    pub fn is_left_out(self) -> bool {
        matches!(self, Self::Drain | Self::Withdraw)
    }
}

/// What is done with the endpoints of one exporter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allotment {
    /// What is done with them.
    pub usage: Usage,
    /// Number of ready endpoints that get traffic, with [`Usage::Part`].
    pub part: usize,
    /// Number of ready endpoints.
    pub ready: usize,
}

impl Allotment {
    /// An allotment of all ready endpoints, or of none.
    pub(super) fn new(usage: Usage, ready: usize) -> Self {
        Self { usage, part: 0, ready }
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
            Self::Part => "used in part",
            Self::Standby => "on standby",
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

/// Sets how the endpoints of a slice are used. An earlier usage is undone first. With [`Usage::Part`], the addresses that
/// `is_chosen` names get traffic.
pub fn set_usage(slice: &mut Object, usage: Usage, is_chosen: impl Fn(&str) -> bool) {
    let before = Usage::of_slice(slice);
    if before == usage && usage != Usage::Part {
        return;
    }
    for endpoint in slice.0.get_mut("endpoints").and_then(Value::as_array_mut).into_iter().flatten() {
        let conditions = &endpoint["conditions"];
        let flag = |name: &str| conditions.get(name).and_then(Value::as_bool);
        let (is_ready, is_terminating) = match before {
            Usage::Keep => (flag("ready") != Some(false), flag("terminating") == Some(true)),
            Usage::Withdraw => (flag("serving") == Some(true), flag("terminating") == Some(true)),
            // An endpoint that is left out counts as terminating; whether it was is not kept.
            Usage::Part | Usage::Standby | Usage::Drain => {
                (flag("serving") == Some(true), flag("serving") != Some(true))
            }
        };
        let address = endpoint["addresses"].get(0).and_then(Value::as_str).unwrap_or_default();
        let is_used = usage == Usage::Keep || usage == Usage::Part && is_chosen(address);
        endpoint["conditions"] = match usage {
            Usage::Withdraw => json!({ "ready": false, "serving": is_ready, "terminating": is_terminating }),
            _ if is_used => json!({ "ready": is_ready, "serving": is_ready, "terminating": is_terminating }),
            _ => json!({ "ready": false, "serving": is_ready, "terminating": true }),
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

    fn none(_: &str) -> bool {
        false
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
        for usage in [Usage::Part, Usage::Standby, Usage::Drain, Usage::Withdraw] {
            let mut changed = slice();
            set_usage(&mut changed, usage, none);
            assert_eq!(ready(&changed), [false; 3], "{usage}");
            assert_eq!((Usage::of_slice(&changed), ready_at_source(&changed)), (usage, 2), "{usage}");
            let once = changed.clone();
            set_usage(&mut changed, usage, none);
            assert_eq!(changed, once, "{usage} again changes nothing");
            set_usage(&mut changed, Usage::Keep, none);
            assert_eq!(ready(&changed), ready(&slice()), "{usage}");
            assert_eq!(changed.annotations(), slice().annotations(), "{usage}");
        }
        let mut drained = slice();
        set_usage(&mut drained, Usage::Withdraw, none);
        set_usage(&mut drained, Usage::Drain, none);
        assert_eq!((Usage::of_slice(&drained), ready_at_source(&drained)), (Usage::Drain, 2));
        let conditions = &drained.0["endpoints"][0]["conditions"];
        assert_eq!(
            *conditions,
            json!({ "ready": false, "serving": true, "terminating": true }),
            "as a proxy falls back to"
        );
    }

    #[test]
    fn a_part_is_used_and_the_rest_is_kept_back() {
        let mut part = slice();
        set_usage(&mut part, Usage::Part, |address| address == "10.0.0.2");
        assert_eq!((ready(&part), ready_at_source(&part)), (vec![false, true, false], 2));
        set_usage(&mut part, Usage::Part, |address| address == "10.0.0.1");
        assert_eq!(ready(&part), [true, false, false], "another part");
        set_usage(&mut part, Usage::Part, |address| address == "10.0.0.3");
        assert_eq!(ready(&part), [false; 3], "an endpoint that is not ready in its own cluster");
    }
}
