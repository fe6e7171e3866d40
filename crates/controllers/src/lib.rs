//! Controllers: thin shells around the decisions in `portolan_plan`.
//!
//! They watch hub and members through `portolan_runtime`, call a pure function, and apply the difference. They speak
//! nothing but the Kubernetes API, so they run unchanged on the embedded API server and on a real one.

mod cluster_sets;
pub mod clusters;
pub mod collections;
mod discovery;
pub mod dns;
mod hub;
pub mod kubernetes;
mod merge;
mod propagation;
mod start;
pub mod time;

pub use start::{Controllers, Options};

/// The field manager of everything that Portolan writes.
pub const MANAGER: &str = "portolan";
