//! Joining and removing clusters, for `portolan join`, `portolan unjoin` and the playground.
//!
//! Joining creates an identity for the hub in the member, and the Cluster object; the controllers do the rest. Both
//! operations can be repeated after any failure. Names and contents are Karmada's (karmada pkg/karmadactl/join/join.go),
//! so that a member of a Karmada control plane can be taken over.

mod account;
mod credential;
mod proof;

use std::time::Duration;

use portolan_api::cluster::{Cluster, ClusterSpec, LocalSecretReference, MAX_NAME_LENGTH, SyncMode, is_name};
use portolan_api::meta::ObjectMeta;
use portolan_api::resources;
use portolan_api::{labels, names};
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::ownership::{ControlPlane, Holder, lease_key};
use portolan_runtime::client::{Delete, Patch, Selection};
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::{Value, json};

use super::ownership;
use super::ownership::take::{self, recorded_membership, restore_membership, stamp_identity};
pub use super::ownership::take::{SetMembership, TakeError};
use crate::missing::ignore_missing;
use account::Account;

/// The cluster to join.
#[derive(Debug, Clone, Default)]
pub struct JoinRequest {
    /// The name in the federation: a DNS label of at most 48 characters.
    pub name: String,
    /// The member's address as the hub reaches it.
    pub url: String,
    /// The CA of that address, PEM; may be empty when `insecure_skip_verify` is set.
    pub ca_pem: Vec<u8>,
    /// Do not verify the member's certificate.
    pub insecure_skip_verify: bool,
    /// `spec.provider`.
    pub provider: String,
    /// `spec.region`.
    pub region: String,
    /// `spec.zones`.
    pub zones: Vec<String>,
    /// Labels of the Cluster object, for selection by policies.
    pub labels: Vec<(String, String)>,
    /// Accept another address or CA for a cluster that has joined, although nothing proves that it is the same cluster.
    pub replace_address: bool,
    /// Take the cluster over from another control plane that is gone.
    pub take_over: bool,
    /// Name of this control plane for people, such as its URL.
    pub control_plane: String,
}

/// A cluster that has joined.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Joined {
    /// The control plane from which the cluster was taken over.
    pub taken_from: Option<Holder>,
    /// The membership in a cluster set that the cluster records, and that was restored.
    pub membership: Option<SetMembership>,
}

/// A cluster could not be joined or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The name cannot be used.
    #[error(
        "{name:?} cannot be a cluster's name: it must be a DNS label of at most {MAX_NAME_LENGTH} characters"
    )]
    Name {
        /// The given name.
        name: String,
    },
    /// The same cluster is a member already, under another name.
    #[error("this cluster has joined already as {holder:?} (id {id}); unjoin that first")]
    AlreadyJoined {
        /// Its present name.
        holder: String,
        /// Its identity: the uid of its namespace `kube-system`.
        id: String,
    },
    /// Another cluster has the name.
    #[error(
        "the name {name:?} belongs to another cluster (id {id}); choose another name, or `portolan unjoin {name}` first"
    )]
    NameTaken {
        /// The given name.
        name: String,
        /// Identity of the other cluster.
        id: String,
    },
    /// Another control plane holds the cluster.
    #[error(transparent)]
    Held(TakeError),
    /// Another cluster of the federation has the address.
    #[error("{address} is the address of cluster {holder:?}; unjoin that first")]
    AddressTaken {
        /// The cluster.
        holder: String,
        /// The address.
        address: String,
    },
    /// The cluster has joined with another address or CA, and nothing proves that this is the same cluster. Its id is no
    /// proof, because a cluster says it itself.
    #[error(
        "{name:?} has joined with address {known}, and nothing proves that {address} is the same cluster: {cause}. If it \
         is, join with --replace-address; if not, choose another name, or `portolan unjoin {name}` first"
    )]
    Unproven {
        /// The given name.
        name: String,
        /// The address until now.
        known: String,
        /// The new address.
        address: String,
        /// Why the known address does not help.
        cause: String,
    },
    /// A request to the member failed.
    #[error("member {cluster}: {step}: {source}")]
    Member {
        /// The member.
        cluster: String,
        /// The operation.
        step: &'static str,
        /// The cause.
        source: ClientError,
    },
    /// A request to the control plane failed.
    #[error("control plane: {step}: {source}")]
    Hub {
        /// The operation.
        step: &'static str,
        /// The cause.
        source: ClientError,
    },
    /// The Cluster object still exists.
    #[error("cluster {cluster} has not left within {waited:?}; its works are still being removed")]
    StillLeaving {
        /// The member.
        cluster: String,
        /// Time of the wait.
        waited: Duration,
    },
}

