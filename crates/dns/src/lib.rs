//! The DNS server: authoritative answers for the services of a cluster and of its cluster set.
//!
//! [`Zones`] receives the records of one service at a time and encodes them once; a query is answered by copying the
//! encoded bytes. The server forwards no queries, and keeps answering from its last state when updates stop. [`public`] zones
//! have the names of federated Services instead, and can be copied to secondary name servers.
//! `portolan_plan::dns` decides which records exist. This crate reads no Kubernetes objects: a service is a namespace
//! and a name (`ObjectKey`) with a list of records.
//!
//! ```text
//! RecordSink ─► Zones ─► snapshot ──┬─► UDP: threads, batches of datagrams
//!              (encodes the change) ├─► TCP: tasks, limited in number
//!                                   └─► resolve(): in this process, without a socket
//! ```

mod answered;
mod client_subnet;
mod counters;
pub mod datagrams;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod lookup;
pub mod metrics;
mod name;
pub mod public;
mod record_set;
mod request;
mod respond;
mod reverse;
pub mod server;
mod service;
mod transaction_key;
mod zone;
mod zone_settings;
mod zones;

pub use counters::{QueryCount, Statistics};
pub use server::Server;
pub use transaction_key::{TransactionKey, TransactionKeyError};
pub use zone_settings::{DEFAULT_TTL_SECS, ZoneError, ZoneSettings};
pub use zones::{AddressType, Resolution, Zones};
