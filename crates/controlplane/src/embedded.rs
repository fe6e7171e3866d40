//! An API server in this process: its store, its certificates, its address, and the controllers of every cluster.
//!
//! The control plane is one, and so is each embedded member of a playground. The stored objects survive a restart, and
//! the server takes its last port again unless another process has it.

mod front_proxy;
mod tokens;

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portolan_apiserver::audit::Audit;
use portolan_apiserver::auth::oidc::{AuthenticationConfiguration, ConfigurationError, JwtIssuers, Roots};
use portolan_apiserver::auth::{Authentication, User as ApiUser};
use portolan_apiserver::encryption::Encryption;
use portolan_apiserver::mounted::Mounted;
use portolan_apiserver::proxy::{Backends, Forwarder, Kubelets};
use portolan_apiserver::{Admission, ApiServer, BuiltinPlugin, LocalService, Record};
use portolan_controllers::kubernetes;
use portolan_net::kubeconfig::{Cluster, Kubeconfig, NamedCluster};
use portolan_net::server::{ConnectionMetrics, ListenError, Server, listen};
use portolan_net::tls::{ClientCertificates, TlsError, server_config};
use portolan_net::{Clock, Shutdown, telemetry};
use portolan_object::{GroupVersionKind, ObjectKey};
use portolan_runtime::client::{StoredObject, StoredObjects};
use portolan_runtime::{Client, Resource};
use portolan_store::{Batch, OpenError, Store, ValueTransformer, Write};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::address::{self, TlsSan};
use crate::certificates::{ADMINISTRATOR, CertificateError, CertificatePolicy, Certificates};
use crate::kubeconfig::{ContextEntry, ContextUser};
use crate::metrics;
use crate::service_cidr::ServiceCidr;
use crate::state::DATABASE;

pub use tokens::TokenKeyError;

/// Time for an API server's background tasks to stop.
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(1);

/// Why an API server does not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedServerError {
    /// The database.
    #[error("the store of {cluster}: {source}")]
    Store {
        /// Name of the server.
        cluster: String,
        /// The cause.
        source: OpenError,
    },
    /// The certificates.
    #[error("the certificates of {cluster}: {source}")]
    Certificates {
        /// Name of the server.
        cluster: String,
        /// The cause.
        source: CertificateError,
    },
    /// The key that signs service account tokens.
    #[error("the service account key of {cluster}: {source}")]
    Tokens {
        /// Name of the server.
        cluster: String,
        /// The cause.
        source: TokenKeyError,
    },
    /// Who is trusted to name users.
    #[error("the authentication of {cluster}: {source}")]
    Authentication {
        /// Name of the server.
        cluster: String,
        /// The cause.
        source: ConfigurationError,
    },
    /// TLS.
    #[error("TLS of {cluster}: {source}")]
    Tls {
        /// Name of the server.
        cluster: String,
        /// The cause.
        source: TlsError,
    },
    /// The address.
    #[error("the API server of {cluster}: {source}")]
    Listen {
        /// Name of the server.
        cluster: String,
        /// The cause.
        source: ListenError,
    },
    /// The API server itself.
    #[error("the API server of {cluster}: {source}")]
    ApiServer {
        /// Name of the server.
        cluster: String,
        /// The cause.
        source: portolan_apiserver::StartError,
    },
}

/// What administrators configure of an API server; by default nothing.
#[derive(Debug, Clone, Default)]
pub struct ApiServerOptions {
    /// The audit log.
    pub audit: Option<Audit>,
    /// Who is trusted to name users besides this server.
    pub authentication: AuthenticationOptions,
    /// What is encrypted in the store.
    pub encryption: Arc<Encryption>,
    /// Built-in admission plugins that are turned off.
    pub disabled_admission: BTreeSet<BuiltinPlugin>,
}

