//! The control plane in one process: an API server with the federation's kinds, and the controllers.
//!
//! `portolan server` runs a [`ControlPlane`]. The playground runs one too, and builds its member clusters from the same
//! [`embedded::EmbeddedServer`].
//!
//! ```text
//! StateDirectory ── _control-plane/store.db          objects
//!                ├─ _control-plane/pki/ca.{crt,key}  authority, ten years
//!                ├─ _control-plane/pki/service-account.key
//!                ├─ _control-plane/port              last port
//!                ├─ _control-plane/restored.json     after a restore: from which backup
//!                └─ portolan.config                  kubeconfig, rewritten when its certificate is renewed
//! ```

mod address;
mod admission;
mod agent_roles;
mod backup;
mod certificates;
mod cluster_proxy;
mod control_plane;
mod definitions;
pub mod embedded;
pub mod kubeconfig;
mod metrics;
mod proxy_role;
mod search;
mod service_cidr;
mod state;
mod storage;
mod trust;

pub use address::{AdvertiseAddressError, TlsSan, TlsSanError, parse_advertise_address};
pub use backup::{BackupError, Restored, backup, restore};
pub use certificates::{CertificateError, CertificateExpiry, CertificatePolicy, Certificates, Validity};
pub use control_plane::{ControlPlane, ControlPlaneSettings, StartError};
pub use definitions::InstallError;
pub use embedded::{ApiServerOptions, AuthenticationOptions};
pub use portolan_apiserver::BuiltinPlugin;
pub use portolan_apiserver::audit;
pub use portolan_apiserver::auth::oidc;
pub use portolan_apiserver::encryption;
pub use portolan_controllers::Options as ControllerOptions;
pub use portolan_store::{CopySummary, RewriteSummary};
pub use service_cidr::{ServiceCidr, ServiceCidrError};
pub use state::{StateDirectory, StateError};
pub use storage::{StorageError, migrate_storage};
