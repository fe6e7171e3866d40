//! Kubeconfigs, found and read by kubectl's rules.
//!
//! [`KubeconfigFiles`] finds the files, [`KubeconfigContext`] is one context of them, and
//! [`KubeconfigContext::client`] connects. kube parses and merges the files and refreshes credentials (token files,
//! exec plugins, auth providers); the connection is our own, so that it speaks HTTP/2. A client certificate that an
//! exec plugin returns is used for the life of the client.
//!
//! Kubeconfigs are written by `portolan_net::kubeconfig`.

mod error;

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::client::ConfigExt;
use kube::config::{AuthInfo, Cluster, KubeConfigOptions, Kubeconfig as KubeKubeconfig};
use portolan_net::kubeconfig::{Cluster as FileCluster, User as FileUser};
use portolan_net::tls::trusting;
use rustls::ClientConfig;
use rustls::client::ResolvesClientCert;
use rustls_pki_types::CertificateDer;
use tower::ServiceBuilder;

use crate::client::Client;
use crate::client::connect::{Base, http_service, identity};
use crate::client::transport::Transport;

pub use error::KubeconfigError;

/// The environment variable with a list of files, separated by colons.
const VARIABLE: &str = "KUBECONFIG";
/// The file that is read when nothing names another one, below the home directory.
const DEFAULT_FILE: &str = ".kube/config";

/// The files that make up a kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubeconfigFiles {
    /// One file that a flag names. It must exist.
    Named(PathBuf),
    /// The files of `$KUBECONFIG`. They are merged: the first file that sets a value wins. Missing files are skipped.
    Listed(Vec<PathBuf>),
    /// `~/.kube/config`; `None` if there is no home directory.
    Default(Option<PathBuf>),
}

impl KubeconfigFiles {
    /// The file named by a flag; else the files of `$KUBECONFIG`; else `~/.kube/config`.
    pub fn find(named: Option<&Path>) -> Self {
        Self::choose(named, env::var_os(VARIABLE).as_deref(), env::home_dir().as_deref())
    }

    fn choose(named: Option<&Path>, variable: Option<&OsStr>, home: Option<&Path>) -> Self {
        if let Some(path) = named {
            return Self::Named(path.to_owned());
        }
        let listed = env::split_paths(variable.unwrap_or_default());
        let listed: Vec<PathBuf> = listed.filter(|path| !path.as_os_str().is_empty()).collect();
        if listed.is_empty() {
            return Self::Default(home.map(|home| home.join(DEFAULT_FILE)));
        }
        Self::Listed(listed)
    }

    /// Names of the contexts.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn contexts(&self) -> Result<Vec<String>, KubeconfigError> {
        Ok(self.read()?.contexts.into_iter().map(|entry| entry.name).collect())
    }

    /// The paths of the files, which may be missing.
    pub fn paths(&self) -> &[PathBuf] {
        match self {
            Self::Named(path) | Self::Default(Some(path)) => std::slice::from_ref(path),
            Self::Listed(paths) => paths,
            Self::Default(None) => &[],
        }
    }

    /// Reads and merges the files.
    fn read(&self) -> Result<KubeKubeconfig, KubeconfigError> {
        let mut merged = None;
        for path in self.paths() {
            let Some(next) = read_file(path, matches!(self, Self::Named(_)))? else { continue };
            merged = Some(match merged {
                None => next,
                Some(merged) => KubeKubeconfig::merge(merged, next)
                    .map_err(|source| KubeconfigError::invalid(path, &source))?,
            });
        }
        merged.ok_or_else(|| KubeconfigError::NotFound { searched: self.to_string() })
    }
}

impl fmt::Display for KubeconfigFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(self, Self::Default(None)) {
            return f.write_str("~/.kube/config");
        }
        let paths: Vec<String> = self.paths().iter().map(|path| path.display().to_string()).collect();
        f.write_str(&paths.join(", "))
    }
}

/// Reads one file; relative file names in it become absolute. `None` if the file is missing and need not exist.
fn read_file(path: &Path, must_exist: bool) -> Result<Option<KubeKubeconfig>, KubeconfigError> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // kube panics at half a character of UTF-16.
    if fs::read(&absolute).is_ok_and(|bytes| is_cut_utf16(&bytes)) {
        let reason = "it ends within a character of UTF-16".to_owned();
        return Err(KubeconfigError::Invalid { path: path.to_owned(), reason });
    }
    let mut config = match KubeKubeconfig::read_from(&absolute) {
        Ok(config) => config,
        Err(kube::config::KubeconfigError::ReadConfig(error, _))
            if error.kind() == io::ErrorKind::NotFound && !must_exist =>
        {
            return Ok(None);
        }
        Err(source) => return Err(KubeconfigError::invalid(path, &source)),
    };
    let (kind, version) = (config.kind.as_deref(), config.api_version.as_deref());
    if let (Some(kind), version) = (kind, version.unwrap_or("v1"))
        && (kind, version) != ("Config", "v1")
    {
        let reason = format!("it is a {kind} of {version}, not a Config of v1");
        return Err(KubeconfigError::Invalid { path: path.to_owned(), reason });
    }
    config.current_context = config.current_context.filter(|name| !name.is_empty());
    Ok(Some(config))
}

