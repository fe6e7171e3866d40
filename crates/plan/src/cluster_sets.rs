//! Cluster sets: which cluster is a member of which set, and the objects that record it in the member (KEP-1645,
//! KEP-2149).
//!
//! `membership` decides for the whole federation; `properties` for one member's ClusterProperties; `protection` for the
//! admission policy that protects them; `definitions` for the CustomResourceDefinitions that a member needs.
//! `controllers::cluster_sets` calls these functions.

pub mod definitions;
pub mod membership;
pub mod properties;
pub mod protection;
