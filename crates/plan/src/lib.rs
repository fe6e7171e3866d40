//! Decisions of Portolan as pure functions from observed objects to desired ones.
//!
//! Nothing here waits, reads a clock or draws a random number: a failing case is a pair of values that can be pasted
//! into a test. The shells in `controllers` watch, call these functions, and apply the difference.

pub mod adoption;
pub mod autoscaling;
pub mod capacity;
pub mod cluster_sets;
pub mod clusters;
pub mod covers;
pub mod descheduler;
pub mod discovery;
pub mod dns;
pub mod explain;
pub mod failover;
pub mod federation;
pub mod field_changes;
pub mod import_marks;
pub mod kubefed;
pub mod kubernetes;
pub mod leadership;
pub mod multi_cluster_service;
pub mod preview;
pub mod propagation;
pub mod quota;
pub mod rebalance;
pub mod remedies;
pub mod search;
pub mod taint_policies;
