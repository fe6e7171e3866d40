//! Decisions about member clusters: readiness, served APIs, and taints.
//!
//! The shell probes and reads; here the answers become status and taints of the Cluster object. A cluster that the
//! control plane cannot reach keeps its last numbers: losing sight of it changes its conditions and nothing else.

pub mod agents;
pub mod clock;
pub mod impersonation;
pub mod leaving;
pub mod ownership;
pub mod permissions;
pub mod probe;
pub mod profile;
pub mod silence;
pub mod status;
pub mod taint_edit;
pub mod taints;
pub mod terminating_namespace;
pub mod token;
