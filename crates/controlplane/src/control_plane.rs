//! The control plane: an API server with the federation's kinds, and the controllers that work on it.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portolan_controllers::clusters::Leasing;
use portolan_controllers::kubernetes::IdleKinds;
use portolan_controllers::search::SearchCaches;
use portolan_controllers::{BrakeOptions, Controllers, Distrust, Options as ControllerOptions};
use portolan_net::files::FileError;
use portolan_net::{Clock, Shutdown, telemetry};
use portolan_runtime::client::{KubeconfigContext, KubeconfigError, KubeconfigFiles};
use portolan_runtime::limits::AnswerLimits;
use portolan_runtime::members::Dial;
use portolan_runtime::{Client, Metrics};
use prometheus_client::registry::Registry;

use crate::address::TlsSan;
use crate::admission;
use crate::agent_roles;
use crate::certificates::{CertificatePolicy, Certificates};
use crate::cluster_proxy::ClusterServers;
use crate::definitions::{self, InstallError};
use crate::embedded::{ApiServerOptions, EmbeddedServer, EmbeddedServerError, Settings};
use crate::kubeconfig::{ContextEntry, ContextUser, KubeconfigFile};
use crate::proxy_role;
use crate::search::Search;
use crate::service_cidr::ServiceCidr;
use crate::state::{DIRECTORY, StateDirectory, StateError};
use crate::trust::{self, distrust, tell_agents};

/// Name of the context in the kubeconfig of the control plane.
const CONTEXT: &str = "portolan";

/// Time between two attempts to reach an API server that runs in another process.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);