/// Whether a file starts as UTF-16 and has an odd number of bytes.
fn is_cut_utf16(bytes: &[u8]) -> bool {
    matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) && bytes.len() % 2 == 1
}

/// One context of a kubeconfig: a server, and the identity that requests to it have.
#[derive(Clone)]
pub struct KubeconfigContext {
    name: String,
    /// The files, for messages.
    files: String,
    cluster: Cluster,
    cluster_name: String,
    user: AuthInfo,
    config: kube::Config,
}

impl fmt::Debug for KubeconfigContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeconfigContext")
            .field("name", &self.name)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl KubeconfigContext {
    /// Reads a context; the current one when `context` is absent. Nothing is sent, and no exec plugin is started.
    ///
    /// # Errors
    /// [`KubeconfigError`] naming the file, the entry and the next step.
    pub async fn load(files: &KubeconfigFiles, context: Option<&str>) -> Result<Self, KubeconfigError> {
        let kubeconfig = files.read()?;
        let origin = files.to_string();
        let names = || kubeconfig.contexts.iter().map(|entry| entry.name.clone()).collect();
        let name = context
            .or(kubeconfig.current_context.as_deref())
            .ok_or_else(|| KubeconfigError::NoCurrentContext { files: origin.clone(), known: names() })?;
        let missing = |kind, name: &str, known| KubeconfigError::Missing {
            files: origin.clone(),
            kind,
            name: name.to_owned(),
            known,
        };
        let entry = kubeconfig.contexts.iter().find(|entry| entry.name == name);
        let entry = entry.ok_or_else(|| missing("context", name, names()))?;
        let chosen = entry.context.clone().unwrap_or_default();
        let clusters = &kubeconfig.clusters;
        let cluster = clusters.iter().find(|entry| entry.name == chosen.cluster).ok_or_else(|| {
            missing("cluster", &chosen.cluster, clusters.iter().map(|entry| entry.name.clone()).collect())
        })?;
        let cluster_name = chosen.cluster.clone();
        let cluster = cluster.cluster.clone().unwrap_or_default();
        if cluster.server.as_deref().unwrap_or_default().is_empty() {
            return Err(KubeconfigError::NoServer { files: origin, cluster: chosen.cluster });
        }
        let users = &kubeconfig.auth_infos;
        let user = match chosen.user.as_deref().unwrap_or_default() {
            "" => AuthInfo::default(),
            wanted => {
                let user = users.iter().find(|entry| entry.name == wanted).ok_or_else(|| {
                    missing("user", wanted, users.iter().map(|entry| entry.name.clone()).collect())
                })?;
                user.auth_info.clone().unwrap_or_default()
            }
        };
        let name = name.to_owned();
        let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let config = config.map_err(|source| KubeconfigError::unusable(&origin, &name, &source))?;
        Ok(Self { name, files: origin, cluster, cluster_name, user, config })
    }

    /// A client of the server. Starts the exec plugin if the user has one; nothing is sent.
    ///
    /// # Errors
    /// When the address or the credential cannot be used.
    pub fn client(&self) -> Result<Client, KubeconfigError> {
        if self.cluster.proxy_url.as_deref().is_some_and(|proxy| !proxy.is_empty()) {
            return Err(KubeconfigError::Proxy { files: self.files.clone(), context: self.name.clone() });
        }
        if let Some(provider) = &self.user.auth_provider {
            let (files, context) = (self.files.clone(), self.name.clone());
            return Err(KubeconfigError::AuthProvider { files, context, provider: provider.name.clone() });
        }
        if self.config.proxy_url.is_some() && !is_loopback(self.config.cluster_url.host()) {
            tracing::warn!(server = %self.config.cluster_url, "the proxy of HTTPS_PROXY is not used, connecting directly");
        }
        let origin = Origin { files: &self.files, context: &self.name, user: &self.user };
        transport(&self.config, &origin).map(Client::over)
    }

    /// The same context; requests are sent as another user, if that is allowed (`kubectl --as`). Without `user` nothing
    /// changes.
    #[must_use]
    pub fn impersonating(mut self, user: Option<&str>, groups: &[String]) -> Self {
        if let Some(user) = user {
            self.config.auth_info.impersonate = Some(user.to_owned());
            self.config.auth_info.impersonate_groups = (!groups.is_empty()).then(|| groups.to_owned());
        }
        self
    }

    /// Name of the cluster in the kubeconfig.
    pub fn cluster_name(&self) -> &str {
        &self.cluster_name
    }

    /// Namespace of the context, `default` if it names none.
    pub fn namespace(&self) -> &str {
        &self.config.default_namespace
    }

    /// URL of the server.
    pub fn server(&self) -> &str {
        self.cluster.server.as_deref().unwrap_or_default()
    }

    /// The authorities that the server's certificate is verified with, PEM; `None` for those of the system.
    pub fn ca_pem(&self) -> Option<String> {
        let certificates = self.config.root_cert.as_ref()?;
        Some(certificates.iter().map(|certificate| portolan_net::pki::pem(certificate)).collect())
    }

    /// `insecure-skip-tls-verify`: the server's certificate is not verified.
    pub fn skips_tls_verification(&self) -> bool {
        self.cluster.insecure_skip_tls_verify == Some(true)
    }

    /// `tls-server-name`: the name that the server's certificate must have, if it is not the host of the URL.
    pub fn tls_server_name(&self) -> Option<&str> {
        self.cluster.tls_server_name.as_deref().filter(|name| !name.is_empty())
    }

    /// The cluster and the user, for a kubeconfig that this process writes. File names in them are absolute.
    ///
    /// # Errors
    /// When an entry has a form that kubeconfigs do not have.
    pub fn entry(&self) -> Result<(FileCluster, FileUser), KubeconfigError> {
        let unusable = |error: serde_json::Error| KubeconfigError::Unusable {
            files: self.files.clone(),
            context: self.name.clone(),
            reason: error.to_string(),
        };
        let cluster =
            serde_json::to_value(&self.cluster).and_then(serde_json::from_value).map_err(unusable)?;
        let user = serde_json::to_value(&self.user).and_then(serde_json::from_value).map_err(unusable)?;
        Ok((cluster, user))
    }
}

