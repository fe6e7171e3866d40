//! What kube-controller-manager decides for a cluster whose API server is ours: workloads, endpoints, garbage.
//!
//! Members with a real control plane have their own controllers and do not need this.

pub mod deployment;
pub mod endpoints;
pub mod garbage;
pub mod namespace;
pub mod pods;
pub mod replica_set;
pub mod stateful_set;
