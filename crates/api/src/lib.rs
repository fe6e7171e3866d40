//! The typed API groups of the federation: types, defaults, validation, generated names and CRDs.
//!
//! The spelling of every group, field, label and generated name is Karmada's or the SIG's, so that manifests and
//! objects that exist already keep their meaning. The Rust types are the single source: CRDs are generated from
//! them. Nothing here reads a clock, draws a random number or does I/O; what needs such a value takes it.

pub mod about;
pub mod admission;
pub mod agents;
pub mod annotations;
pub mod apps;
pub mod autoscaling;
pub mod cluster;
pub mod clusterset;
pub mod conditions;
pub mod config;
pub mod crd;
pub mod credential;
pub mod events;
pub mod external_dns;
pub mod federation;
pub mod finalizers;
pub mod inventory;
pub mod kind;
pub mod kubefed;
pub mod kubernetes;
pub mod labels;
pub mod meta;
pub mod multicluster;
pub mod names;
pub mod networking;
pub mod policy;
pub mod probes;
pub mod quantity;
pub mod remedy;
pub mod resources;
mod schema;
pub mod search;
pub mod traffic;
pub mod work;

pub use kind::Kind;
pub use quantity::Quantity;
