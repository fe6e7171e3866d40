//! A Kubernetes-compatible API server over a Portolan store.
//!
//! Unmodified clients (kubectl, client-go, kube-rs, Helm) use it over TLS; controllers in this process use it without a
//! socket. It serves Kubernetes kinds and custom resources, and knows nothing of the federation.
//!
//! # Use
//! Make a [`Config`], start with [`ApiServer::start`], then serve [`ApiServer::service`] on a listener or call
//! [`ApiServer::local`]. Stop with [`ApiServer::stop`].
//!
//! # Layers
//! Each layer uses only those below it.
//!
//! ```text
//! api_server, service        start, stop; authentication of requests
//! dispatch                   authorization, routing, errors to replies
//! read, watch, write         handlers
//! websocket                  answers over a WebSocket
//! call                       context of one request
//! compute, fairness          threads for long computations; limits of each user
//! server                     state shared by all requests
//! resources, kinds, crd      served resources and the rules of their kinds
//! auth, request, record      pure rules and formats
//! ```
//!
//! # From a create to the watch of another client
//! The files in order:
//!
//! 1. `service.rs`: authenticates the request.
//! 2. `dispatch.rs`: impersonation and authorization; makes the [`Call`](call::Call).
//! 3. `dispatch/offload.rs`: reads the body, and moves long work to a compute thread. `dispatch/route.rs`: finds the
//!    resource and calls the handler.
//! 4. `write/create.rs`: `create` and `prepare` order the steps 5 to 11.
//! 5. `write/body.rs`: decodes JSON, YAML or protobuf by the schema of the kind.
//! 6. `write/metadata.rs`: sets uid, creationTimestamp and a generated name.
//! 7. `kinds/strategy.rs`: the kind's defaults and server-owned fields, and its validation (after step 8). Each
//!    built-in kind has its strategy in `kinds/`, custom resources have theirs in `crd/`.
//! 8. `write/admission.rs`: escalation check of RBAC, then the plugins of `admission.rs`.
//! 9. `record.rs`: encodes the object once; the bytes are the watch frame.
//! 10. `write/commit.rs`: commits to the store (crate `portolan_store`), which stamps the revision, makes the write
//!     durable and wakes watches.
//! 11. `watch/stream.rs`: the watch of the other client receives the event.
//! 12. `watch/frames.rs`: applies the selectors and sends the bytes of step 9.

mod access;
mod account_secrets;
pub mod admission;
mod aggregation;
mod aggregator;
pub mod allocation;
mod api_server;
pub mod audit;
pub mod auth;
mod background;
mod bootstrap;
mod ca_bundle;
mod call;
mod cluster_info;
mod compute;
mod config;
mod configured;
pub mod crd;
mod damage;
pub mod discovery;
mod dispatch;
pub mod encryption;
mod event_expiry;
mod fairness;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;
mod https;
mod interrupt;
pub mod kinds;
mod metrics;
pub mod mounted;
pub mod negotiate;
pub mod openapi;
mod packing;
mod pod_security;
pub mod proxy;
mod quota_locks;
mod quotas;
mod read;
pub mod record;
pub mod request;
pub mod resources;
pub mod respond;
mod server;
mod service;
mod service_endpoint;
mod tree;
mod validation;
mod watch;
mod websocket;
mod write;

pub use admission::{Admission, BuiltinPlugin};
pub use api_server::{ApiServer, StartError};
pub use auth::User;
pub use bootstrap::BootstrapError;
pub use config::{Config, VERSION};
pub use record::Record;
pub use respond::{Body, BoxError};
pub use service::{LocalService, RemoteService};
