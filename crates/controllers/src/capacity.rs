//! The capacity of the members: watches their nodes, pods and quotas, and estimates for how many replicas there is room.
//!
//! The caches keep only the fields that decide capacity, so that heartbeats are no changes and a pod takes some hundred
//! bytes. A snapshot is computed when it is asked for after a change, and rarely enough that this takes a few percent of
//! a core however large the member is. `clusters::status` writes it into the Cluster; scheduling asks [`Estimator`].

mod estimator;
mod in_flight;
mod member;

pub(crate) use estimator::{Decision, Estimator};
pub(crate) use member::{Capacities, MemberCapacity};