/// Why a control plane does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The API server does not start.
    #[error(transparent)]
    Server(#[from] EmbeddedServerError),
    /// The kubeconfig of an API server that runs already cannot be used.
    #[error("the kubeconfig of the control plane: {0}")]
    Existing(#[from] KubeconfigError),
    /// The kubeconfig cannot be written.
    #[error(transparent)]
    Kubeconfig(#[from] FileError),
    /// The federation's kinds cannot be installed.
    #[error("cannot install the federation's kinds in the control plane: {0}")]
    Definitions(#[from] InstallError),
}

/// Settings of a control plane with an embedded API server.
#[derive(Debug, Clone, Default)]
pub struct ControlPlaneSettings {
    /// The address to listen on; `None` for the last port, or a free one, on 127.0.0.1.
    pub address: Option<SocketAddr>,
    /// The address by which clients on other machines reach it, if it differs from `address`.
    pub advertise_address: Option<IpAddr>,
    /// Further names and addresses that its certificate covers.
    pub tls_sans: Vec<TlsSan>,
    /// Ranges of the addresses of Services. Services of the control plane are templates: nothing uses their addresses.
    pub service_cidr: ServiceCidr,
    /// What administrators configure of the API server.
    pub api_server: ApiServerOptions,
    /// Life and renewal of its certificates.
    pub certificates: CertificatePolicy,
    /// The metrics of the process, which the API server serves at `/metrics`.
    pub metrics: Option<telemetry::Metrics>,
    /// The clock.
    pub clock: Clock,
}

/// The API server that holds the federation, and its controllers.
pub struct ControlPlane {
    client: Client,
    /// `None` if the API server was there before.
    server: Option<EmbeddedServer>,
    administrator: ContextEntry,
    metrics: Metrics,
    /// The admission of an embedded API server.
    federation: Arc<admission::Federation>,
    /// Why its state is not trusted: it was restored, or is damaged.
    distrust: Option<Distrust>,
    /// How members are dialled; `None` for ordinary connections.
    dial: Option<Dial>,
    /// The caches from which an embedded API server answers look-ups.
    search: SearchCaches,
}

impl ControlPlane {
    /// Starts an embedded API server with the federation's kinds.
    ///
    /// # Errors
    /// [`StartError`] naming the cause.
    pub async fn embedded(
        state: &StateDirectory,
        settings: &ControlPlaneSettings,
        scope: &Shutdown,
    ) -> Result<Self, StartError> {
        let directory = state.subdirectory(DIRECTORY)?;
        state.note_restore();
        let federation = Arc::new(admission::Federation::default());
        let clusters = Arc::new(ClusterServers::default());
        let search = SearchCaches::default();
        let (restored, clock) = (state.restored(), settings.clock.clone());
        let settings = Settings {
            name: "the control plane",
            directory: &directory,
            service_cidr: settings.service_cidr,
            address: settings.address,
            advertise_address: settings.advertise_address,
            tls_sans: &settings.tls_sans,
            endpoint: None,
            admission: vec![federation.clone()],
            kubelets: None,
            backends: Some(clusters.clone()),
            mounted: Some(Arc::new(Search::new(search.clone()))),
            options: settings.api_server.clone(),
            certificates: settings.certificates,
            metrics: settings.metrics.clone(),
            clock: &settings.clock,
        };
        let server = EmbeddedServer::start(settings, scope).await?;
        let distrust = distrust(restored.as_deref(), server.damaged_objects().len(), clock.now());
        // Before an agent has had time to connect.
        tell_agents(&server.client, distrust.as_ref()).await.map_err(InstallError::from)?;
        federation.connect(&server.client);
        clusters.connect(&server.client);
        definitions::install(&server.client).await?;
        federation.warn_of(IdleKinds::start(&server.client, scope));
        proxy_role::install(&server.client).await.map_err(InstallError::from)?;
        agent_roles::install(&server.client).await.map_err(InstallError::from)?;
        let administrator = server.administrator(CONTEXT);
        let (client, metrics) = (server.client.clone(), Metrics::default());
        let dial = Some(clusters.dial());
        Ok(Self { client, server: Some(server), administrator, metrics, federation, distrust, dial, search })
    }

    /// Uses an API server that runs already. [`ControlPlane::install`] gives it the federation's kinds.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn existing(kubeconfig: &Path, context: Option<&str>) -> Result<Self, StartError> {
        let files = KubeconfigFiles::Named(kubeconfig.to_owned());
        let context = KubeconfigContext::load(&files, context).await?;
        let (cluster, user) = context.entry()?;
        let administrator =
            ContextEntry { name: CONTEXT.to_owned(), cluster, user: ContextUser::Fixed(user) };
        let client = context.client()?.with_limits(AnswerLimits::trusted());
        Ok(Self {
            client,
            server: None,
            administrator,
            metrics: Metrics::default(),
            federation: Arc::default(),
            distrust: None,
            dial: None,
            search: SearchCaches::default(),
        })
    }

    /// Gives an API server that runs already the federation's kinds, and the roles of clusters that register. An embedded
    /// one has them. Waits for the API server while it does not answer.
    ///
    /// # Errors
    /// When the API server refuses them, or does not serve the kinds.
    pub async fn install(&self) -> Result<(), StartError> {
        if self.server.is_some() {
            return Ok(());
        }
        let mut reported = None;
        loop {
            let installed = async {
                definitions::ensure(&self.client).await?;
                agent_roles::install(&self.client).await.map_err(InstallError::from)
            };
            match installed.await {
                Err(InstallError::Client(error)) if error.is_unreachable() => {
                    let error = error.to_string();
                    if reported.as_ref() != Some(&error) {
                        tracing::warn!(
                            error,
                            "the API server of the control plane does not answer, trying again"
                        );
                        reported = Some(error);
                    }
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
                installed => return Ok(installed?),
            }
        }
    }

    /// A client with the rights of an administrator.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Writes the kubeconfig with the context `portolan`, and again when its certificate is renewed, until `scope` ends.
    ///
    /// # Errors
    /// When the file cannot be written now.
    pub fn keep_kubeconfig(&self, path: &Path, scope: &Shutdown) -> Result<(), StartError> {
        Ok(KubeconfigFile::new(path, vec![self.administrator.clone()]).keep_written(scope)?)
    }

    /// The address by which clients on other machines reach an embedded API server.
    pub fn advertised(&self) -> Option<SocketAddr> {
        self.server.as_ref()?.advertised
    }

    /// The certificates of an embedded API server.
    pub fn certificates(&self) -> Option<&Certificates> {
        self.server.as_ref().map(EmbeddedServer::certificates)
    }

    /// Why the controllers must not be started: objects that decide about members cannot be read. `None` if all can.
    pub fn missing_decisions(&self) -> Option<String> {
        trust::missing_decisions(&self.server.as_ref()?.damaged_objects())
    }

    /// Says in the log, and to everybody who writes an object of the federation, why the controllers do not run.
    pub fn report_missing_decisions(&self, missing: String) {
        tracing::error!("{missing}");
        self.federation.warn(missing);
    }

    /// Starts the federation's controllers; they end with `scope`.
    pub fn start_controllers(&self, clock: &Clock, scope: &Shutdown) -> Controllers {
        let clock = clock.clone();
        self.start_controllers_with(ControllerOptions { clock, ..ControllerOptions::default() }, scope)
    }

    /// The same with other settings. The metrics and the name of the Leases are those of this control plane.
    pub fn start_controllers_with(&self, options: ControllerOptions, scope: &Shutdown) -> Controllers {
        let metrics = self.metrics.clone();
        metrics.set_leads();
        let name = self.advertised().map(|address| format!("https://{address}")).unwrap_or_default();
        let leasing = Leasing { name, ..options.leasing };
        let brake = BrakeOptions { distrust: self.distrust.clone(), ..options.brake };
        let dial = options.dial.clone().or_else(|| self.dial.clone());
        let search = self.search.clone();
        let options = ControllerOptions { metrics, leasing, brake, dial, search, ..options };
        self.federation.tell_evictions(options.failover.evicts_by_taint);
        let controllers = Controllers::start(&self.client, options, scope);
        self.federation.enforce(controllers.quotas());
        controllers
    }

    /// Adds the figures of the controllers and the expiry of the certificates to `registry`.
    pub fn register_metrics(&self, registry: &mut Registry) {
        self.metrics.register(registry);
        if let Some(server) = &self.server {
            server.register_metrics(registry);
        }
    }

    /// Ends watches and refuses to be ready: the first step of stopping.
    pub fn drain(&self) {
        self.server.iter().for_each(EmbeddedServer::drain);
    }

    /// Closes the store; to be called when the scope has ended.
    pub async fn close(self) {
        if let Some(server) = self.server {
            server.close().await;
        }
    }

    /// Ends everything of `scope` and closes the store.
    pub async fn stop(self, scope: &Shutdown, timeout: Duration) {
        self.drain();
        if let Err(error) = scope.drain(timeout).await {
            tracing::debug!(%error, "ended");
        }
        self.close().await;
    }
}
