//! Service discovery across clusters: from ServiceExports and EndpointSlices to the objects of each importing member.
//!
//! There are two forms. In an *explicit* import, users or their policies create ServiceExport and ServiceImport in the
//! members, and import `web` is served by a Service `derived-web` (karmada pkg/controllers/mcs). In a *cluster set*,
//! Portolan creates the imports, merged from all exports (KEP-1645). In both forms, endpoints are copied from member to
//! member without an object on the hub.
//!
//! ```text
//! ServiceExport + Service of each exporter ─► export ─► merge ─┬─► conditions of the exports
//!                                                              └─► set_import ─► import, Service, slices
//! EndpointSlices of each exporter ─► slices ─┐
//! ServiceImport of a user ─► derived_service ┴► explicit_import ─► Service, slices
//! ```

pub mod abandoned;
pub mod allotment;
mod compare;
pub mod conditions;
pub mod derived_service;
pub mod explicit_import;
pub mod export;
pub mod exporters_read;
pub mod exporters_used;
pub mod http_probe;
pub mod importable;
mod lost;
pub mod merge;
pub mod migration;
pub mod nearness;
pub mod network_policies;
pub mod overview;
pub mod policy_status;
mod port_names;
pub mod probing;
pub mod problem;
pub mod properties;
mod read_error;
pub mod routing;
pub mod set_import;
pub mod slice_ports;
pub mod slices;
pub mod traffic_policy;
pub mod transition;
pub mod usage;
pub mod why;
pub mod withdrawal;

pub use lost::{Lost, LostCause};
pub use read_error::ReadError;
