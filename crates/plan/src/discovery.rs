//! Services across clusters: from exports and their EndpointSlices to what each importing cluster gets.
//!
//! In the explicit form a user's policies bring the ServiceExport and the ServiceImport into clusters, and an import
//! `web` is answered by a Service `derived-web` (karmada: pkg/controllers/mcs describes the form that users see). In a
//! cluster set the import appears by itself, merged from all exports (KEP-1645). In both, endpoints go from cluster to
//! cluster without an object in between.
//!
//! ```text
//! ServiceExport + Service of each exporter ─► export ─► merge ─┬─► conditions of the exports
//! EndpointSlices of each exporter ───► slices ─┐               │
//! ServiceImport by a user ─► service ──────────┴► consumer     └─► cluster_set ─► import, Service, slices
//! ```

pub mod cluster_set;
mod compare;
pub mod conditions;
pub mod consumer;
pub mod export;
pub mod merge;
pub mod overview;
pub mod service;
pub mod slices;
pub mod why;