/// Authentication besides certificates and tokens of this server.
#[derive(Debug, Clone, Default)]
pub struct AuthenticationOptions {
    /// OpenID Connect providers and requests without credentials.
    pub configuration: AuthenticationConfiguration,
    /// Authorities for providers that name none.
    pub roots: Roots,
}

impl AuthenticationOptions {
    fn authentication(&self) -> Result<Authentication, ConfigurationError> {
        let configuration = &self.configuration;
        let providers = JwtIssuers::new(configuration, &self.roots)?;
        let mut authentication = Authentication::default().with_providers(providers);
        if configuration.refuses_anonymous() {
            authentication = authentication.without_anonymous();
        }
        Ok(match configuration.anonymous_paths() {
            Some(paths) => authentication.with_anonymous_paths(paths),
            None => authentication,
        })
    }
}

/// Settings of an API server.
pub struct Settings<'a> {
    /// Its name, for messages and certificates.
    pub name: &'a str,
    /// Its directory.
    pub directory: &'a Path,
    /// Ranges of the addresses of Services.
    pub service_cidr: ServiceCidr,
    /// The address to listen on; `None` for the last port, or a free one, on 127.0.0.1.
    pub address: Option<SocketAddr>,
    /// The address by which clients on other machines reach it, if it differs from `address`.
    pub advertise_address: Option<IpAddr>,
    /// Further names and addresses that its certificate covers.
    pub tls_sans: &'a [TlsSan],
    /// Address by which pods reach it: the endpoint of the Service `default/kubernetes`. `None`: no such Service.
    pub endpoint: Option<SocketAddr>,
    /// Admission plugins.
    pub admission: Vec<Arc<dyn Admission>>,
    /// Client for the kubelets of its nodes; `None` if it has no nodes.
    pub kubelets: Option<Kubelets>,
    /// Subresources that other API servers answer.
    pub backends: Option<Arc<dyn Backends>>,
    /// Paths that the program answers.
    pub mounted: Option<Arc<dyn Mounted>>,
    /// What administrators configure.
    pub options: ApiServerOptions,
    /// Life and renewal of its certificates.
    pub certificates: CertificatePolicy,
    /// The metrics of the process, to which it adds its own and which it serves at `/metrics`; `None` for a server that
    /// is not reported.
    pub metrics: Option<telemetry::Metrics>,
    /// The clock.
    pub clock: &'a Clock,
}

/// A running API server.
pub struct EmbeddedServer {
    /// A client with the rights of an administrator, without a socket.
    pub client: Client,
    /// The address it listens on.
    pub address: SocketAddr,
    /// The address by which clients on other machines reach it; `None` if this machine has no route.
    pub advertised: Option<SocketAddr>,
    /// URL for clients on this machine.
    pub url: String,
    /// The authority of its certificates, PEM.
    pub ca_pem: String,
    certificates: Certificates,
    api_server: ApiServer,
    store: Store<Record>,
}

