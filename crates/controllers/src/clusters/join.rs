//! Joining and removing clusters, for `portolan join`, `portolan unjoin` and the playground.
//!
//! Joining creates an identity for the hub in the member, and the Cluster object; the controllers do the rest. Both
//! operations can be repeated after any failure. Names and contents are Karmada's (karmada pkg/karmadactl/join/join.go),
//! so that a member of a Karmada control plane can be taken over.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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

/// Requested lifetime of tokens: ten years. The member's API server may grant less.
const TOKEN_SECONDS: u64 = 10 * 365 * 24 * 3600;

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
    #[error("the name {name:?} belongs to another cluster (id {id}); choose another name")]
    NameTaken {
        /// The given name.
        name: String,
        /// Identity of the other cluster.
        id: String,
    },
    /// Another control plane holds the cluster.
    #[error(transparent)]
    Held(TakeError),
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

/// Joins the cluster behind `member` to the federation of `hub`. Joining again renews the credentials.
///
/// # Errors
/// See [`JoinError`]; created objects stay, so that a second attempt continues.
pub async fn join(hub: &Client, member: &Client, request: &JoinRequest) -> Result<Joined, JoinError> {
    if !is_name(&request.name) {
        return Err(JoinError::Name { name: request.name.clone() });
    }
    let id = identity(member, &request.name).await?;
    let known = refuse_duplicates(hub, &request.name, &id).await?;
    let own = ControlPlane { id: control_plane_id(hub).await?, name: request.control_plane.clone() };
    let taken_from = acquire(member, &own, request).await?;
    let identity = Identity { member, cluster: &request.name };
    let token = identity.controller_token().await?;
    let impersonator = identity.impersonator_token().await?;

    stamp_identity(member, &request.name, &own.id).await.map_err(identity.failed("labels"))?;

    let on_hub = |step| move |source| JoinError::Hub { step, source };
    let mut joined = Joined { taken_from, membership: None };
    if request.take_over {
        // Before the Cluster object, so that there is no moment in which the cluster is in no set.
        joined.membership =
            recorded_membership(member, &own.id).await.map_err(identity.failed("cluster properties"))?;
        if let Some(recorded) = &joined.membership {
            restore_membership(hub, &request.name, recorded).await.map_err(on_hub("cluster set"))?;
        }
    }
    ensure(hub, &resources::NAMESPACE.into(), &namespace(names::CLUSTER_NAMESPACE))
        .await
        .map_err(on_hub("namespace"))?;
    let ca = STANDARD.encode(&request.ca_pem);
    let secret_name = &request.name;
    let data = json!({ "caBundle": ca, "token": STANDARD.encode(&token) });
    put_secret(hub, secret_name, data).await.map_err(on_hub("secret"))?;
    let impersonator_name = names::impersonation_secret(&request.name);
    let data = json!({ "token": STANDARD.encode(&impersonator) });
    put_secret(hub, &impersonator_name, data).await.map_err(on_hub("impersonation secret"))?;

    let desired = cluster_object(request, &id);
    let clusters = hub.kind::<Cluster>();
    let cluster = match known {
        true => {
            let patch = Patch::Merge(json!({ "spec": addressing(&desired.spec) }));
            clusters.patch(&ObjectKey::cluster(&*request.name), &patch).await
        }
        false => clusters.create(&desired).await,
    };
    let cluster = cluster.map_err(on_hub("cluster"))?;
    let owner = json!({ "metadata": { "ownerReferences": [{ "apiVersion": "cluster.karmada.io/v1alpha1",
        "kind": "Cluster", "name": request.name, "uid": cluster.metadata.uid }] } });
    for name in [secret_name, &impersonator_name] {
        let key = ObjectKey::namespaced(names::CLUSTER_NAMESPACE, name.as_str());
        let api = hub.resource::<Object>(&resources::SECRET.into());
        api.patch(&key, &Patch::Merge(owner.clone())).await.map_err(on_hub("owner of the secret"))?;
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
    let (own, identity) = (control_plane_id(hub).await?, Identity { member, cluster: name });
    let lease = ignore_missing(ownership::leases(member).get(&lease_key()).await);
    let holder = lease.map_err(identity.failed("lease"))?.as_ref().and_then(Holder::of);
    if let Some(other) = holder.filter(|holder| holder.control_plane.id != own) {
        return Ok(Some(other));
    }
    ownership::delete_lease(member, &own).await.map_err(identity.failed("lease"))?;
    identity.remove().await?;
    Ok(None)
}

/// Identity of a cluster, independent of its name: the uid of its namespace `kube-system`.
async fn identity(member: &Client, cluster: &str) -> Result<String, JoinError> {
    let api = member.resource::<Object>(&resources::NAMESPACE.into());
    let system = api.get(&ObjectKey::cluster("kube-system")).await;
    let failed = |source| JoinError::Member { cluster: cluster.to_owned(), step: "identity", source };
    Ok(system.map_err(failed)?.uid().to_owned())
}

/// Whether the Cluster object of the name is for this cluster.
async fn refuse_duplicates(hub: &Client, name: &str, id: &str) -> Result<bool, JoinError> {
    let listed = hub.kind::<Cluster>().list(&Selection::all()).await;
    let listed = listed.map_err(|source| JoinError::Hub { step: "clusters", source })?;
    for seen in listed.items {
        let (holder, holder_id) = (&seen.object.metadata.name, &seen.object.spec.id);
        match (holder == name, holder_id == id) {
            (true, true) => return Ok(true),
            (true, false) => {
                return Err(JoinError::NameTaken { name: name.to_owned(), id: holder_id.clone() });
            }
            (false, true) => {
                return Err(JoinError::AlreadyJoined { holder: holder.clone(), id: id.to_owned() });
            }
            (false, false) => {}
        }
    }
    Ok(false)
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
        "apiEndpoint": spec.api_endpoint,
        "secretRef": spec.secret_ref,
        "impersonatorSecretRef": spec.impersonator_secret_ref,
        "insecureSkipTLSVerification": spec.insecure_skip_tls_verification,
    })
}

