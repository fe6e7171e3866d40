//! The DNS server: authoritative answers for the services of a cluster and of its cluster set.
//!
//! Records come in through [`Zones`], one service at a time, and are encoded once; a query is answered by copying what
//! was encoded. The server forwards nothing, asks nobody, and goes on with what it has when nothing comes in any more.
//! Which records exist is decided by `portolan_plan::dns`; this crate must not know Kubernetes objects.
//!
//! ```text
//! RecordSink ─► Zones ─► snapshot ──┬─► UDP: threads, batches of datagrams
//!              (encodes the change) ├─► TCP: tasks, bounded
//!                                   └─► resolve(): in this process, without a socket
//! ```

mod counters;
pub mod datagrams;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod name;
mod record_set;
mod request;
mod respond;
mod reverse;
pub mod server;
mod service;
mod zone;
mod zones;

pub use counters::{QueryCount, Statistics};
pub use server::Server;
pub use zones::{AddressType, DEFAULT_TTL_SECS, Resolution, ZoneError, ZoneSettings, Zones};