impl EmbeddedServer {
    /// Starts the server; it ends with `scope`.
    ///
    /// # Errors
    /// [`EmbeddedServerError`] naming the server and the cause. Nothing stored is touched then.
    pub async fn start(settings: Settings<'_>, scope: &Shutdown) -> Result<Self, EmbeddedServerError> {
        let cluster = || settings.name.to_owned();
        let transformer: Arc<dyn ValueTransformer> = settings.options.encryption.clone();
        let options = portolan_store::Options { transformer, ..portolan_store::Options::default() };
        let store = Store::open_with(&settings.directory.join(DATABASE), options)
            .await
            .map_err(|source| EmbeddedServerError::Store { cluster: cluster(), source })?;
        discard_damaged_definitions(&store).await;
        let (listener, address) =
            bind(&settings).map_err(|source| EmbeddedServerError::Listen { cluster: cluster(), source })?;
        let advertised = address::advertised(address, settings.advertise_address);
        let pki = settings.directory.join("pki");
        let names = address::server_names(address, advertised, settings.tls_sans, settings.service_cidr);
        let now = settings.clock.now();
        let certificates = Certificates::issue(settings.name, &pki, names, settings.certificates, now)
            .map_err(|source| EmbeddedServerError::Certificates { cluster: cluster(), source })?;
        let issuer = tokens::open_issuer(&pki)
            .map_err(|source| EmbeddedServerError::Tokens { cluster: cluster(), source })?;
        let front_proxy = front_proxy::open_front_proxy(&pki, now).map_err(CertificateError::from);
        let front_proxy =
            front_proxy.map_err(|source| EmbeddedServerError::Certificates { cluster: cluster(), source })?;
        let authentication = settings.options.authentication.authentication();
        let authentication = authentication
            .map_err(|source| EmbeddedServerError::Authentication { cluster: cluster(), source })?;
        let config = portolan_apiserver::Config {
            authentication: authentication.with_issuer(issuer),
            service_cidr: Some(settings.service_cidr.primary),
            second_service_cidr: settings.service_cidr.secondary,
            kubelets: settings.kubelets.clone(),
            mounted: settings.mounted.clone(),
            forwarder: settings.backends.clone().map(|backends| Forwarder::new(backends, scope)),
            kubernetes_address: settings.service_cidr.api_server_addresses().next(),
            // Kubernetes has no endpoints at loopback addresses.
            endpoint: settings.endpoint.or(advertised.filter(|address| !address.ip().is_loopback())),
            root_ca: Some(certificates.authority_pem().to_owned()),
            cluster_info: Some(cluster_info(address, advertised, certificates.authority_pem())),
            front_proxy: Some(front_proxy),
            audit: settings.options.audit.clone(),
            admission: settings.admission.clone(),
            disabled_admission: settings.options.disabled_admission.clone(),
            metrics: settings.metrics.clone(),
            clock: settings.clock.clone(),
            ..portolan_apiserver::Config::default()
        };
        let api_server = ApiServer::start(config, store.clone())
            .await
            .map_err(|source| EmbeddedServerError::ApiServer { cluster: cluster(), source })?;
        let clients = ClientCertificates::SignedBy(vec![certificates.authority()]);
        let tls_config = server_config(certificates.serving(), &clients)
            .map_err(|source| EmbeddedServerError::Tls { cluster: cluster(), source })?;
        let connections = ConnectionMetrics::default();
        if let Some(page) = &settings.metrics {
            page.register(|registry| connections.register(registry));
        }
        Server::tls(listener, tls_config).metrics(connections).spawn(api_server.service(), scope);
        certificates.keep_renewed(settings.clock, scope);
        remember_port(settings.directory, address.port());
        let (user, group) = ADMINISTRATOR;
        let service = api_server.local(ApiUser::new(user, [group]));
        let client = Client::in_process(service.clone()).with_stored(Arc::new(Stored(service)));
        let ca_pem = certificates.authority_pem().to_owned();
        let definitions = kubernetes::definitions(&client, scope);
        kubernetes::housekeeping(&client, &definitions, &ca_pem, settings.clock, scope);
        kubernetes::certificates(&client, certificates.signer(settings.clock), settings.clock, scope);
        let url = address::local_url(address);
        Ok(Self { client, address, advertised, url, ca_pem, certificates, api_server, store })
    }

    /// A kubeconfig context with the rights of an administrator, for clients on this machine.
    pub fn administrator(&self, context: &str) -> ContextEntry {
        ContextEntry {
            name: context.to_owned(),
            cluster: Cluster::new(&*self.url, &self.ca_pem),
            user: ContextUser::Renewed(self.certificates.administrator()),
        }
    }

    /// Keys of the stored objects that cannot be read.
    pub fn damaged_objects(&self) -> Vec<Arc<str>> {
        self.store.damaged_below("").into_iter().map(|damaged| damaged.key).collect()
    }

    /// The certificates of the server.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Adds the expiry of the certificates to `registry`.
    pub fn register_metrics(&self, registry: &mut Registry) {
        metrics::register(&self.certificates, registry);
    }

