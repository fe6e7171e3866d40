//! A client from a kubeconfig file.
//!
//! kube reads the file and refreshes its credentials (tokens in files, exec plugins, auth providers); the connection
//! is our own, so that it speaks HTTP/2.

use std::path::{Path, PathBuf};

use kube::client::ConfigExt;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tower::ServiceBuilder;

use crate::client::connect::{Base, ConnectError, http_service};
use crate::client::transport::Transport;

/// Why a kubeconfig file gave no client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KubeconfigError {
    /// Not readable, not YAML, or the context is not in it.
    #[error("kubeconfig {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What kube said.
        source: Box<kube::config::KubeconfigError>,
    },
    /// The certificates or the credentials cannot be used.
    #[error("kubeconfig {}: {source}", path.display())]
    Credential {
        /// The file.
        path: PathBuf,
        /// What kube said.
        source: Box<kube::Error>,
    },
    /// The server's address cannot be used.
    #[error("kubeconfig {}: {source}", path.display())]
    Server {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ConnectError,
    },
    /// `proxy-url` is not supported.
    #[error("kubeconfig {}: proxy-url is not supported", path.display())]
    Proxy {
        /// The file.
        path: PathBuf,
    },
    /// The process does not run in a pod, or its service account is not mounted.
    #[error("this is no pod with a service account: give a kubeconfig file instead")]
    NotInCluster(#[source] Box<kube::config::InClusterError>),
}

pub(super) async fn transport(path: &Path, context: Option<&str>) -> Result<Transport, KubeconfigError> {
    let file = |source| KubeconfigError::File { path: path.to_path_buf(), source: Box::new(source) };
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let kubeconfig = Kubeconfig::read_from(path).map_err(file)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(file)?;
    connect(&config, path)
}

/// The service account's credentials are read again as they are renewed.
pub(super) fn in_cluster() -> Result<Transport, KubeconfigError> {
    let config =
        kube::Config::incluster().map_err(|source| KubeconfigError::NotInCluster(Box::new(source)))?;
    connect(&config, Path::new("of the pod's service account"))
}

/// A connection as `config` says; `path` is where it comes from.
fn connect(config: &kube::Config, path: &Path) -> Result<Transport, KubeconfigError> {
    let credential =
        |source| KubeconfigError::Credential { path: path.to_path_buf(), source: Box::new(source) };
    let server = |source| KubeconfigError::Server { path: path.to_path_buf(), source };
    if config.proxy_url.is_some() {
        return Err(KubeconfigError::Proxy { path: path.to_path_buf() });
    }
    let url = config.cluster_url.to_string();
    let base = Base::parse(&url).map_err(server)?;
    let tls = match config.cluster_url.scheme_str() {
        Some("http") => None,
        _ => Some(config.rustls_client_config().map_err(credential)?),
    };
    let auth = config.auth_layer().map_err(credential)?;
    let http = http_service(&base, tls, config.tls_server_name.as_deref()).map_err(server)?;
    let service = ServiceBuilder::new().option_layer(auth).service(http);
    Ok(Transport::new(service, url))
}
