//! Public DNS zones: how each provider lists and changes their record sets.
//!
//! `portolan_plan::federation::dns` decides which record sets a zone has and who owns them. A [`Provider`] is the small
//! part that differs from one DNS service to another; [`Publisher`] adds to each of them the batches, the rate limit,
//! the retries and the search for the changes that fail.
//!
//! ```text
//! changes of the plan ─► Publisher ─► batches ─► Provider ─► zone
//!                            └ Report: the result of every change
//! ```

mod batches;
pub mod built_in;
pub mod cloud_dns;
mod error;
mod http;
mod presentation;
mod provider;
mod publisher;
mod retry;
pub mod rfc2136;
#[cfg(feature = "route53")]
pub mod route53;
pub mod skydns;
mod tls;

pub use built_in::{BuiltIn, PublicDns};
pub use error::{ProviderError, Unsupported};
pub use provider::{Limits, Provider};
pub use publisher::{Mode, Publisher, Report};
