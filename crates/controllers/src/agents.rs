//! Clusters in pull mode, in the control plane: their agents get certificates and roles.
//!
//! ```text
//! token ─► certificate request ─► approval (roles, then "Approved") ─► signer ─► agent
//! ```
//!
//! The decisions are in `portolan_plan::clusters::agents`; the signer is in `kubernetes/signing_requests.rs`.

mod approval;
mod certificate;
mod cluster_info;
mod kubeconfig;
mod token;

use crate::hub::Hub;
pub use certificate::{CertificateError, obtain_certificate};
pub use cluster_info::{ClusterInfoError, verified_server};
pub use kubeconfig::{KubeconfigError, agent_kubeconfig, read_agent_kubeconfig};
pub use token::{
    RegistrationAddress, TokenRequest, create_token, delete_token, registration_address, tokens,
};

/// Starts the controllers.
pub(crate) fn start(hub: &Hub) {
    approval::start(hub);
}
