//! Typed views of built-in kinds: only the fields that decisions read.
//!
//! A view borrows from an [`Object`]; the object stays the only complete copy. Where an object is written back, the
//! untyped object is edited, so that fields which no view knows survive.
//!
//! Views are serde structs, not accessors with paths, because the compiler then checks every use of a field and a
//! test checks every field name against the built-in schema. Reading one allocates no strings: text borrows from the
//! tree, unknown fields cost one comparison, and only lists allocate. For an EndpointSlice with 100 endpoints this is
//! some microseconds, against milliseconds until a change reaches a consumer.
//!
//! `null` reads as absent, as in Go. Any other value of a wrong type is a [`ViewError`] with the object and the field.
//! Callers handle that error per object, so that one odd object cannot stop others.
//!
//! To add a view: a file with the struct and its [`View`] implementation, and a line in `tests.rs`.
//!
//! ```
//! use portolan_api::kubernetes::{Deployment, View};
//! use portolan_object::Object;
//!
//! let object = Object(serde_json::json!({ "spec": { "replicas": 3 } }));
//! assert_eq!(Deployment::read(&object).unwrap().spec.replicas, Some(3));
//! ```

mod autoscaled_pod;
mod cluster_role;
mod condition;
mod controller_revision;
mod custom_resource_definition;
mod daemon_set;
mod deployment;
mod endpoint_slice;
mod int_or_string;
mod job;
mod load_balancer;
mod namespace;
mod node;
mod owner_reference;
mod persistent_volume;
mod pod;
mod pod_disruption_budget;
mod pod_references;
mod read;
mod replica_set;
mod secret;
mod service;
mod signing_request;
mod stateful_set;

#[cfg(test)]
mod tests;

pub use autoscaled_pod::{
    AutoscaledContainer, AutoscaledPod, AutoscaledPodSpec, AutoscaledPodStatus, ContainerResources,
};
pub use cluster_role::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleReference, Subject};
pub use condition::{Condition, condition, conditions, is_condition_true};
pub use controller_revision::ControllerRevision;
pub use custom_resource_definition::{
    CustomResourceDefinition, CustomResourceDefinitionNames, CustomResourceDefinitionSpec,
    CustomResourceDefinitionStatus, CustomResourceDefinitionVersion,
};
pub use daemon_set::{DaemonSet, DaemonSetStatus};
pub use deployment::{
    Deployment, DeploymentCondition, DeploymentSpec, DeploymentStatus, DeploymentStrategy, RollingUpdate,
};
pub use endpoint_slice::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
pub use int_or_string::IntOrString;
pub use job::{Job, JobSpec, JobStatus};
pub use load_balancer::{
    Ingress, IngressSpec, IngressTls, LoadBalancer, LoadBalancerIngress, LoadBalancerStatus,
};
pub use namespace::{Namespace, NamespaceStatus};
pub use node::{Node, NodeStatus};
pub use owner_reference::{OwnerReference, controller, owners};
pub use persistent_volume::{PersistentVolume, PersistentVolumeClaim, VolumeStatus};
pub use pod::{
    Container, ContainerPort, ContainerState, ContainerStatus, Pod, PodIp, PodSpec, PodStatus, Waiting,
};
pub use pod_disruption_budget::{PodDisruptionBudget, PodDisruptionBudgetStatus};
pub use pod_references::{
    AzureFileVolume, ClaimVolume, ContainerReferences, CredentialVolume, CsiVolume, EnvironmentSource,
    EnvironmentValue, EnvironmentVariable, LocalReference, PodReferences, PodReferencesSpec, ProjectedSource,
    ProjectedVolume, SecretVolume, VolumeReferences,
};
pub use read::{FieldError, View, ViewError, read_value};
pub use replica_set::{ReplicaSet, ReplicaSetSpec, ReplicaSetStatus};
pub use secret::Secret;
pub use service::{
    ClientIpConfig, Service, ServiceIngress, ServiceLoadBalancer, ServicePort, ServiceSpec, ServiceStatus,
    SessionAffinityConfig,
};
pub use signing_request::{
    CertificateSigningRequest, CertificateSigningRequestSpec, CertificateSigningRequestStatus,
};
pub use stateful_set::{
    ClaimRetention, StatefulSet, StatefulSetOrdinals, StatefulSetRollingUpdate, StatefulSetSpec,
    StatefulSetStatus, StatefulSetUpdateStrategy, VolumeClaimMetadata, VolumeClaimTemplate,
};
