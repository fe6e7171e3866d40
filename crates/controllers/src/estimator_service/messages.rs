//! The messages of the estimator service (karmada pkg/estimator/pb/estimator.proto), written by hand so that building needs
//! no protoc. Field numbers are those of the protocol.

use std::collections::HashMap;

use prost::Message;

/// Asks for how many further replicas there is room.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MaxAvailableReplicasRequest {
    #[prost(string, tag = "1")]
    pub(super) cluster: String,
    #[prost(message, optional, tag = "2")]
    pub(super) replica_requirements: Option<ReplicaRequirementsMessage>,
    #[prost(message, repeated, tag = "3")]
    pub(super) assumed_workloads: Vec<AssumedWorkload>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MaxAvailableReplicasResponse {
    #[prost(int32, tag = "1")]
    pub(super) max_replicas: i32,
}

/// Asks for how many further sets of components there is room.
#[derive(Clone, PartialEq, Message)]
pub(super) struct MaxAvailableComponentSetsRequest {
    #[prost(string, tag = "1")]
    pub(super) cluster: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) components: Vec<ComponentMessage>,
    #[prost(string, tag = "3")]
    pub(super) namespace: String,
    #[prost(message, repeated, tag = "4")]
    pub(super) assumed_workloads: Vec<AssumedWorkload>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MaxAvailableComponentSetsResponse {
    #[prost(int32, tag = "1")]
    pub(super) max_sets: i32,
}

/// Pods that were assigned to the cluster and are not seen there yet.
#[derive(Clone, PartialEq, Message)]
pub(super) struct AssumedWorkload {
    #[prost(string, tag = "1")]
    pub(super) namespace: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) components: Vec<ComponentMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ComponentMessage {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) replica_requirements: Option<ComponentRequirementsMessage>,
    #[prost(int32, tag = "3")]
    pub(super) replicas: i32,
}

/// `ComponentReplicaRequirements`. Quantities are messages of Kubernetes, as bytes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ComponentRequirementsMessage {
    #[prost(message, optional, tag = "1")]
    pub(super) node_claim: Option<NodeClaimMessage>,
    #[prost(string, tag = "3")]
    pub(super) priority_class_name: String,
    #[prost(map = "string, bytes", tag = "4")]
    pub(super) resource_request: HashMap<String, Vec<u8>>,
}

/// `ReplicaRequirements`. Quantities are messages of Kubernetes, as bytes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ReplicaRequirementsMessage {
    #[prost(message, optional, tag = "1")]
    pub(super) node_claim: Option<NodeClaimMessage>,
    #[prost(string, tag = "3")]
    pub(super) namespace: String,
    #[prost(string, tag = "4")]
    pub(super) priority_class_name: String,
    #[prost(map = "string, bytes", tag = "5")]
    pub(super) resource_request: HashMap<String, Vec<u8>>,
}

/// `NodeClaim`. Affinity and tolerations are messages of Kubernetes, as bytes.
#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeClaimMessage {
    #[prost(map = "string, string", tag = "2")]
    pub(super) node_selector: HashMap<String, String>,
    #[prost(bytes = "vec", tag = "4")]
    pub(super) node_affinity: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub(super) tolerations: Vec<Vec<u8>>,
}

/// `resource.Quantity` (kubernetes apimachinery/pkg/api/resource/generated.proto).
#[derive(Clone, PartialEq, Message)]
pub(super) struct QuantityMessage {
    #[prost(string, optional, tag = "1")]
    pub(super) string: Option<String>,
}

/// `core/v1` NodeSelector (kubernetes api/core/v1/generated.proto).
#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeSelectorMessage {
    #[prost(message, repeated, tag = "1")]
    pub(super) terms: Vec<NodeSelectorTermMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeSelectorTermMessage {
    #[prost(message, repeated, tag = "1")]
    pub(super) match_expressions: Vec<RequirementMessage>,
    #[prost(message, repeated, tag = "2")]
    pub(super) match_fields: Vec<RequirementMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RequirementMessage {
    #[prost(string, optional, tag = "1")]
    pub(super) key: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) operator: Option<String>,
    #[prost(string, repeated, tag = "3")]
    pub(super) values: Vec<String>,
}

/// `core/v1` Toleration.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TolerationMessage {
    #[prost(string, optional, tag = "1")]
    pub(super) key: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub(super) operator: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(super) value: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(super) effect: Option<String>,
    #[prost(int64, optional, tag = "5")]
    pub(super) toleration_seconds: Option<i64>,
}
