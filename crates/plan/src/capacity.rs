//! Capacity of a member: its nodes and pods, what they leave free, and the summary for the Cluster's status.
//!
//! ```text
//! nodes, pods ─► snapshot ─► resource summary, grades of nodes   (Cluster.status)
//!                   └──────► propagation::estimate               (replicas for which there is room)
//! ```

mod amounts;
mod grades;
mod node;
mod pod;
mod pod_resources;
mod quota;
mod snapshot;

pub use amounts::{Amounts, ResourceName};
pub use node::{MemberNode, NodeRoom};
pub use pod::{MemberPod, Workload};
pub use pod_resources::PodResources;
pub use quota::{MemberQuota, QuotaScope};
pub use snapshot::Snapshot;
