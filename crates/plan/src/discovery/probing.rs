//! What an agent probes of the endpoints that its cluster imports, and what the answers say about the exporting clusters.
//!
//! A probe is a TCP connection, with an HTTP request if a TrafficPolicy asks for it; see [`super::http_probe`]. A cluster is seen as
//! long as any of its endpoints answers; one service that is down does not make it unseen.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use portolan_api::annotations;
use portolan_api::kubernetes::{Endpoint, EndpointSlice, View};
use portolan_api::labels::endpoint_slice::SOURCE_CLUSTER;
use portolan_api::probes::Sight;
use portolan_api::traffic::HttpProbe;
use portolan_object::{Object, ObjectKey};

use super::http_probe;
use crate::import_marks::{import_of_slice, is_slice_of_multi_cluster_service, service_of_slice};

/// Endpoints of one service in one cluster that are probed.
const MAX_ENDPOINTS_OF_SERVICE: usize = 2;
/// Time without an answer after which a cluster is doubtful.
pub const DOUBT: Duration = Duration::from_millis(1500);
/// Time without an answer after which a cluster is silent. Longer than a stall of two seconds; ten connection requests are
/// sent within it, so that 5 % of lost packets do not look like silence.
pub const SILENCE: Duration = Duration::from_millis(3500);
/// Rounds in a row in which every endpoint refuses, after which a cluster refuses.
const REFUSED_ROUNDS: u32 = 2;

/// One endpoint to connect to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    /// The import.
    pub service: ObjectKey,
    /// Address and port.
    pub address: SocketAddr,
    /// The request to send; without one, the connection alone is the probe.
    pub request: Option<HttpProbe>,
    /// Why the request that is asked for cannot be sent.
    pub fault: Option<String>,
}

/// The endpoints to probe, by exporting cluster. Services without a TCP port are not probed.
pub fn targets<'a>(slices: impl IntoIterator<Item = &'a Object>) -> BTreeMap<String, Vec<Target>> {
    let mut targets: BTreeMap<String, Vec<Target>> = BTreeMap::new();
    let mut of_service: BTreeMap<(String, ObjectKey), usize> = BTreeMap::new();
    for slice in slices {
        let (Some(service), Some(source)) = (service_of(slice), slice.label(SOURCE_CLUSTER)) else {
            continue;
        };
        let Ok(view) = EndpointSlice::read(slice) else { continue };
        let mut request = http_probe::of_slice(slice);
        let named = request.as_ref().and_then(|request| request.port.clone());
        let tcp = || view.ports.iter().filter(|port| port.protocol.unwrap_or("TCP") == "TCP");
        let mut port = tcp().find(|port| named.is_none() || port.name == named.as_deref());
        let mut fault = None;
        if let (Some(name), None) = (named, port) {
            (request, port) = (None, tcp().next());
            fault = Some(format!("the service has no TCP port named {name}, which httpProbe names"));
        }
        let Some(port) = port.and_then(|port| u16::try_from(port.port?).ok()) else { continue };
        let is_not_used = slice.annotation(annotations::endpoint_slice::NOT_USED).is_some();
        let count = of_service.entry((source.to_owned(), service.clone())).or_default();
        let wanted = view.endpoints.iter().filter(|endpoint| is_probed(endpoint, is_not_used));
        for endpoint in wanted {
            let Some(address) = endpoint.addresses.first().and_then(|address| address.parse().ok()) else {
                continue;
            };
            if *count == MAX_ENDPOINTS_OF_SERVICE {
                break;
            }
            *count += 1;
            let address = SocketAddr::new(address, port);
            let (request, fault) = (request.clone(), fault.clone());
            let target = Target { service: service.clone(), address, request, fault };
            targets.entry(source.to_owned()).or_default().push(target);
        }
    }
    targets
}

/// The import of an imported slice, or the service of one that a MultiClusterService brought.
pub fn service_of(slice: &Object) -> Option<ObjectKey> {
    let of_service = || service_of_slice(slice).filter(|_| is_slice_of_multi_cluster_service(slice));
    import_of_slice(slice).or_else(of_service)
}

/// Ready endpoints, and those that are ready in their own cluster only; see [`super::usage`].
fn is_probed(endpoint: &Endpoint<'_>, is_not_used: bool) -> bool {
    endpoint.is_ready() || is_not_used && endpoint.conditions.serving == Some(true)
}

/// The answers of one round of probes to a cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// Endpoints that took the connection.
    pub answered: usize,
    /// Endpoints that refused it.
    pub refused: usize,
    /// Endpoints that did neither in time.
    pub silent: usize,
}

/// What the probes of a cluster have shown so far. Times are those of a monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Time of the last answer; at first the time of the first probe.
    answered: Duration,
    has_answered: bool,
    /// Rounds in a row in which every endpoint refused.
    refused: u32,
}

impl History {
    /// The history of a cluster that is probed from `now` on.
    pub fn new(now: Duration) -> Self {
        Self { answered: now, has_answered: false, refused: 0 }
    }

    /// Notes the result of a round.
    pub fn note(&mut self, round: Round, now: Duration) {
        if round.answered > 0 {
            self.answered = now;
            self.has_answered = true;
        }
        let is_refused = round.refused > 0 && round.answered + round.silent == 0;
        self.refused = if is_refused { self.refused.saturating_add(1) } else { 0 };
    }

    /// Does not count a time in which the agent itself did not run.
    pub fn forgive(&mut self, stall: Duration) {
        self.answered += stall;
    }

