//! Registering a cluster in pull mode: its agent dials the control plane, and the control plane does not dial it.
//!
//! Upstream: karmada pkg/karmadactl/register. The order is that of a process that may end after any step: the credential of
//! the agent is written last, so that no agent runs for a cluster that is half registered, and a second attempt continues.

use std::time::Duration;

use portolan_api::agents::token::Token;
use portolan_api::cluster::{Cluster, SyncMode};
use portolan_object::ObjectKey;
use portolan_plan::clusters::permissions::{Placeable, needed};
use portolan_runtime::Client;
use portolan_runtime::client::{ConnectError, Credential, Endpoint};

use super::account::Account;
use super::agent_objects::{self, AgentObjects};
use super::terminating_namespace::until_usable;
use super::{
    Candidate, JoinError, JoinRequest, acquire, check, cluster_object, credential, expect_mode,
    stamp_identity,
};
use crate::agents::{CertificateError, ClusterInfoError, obtain_certificate, verified_server};

/// Time for the control plane to sign.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster that registers.
#[derive(Debug, Clone)]
pub struct RegisterRequest {
    /// Address of the control plane: `HOST:PORT` or an https URL.
    pub hub: String,
    /// The token.
    pub token: Token,
    /// Hashes of the public key of the control plane's authority; empty to trust the signature of the token alone.
    pub key_hashes: Vec<String>,
    /// Life of the agent's certificate.
    pub lifetime: Duration,
    /// The cluster, as its agent reaches it.
    pub cluster: JoinRequest,
    /// Namespace of the agent in the cluster.
    pub namespace: String,
    /// What the agent may place in the cluster.
    pub placeable: Placeable,
}

/// A cluster could not be registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The control plane is not the expected one, or does not know the token.
    #[error(transparent)]
    Info(#[from] ClusterInfoError),
    /// The address of the control plane cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There is no certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A step of joining.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The cluster is registered with another address.
    #[error(
        "cluster {name} is registered with address {known}; `portolan unjoin {name}` first, then register it with {address}"
    )]
    Moved {
        /// Name of the cluster.
        name: String,
        /// Its address until now.
        known: String,
        /// The other one.
        address: String,
    },
}

/// Registers the cluster behind `member`. Returns how its agent reaches the control plane, which is also in a Secret of the
/// cluster.
///
/// # Errors
/// See [`RegisterError`]; a second attempt continues.
pub async fn register(member: &Client, request: &RegisterRequest) -> Result<Endpoint, RegisterError> {
    let name = &request.cluster.name;
    let server = verified_server(&request.hub, &request.token, &request.key_hashes).await?;
    let bootstrap = Endpoint { credential: Credential::Token(request.token.to_string()), ..server.clone() };
    let bootstrap = Client::connect(bootstrap)?;
    let certificate = obtain_certificate(&bootstrap, name, request.lifetime, PATIENCE).await?;
    let endpoint = Endpoint { credential: certificate, ..server };
    let hub = Client::connect(endpoint.clone())?;
    let Candidate { id, own, known } = check(&hub, member, &request.cluster).await?;
    if let Some(known) = &known {
        expect_mode(known, SyncMode::Pull)?;
    }
    if let Some(known) = known.as_ref().filter(|known| known.spec.api_endpoint != request.cluster.url) {
        return Err(RegisterError::Moved {
            name: name.clone(),
            known: known.spec.api_endpoint.clone(),
            address: request.cluster.url.clone(),
        });
    }
    let account = Account { member, cluster: name };
    let _taken_from = acquire(&account, &own, &request.cluster).await?;
    until_usable(&account, &request.namespace, &request.cluster.notices).await?;
    // The agent applies Works; the control plane itself finds services there, and no more.
    let controller = account.controller_token(&needed(name, &Default::default())).await?;
    let impersonator = account.impersonator_token().await?;
    account.impersonator_role(&own.id).await?;
    stamp_identity(member, name, &own.id).await.map_err(account.failed("labels"))?;
    let desired = match known {
        Some(known) => known,
        None => {
            let mut cluster = cluster_object(&request.cluster, &id);
            cluster.spec.sync_mode = SyncMode::Pull;
            create(&hub, cluster).await?
        }
    };
    let tokens = credential::Tokens { controller, impersonator };
    let on_hub = |source| JoinError::Hub { step: "secret", source };
    credential::put_secrets(&hub, &desired, &request.cluster.ca_pem, &tokens).await.map_err(on_hub)?;
    let objects = AgentObjects { namespace: &request.namespace, cluster: name };
    agent_objects::put(member, &objects, &request.placeable, &endpoint)
        .await
        .map_err(account.failed("agent"))?;
    Ok(endpoint)
}

async fn create(hub: &Client, cluster: Cluster) -> Result<Cluster, JoinError> {
    let on_hub = |source| JoinError::Hub { step: "cluster", source };
    let clusters = hub.kind::<Cluster>();
    match clusters.create(&cluster).await {
        Err(portolan_runtime::ClientError::AlreadyExists(_)) => {
            clusters.get(&ObjectKey::cluster(&*cluster.metadata.name)).await.map_err(on_hub)
        }
        created => created.map_err(on_hub),
    }
}
