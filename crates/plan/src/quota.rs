//! FederatedResourceQuotas: limits for a namespace in all clusters together.
//!
//! | part of the quota | becomes | file |
//! | --- | --- | --- |
//! | `staticAssignments` | a ResourceQuota in each named cluster, by a Work | `assignments` |
//! | `status.aggregatedStatus` | what these ResourceQuotas report | `assignments` |
//! | `overall` | a limit for the replicas that bindings of the namespace assign to clusters | `enforcement` |
//! | `status.overallUsed` | what they use of it | `enforcement` |
//!
//! # Source
//! karmada pkg/controllers/federatedresourcequota, pkg/webhook/resourcebinding.

mod assignments;
mod enforcement;
mod usage;

pub use assignments::{aggregated_status, is_assigned, work};
pub use enforcement::{Exceeded, Limit, check, overall_used};
pub use usage::Usage;