    /// Whether the cluster is seen.
    pub fn sight(&self, now: Duration) -> Sight {
        let silent = now.saturating_sub(self.answered);
        match () {
            () if self.refused >= REFUSED_ROUNDS => Sight::Refused,
            () if silent >= SILENCE => Sight::Silent,
            () if silent >= DOUBT || self.refused > 0 || !self.has_answered => Sight::Doubtful,
            () => Sight::Answering,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn slice(source: &str, annotations: Value, ports: Value, endpoints: Value) -> Object {
        Object(json!({ "addressType": "IPv4", "ports": ports, "endpoints": endpoints,
            "metadata": { "namespace": "shop", "name": "x", "annotations": annotations, "labels": {
                "karmada.io/managed": "true", "portolan.dev/clusterset": "prod",
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.portolan.dev",
                "multicluster.kubernetes.io/service-name": "web", "multicluster.kubernetes.io/source-cluster": source } } }))
    }

    #[test]
    fn two_ready_endpoints_of_each_service_and_cluster_are_probed() {
        let ready = |address: &str| json!({ "addresses": [address], "conditions": { "ready": true } });
        let unused = |address: &str, serving: bool| json!({ "addresses": [address], "conditions": { "ready": false, "serving": serving } });
        let tcp = json!([{ "name": "dns", "port": 53, "protocol": "UDP" }, { "name": "http", "port": 8080 }]);
        let none = json!({});
        let withdrawn = json!({ "portolan.dev/not-used": "Withdraw" });
        let cases = [
            (
                "ready",
                slice(
                    "east",
                    none.clone(),
                    tcp.clone(),
                    json!([ready("10.0.0.1"), unused("10.0.0.2", true)]),
                ),
                vec!["10.0.0.1:8080"],
            ),
            (
                "two of three",
                slice(
                    "east",
                    none.clone(),
                    tcp.clone(),
                    json!([ready("10.0.0.1"), ready("10.0.0.2"), ready("10.0.0.3")]),
                ),
                vec!["10.0.0.1:8080", "10.0.0.2:8080"],
            ),
            (
                "not used here",
                slice(
                    "east",
                    withdrawn,
                    tcp.clone(),
                    json!([unused("10.0.0.1", true), unused("10.0.0.2", false)]),
                ),
                vec!["10.0.0.1:8080"],
            ),
            (
                "only UDP",
                slice(
                    "east",
                    none.clone(),
                    json!([{ "port": 53, "protocol": "UDP" }]),
                    json!([ready("10.0.0.1")]),
                ),
                vec![],
            ),
            ("no port", slice("east", none.clone(), json!([]), json!([ready("10.0.0.1")])), vec![]),
            (
                "no address",
                slice("east", none, tcp, json!([ready("host.example"), { "addresses": [] }])),
                vec![],
            ),
        ];
        for (name, slice, want) in cases {
            let found = targets([&slice]);
            let addresses: Vec<String> =
                found.values().flatten().map(|target| target.address.to_string()).collect();
            assert_eq!(addresses, want, "{name}");
        }
        let mut probed = slice(
            "east",
            json!({ "portolan.dev/http-probe": r#"{"path":"/healthz","port":"http"}"# }),
            json!([{ "name": "metrics", "port": 9090 }, { "name": "http", "port": 8080 }]),
            json!([ready("10.0.0.1")]),
        );
        let target = |slice: &Object| targets([slice])["east"][0].clone();
        let found = target(&probed);
        assert_eq!(found.address.to_string(), "10.0.0.1:8080");
        assert_eq!(found.request.map(|request| request.path), Some("/healthz".to_owned()));
        probed.set_annotation("portolan.dev/http-probe", r#"{"path":"/healthz","port":"htp"}"#);
        let found = target(&probed);
        assert_eq!((found.address.to_string().as_str(), found.request), ("10.0.0.1:9090", None));
        assert!(found.fault.is_some_and(|fault| fault.contains("named htp")), "the agent tells of it");

        let mut own = slice("east", json!({}), json!([{ "port": 80 }]), json!([ready("10.0.0.1")]));
        own.metadata_mut().remove("labels");
        assert!(targets([&own]).is_empty(), "not imported by Portolan");
    }

    #[test]
    fn a_cluster_is_unseen_only_after_more_than_a_stall() {
        let ms = Duration::from_millis;
        let answer = Round { answered: 1, refused: 2, silent: 0 };
        let refusal = Round { refused: 3, ..Round::default() };
        let silence = Round { silent: 3, ..Round::default() };
        let cases = [
            ("new", vec![], 0, Sight::Doubtful),
            ("one endpoint answers", vec![(500, answer)], 600, Sight::Answering),
            ("lost packets", vec![(500, answer), (1000, silence)], 1100, Sight::Answering),
            ("a stall of two seconds", vec![(500, answer)], 2500, Sight::Doubtful),
            ("it ends", vec![(500, answer), (2600, answer)], 2700, Sight::Answering),
            ("a longer one", vec![(500, answer)], 4000, Sight::Silent),
            ("one refusal", vec![(500, answer), (1000, refusal)], 1000, Sight::Doubtful),
            ("two refusals", vec![(500, answer), (1000, refusal), (1200, refusal)], 1200, Sight::Refused),
            (
                "interrupted",
                vec![(500, answer), (1000, refusal), (1200, answer), (1400, refusal)],
                1400,
                Sight::Doubtful,
            ),
        ];
        for (name, rounds, now, want) in cases {
            let mut history = History::new(Duration::ZERO);
            rounds.into_iter().for_each(|(at, round)| history.note(round, ms(at)));
            assert_eq!(history.sight(ms(now)), want, "{name}");
        }
        let mut paused = History::new(Duration::ZERO);
        paused.note(answer, ms(400));
        paused.forgive(ms(4000));
        assert_eq!(paused.sight(ms(4500)), Sight::Answering, "the agent itself did not run");
    }
}
