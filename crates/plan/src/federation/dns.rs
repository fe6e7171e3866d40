//! Records of federated Services in public zones.
//!
//! ```text
//! reports of clusters ─► observed ─► shards of a Service + clusters ─► planner ─► wanted record sets ─┐
//!                                              record sets of the zone ─► registry ─► owned record sets ─┴► difference ─► changes, conflicts
//! ```
//!
//! `zones` says which zones of which providers have the record sets, `sharing` what holds where several Federations have one.

pub mod difference;
pub mod endpoint_object;
pub mod observed;
pub mod overview;
pub mod planner;
pub mod record;
pub mod registry;
pub mod service;
pub mod sharing;
pub mod zones;
