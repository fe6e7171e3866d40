//! DNS records of services, computed from the objects of one cluster.
//!
//! The records of a service depend on its own objects only, so that a change concerns one service. `controllers::dns`
//! watches the objects and calls these functions; the crate `dns` answers queries with the records. Names are relative to
//! the service, so the records are independent of the zone and of the wire format.
//!
//! ```text
//! ServiceImport + labelled EndpointSlices ─► import::records  ─┐
//! Service + EndpointSlices ────────────────► service::records ─┴► ServiceRecords ─► RecordSink
//! ```

pub mod corefile;
mod endpoints;
pub mod import;
mod names;
mod problem;
mod record;
pub mod service;

pub use problem::Problem;
pub use record::{RecordData, RecordSink, ServiceChange, ServiceRecords, ZoneKind};
