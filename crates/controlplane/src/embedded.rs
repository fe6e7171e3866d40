//! An API server in this process: its store, its certificates, its address, and the controllers of every cluster.
//!
//! The control plane and the members of a playground are each one of these. What they hold survives a restart, and
//! they come back at the same address as long as nobody else took it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use portolan_apiserver::auth::token::{Issuer, KeyError, SigningKey};
use portolan_apiserver::auth::{Authentication, User as ApiUser};
use portolan_apiserver::proxy::Kubelets;
use portolan_apiserver::{Admission, ApiServer, Record};
use portolan_controllers::kubernetes;
use portolan_net::files::{FileError, write_private};
use portolan_net::kubeconfig::{Cluster, User};
use portolan_net::pki::{Authority, Identity, PkiError, ServerNames};
use portolan_net::server::{ListenError, Server, listen};
use portolan_net::tls::{ClientCertificates, ServerCertificate, TlsError, server_config};
use portolan_net::{Clock, Kubeconfig, Shutdown};
use portolan_runtime::Client;
use portolan_store::{OpenError, Store};
use ring::rand::SystemRandom;
use tokio::net::TcpListener;

/// Time for an API server's background tasks to stop.
const BACKGROUND_PATIENCE: Duration = Duration::from_secs(1);
/// Certificates are issued anew at every start, so they need not last.
const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);
/// Who issues service account tokens; the usual name inside clusters.
const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
/// The user of the kubeconfigs, and the group that may do everything.
const ADMINISTRATOR: (&str, &str) = ("kubernetes-admin", "system:masters");

/// Why an embedded cluster does not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedServerError {
    /// The database.
    #[error("the store of {cluster}: {source}")]
    Store {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: OpenError,
    },
    /// The certificates.
    #[error("the certificates of {cluster}: {source}")]
    Certificates {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: PkiError,
    },
    /// The key that signs service account tokens.
    #[error("the service account key of {cluster}: {source}")]
    Tokens {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: TokenKeyError,
    },
    /// TLS.
    #[error("TLS of {cluster}: {source}")]
    Tls {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: TlsError,
    },
    /// The address.
    #[error("the API server of {cluster}: {source}")]
    Listen {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: ListenError,
    },
    /// The API server itself.
    #[error("the API server of {cluster}: {source}")]
    ApiServer {
        /// Which cluster.
        cluster: String,
        /// Why.
        source: portolan_apiserver::StartError,
    },
}

/// Why the key for service account tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenKeyError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Reading it.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its content.
    #[error(
        "{path} holds no usable key ({source}); remove it to get a new one: tokens issued so far end then"
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
}

/// What an embedded cluster is to be.
pub struct Settings<'a> {
    /// Its name, for messages and certificates.
    pub name: &'a str,
    /// Its folder.
    pub directory: &'a Path,
    /// Range of the addresses of Services.
    pub service_cidr: IpNet,
    /// A range of the other address family, for dual-stack Services.
    pub second_service_cidr: Option<IpNet>,
    /// Its address; that of the last run, else a free port, when absent.
    pub address: Option<SocketAddr>,
    /// Where its pods reach it: the endpoint of the Service `default/kubernetes`. Without it there is no such Service.
    pub endpoint: Option<SocketAddr>,
    /// What else decides about requests.
    pub admission: Vec<Arc<dyn Admission>>,
    /// How it calls the kubelets of its nodes; none when it has no nodes.
    pub kubelets: Option<Kubelets>,
    /// The clock.
    pub clock: &'a Clock,
}

/// A running API server.
pub struct EmbeddedServer {
    /// As an administrator, without a socket.
    pub client: Client,
    /// Its address on this machine.
    pub address: SocketAddr,
    /// Its URL.
    pub url: String,
    /// The CA of its certificate, PEM.
    pub ca_pem: String,
    administrator: Identity,
    api_server: ApiServer,
    store: Store<Record>,
}

