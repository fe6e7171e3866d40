//! Sockets, TLS, certificates, private files, clock and shutdown of a process.
//!
//! Nothing here knows a Kubernetes object, except for the kubeconfig.

pub mod accept;
pub mod bootstrap;
pub mod clock;
pub mod dial;
pub mod files;
pub mod huge_pages;
pub mod kubeconfig;
pub mod pki;
pub mod priority;
pub mod server;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
pub mod trace;
pub mod tunnel;

pub use clock::Clock;
pub use kubeconfig::Kubeconfig;
pub use shutdown::Shutdown;
pub use trace::TraceContext;
