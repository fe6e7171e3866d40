//! Who is in which cluster set, under which id, and what a member's own objects say about it (KEP-1645, KEP-2149).
//!
//! `membership` decides for the whole federation, `properties` for one member's ClusterProperties, `protection` for the
//! policy that keeps them as they are, `definitions` for the CustomResourceDefinitions that a member needs.
//! `controllers::cluster_sets` calls them.

pub mod definitions;
pub mod membership;
pub mod properties;
pub mod protection;
