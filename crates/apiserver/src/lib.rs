//! A Kubernetes-compatible API server over a Portolan store.
//!
//! Unmodified clients (kubectl, client-go, kube-rs, Helm) speak to it over TLS, controllers of this process speak to
//! it without a socket. It knows Kubernetes objects and custom resources; it does not know what a federation is.
//!
//! ```text
//! request ─► request (what is asked) ─► auth ─► resources (which kind) ─┬─► read, watch ─┐
//!                                                                       └─► write ───────┴─► store
//! ```

mod access;
pub mod admission;
mod aggregation;
pub mod allocation;
mod api_server;
pub mod auth;
mod bootstrap;
mod call;
mod config;
mod conversion;
pub mod crd;
mod defaults;
pub mod discovery;
mod dispatch;
mod health;
pub mod kinds;
pub mod negotiate;
pub mod openapi;
pub mod proxy;
pub mod quantity;
mod read;
pub mod record;
pub mod request;
pub mod resources;
pub mod respond;
mod server;
mod service;
mod tables;
mod tree;
mod validation;
mod watch;
mod write;

pub use admission::Admission;
pub use api_server::{ApiServer, StartError};
pub use auth::User;
pub use bootstrap::BootstrapError;
pub use config::{Config, VERSION};
pub use record::Record;
pub use respond::{Body, BoxError};
pub use service::{LocalService, RemoteService};
