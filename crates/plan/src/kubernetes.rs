//! Decisions of kube-controller-manager for clusters with an embedded API server: workloads, endpoints, garbage
//! collection, namespaces.
//!
//! Members with a real control plane have their own controllers and do not need this.

pub mod claim;
pub mod cron_job;
pub mod daemon_set;
pub mod deployment;
pub mod disruption_budget;
pub mod endpoints;
pub mod endpoints_mirror;
pub mod garbage;
pub mod history;
pub mod idle;
pub mod job;
pub mod namespace;
pub mod persistent_volume;
pub mod pods;
pub mod replica_set;
mod share;
pub mod signing_request;
pub mod stateful_set;
pub mod volume_claim;
