//! Whether a cluster at another address is the cluster that has joined.
//!
//! The id of a cluster is no proof, because the cluster says it itself. Proofs are the certificate authority, which has not
//! changed, and a random text that is written through the known address and read through the new one. The token for the
//! known address is sent to that address only.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_api::cluster::Cluster;
use portolan_api::{names, resources};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::Client;
use portolan_runtime::client::{BoxError, Delete};
use portolan_runtime::members::endpoint;
use serde_json::json;

use super::{JoinError, JoinRequest};

/// Time for the known address to answer one request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Checks that `member`, which `request` describes, is the cluster of `known`.
///
/// # Errors
/// [`JoinError::Unproven`] without a proof, unless the request says that it is.
pub(super) async fn check_same_cluster(
    hub: &Client,
    member: &Client,
    known: &Cluster,
    request: &JoinRequest,
) -> Result<(), JoinError> {
    let key = ObjectKey::namespaced(names::CLUSTER_NAMESPACE, &*known.metadata.name);
    let secret = hub.resource::<Object>(&resources::SECRET.into()).get(&key).await;
    let known_ca = secret.as_ref().ok().and_then(ca_of);
    if request.replace_address || has_same_receiver(known, known_ca.as_deref(), request) {
        return Ok(());
    }
    let shown = match &secret {
        Ok(secret) => show(member, known, secret).await,
        Err(error) => Err(error.to_string().into()),
    };
    let cause = match shown {
        Ok(true) => return Ok(()),
        Ok(false) => "an object that was written through the known address is not there".to_owned(),
        Err(error) => {
            format!("it has another certificate authority, and the known address does not help: {error}")
        }
    };
    Err(JoinError::Unproven {
        name: known.metadata.name.clone(),
        known: known.spec.api_endpoint.clone(),
        address: request.url.clone(),
        cause,
    })
}

/// The CA in the Secret of a cluster.
fn ca_of(secret: &Object) -> Option<Vec<u8>> {
    STANDARD.decode(secret.str_at(&["data", "caBundle"])).ok()
}

/// Whether the address and its verification are the known ones, or both are verified by the same authority.
fn has_same_receiver(known: &Cluster, known_ca: Option<&[u8]>, request: &JoinRequest) -> bool {
    let is_verified = !request.insecure_skip_verify && request.url.starts_with("https:");
    let was_verified = !known.spec.insecure_skip_tls_verification;
    let has_same_address = known.spec.api_endpoint == request.url;
    let has_same_ca = known_ca.map(<[u8]>::trim_ascii) == Some(request.ca_pem.trim_ascii());
    if is_verified && was_verified {
        // Without a Secret nothing has been sent to the known address yet.
        return has_same_ca && !request.ca_pem.is_empty() || has_same_address && known_ca.is_none();
    }
    has_same_address && is_verified == was_verified
}

/// Writes a random text through the known address and reads it through `member`. A Secret, so that readers of other objects
/// of the cluster cannot pass it on.
async fn show(member: &Client, known: &Cluster, secret: &Object) -> Result<bool, BoxError> {
    let (endpoint, _) = endpoint(known, secret)?;
    let through_known = Client::connect(endpoint)?.with_timeout(TIMEOUT);
    let text = uuid::Uuid::new_v4().to_string();
    let name = format!("portolan-join-{}", uuid::Uuid::new_v4());
    let key = ObjectKey::namespaced(names::CLUSTER_NAMESPACE, name);
    let shown = Object(json!({ "apiVersion": "v1", "kind": "Secret",
        "metadata": { "namespace": key.namespace, "name": key.name },
        "data": { "text": STANDARD.encode(&text) } }));
    let resource = resources::SECRET.into();
    let known_secrets = through_known.resource::<Object>(&resource);
    known_secrets.create(&shown).await?;
    let seen = member.resource::<Object>(&resource).get(&key).await;
    known_secrets.delete(&key, &Delete::background()).await?;
    Ok(seen.is_ok_and(|seen| seen.str_at(&["data", "text"]) == STANDARD.encode(&text)))
}

#[cfg(test)]
mod tests {
    use portolan_api::cluster::ClusterSpec;

    use super::*;

    #[test]
    fn the_same_receiver() {
        let case = |known: (&str, bool, Option<&str>), new: (&str, bool, &str)| {
            let (address, insecure, ca) = known;
            let spec = ClusterSpec {
                api_endpoint: address.to_owned(),
                insecure_skip_tls_verification: insecure,
                ..ClusterSpec::default()
            };
            let cluster = Cluster { spec, ..Cluster::default() };
            let (url, insecure_skip_verify, ca_pem) = new;
            let request = JoinRequest {
                url: url.to_owned(),
                insecure_skip_verify,
                ca_pem: ca_pem.as_bytes().to_vec(),
                ..JoinRequest::default()
            };
            has_same_receiver(&cluster, ca.map(str::as_bytes), &request)
        };
        let known = ("https://a", false, Some("ca"));
        assert!(case(known, ("https://a", false, "ca\n")), "again");
        assert!(case(known, ("https://b", false, "ca")), "another address of the same authority");
        assert!(!case(known, ("https://b", false, "evil")), "another authority");
        assert!(!case(known, ("https://a", false, "evil")), "another authority at the address");
        assert!(!case(known, ("https://b", true, "ca")), "not verified");
        assert!(!case(known, ("https://a", true, "ca")), "no longer verified");
        assert!(!case(known, ("http://b", false, "ca")), "no TLS");
        assert!(!case(("https://a", false, Some("")), ("https://b", false, "")), "no authority at all");
        let unverified = ("https://a", true, Some(""));
        assert!(case(unverified, ("https://a", true, "")), "again, not verified");
        assert!(!case(unverified, ("https://b", true, "")), "another address, not verified");
        assert!(!case(unverified, ("https://b", false, "")), "another address, verified now");
        let no_secret = ("https://a", false, None);
        assert!(case(no_secret, ("https://a", false, "ca")), "an attempt that ended before its Secret");
        assert!(!case(no_secret, ("https://b", false, "ca")));
    }
}
