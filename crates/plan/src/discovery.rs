//! Services across clusters: from exports and their EndpointSlices to what each importing cluster gets.
//!
//! This is the explicit form: a user's policies bring the ServiceExport and the ServiceImport into clusters, and an
//! import `web` is answered by a Service `derived-web`. Endpoints go from cluster to cluster without an object in
//! between (karmada: pkg/controllers/mcs describes the form that users see).
//!
//! ```text
//! ServiceExport + EndpointSlices of each exporter ─► imported_slices ─┐
//! ServiceImport of the consumer ─────────────────► derived_service ──┴► difference ─► actions in the consumer
//! ```

pub mod consumer;
pub mod overview;
pub mod service;
pub mod slices;
pub mod why;