/// A client with the service account of the pod that the process runs in. Its credentials are read again as they are
/// renewed.
pub(super) fn in_cluster() -> Result<Client, KubeconfigError> {
    let config =
        kube::Config::incluster().map_err(|source| KubeconfigError::NotInCluster(Box::new(source)))?;
    let user = AuthInfo::default();
    let origin = Origin { files: "the service account of the pod", context: "in-cluster", user: &user };
    transport(&config, &origin).map(Client::over)
}

/// Whether a host of a URL is this machine, which kubectl reaches without a proxy too.
fn is_loopback(host: Option<&str>) -> bool {
    let Some(host) = host else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Where a configuration comes from, for messages.
struct Origin<'a> {
    files: &'a str,
    context: &'a str,
    user: &'a AuthInfo,
}

/// A connection as `config` says. Proxies of the environment are not used.
fn transport(config: &kube::Config, origin: &Origin<'_>) -> Result<Transport, KubeconfigError> {
    let credential = |source| KubeconfigError::credential(origin, source);
    let server = |source| KubeconfigError::Server {
        files: origin.files.to_owned(),
        context: origin.context.to_owned(),
        source,
    };
    let url = config.cluster_url.to_string();
    let base = Base::parse(&url).map_err(server)?;
    let tls = match config.cluster_url.scheme_str() {
        Some("http") => None,
        _ => Some(tls_config(config).map_err(credential)?),
    };
    let auth = config.auth_layer().map_err(credential)?;
    let headers = config.extra_headers_layer().map_err(credential)?;
    let http = http_service(&base, tls, config.tls_server_name.as_deref(), None).map_err(server)?;
    let service = ServiceBuilder::new().option_layer(auth).layer(headers).service(http);
    Ok(Transport::new(service, url))
}

/// TLS settings as `config` says.
fn tls_config(config: &kube::Config) -> Result<ClientConfig, kube::Error> {
    let mut tls = tls_config_of_kube(config)?;
    let authorities = config.root_cert.as_ref().filter(|_| !config.accept_invalid_certs);
    let trusted = authorities.map(|all| {
        trusting(all.iter().map(|certificate| CertificateDer::from(certificate.clone())).collect())
    });
    // If it cannot be made, kube's own verifier stays.
    if let Some(Ok(verifier)) = trusted {
        tls.dangerous().set_certificate_verifier(verifier);
    }
    Ok(tls)
}

/// TLS settings with kube's verifier. The client certificate is presented as it is; kube refuses those of version 1. One that
/// cannot be read or used, and one of an exec plugin, is left to kube, which explains what is wrong.
fn tls_config_of_kube(config: &kube::Config) -> Result<ClientConfig, kube::Error> {
    let Some(resolver) = client_certificate(&config.auth_info) else {
        return config.rustls_client_config();
    };
    let mut anonymous = config.clone();
    let user = &mut anonymous.auth_info;
    (user.client_certificate, user.client_certificate_data) = (None, None);
    (user.client_key, user.client_key_data) = (None, None);
    let mut tls = anonymous.rustls_client_config()?;
    tls.client_auth_cert_resolver = resolver;
    Ok(tls)
}

/// The client certificate of a user; data in the kubeconfig come before files.
fn client_certificate(user: &AuthInfo) -> Option<Arc<dyn ResolvesClientCert>> {
    if user.exec.is_some() {
        return None;
    }
    // The key's type hides its text from everything except serialization.
    let entry = serde_json::to_value(user).ok()?;
    let pem = |data: &str, file: &str| match entry[data].as_str() {
        Some(encoded) => STANDARD.decode(encoded.trim()).ok(),
        None => fs::read(entry[file].as_str()?).ok(),
    };
    let chain_pem = pem("client-certificate-data", "client-certificate")?;
    let key_pem = pem("client-key-data", "client-key")?;
    identity::resolver(&chain_pem, &key_pem).ok()
}

#[cfg(test)]
mod tests;
