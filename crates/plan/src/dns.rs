//! Which DNS records exist, from the objects of one cluster.
//!
//! A service's records follow from its own objects alone, so one change concerns one service. `controllers::dns`
//! watches and calls; the crate `dns` answers from what comes out. Nothing here knows the wire format, and names are
//! kept relative to the service, so the same records serve under any zone.
//!
//! ```text
//! ServiceImport + labelled EndpointSlices ─► import::records  ─┐
//! Service + EndpointSlices ────────────────► service::records ─┴► ServiceRecords ─► RecordSink
//! ```

pub mod corefile;
mod endpoints;
pub mod import;
mod names;
mod record;
pub mod service;

pub use record::{Change, Data, Problem, RecordSink, ServiceRecords, ZoneKind};