/// Joins the cluster behind `member` to the federation of `hub`. Joining again replaces the credentials: tokens of earlier
/// joins are no longer valid.
///
/// # Errors
/// See [`JoinError`]; created objects stay, so that a second attempt continues.
pub async fn join(hub: &Client, member: &Client, request: &JoinRequest) -> Result<Joined, JoinError> {
    if !is_name(&request.name) {
        return Err(JoinError::Name { name: request.name.clone() });
    }
    let id = identity(member, &request.name).await?;
    let known = known_cluster(hub, request, &id).await?;
    if let Some(known) = &known {
        proof::check_same_cluster(hub, member, known, request).await?;
    }
    let own = ControlPlane { id: control_plane_id(hub).await?, name: request.control_plane.clone() };
    let taken_from = acquire(member, &own, request).await?;
    let account = Account { member, cluster: &request.name };
    let controller = account.controller_token().await?;
    let impersonator = account.impersonator_token().await?;

    stamp_identity(member, &request.name, &own.id).await.map_err(account.failed("labels"))?;

    let on_hub = |step| move |source| JoinError::Hub { step, source };
    let mut joined = Joined { taken_from, membership: None };
    if request.take_over {
        // Before the Cluster object, so that there is no moment in which the cluster is in no set.
        joined.membership =
            recorded_membership(member, &own.id).await.map_err(account.failed("cluster properties"))?;
        if let Some(recorded) = &joined.membership {
            restore_membership(hub, &request.name, recorded).await.map_err(on_hub("cluster set"))?;
        }
    }
    ensure(hub, &resources::NAMESPACE.into(), &namespace(names::CLUSTER_NAMESPACE))
        .await
        .map_err(on_hub("namespace"))?;
    let mut desired = cluster_object(request, &id);
    let clusters = hub.kind::<Cluster>();
    // The Secrets name the uid of the Cluster, and a Secret that names none could be claimed by another Cluster.
    let is_new = known.is_none();
    desired.metadata.uid = match known {
        Some(known) => known.metadata.uid,
        None => clusters.create(&desired).await.map_err(on_hub("cluster"))?.metadata.uid,
    };
    let tokens = credential::Tokens { controller, impersonator };
    credential::put_secrets(hub, &desired, &request.ca_pem, &tokens).await.map_err(on_hub("secret"))?;
    if !is_new {
        let patch = Patch::Merge(json!({ "spec": addressing(&desired.spec) }));
        let patched = clusters.patch(&ObjectKey::cluster(&*request.name), &patch).await;
        patched.map_err(on_hub("cluster"))?;
    }
    Ok(joined)
}

/// The id of the control plane: the uid of the namespace `kube-system` of its API server.
async fn control_plane_id(hub: &Client) -> Result<String, JoinError> {
    let api = hub.resource::<Object>(&resources::NAMESPACE.into());
    let system = api.get(&ObjectKey::cluster("kube-system")).await;
    let failed = |source| JoinError::Hub { step: "identity", source };
    Ok(system.map_err(failed)?.uid().to_owned())
}

async fn acquire(
    member: &Client,
    own: &ControlPlane,
    request: &JoinRequest,
) -> Result<Option<Holder>, JoinError> {
    let acquired = take::acquire(member, own, &request.name, request.take_over).await;
    acquired.map_err(|error| match error {
        TakeError::Client(source) => {
            JoinError::Member { cluster: request.name.clone(), step: "lease", source }
        }
        error => JoinError::Held(error),
    })
}

