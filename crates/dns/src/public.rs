//! Public zones: names that a provider writes at run time, their history, and their copies on secondary name servers.
//!
//! | file | what it has |
//! | --- | --- |
//! | `settings` | name servers of a zone, and who may copy it |
//! | `names` | the names of a zone at one instant |
//! | `nearness` | regions of clients by their networks |
//! | `places` | regions of clients by a database of places |
//! | `journal` | the last changes, for incremental transfers |
//! | `transfer` | answers to AXFR (RFC 5936) and IXFR (RFC 1995) |
//! | `signed` | answers to signed questions for the SOA record |
//! | `notify` | NOTIFY messages (RFC 1996) |

pub(crate) mod journal;
pub(crate) mod names;
pub(crate) mod nearness;
pub mod notify;
pub mod places;
pub(crate) mod settings;
pub(crate) mod signed;
pub(crate) mod transfer;

pub use nearness::Nearness;
pub use settings::{NameServer, PublicZoneError, PublicZoneSettings, Transfers};
