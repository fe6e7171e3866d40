//! Controllers: thin shells around the decisions in `portolan_plan`.
//!
//! They watch hub and members through `portolan_runtime`, call a pure function, and apply the difference. They use
//! only the Kubernetes API, so they run unchanged on the embedded API server and on a real one.
//!
//! # How to add a controller
//!
//! 1. Write the decision as a pure function in `portolan_plan`: observed objects in, steps out. Test it with a table.
//! 2. Implement `portolan_runtime::Reconciler` in a folder of this crate that is named after the feature. `reconcile`
//!    reads caches, calls the function, and applies the steps. It returns `Outcome::Done`, `Outcome::retry(error)` or
//!    `Outcome::RequeueAfter(delay)`; it never loops or sleeps. Write each result back into the cache with
//!    `Cache::written`, so that the next pass sees it before the watch delivers it.
//! 3. Write `start(hub: &Hub)`: create a `Queue`, let cache observers add keys to it, and call
//!    `portolan_runtime::driver::run` with the number of workers. For a controller in each member, do this in
//!    `hub.members.observe` with `member.scope()`, so that it ends when the member leaves.
//! 4. Call `start` in `start.rs`. State that several controllers share belongs to `hub.rs`, which starts nothing.
//! 5. Add an end-to-end test to `tests/it`, with the `Federation` of that folder.

pub mod agent;
pub mod agents;
mod autoscaling;
mod capacity;
mod cluster_sets;
pub mod clusters;
pub mod collections;
mod definitions;
mod descheduler;
mod discovery;
pub mod dns;
mod estimator_service;
pub mod explain;
mod failures;
pub mod federation;
mod hub;
mod initial_objects;
mod inventory;
mod kubefed;
pub mod kubernetes;
pub mod leadership;
mod merge;
mod missing;
mod multi_cluster_services;
mod named_clusters;
pub mod preview;
pub mod probing;
mod propagation;
mod quota;
mod rebalance;
mod released;
mod remedies;
mod removal;
pub mod search;
mod start;
mod taint_policies;
pub mod time;

pub use descheduler::Descheduling;
pub use estimator_service::EstimatorSettings;
pub use hub::Quotas;
pub use portolan_plan::failover::Settings as FailoverSettings;
pub use portolan_plan::propagation::brake::{Budget, Distrust};
pub use portolan_plan::propagation::detect::{Skipped, SkippedError};
pub use propagation::BrakeOptions;
pub use start::{Controllers, Options};

/// Field manager of all writes.
pub const MANAGER: &str = "portolan";
