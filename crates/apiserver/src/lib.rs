//! A Kubernetes-compatible API server over a Portolan store.
//!
//! Unmodified clients (kubectl, client-go, kube-rs, Helm) speak to it over TLS, controllers of this process speak to
//! it without a socket. It knows Kubernetes objects and custom resources; it does not know what a federation is.
//!
//! ```text
//! request ─► request (what is asked) ─► auth ─► resources (which kind) ─┬─► read, watch ─┐
//!                                                                       └─► write ───────┴─► store
//! ```

pub mod allocation;
pub mod auth;
pub mod defaults;
pub mod kinds;
pub mod negotiate;
pub mod proxy;
pub mod quantity;
pub mod record;
pub mod request;
pub mod respond;
pub mod tables;
mod tree;
pub mod validation;

pub use record::Record;
pub use respond::{Body, BoxError};
