//! The process kit: what a program needs to serve, to be trusted, to tell the time and to stop.
//!
//! Everything here is about sockets, certificates, files and tasks. Nothing here knows a Kubernetes object, except for
//! the kubeconfig, which is a client's address book.

pub mod accept;
pub mod clock;
pub mod files;
pub mod kubeconfig;
pub mod pki;
pub mod server;
pub mod shutdown;
pub mod telemetry;
pub mod tls;

pub use clock::Clock;
pub use kubeconfig::Kubeconfig;
pub use shutdown::Shutdown;