impl EmbeddedServer {
    /// Starts it; it ends with `scope`.
    ///
    /// # Errors
    /// [`EmbeddedServerError`] naming the cluster and the cause. Nothing stored is touched then.
    pub async fn start(settings: Settings<'_>, scope: &Shutdown) -> Result<Self, EmbeddedServerError> {
        let cluster = || settings.name.to_owned();
        let certificates = |source| EmbeddedServerError::Certificates { cluster: cluster(), source };
        let now = settings.clock.now();
        let database = settings.directory.join("store.db");
        let store = Store::open(&database)
            .await
            .map_err(|source| EmbeddedServerError::Store { cluster: cluster(), source })?;
        let authority =
            Authority::open(&settings.directory.join("pki"), &format!("{}-ca", settings.name), now)
                .map_err(certificates)?;
        let listener =
            bind(&settings).map_err(|source| EmbeddedServerError::Listen { cluster: cluster(), source })?;
        let address = listener.local_addr().map_err(|source| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            EmbeddedServerError::Listen { cluster: cluster(), source: ListenError { address, source } }
        })?;
        let names = server_names(&settings);
        let server = authority.issue_server(&names, CERTIFICATE_LIFETIME, now).map_err(certificates)?;
        let (user, group) = ADMINISTRATOR;
        let administrator =
            authority.issue_client(user, &[group], CERTIFICATE_LIFETIME, now).map_err(certificates)?;
        let issuer = issuer(&settings.directory.join("pki"))
            .map_err(|source| EmbeddedServerError::Tokens { cluster: cluster(), source })?;
        let config = portolan_apiserver::Config {
            authentication: Authentication::default().with_issuer(issuer),
            service_cidr: Some(settings.service_cidr),
            second_service_cidr: settings.second_service_cidr,
            kubelets: settings.kubelets.clone(),
            endpoint: settings.endpoint,
            admission: settings.admission.clone(),
            clock: settings.clock.clone(),
            ..portolan_apiserver::Config::default()
        };
        let api_server = ApiServer::start(config, store.clone())
            .await
            .map_err(|source| EmbeddedServerError::ApiServer { cluster: cluster(), source })?;
        let tls = |source| EmbeddedServerError::Tls { cluster: cluster(), source };
        let certificate = ServerCertificate::new(&server).map_err(tls)?;
        let clients = ClientCertificates::SignedBy(vec![authority.certificate().clone()]);
        let tls_config = server_config(certificate, &clients).map_err(tls)?;
        Server::tls(listener, tls_config).spawn(api_server.service(), scope);
        remember_port(settings.directory, address.port());
        let client = Client::in_process(api_server.local(ApiUser::new(user, [group])));
        let ca_pem = authority.certificate_pem().to_owned();
        let definitions = kubernetes::definitions(&client, scope);
        kubernetes::housekeeping(&client, &definitions, &ca_pem, settings.clock, scope);
        let url = format!("https://{address}");
        Ok(Self { client, address, url, ca_pem, administrator, api_server, store })
    }

    /// Adds a context with the rights of an administrator.
    pub fn add_to(&self, kubeconfig: Kubeconfig, context: &str) -> Kubeconfig {
        let cluster = Cluster::new(&*self.url, &self.ca_pem);
        let user = User::certificate(self.administrator.certificate_pem(), self.administrator.key_pem());
        kubeconfig.with_context(context, cluster, user)
    }

    /// Ends watches and refuses to be ready: the first step of stopping.
    pub fn drain(&self) {
        self.api_server.drain();
    }

    /// Closes the store; to be called when the scope has ended.
    pub async fn close(self) {
        if let Err(error) = self.api_server.stop(BACKGROUND_PATIENCE).await {
            tracing::debug!(%error, "background tasks of an API server");
        }
        self.store.close().await;
    }
}

/// The issuer of service account tokens, whose key outlives restarts.
fn issuer(directory: &Path) -> Result<Issuer, TokenKeyError> {
    let random = SystemRandom::new();
    let path = directory.join("service-account.key");
    let content = |source| TokenKeyError::Content { path: path.clone(), source };
    let key = match fs::read(&path) {
        Ok(key) => key,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = SigningKey::generate(&random).map_err(content)?;
            write_private(&path, &key)?;
            key
        }
        Err(source) => return Err(TokenKeyError::Read { path, source }),
    };
    let key = SigningKey::from_pkcs8(&key, &random).map_err(content)?;
    Ok(Issuer::new(ISSUER, key))
}

/// The address asked for, or that of the last run, or a free one.
fn bind(settings: &Settings<'_>) -> Result<TcpListener, ListenError> {
    if let Some(address) = settings.address {
        return listen(address);
    }
    let last = fs::read_to_string(port_file(settings.directory))
        .ok()
        .and_then(|text| text.trim().parse::<u16>().ok());
    let again = last.and_then(|port| listen((Ipv4Addr::LOCALHOST, port).into()).ok());
    match again {
        Some(listener) => Ok(listener),
        None => listen((Ipv4Addr::LOCALHOST, 0).into()),
    }
}

fn port_file(directory: &Path) -> PathBuf {
    directory.join("port")
}

/// Losing the number only means another one next time.
fn remember_port(directory: &Path, port: u16) {
    if let Err(error) = fs::write(port_file(directory), format!("{port}\n")) {
        tracing::warn!(%error, "cannot remember the port of the API server");
    }
}

/// The names under which pods and people reach an API server.
fn server_names(settings: &Settings<'_>) -> ServerNames {
    let dns = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
    ];
    let first = settings.service_cidr.hosts().next();
    let mut addresses = vec![Ipv4Addr::LOCALHOST.into()];
    addresses.extend(first);
    addresses.extend(settings.address.map(|address| address.ip()).filter(|ip| !ip.is_unspecified()));
    ServerNames { common_name: "kube-apiserver".to_owned(), dns: dns.map(str::to_owned).into(), addresses }
}
