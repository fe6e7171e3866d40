//! Clients, caches, the work queue, the reconcile driver and the members of the federation.
//!
//! The client library of the controllers, the agent and the command line. Only this crate depends on kube. It decides
//! nothing about objects; `plan` does.
//!
//! A controller is a [`Reconciler`] on a [`Queue`] that observers of a [`Cache`] fill; [`driver`] has an example.

pub mod backoff;
pub mod cache;
pub mod client;
mod cluster_name;
pub mod driver;
pub mod events;
mod hold;
pub mod limits;
pub mod members;
pub mod metrics;
pub mod queue;
pub mod resource;
pub mod scope;
pub mod tunnel;

pub use backoff::Backoff;
pub use cache::Cache;
pub use client::{Api, Client, ClientError, Endpoint};
pub use cluster_name::ClusterName;
pub use driver::{Outcome, Reconciler};
pub use events::{EventRecorder, SuccessEvents};
pub use members::{Member, Members};
pub use metrics::Metrics;
pub use queue::Queue;
pub use resource::Resource;
