//! Records of federated Services in public zones.
//!
//! ```text
//! shards of a Service + clusters ─► planner ─► wanted record sets ─┐
//! record sets of the zone ─► registry ─► owned record sets ─────┴► difference ─► changes, conflicts
//! ```

pub mod difference;
pub mod planner;
pub mod record;
pub mod registry;
pub mod service;
