//! Group `portolan.dev`: what clusters do with the endpoints of other clusters that cannot be reached or are to be emptied.
//!
//! No standard kind says so: the Multi-Cluster Services API has no notion of a cluster that is gone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::kind;
use crate::schema::is_default;

kind! {
    /// What the clusters of the federation do with endpoints of services in the namespace of this object. The oldest policy that
    /// selects a service counts.
    TrafficPolicy, "portolan.dev", "v1alpha1", "trafficpolicies", Namespaced {
        /// Services, clusters and actions.
        spec: TrafficPolicySpec,
    }
}

/// Services, clusters and actions of a TrafficPolicy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TrafficPolicySpec {
    /// Names of the services; all of the namespace when empty.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 500))]
    pub services: Vec<String>,
    /// Clusters from which traffic is moved away: their endpoints get no new connections while other endpoints are ready.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 500))]
    pub drained_clusters: Vec<String>,
    /// Endpoints of clusters that do not answer.
    #[serde(skip_serializing_if = "is_default")]
    pub withdrawal: WithdrawalPolicy,
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