/// The hub's identity in a member.
struct Identity<'a> {
    member: &'a Client,
    cluster: &'a str,
}

impl Identity<'_> {
    fn failed(&self, step: &'static str) -> impl Fn(ClientError) -> JoinError {
        let cluster = self.cluster.to_owned();
        move |source| JoinError::Member { cluster: cluster.clone(), step, source }
    }

    fn account(&self) -> String {
        names::service_account(self.cluster)
    }

    fn role(&self) -> String {
        names::cluster_role(self.cluster)
    }

    /// Creates a service account with all permissions, and a token for it.
    async fn controller_token(&self) -> Result<String, JoinError> {
        let namespace = namespace(names::CLUSTER_NAMESPACE);
        ensure(self.member, &resources::NAMESPACE.into(), &namespace)
            .await
            .map_err(self.failed("namespace"))?;
        let account = self.account();
        let service_account = service_account(&account);
        ensure(self.member, &resources::SERVICE_ACCOUNT.into(), &service_account)
            .await
            .map_err(self.failed("service account"))?;
        let role = cluster_role(&self.role());
        ensure(self.member, &resources::CLUSTER_ROLE.into(), &role)
            .await
            .map_err(self.failed("cluster role"))?;
        let binding = cluster_role_binding(&self.role(), &account);
        ensure(self.member, &resources::CLUSTER_ROLE_BINDING.into(), &binding)
            .await
            .map_err(self.failed("cluster role binding"))?;
        self.token(&account).await
    }

    /// Creates the service account for impersonating users of the hub.
    async fn impersonator_token(&self) -> Result<String, JoinError> {
        let account = service_account(names::IMPERSONATOR);
        ensure(self.member, &resources::SERVICE_ACCOUNT.into(), &account)
            .await
            .map_err(self.failed("impersonator"))?;
        self.token(names::IMPERSONATOR).await
    }

    async fn token(&self, account: &str) -> Result<String, JoinError> {
        let key = ObjectKey::namespaced(names::CLUSTER_NAMESPACE, account);
        let path = Resource::from(resources::SERVICE_ACCOUNT).object_path(&key, "token");
        let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": { "expirationSeconds": TOKEN_SECONDS } });
        let answer: Value = self.member.post(&path, &request).await.map_err(self.failed("token"))?;
        Ok(answer["status"]["token"].as_str().unwrap_or_default().to_owned())
    }

    /// Deletes the objects of [`Identity::controller_token`]. The namespace is deleted if no other hub uses it.
    async fn remove(&self) -> Result<(), JoinError> {
        let account = ObjectKey::namespaced(names::CLUSTER_NAMESPACE, self.account());
        let role = ObjectKey::cluster(self.role());
        for (resource, key) in [
            (resources::CLUSTER_ROLE_BINDING.into(), &role),
            (resources::CLUSTER_ROLE.into(), &role),
            (resources::SERVICE_ACCOUNT.into(), &account),
        ] {
            let deleted = self.member.resource::<Object>(&resource).delete(key, &Delete::background()).await;
            match deleted {
                Err(error) if !error.is_not_found() => return Err(self.failed("identity")(error)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Creates an object unless it exists.
async fn ensure(client: &Client, resource: &Resource, object: &Object) -> Result<(), ClientError> {
    match client.resource::<Object>(resource).create(object).await {
        Ok(_) | Err(ClientError::AlreadyExists(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn put_secret(hub: &Client, name: &str, data: Value) -> Result<(), ClientError> {
    let secret = Object(json!({ "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
        "metadata": { "namespace": names::CLUSTER_NAMESPACE, "name": name } }));
    let api = hub.resource::<Object>(&resources::SECRET.into());
    match api.create(&secret).await {
        Err(ClientError::AlreadyExists(_)) => {
            api.patch(&secret.key(), &Patch::Merge(json!({ "data": secret.0["data"] }))).await.map(drop)
        }
        result => result.map(drop),
    }
}

fn namespace(name: &str) -> Object {
    Object(json!({ "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": name, "labels": { labels::SYSTEM: labels::TRUE } } }))
}

fn service_account(name: &str) -> Object {
    Object(json!({ "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": { "namespace": names::CLUSTER_NAMESPACE, "name": name, "labels": { labels::SYSTEM: labels::TRUE } } }))
}

fn cluster_role(name: &str) -> Object {
    Object(json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": { "name": name, "labels": { labels::SYSTEM: labels::TRUE } },
        "rules": [
            { "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] },
            { "nonResourceURLs": ["*"], "verbs": ["get"] },
        ] }))
}

fn cluster_role_binding(name: &str, account: &str) -> Object {
    Object(json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": { "name": name, "labels": { labels::SYSTEM: labels::TRUE } },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": names::CLUSTER_NAMESPACE }] }))
}