    /// Ends watches and refuses to be ready: the first step of stopping.
    pub fn drain(&self) {
        self.api_server.drain();
    }

    /// Closes the store; to be called when the scope has ended.
    pub async fn close(self) {
        if let Err(error) = self.api_server.stop(BACKGROUND_TIMEOUT).await {
            tracing::debug!(%error, "background tasks of an API server");
        }
        self.store.close().await;
    }
}

/// A kubeconfig without a user that names the server by the address for clients on other machines, if there is one. The
/// cluster has no name, as kubeadm's readers expect.
fn cluster_info(listening: SocketAddr, advertised: Option<SocketAddr>, ca_pem: &str) -> String {
    let url =
        advertised.map_or_else(|| address::local_url(listening), |address| format!("https://{address}"));
    let cluster = NamedCluster { name: String::new(), cluster: Cluster::new(url, ca_pem) };
    Kubeconfig { clusters: vec![cluster], ..Kubeconfig::new() }.to_yaml()
}

/// Deletes damaged CustomResourceDefinitions of this program: each start writes them again, with the same content.
async fn discard_damaged_definitions(store: &Store<Record>) {
    if store.damaged_below("").is_empty() {
        return;
    }
    for definition in portolan_api::crd::all() {
        let name = definition["metadata"]["name"].as_str().unwrap_or_default();
        let key = format!("apiextensions.k8s.io/customresourcedefinitions/{name}");
        if store.damaged(&key).is_some() {
            let deletion = Batch { guards: Vec::new(), writes: vec![Write::Delete(key.as_str().into())] };
            match store.commit(deletion).await {
                Ok(_) => tracing::warn!(key, "a damaged definition is written again"),
                Err(error) => tracing::error!(key, ?error, "a damaged definition cannot be written again"),
            }
        }
    }
}

/// Listens on the given address, or on the last port, or on a free one.
fn bind(settings: &Settings<'_>) -> Result<(TcpListener, SocketAddr), ListenError> {
    let listener = match settings.address {
        Some(address) => listen(address)?,
        None => {
            let last = last_port(settings.directory);
            match last.and_then(|port| listen((Ipv4Addr::LOCALHOST, port).into()).ok()) {
                Some(listener) => listener,
                None => listen((Ipv4Addr::LOCALHOST, 0).into())?,
            }
        }
    };
    let bound = listener.local_addr().map_err(|source| {
        let address = settings.address.unwrap_or((Ipv4Addr::LOCALHOST, 0).into());
        ListenError { address, source }
    })?;
    Ok((listener, bound))
}

fn port_file(directory: &Path) -> PathBuf {
    directory.join("port")
}

/// The port of the last run. A file that cannot be read or parsed counts as missing: a free port is taken then.
fn last_port(directory: &Path) -> Option<u16> {
    fs::read_to_string(port_file(directory)).ok()?.trim().parse().ok()
}

/// A failure only means another port after the next start.
fn remember_port(directory: &Path, port: u16) {
    if let Err(error) = fs::write(port_file(directory), format!("{port}\n")) {
        tracing::warn!(%error, "cannot remember the port of the API server");
    }
}

/// The objects of the embedded API server.
struct Stored(LocalService);

impl StoredObjects for Stored {
    fn find(&self, resource: &Resource, key: &ObjectKey, version: u64) -> Option<Arc<dyn StoredObject>> {
        let GroupVersionKind { group, version: api_version, .. } = &resource.gvk;
        let names = (&*key.namespace, &*key.name);
        let record = self.0.stored((group, api_version, &resource.plural), names, version)?;
        Some(Arc::new(StoredRecord(record)))
    }
}

/// An object of the embedded API server, at one version.
struct StoredRecord(Arc<Record>);

impl StoredObject for StoredRecord {
    fn text(&self) -> Bytes {
        self.0.object()
    }
}

#[cfg(test)]
mod tests;
