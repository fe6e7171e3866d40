//! Bootstrap tokens by which clusters register in pull mode.

use std::time::Duration;

use portolan_api::agents::token::{BootstrapToken, NAMESPACE, Token};
use portolan_api::resources;
use portolan_net::Clock;
use portolan_net::bootstrap::public_key_hashes;
use portolan_object::Object;
use portolan_runtime::client::{Delete, Selection};
use portolan_runtime::{Client, ClientError};

use super::cluster_info::{ClusterInfo, ClusterInfoError};

/// What `token create` is asked for.
#[derive(Debug, Clone, Default)]
pub struct TokenRequest {
    /// The only cluster that the token registers; `None` for any new cluster.
    pub cluster: Option<String>,
    /// Text for people.
    pub description: String,
    /// Its life; `None` for no end.
    pub lifetime: Option<Duration>,
}

/// Creates a token.
///
/// # Errors
/// When the control plane does not store it.
pub async fn create_token(
    hub: &Client,
    request: &TokenRequest,
    clock: &Clock,
) -> Result<BootstrapToken, ClientError> {
    let expires = request.lifetime.and_then(|lifetime| clock.now().checked_add(lifetime).ok());
    let token = Token::of_random(rand::random());
    let token = BootstrapToken::new(token, request.cluster.clone(), &request.description, expires);
    hub.resource::<Object>(&resources::SECRET.into()).create(&token.secret()).await?;
    Ok(token)
}

/// All bootstrap tokens, by id.
///
/// # Errors
/// When they cannot be listed.
pub async fn tokens(hub: &Client) -> Result<Vec<BootstrapToken>, ClientError> {
    let secrets = hub.resource::<Object>(&resources::SECRET.into());
    let listed = secrets.list(&Selection::namespace(NAMESPACE)).await?;
    Ok(listed.items.iter().filter_map(|seen| BootstrapToken::of(&seen.object)).collect())
}

/// Deletes the token with this id. Clusters that have registered keep their certificates.
///
/// # Errors
/// When there is no such token.
pub async fn delete_token(hub: &Client, id: &str) -> Result<(), ClientError> {
    let secrets = hub.resource::<Object>(&resources::SECRET.into());
    secrets.delete(&Token::key(id), &Delete::default()).await
}

/// What a cluster needs to register besides a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationAddress {
    /// Host and port of the control plane.
    pub address: String,
    /// Hash of the public key of its authority.
    pub key_hash: String,
}

/// Where clusters register: what the control plane publishes about itself.
///
/// # Errors
/// When it does not publish its address, or no certificate of its authority.
pub async fn registration_address(hub: &Client) -> Result<RegistrationAddress, ClusterInfoError> {
    let info = ClusterInfo::read(hub).await?;
    let (address, ca_pem) = info.server()?;
    let key_hash =
        public_key_hashes(ca_pem.as_bytes()).into_iter().next().ok_or(ClusterInfoError::NoAuthority)?;
    Ok(RegistrationAddress { address: address.trim_start_matches("https://").to_owned(), key_hash })
}
