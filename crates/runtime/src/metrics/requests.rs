//! Requests to API servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use parking_lot::Mutex;
use portolan_net::telemetry::{Family, Histogram};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use crate::cluster_name::ClusterName;

/// Seconds, from an API server in this process to one behind a bad line; 30 is the limit of a request.
const SECONDS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0, 30.0];
/// The `code` of a request without an answer, as client-go has it.
const NO_ANSWER: &str = "<error>";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    cluster: Arc<str>,
    method: &'static str,
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    cluster: Arc<str>,
    method: &'static str,
}

/// The families of all clients.
pub(super) struct Requests {
    families: RequestFamilies,
    meters: Mutex<Vec<RequestMeter>>,
}

#[derive(Clone)]
struct RequestFamilies {
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram>,
}

/// Counts the requests to one API server.
#[derive(Clone)]
pub(crate) struct RequestMeter {
    families: RequestFamilies,
    cluster: Arc<str>,
    /// Set when the cluster has left, so that a late answer does not add its series again.
    is_closed: Arc<AtomicBool>,
}

impl RequestMeter {
    /// Counts a request that was answered, or failed without an answer, after `duration`.
    pub(crate) fn count(&self, method: &Method, answer: Option<StatusCode>, duration: Duration) {
        if self.is_closed.load(Ordering::Relaxed) {
            return;
        }
        let (cluster, method) = (self.cluster.clone(), method_label(method));
        let code = answer.map_or_else(|| NO_ANSWER.to_owned(), |code| code.as_str().to_owned());
        self.families.requests.get(&RequestLabels { cluster: cluster.clone(), method, code }).inc();
        self.families.durations.get(&DurationLabels { cluster, method }).observe_duration(duration);
    }
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

impl Default for Requests {
    fn default() -> Self {
        let durations = Family::new(|| Histogram::new(SECONDS));
        let families = RequestFamilies { requests: Family::default(), durations };
        Self { families, meters: Mutex::default() }
    }
}

impl Requests {
    pub(super) fn meter(&self, cluster: Option<&ClusterName>) -> RequestMeter {
        let meter = RequestMeter {
            families: self.families.clone(),
            cluster: cluster.map(ClusterName::lane).unwrap_or_default(),
            is_closed: Arc::default(),
        };
        let mut meters = self.meters.lock();
        // The meter of a client that is gone has no other owner.
        meters.retain(|meter| Arc::strong_count(&meter.is_closed) > 1);
        meters.push(meter.clone());
        meter
    }

    pub(super) fn forget(&self, cluster: &str) {
        for meter in self.meters.lock().iter().filter(|meter| &*meter.cluster == cluster) {
            meter.is_closed.store(true, Ordering::Relaxed);
        }
        self.families.requests.retain(|labels| &*labels.cluster != cluster);
        self.families.durations.retain(|labels| &*labels.cluster != cluster);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Requests to API servers; without cluster to the control plane's";
        registry.register("rest_client_requests", help, self.families.requests.clone());
        let help = "Time until an API server begins to answer";
        registry.register("rest_client_request_duration_seconds", help, self.families.durations.clone());
    }
}
