//! Certificates between the API server of a member and its kubelets.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use portolan_apiserver::proxy::{DirectDialer, Kubelets, client_config};
use portolan_net::pki::{Authority, Identity, PkiError, ServerNames};
use portolan_net::{Clock, Shutdown};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

use crate::config::Cluster;

/// Certificates are issued at every start.
const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The cluster's certificate authority.
    #[error("the certificates of the nodes: {0}")]
    Issue(#[from] PkiError),
    /// The CA file of an existing API server cannot be read.
    #[error("cannot read {path}, its kubeletClientCA: {source}")]
    ReadAuthority {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The CA file of an existing API server is not PEM.
    #[error("{path}, its kubeletClientCA, is not a PEM file with certificates: {source}")]
    ParseAuthority {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: pem::Error,
    },
    /// The CA file of an existing API server is empty.
    #[error("{0}, its kubeletClientCA, is not a PEM file with certificates: it has none")]
    NoAuthority(PathBuf),
}

/// Certificates of kubelets and of the API server as their client.
pub(super) struct KubeletCertificates {
    /// Client certificate of an embedded API server.
    client: Identity,
    /// Authority that signed both certificates.
    authority: CertificateDer<'static>,
    /// Server certificate of the kubelets.
    pub(super) server: Identity,
    /// Authorities of clients that kubelets trust.
    pub(super) client_authorities: Vec<CertificateDer<'static>>,
}

/// Opens the cluster's certificate authority, and reads that of an existing API server.
pub(super) fn issue(
    directory: &Path,
    cluster: &Cluster,
    clock: &Clock,
) -> Result<KubeletCertificates, CertificateError> {
    let now = clock.now();
    let authority = Authority::open(&directory.join("kubelet-pki"), "kubelet-ca", now)?;
    let names = ServerNames {
        common_name: "kubelet".to_owned(),
        dns: vec!["localhost".to_owned()],
        addresses: vec![std::net::Ipv4Addr::LOCALHOST.into()],
    };
    let server = authority.issue_server(&names, CERTIFICATE_LIFETIME, now)?;
    let client = authority.issue_client(
        "kube-apiserver-kubelet-client",
        Some("system:masters"),
        CERTIFICATE_LIFETIME,
        now,
    )?;
    let client_authorities = match &cluster.kubelet_client_ca {
        Some(path) => read_authorities(path)?,
        None => vec![authority.certificate().clone()],
    };
    Ok(KubeletCertificates { client, authority: authority.certificate().clone(), server, client_authorities })
}

fn read_authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let path = || path.to_owned();
    let pem = fs::read(path()).map_err(|source| CertificateError::ReadAuthority { path: path(), source })?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|source| CertificateError::ParseAuthority { path: path(), source })?;
    if found.is_empty() { Err(CertificateError::NoAuthority(path())) } else { Ok(found) }
}

/// Client of an embedded API server for kubelet connections.
pub(super) fn kubelet_client(
    certificates: &KubeletCertificates,
    scope: &Shutdown,
) -> Result<Kubelets, portolan_apiserver::proxy::TlsError> {
    let tls = client_config(std::slice::from_ref(&certificates.authority), &certificates.client)?;
    Ok(Kubelets::new(Arc::new(DirectDialer), tls, scope))
}
