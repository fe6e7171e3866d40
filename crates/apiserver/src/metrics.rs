//! Figures of requests and watches, under kube-apiserver's names where they mean the same.
//!
//! Labels are bounded: verbs, built-in resources and their subresources are constants; of custom resources the first
//! [`MAX_CUSTOM_RESOURCES`] have a label value each and all others share one. Requests for anything that is not served
//! have no resource.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use portolan_net::telemetry::{BoundedLabel, Family, Histogram, OTHER};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::request::RequestInfo;
use crate::resources::Resource;

/// Custom resources with a label value each.
const MAX_CUSTOM_RESOURCES: usize = 200;
/// Seconds, from a read of the cache to the time limit of a request.
const SECONDS: &[f64] = &[0.001, 0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The figures of an API server; clones share them.
#[derive(Clone)]
pub(crate) struct Metrics {
    figures: Arc<Figures>,
}

struct Figures {
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram>,
    inflight: Family<KindLabel, Gauge>,
    mutating: Gauge,
    read_only: Gauge,
    watches: Family<WatchLabels, Gauge>,
    events: Family<ResourceLabels, Counter>,
    custom: BoundedLabel,
    /// Handles by everything that the labels are made of.
    handles: RwLock<HashMap<String, (Counter, Histogram)>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    verb: &'static str,
    group: Arc<str>,
    version: Arc<str>,
    resource: Arc<str>,
    subresource: Arc<str>,
    scope: &'static str,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    verb: &'static str,
    group: Arc<str>,
    version: Arc<str>,
    resource: Arc<str>,
    subresource: Arc<str>,
    scope: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    request_kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WatchLabels {
    verb: &'static str,
    group: Arc<str>,
    version: Arc<str>,
    resource: Arc<str>,
    scope: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResourceLabels {
    group: Arc<str>,
    version: Arc<str>,
    resource: Arc<str>,
}

/// Counts a request as in flight until it is dropped.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts a watch as open until it is dropped, and the events that it sends.
#[derive(Debug)]
pub(crate) struct WatchMeter {
    open: Gauge,
    events: Counter,
}

impl WatchMeter {
    pub(crate) fn sent(&self) {
        self.events.inc();
    }
}

impl Drop for WatchMeter {
    fn drop(&mut self) {
        self.open.dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let inflight = Family::<KindLabel, Gauge>::default();
        let figures = Figures {
            requests: Family::default(),
            durations: Family::new(|| Histogram::new(SECONDS)),
            mutating: inflight.get(&KindLabel { request_kind: "mutating" }),
            read_only: inflight.get(&KindLabel { request_kind: "readOnly" }),
            inflight,
            watches: Family::default(),
            events: Family::default(),
            custom: BoundedLabel::new(MAX_CUSTOM_RESOURCES),
            handles: RwLock::default(),
        };
        Self { figures: Arc::new(figures) }
    }
}

impl Metrics {
    /// Adds the metrics to `registry`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let figures = &self.figures;
        let help = "Requests by verb, resource and HTTP code; without resource when it is not served";
        registry.register("apiserver_request", help, figures.requests.clone());
        let help = "Time to answer a request, without watches";
        registry.register("apiserver_request_duration_seconds", help, figures.durations.clone());
        let help = "Requests that are being answered, without watches";
        registry.register("apiserver_current_inflight_requests", help, figures.inflight.clone());
        let help = "Open watches";
        registry.register("apiserver_longrunning_requests", help, figures.watches.clone());
        registry.register("apiserver_watch_events", "Events sent to watches", figures.events.clone());
    }

    /// Notes that a request is being answered. Watches are counted by [`Metrics::watch`].
    pub(crate) fn begin(&self, verb: &str) -> Option<InFlight> {
        let gauge = match verb {
            "watch" => return None,
            "create" | "update" | "patch" | "delete" | "deletecollection" => &self.figures.mutating,
            _ => &self.figures.read_only,
        };
        gauge.inc();
        Some(InFlight(gauge.clone()))
    }

    /// Counts an answered request. `resource` is absent for paths and for resources that are not served.
    pub(crate) fn answered(
        &self,
        info: &RequestInfo,
        resource: Option<&Resource>,
        code: u16,
        duration: Duration,
    ) {
        let key = key(info, resource, code);
        let known = self.figures.handles.read().get(&key).cloned();
        let (count, durations) = known.unwrap_or_else(|| self.handles(key, info, resource, code));
        count.inc();
        if info.verb != "watch" {
            durations.observe_duration(duration);
        }
    }

    fn handles(
        &self,
        key: String,
        info: &RequestInfo,
        resource: Option<&Resource>,
        code: u16,
    ) -> (Counter, Histogram) {
        let verb = verb(info);
        let ResourceLabels { group, version, resource: plural } = self.labels(resource);
        let is_known = resource.is_some_and(|resource| resource.subresource(&info.subresource).is_some());
        let subresource: Arc<str> = match info.subresource.as_str() {
            subresource if is_known => Arc::from(subresource),
            "" => Arc::default(),
            _ if resource.is_some() => Arc::from(OTHER),
            _ => Arc::default(),
        };
        let scope = scope(info, resource);
        let labels = DurationLabels {
            verb,
            group: group.clone(),
            version: version.clone(),
            resource: plural.clone(),
            subresource: subresource.clone(),
            scope,
        };
        let durations = self.figures.durations.get(&labels);
        let labels = RequestLabels { verb, group, version, resource: plural, subresource, scope, code };
        let count = self.figures.requests.get(&labels);
        // The look-up table is bounded as the labels are: names of users' own resources beyond the limit are not kept.
        if &*labels.resource != OTHER && &*labels.subresource != OTHER {
            self.figures.handles.write().insert(key, (count.clone(), durations.clone()));
        }
        (count, durations)
    }

    /// Counts a watch from its start.
    pub(crate) fn watch(&self, info: &RequestInfo, resource: &Resource) -> WatchMeter {
        let labels = self.labels(Some(resource));
        let events = self.figures.events.get(&labels);
        let ResourceLabels { group, version, resource: plural } = labels;
        let scope = scope(info, Some(resource));
        let labels = WatchLabels { verb: "WATCH", group, version, resource: plural, scope };
        let open = self.figures.watches.get(&labels);
        open.inc();
        WatchMeter { open, events }
    }

    fn labels(&self, resource: Option<&Resource>) -> ResourceLabels {
        let Some(resource) = resource else { return ResourceLabels::unknown() };
        let (group, version) = (Arc::from(&*resource.kind.group), Arc::from(&*resource.kind.version));
        if resource.as_custom().is_none() {
            return ResourceLabels { group, version, resource: Arc::from(&*resource.plural) };
        }
        let name = format!("{}.{}.{}", resource.plural, resource.kind.version, resource.kind.group);
        match &*self.figures.custom.label(&name) {
            OTHER => {
                ResourceLabels { group: Arc::default(), version: Arc::default(), resource: Arc::from(OTHER) }
            }
            _ => ResourceLabels { group, version, resource: Arc::from(&*resource.plural) },
        }
    }
}

impl ResourceLabels {
    fn unknown() -> Self {
        Self { group: Arc::default(), version: Arc::default(), resource: Arc::default() }
    }
}

/// Everything that the labels are made of, in one string: one allocation and one look-up per request.
fn key(info: &RequestInfo, resource: Option<&Resource>, code: u16) -> String {
    let mut key = String::with_capacity(96);
    if let Some(resource) = resource {
        for part in [&*resource.kind.group, &resource.kind.version, &resource.plural, &info.subresource] {
            key.push_str(part);
            key.push('/');
        }
    }
    key.push_str(info.verb);
    key.push_str(scope(info, resource));
    // Codes have three digits.
    for divisor in [100, 10, 1] {
        key.push(char::from(b'0' + u8::try_from(code / divisor % 10).unwrap_or_default()));
    }
    key
}

/// The verb as kube-apiserver labels it.
fn verb(info: &RequestInfo) -> &'static str {
    match info.verb {
        "get" => "GET",
        "list" => "LIST",
        "watch" => "WATCH",
        "create" => "POST",
        "post" => "POST",
        "update" | "put" => "PUT",
        "patch" => "PATCH",
        "delete" => "DELETE",
        "deletecollection" => "DELETECOLLECTION",
        _ => OTHER,
    }
}

/// `resource` for one object, `namespace` for a collection of a namespace, `cluster` for all other collections.
fn scope(info: &RequestInfo, resource: Option<&Resource>) -> &'static str {
    match resource {
        None => "",
        Some(_) if !info.is_collection() => "resource",
        Some(_) if !info.namespace.is_empty() => "namespace",
        Some(_) => "cluster",
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