/// Removes a cluster from the federation and waits for it, at most `patience`.
///
/// With `member`, the hub's identity there is removed as well, unless another control plane holds the member; then it is
/// returned and everything in the member stays.
///
/// # Errors
/// [`JoinError::StillLeaving`] if Works are still being removed; their removal continues.
pub async fn unjoin(
    hub: &Client,
    member: Option<&Client>,
    name: &str,
    patience: Duration,
) -> Result<Option<Holder>, JoinError> {
    let on_hub = |step| move |source| JoinError::Hub { step, source };
    let (clusters, key) = (hub.kind::<Cluster>(), ObjectKey::cluster(name));
    clusters.delete(&key, &Delete::default()).await.map_err(on_hub("cluster"))?;
    let left = async {
        loop {
            match clusters.get(&key).await {
                Err(ClientError::NotFound(_)) => return Ok(()),
                Err(source) => return Err(JoinError::Hub { step: "cluster", source }),
                Ok(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    match tokio::time::timeout(patience, left).await {
        Ok(result) => result?,
        Err(_) => return Err(JoinError::StillLeaving { cluster: name.to_owned(), waited: patience }),
    }
    let Some(member) = member else { return Ok(None) };
    let (own, account) = (control_plane_id(hub).await?, Account { member, cluster: name });
    let lease = ignore_missing(ownership::leases(member).get(&lease_key()).await);
    let holder = lease.map_err(account.failed("lease"))?.as_ref().and_then(Holder::of);
    if let Some(other) = holder.filter(|holder| holder.control_plane.id != own) {
        return Ok(Some(other));
    }
    ownership::delete_lease(member, &own).await.map_err(account.failed("lease"))?;
    account.remove().await?;
    Ok(None)
}

/// Identity of a cluster, independent of its name: the uid of its namespace `kube-system`.
async fn identity(member: &Client, cluster: &str) -> Result<String, JoinError> {
    let api = member.resource::<Object>(&resources::NAMESPACE.into());
    let system = api.get(&ObjectKey::cluster("kube-system")).await;
    let failed = |source| JoinError::Member { cluster: cluster.to_owned(), step: "identity", source };
    Ok(system.map_err(failed)?.uid().to_owned())
}

/// The Cluster object of the name, if there is one, and it can be this cluster.
async fn known_cluster(hub: &Client, request: &JoinRequest, id: &str) -> Result<Option<Cluster>, JoinError> {
    let listed = hub.kind::<Cluster>().list(&Selection::all()).await;
    let listed = listed.map_err(|source| JoinError::Hub { step: "clusters", source })?;
    let clusters = listed.items.into_iter().map(|seen| seen.object);
    find_known(clusters, &request.name, &request.url, id)
}

/// Finds the Cluster `name` among `clusters`. One without an id was not made by `join`, and can be any cluster.
fn find_known(
    clusters: impl Iterator<Item = Cluster>,
    name: &str,
    url: &str,
    id: &str,
) -> Result<Option<Cluster>, JoinError> {
    let address = |url: &str| url.trim_end_matches('/').to_ascii_lowercase();
    let mut known = None;
    for cluster in clusters {
        let (holder, spec) = (&cluster.metadata.name, &cluster.spec);
        if holder == name {
            if spec.id != id && !spec.id.is_empty() {
                return Err(JoinError::NameTaken { name: name.to_owned(), id: spec.id.clone() });
            }
            known = Some(cluster);
        } else if spec.id == id {
            return Err(JoinError::AlreadyJoined { holder: holder.clone(), id: id.to_owned() });
        } else if address(&spec.api_endpoint) == address(url) {
            return Err(JoinError::AddressTaken { holder: holder.clone(), address: url.to_owned() });
        }
    }
    Ok(known)
}

fn cluster_object(request: &JoinRequest, id: &str) -> Cluster {
    let reference =
        |name: String| Some(LocalSecretReference { namespace: names::CLUSTER_NAMESPACE.to_owned(), name });
    let mut metadata = ObjectMeta::cluster(&*request.name);
    metadata.labels.extend(request.labels.iter().cloned());
    let spec = ClusterSpec {
        id: id.to_owned(),
        sync_mode: SyncMode::Push,
        api_endpoint: request.url.clone(),
        secret_ref: reference(request.name.clone()),
        impersonator_secret_ref: reference(names::impersonation_secret(&request.name)),
        insecure_skip_tls_verification: request.insecure_skip_verify,
        provider: request.provider.clone(),
        region: request.region.clone(),
        zones: request.zones.clone(),
        ..ClusterSpec::default()
    };
    Cluster { metadata, spec, ..Cluster::default() }
}

/// The fields that a second join updates; users may have edited region, zones and taints.
fn addressing(spec: &ClusterSpec) -> Value {
    json!({
        "id": spec.id,
        "proxyURL": null,
        "apiEndpoint": spec.api_endpoint,
        "secretRef": spec.secret_ref,
        "impersonatorSecretRef": spec.impersonator_secret_ref,
        "insecureSkipTLSVerification": spec.insecure_skip_tls_verification,
    })
}

/// Creates an object unless it exists.
async fn ensure(client: &Client, resource: &Resource, object: &Object) -> Result<(), ClientError> {
    match client.resource::<Object>(resource).create(object).await {
        Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn namespace(name: &str) -> Object {
    Object(json!({ "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": name, "labels": { labels::SYSTEM: labels::TRUE } } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(name: &str, id: &str, address: &str) -> Cluster {
        let spec =
            ClusterSpec { id: id.to_owned(), api_endpoint: address.to_owned(), ..ClusterSpec::default() };
        Cluster { metadata: ObjectMeta::cluster(name), spec, ..Cluster::default() }
    }

    #[test]
    fn who_has_the_name_the_id_and_the_address() {
        let present = || {
            [
                cluster("eu", "id-eu", "https://eu:6443"),
                cluster("us", "id-us", "https://us:6443/"),
                cluster("byhand", "", "https://byhand"),
            ]
            .into_iter()
        };
        let cases = [
            ("a new cluster", "asia", "https://asia", "id-asia", "new"),
            ("again", "eu", "https://eu:6443", "id-eu", "known eu"),
            ("again with another address", "eu", "https://eu.example", "id-eu", "known eu"),
            ("made by hand", "byhand", "https://byhand", "id-byhand", "known byhand"),
            ("the same under another name", "eu2", "https://eu2", "id-eu", "joined already as \"eu\""),
            (
                "another of the name",
                "eu",
                "https://eu:6443",
                "id-asia",
                "belongs to another cluster (id id-eu)",
            ),
            ("the address of another", "asia", "https://US:6443", "id-asia", "the address of cluster \"us\""),
        ];
        for (name, given, url, id, want) in cases {
            let got = match find_known(present(), given, url, id) {
                Ok(None) => "new".to_owned(),
                Ok(Some(cluster)) => format!("known {}", cluster.metadata.name),
                Err(error) => error.to_string(),
            };
            assert!(got.contains(want), "{name}: {got}");
        }
    }
}
