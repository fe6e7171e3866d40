//! Estimates: for how many replicas of a workload, or sets of its components, a cluster has room.
//!
//! | estimate | from | limits |
//! | --- | --- | --- |
//! | [`general`] | the status of the Cluster | places for pods, resources as a whole, grades of nodes |
//! | [`Room::holds`] | the nodes and pods of the member | each node: its free resources, selectors, affinity, taints |
//! | [`by_quotas`] | the ResourceQuotas of the namespace in the member | requests and pods of the namespace |
//!
//! The general estimate is for clusters without known nodes. The result is the minimum of those that can be made. Pods that
//! were assigned to a cluster and are not seen there yet count as if they ran there ([`Assumed`]).
//!
//! # Source
//! karmada pkg/estimator/client/general.go and pkg/estimator/server/framework/plugins.

mod general;
mod in_flight;
mod pod_group;
mod quotas;
mod room;

pub use general::general;
pub use in_flight::{are_needed, in_flight};
pub use pod_group::{Assumed, PodGroup, PodSet};
pub use quotas::by_quotas;
pub use room::Room;
