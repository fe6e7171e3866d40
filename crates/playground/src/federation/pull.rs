//! A member in pull mode: it registers with a token, and its agent runs in this process with its own account.

use std::time::Duration;

use portolan_api::cluster::Cluster as ClusterObject;
use portolan_api::{names, resources};
use portolan_controllers::agent::{self, AgentOptions};
use portolan_controllers::agents::{TokenRequest, create_token, registration_address};
use portolan_controllers::clusters::join::{JoinRequest, RegisterRequest, register};
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::permissions::Placeable;
use portolan_runtime::client::{Credential, Endpoint};
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::{Value, json};

use crate::federation::error::MemberError;
use crate::federation::site::ApiServerAddress;

/// Life of the token by which a member registers at once.
const TOKEN_LIFETIME: Duration = Duration::from_secs(600);
/// Life of the agent's certificate; it is renewed after two thirds.
const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// Life of the token by which the agent acts in its member: a year.
const ACCOUNT_SECONDS: u64 = 365 * 24 * 3600;
/// Account of the agent.
const ACCOUNT: &str = "karmada-agent-sa";

/// Registers the member of `request` unless it is registered.
pub(super) async fn ensure_registered(
    hub: &Client,
    member: &Client,
    request: JoinRequest,
    clock: &Clock,
) -> Result<(), MemberError> {
    let name = request.name.clone();
    if !is_registered(hub, member, &name).await? {
        let place = registration_address(hub).await.map_err(Box::new)?;
        let token = TokenRequest {
            cluster: Some(name.clone()),
            description: format!("playground: {name}"),
            lifetime: Some(TOKEN_LIFETIME),
        };
        let token = create_token(hub, &token, clock).await?;
        let request = RegisterRequest {
            hub: place.address,
            token: token.token,
            key_hashes: vec![place.key_hash],
            lifetime: CERTIFICATE_LIFETIME,
            namespace: names::SYSTEM_NAMESPACE.to_owned(),
            // A playground is for trying out every kind.
            placeable: Placeable::Everything,
            cluster: request,
        };
        register(member, &request).await.map_err(Box::new)?;
    }
    Ok(())
}

/// Starts the agent of a member that is reached at `address`; it ends with `scope`.
pub(super) async fn start_agent(
    member: &Client,
    address: ApiServerAddress,
    clock: &Clock,
    scope: &Shutdown,
) -> Result<(), MemberError> {
    let ApiServerAddress { url, ca_pem, insecure_skip_verify } = address;
    let ca_pem = ca_pem.into_bytes();
    let credential = Credential::Token(account_token(member).await?);
    let endpoint = Endpoint { url, ca_pem, credential, insecure_skip_verify, ..Endpoint::default() };
    let client = Client::connect(endpoint).map_err(Box::new)?;
    let (clock, stop) = (clock.clone(), scope.clone());
    let options = move |cluster: &str| AgentOptions { clock: clock.clone(), ..AgentOptions::new(cluster) };
    // The scope waits for the task, so the handle is not needed.
    let _handle = scope.spawn(async move {
        agent::run(&client, names::SYSTEM_NAMESPACE, options, &stop).await;
    });
    Ok(())
}

/// Whether a playground before has registered the member.
async fn is_registered(hub: &Client, member: &Client, name: &str) -> Result<bool, MemberError> {
    let secret = ObjectKey::namespaced(names::SYSTEM_NAMESPACE, names::AGENT_KUBECONFIG);
    let found = [
        member.resource::<Object>(&resources::SECRET.into()).get(&secret).await.map(drop),
        hub.kind::<ClusterObject>().get(&ObjectKey::cluster(name)).await.map(drop),
    ];
    for result in found {
        match result {
            Ok(()) => {}
            Err(ClientError::NotFound(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// A token of the agent's account.
async fn account_token(member: &Client) -> Result<String, MemberError> {
    let key = ObjectKey::namespaced(names::SYSTEM_NAMESPACE, ACCOUNT);
    let path = Resource::from(resources::SERVICE_ACCOUNT).object_path(&key, "token");
    let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": { "expirationSeconds": ACCOUNT_SECONDS } });
    let answer: Value = member.post(&path, &request).await?;
    Ok(answer["status"]["token"].as_str().unwrap_or_default().to_owned())
}
