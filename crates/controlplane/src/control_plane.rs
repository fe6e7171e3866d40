//! The control plane: an API server with the federation's kinds, and the controllers that work on it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use portolan_controllers::{Controllers, Options as ControllerOptions};
use portolan_net::kubeconfig::{Cluster, Credential, KubeconfigError, User};
use portolan_net::{Clock, Kubeconfig, Shutdown};
use portolan_runtime::client::KubeconfigError as ClientKubeconfigError;
use portolan_runtime::{Client, ClientError};

use crate::embedded::{EmbeddedServer, EmbeddedServerError, Settings};
use crate::state::{StateDirectory, StateError};
use crate::{admission, definitions};

/// Directory of the control plane below the state directory. Not a valid cluster name, so no member has it.
const DIRECTORY: &str = "_control-plane";
/// Services of the control plane are templates; their addresses are never used.
const SERVICE_CIDR: IpNet = IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(10, 96, 0, 0)), 16);
/// Name of the context in the kubeconfig of the control plane.
const CONTEXT: &str = "portolan";

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
    Client(#[from] ClientKubeconfigError),
    /// A kubeconfig cannot be read or written.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// The federation's kinds cannot be installed.
    #[error("cannot install the federation's kinds in the control plane: {0}")]
    Definitions(ClientError),
}

/// The API server that holds the federation, and its controllers.
pub struct ControlPlane {
    client: Client,
    /// Absent when the API server was there before.
    server: Option<EmbeddedServer>,
    kubeconfig: Kubeconfig,
}

impl ControlPlane {
    /// Starts an embedded API server with the federation's kinds.
    ///
    /// # Errors
    /// [`StartError`] naming the cause.
    pub async fn embedded(
        state: &StateDirectory,
        address: Option<SocketAddr>,
        clock: &Clock,
        scope: &Shutdown,
    ) -> Result<Self, StartError> {
        let directory = state.subdirectory(DIRECTORY)?;
        let settings = Settings {
            name: "the control plane",
            directory: &directory,
            service_cidr: SERVICE_CIDR,
            second_service_cidr: None,
            address,
            endpoint: None,
            admission: vec![Arc::new(admission::Federation)],
            kubelets: None,
            clock,
        };
        let server = EmbeddedServer::start(settings, scope).await?;
        definitions::install(&server.client).await.map_err(StartError::Definitions)?;
        let kubeconfig = server.add_to(Kubeconfig::new(), CONTEXT);
        Ok(Self { client: server.client.clone(), server: Some(server), kubeconfig })
    }

    /// Uses an API server that runs already and has the federation's kinds.
    ///
    /// # Errors
    /// When the kubeconfig cannot be used.
    pub async fn existing(kubeconfig: &Path, context: Option<&str>) -> Result<Self, StartError> {
        let client = Client::from_kubeconfig(kubeconfig, context).await?;
        let kubeconfig = copy_context(Kubeconfig::new(), CONTEXT, kubeconfig, context)?;
        Ok(Self { client, server: None, kubeconfig })
    }

    /// A client with the rights of an administrator.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Writes the kubeconfig with the context `portolan`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_kubeconfig(&self, path: &Path) -> Result<(), StartError> {
        Ok(self.kubeconfig.write(path)?)
    }

    /// Starts the federation's controllers; they end with `scope`.
    pub fn start_controllers(&self, clock: &Clock, scope: &Shutdown) -> Controllers {
        let options = ControllerOptions { clock: clock.clone(), ..ControllerOptions::default() };
        Controllers::start(&self.client, options, scope)
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

/// Copies a context of a kubeconfig file into `contexts` under another name, with everything inline.
///
/// # Errors
/// When the file, or a file that it names, cannot be read.
pub fn copy_context(
    contexts: Kubeconfig,
    name: &str,
    path: &Path,
    context: Option<&str>,
) -> Result<Kubeconfig, KubeconfigError> {
    let connection = Kubeconfig::read(path)?.connection(context)?;
    let cluster =
        Cluster::new(&*connection.server, connection.authorities_pem.as_deref().unwrap_or_default());
    let user = match &connection.credential {
        Credential::Anonymous => User::default(),
        Credential::Token(token) => User::token(&**token),
        Credential::Certificate { chain_pem, key_pem } => User::certificate(chain_pem, key_pem),
    };
    Ok(contexts.with_context(name, cluster, user))
}
