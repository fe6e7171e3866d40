//! The Secrets of a cluster in the hub: written in one request each, with data, owner and the address that they are for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_api::cluster::Cluster;
use portolan_api::credential::CredentialTarget;
use portolan_api::kind::Kind;
use portolan_api::{annotations, names, resources};
use portolan_object::Object;
use portolan_runtime::client::Patch;
use portolan_runtime::{Client, ClientError};
use serde_json::{Value, json};

/// The tokens for a member.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Of the account with all permissions.
    pub(super) controller: String,
    /// Of the account that may impersonate users.
    pub(super) impersonator: String,
}

/// Creates or replaces the Secrets of `cluster`. `cluster` has the uid of the Cluster object and the spec that it is going
/// to have.
pub(super) async fn put_secrets(
    hub: &Client,
    cluster: &Cluster,
    ca_pem: &[u8],
    tokens: &Tokens,
) -> Result<(), ClientError> {
    for secret in secrets(cluster, ca_pem, tokens) {
        put(hub, &secret).await?;
    }
    Ok(())
}

/// The Secrets of `cluster`: of the controllers, and for impersonation.
pub(super) fn secrets(cluster: &Cluster, ca_pem: &[u8], tokens: &Tokens) -> [Object; 2] {
    let name = &cluster.metadata.name;
    let controller =
        json!({ "caBundle": STANDARD.encode(ca_pem), "token": STANDARD.encode(&tokens.controller) });
    let impersonator = json!({ "token": STANDARD.encode(&tokens.impersonator) });
    [
        secret(cluster, ca_pem, name, controller),
        secret(cluster, ca_pem, &names::impersonation_secret(name), impersonator),
    ]
}

fn secret(cluster: &Cluster, ca_pem: &[u8], name: &str, data: Value) -> Object {
    let target = CredentialTarget::of(cluster, ca_pem);
    let owner = json!({ "apiVersion": Cluster::gvk().api_version(), "kind": Cluster::KIND,
        "name": cluster.metadata.name, "uid": cluster.metadata.uid });
    Object(json!({ "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
        "metadata": { "namespace": names::CLUSTER_NAMESPACE, "name": name, "ownerReferences": [owner],
            "annotations": { annotations::credential::TARGET: target.annotation() } } }))
}

async fn put(hub: &Client, secret: &Object) -> Result<(), ClientError> {
    let api = hub.resource::<Object>(&resources::SECRET.into());
    match api.create(secret).await {
        Err(ClientError::AlreadyExists(_)) => {
            let metadata = &secret.0["metadata"];
            let patch = json!({ "data": secret.0["data"], "metadata": {
                "ownerReferences": metadata["ownerReferences"], "annotations": metadata["annotations"] } });
            api.patch(&secret.key(), &Patch::Merge(patch)).await.map(drop)
        }
        result => result.map(drop),
    }
}
