//! The capacity of the members: watches their nodes, pods and quotas.
//!
//! The caches keep only the fields that decide capacity, so that heartbeats are no changes and a pod takes some hundred
//! bytes. A snapshot is computed when it is asked for after a change, and rarely enough that this takes a few percent of
//! a core however large the member is. `clusters::status` writes it into the Cluster.

mod member;

pub(crate) use member::{Capacities, MemberCapacity};
