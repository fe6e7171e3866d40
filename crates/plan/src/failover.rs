//! Failover: which clusters an object leaves, and when the copy there is removed.
//!
//! A cluster that an object leaves is taken out of `spec.clusters` of the binding, and becomes a task in
//! `spec.gracefulEvictionTasks`. The scheduler then chooses other clusters, and the copy in the old one stays as the task
//! says. [`decide`] does all of this for one binding.
//!
//! | file | decides |
//! | --- | --- |
//! | `taints.rs` | for how long a placement tolerates the NoExecute taints of a cluster |
//! | `application.rs` | in which clusters a workload has been unhealthy for too long |
//! | `preserved_state.rs` | which fields of the old status are kept; `propagation::preserved_labels` puts them on the new copy |
//! | `eviction.rs` | the task of an eviction |
//! | `graceful.rs` | when a task ends |
//! | `failed_clusters.rs` | which clusters a failed workload does not go back to |

mod application;
mod decide;
mod eviction;
mod failed_clusters;
mod graceful;
mod preserved_state;
mod taints;

pub use application::unhealthy_clusters;
pub use decide::{Decision, Facts, decide};
pub use eviction::Settings;
pub(crate) use failed_clusters::failed_clusters;
pub use failed_clusters::is_outdated;
pub use preserved_state::StateError;
pub use taints::set_times;
