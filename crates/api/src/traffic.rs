//! Group `portolan.dev`: which clusters see an exported service, which endpoints their clients use, and what is done with those of
//! clusters that cannot be reached or are to be emptied.
//!
//! No standard kind says so: the Multi-Cluster Services API knows neither the distance between clusters nor one that is gone.
//! Within a cluster, `trafficDistribution` of the exported Service prefers endpoints of the client's own zone.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::kind::kind;
use crate::meta::Condition;
use crate::policy::ClusterAffinity;
use crate::schema::is_default;

kind! {
    /// What the clusters of the federation do with endpoints of services in the namespace of this object. `visibleTo` and
    /// `boundary` of every policy that selects a service hold; of the rest, the oldest such policy counts.
    TrafficPolicy, "portolan.dev", "v1alpha1", "trafficpolicies", Namespaced {
        /// Services, clusters and actions.
        spec: TrafficPolicySpec,
        /// What the policy does at present.
        #[serde(skip_serializing_if = "is_default")]
        status: TrafficPolicyStatus,
    }
}

/// What a TrafficPolicy does at present.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TrafficPolicyStatus {
    /// `InEffect`: whether everything that the policy says is done.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Services, clusters and actions of a TrafficPolicy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TrafficPolicySpec {
    /// Names of the services; all of the namespace when empty.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 500))]
    pub services: Vec<String>,
    /// The clusters that see the services; all when absent. The others have no import, no endpoints and no DNS answer, and their
    /// own imports of the services get no endpoints.
    #[serde(skip_serializing_if = "is_default")]
    pub visible_to: Option<ClusterAffinity>,
    /// The clusters with endpoints that get traffic at all. Endpoints of others never do, also when there are no more endpoints
    /// inside.
    #[serde(skip_serializing_if = "is_default")]
    pub boundary: Option<TrafficArea>,
    /// The order in which clusters with endpoints are used.
    #[serde(skip_serializing_if = "is_default")]
    pub nearness: Option<Nearness>,
    /// Shares of the traffic by name of the cluster with endpoints, among the clusters in use. A cluster that is not listed has 1;
    /// one with 0 gets no traffic while another has a ready endpoint.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(transform = limit_weights)]
    pub weights: BTreeMap<String, u32>,
    /// Clusters from which traffic is moved away: their endpoints get no new connections while other endpoints are ready.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 500))]
    pub drained_clusters: Vec<String>,
    /// Time in which the endpoints of a cluster come into use, or are drained or put on standby, step by step: at once when absent.
    /// Endpoints that do not answer leave at once. In seconds.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(min = 0, max = 86_400))]
    pub transition_seconds: Option<i32>,
    /// The HTTP request by which agents probe the endpoints; a TCP connection when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub http_probe: Option<HttpProbe>,
    /// Endpoints of clusters that do not answer.
    #[serde(skip_serializing_if = "is_default")]
    pub withdrawal: WithdrawalPolicy,
}

/// An HTTP/1.1 request to an endpoint. A status from 200 to 399 is success, as for probes of the kubelet.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpProbe {
    /// Path and query.
    #[schemars(length(max = 1024), regex(pattern = r"^/[!-~]*$"))]
    pub path: String,
    /// Header `Host`; address and port of the endpoint when absent.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(length(max = 253), regex(pattern = r"^[!-~]+$"))]
    pub host: Option<String>,
    /// Name of the port of the Service; its first TCP port when absent.
    #[serde(default, skip_serializing_if = "is_default")]
    #[schemars(length(max = 63))]
    pub port: Option<String>,
}

/// A weight is at most 1000, and at most 500 clusters have one.
fn limit_weights(schema: &mut Schema) {
    schema.insert(
        "additionalProperties".to_owned(),
        json!({ "type": "integer", "format": "int32", "minimum": 0, "maximum": 1000 }),
    );
    schema.insert("maxProperties".to_owned(), json!(500));
}

/// A set of clusters, seen from the cluster of the client. What is given must hold together; an area without anything is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(transform = require_area)]
pub struct TrafficArea {
    /// What they have in common with the cluster of the client.
    #[serde(skip_serializing_if = "is_default")]
    pub within: Option<Locality>,
    /// The clusters, by name, label, provider, region and zone.
    #[serde(skip_serializing_if = "is_default")]
    pub cluster_affinity: Option<ClusterAffinity>,
    /// The clusters, by a ClusterProperty that they have.
    #[serde(skip_serializing_if = "is_default")]
    pub property: Option<PropertyRequirement>,
}

fn require_area(schema: &mut Schema) {
    schema.insert(
        "x-kubernetes-validations".to_owned(),
        json!([{
            "rule": "has(self.within) || has(self.clusterAffinity) || has(self.property)",
            "message": "within, clusterAffinity or property is required",
        }]),
    );
}

/// A ClusterProperty (KEP-2149) that a cluster with endpoints has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PropertyRequirement {
    /// Name of the property.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Values of which the property has one; when empty, the value that the cluster of the client has.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 100))]
    pub values: Vec<String>,
}

/// What two clusters have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Locality {
    /// They are the same cluster.
    Cluster,
    /// The same, or they have a zone in common, and region and provider as far as both have them.
    Zone,
    /// The same, or they have the same region, and the same provider as far as both have one.
    Region,
}

/// The order in which clusters with endpoints are used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Nearness {
    /// Clusters with endpoints, the nearest first. A cluster is in the first tier that has it; those in none are the last tier.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(min = 1, max = 16))]
    pub tiers: Vec<TrafficArea>,
    /// Share of the endpoints of a tier that have to be ready, in percent. With less, the next tier is used too. When absent, one
    /// ready endpoint is enough.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(range(min = 1, max = 100))]
    pub minimum_ready_percent: Option<i32>,
}

/// What is done with the endpoints of a cluster that does not answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WithdrawalPolicy {
    /// Neither its endpoints answer the probes of agents, nor its API server the control plane: Withdraw when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub dead: Option<EndpointAction>,
    /// Its endpoints do not answer the agent of the importing cluster, but its API server answers: Withdraw when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub unreachable: Option<EndpointAction>,
    /// Its endpoints of the service take connections, but none has answered `httpProbe` with success for ten seconds: Withdraw
    /// when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub failing: Option<EndpointAction>,
    /// Its API server does not answer the control plane, and no agent tells anything about its endpoints: Keep when absent.
    #[serde(skip_serializing_if = "is_default")]
    pub unseen: Option<EndpointAction>,
}

/// What is done with endpoints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EndpointAction {
    /// They get traffic.
    #[default]
    Keep,
    /// They get no new connections while other endpoints are ready.
    Drain,
    /// They get no traffic while other endpoints are ready.
    Withdraw,
}
