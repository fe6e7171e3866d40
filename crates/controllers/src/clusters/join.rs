//! Joining and removing clusters, for `portolan join`, `portolan unjoin` and the playground.
//!
//! Joining creates an identity for the hub in the member, and the Cluster object; the controllers do the rest. Both
//! operations can be repeated after any failure. Names and contents are Karmada's (karmada pkg/karmadactl/join/join.go),
//! so that a member of a Karmada control plane can be taken over.

mod account;
mod agent_objects;
mod clean;
mod credential;
mod dry_run;
mod ensure;
mod error;
mod lease;
mod own_namespace;
mod proof;
mod register;
mod terminating_namespace;
mod unjoin;

use portolan_api::cluster::{Cluster, ClusterSpec, LocalSecretReference, SyncMode, is_name};
use portolan_api::meta::ObjectMeta;
use portolan_api::{names, resources};
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::ownership::{ControlPlane, Holder};
use portolan_plan::clusters::permissions::everything;
use portolan_plan::clusters::token::TokenLife;
use portolan_runtime::Client;
use portolan_runtime::client::{Patch, Selection};
use serde_json::{Value, json};

pub use super::notices::Notices;
pub use super::ownership::take::{SetMembership, TakeError};
use super::ownership::take::{recorded_membership, restore_membership, stamp_identity};
use account::Account;
pub use clean::{Cleaned, clean};
pub use dry_run::{Planned, dry_run};
use ensure::{ensure, namespace};
pub use error::JoinError;
use lease::{acquire, check_holder};
pub use register::{RegisterError, RegisterRequest, register};
pub use unjoin::{Access, Leaving, Left, UnjoinRequest, dry_run as unjoin_dry_run, unjoin};

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
    /// Is told what is waited for.
    pub notices: Notices,
}

/// A cluster that has joined.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Joined {
    /// The control plane from which the cluster was taken over.
    pub taken_from: Option<Holder>,
    /// The end of the controllers' token, if the cluster granted a shorter life than the ten years that were asked for.
    pub capped: Option<TokenLife>,
    /// The membership in a cluster set that the cluster records, and that was restored.
    pub membership: Option<SetMembership>,
}

/// Joins the cluster behind `member` to the federation of `hub`. Joining again replaces the credentials: tokens of earlier
/// joins are no longer valid.
///
/// # Errors
/// See [`JoinError`]; created objects stay, so that a second attempt continues.
pub async fn join(hub: &Client, member: &Client, request: &JoinRequest) -> Result<Joined, JoinError> {
    let Candidate { id, own, known } = check(hub, member, request).await?;
    if let Some(known) = &known {
        expect_mode(known, SyncMode::Push)?;
        proof::check_same_cluster(hub, member, known, request).await?;
    }
    let account = Account { member, cluster: &request.name };
    let taken_from = acquire(&account, &own, request).await?;
    let controller = account.controller_token(&everything()).await?;
    let impersonator = account.impersonator_token().await?;

    stamp_identity(member, &request.name, &own.id).await.map_err(account.failed("labels"))?;

    let on_hub = |step| move |source| JoinError::Hub { step, source };
    let mut joined = Joined { taken_from, capped: account::capped(&controller), membership: None };
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
        let patch = Patch::Merge(changes(&desired));
        let patched = clusters.patch(&ObjectKey::cluster(&*request.name), &patch).await;
        patched.map_err(on_hub("cluster"))?;
    }
    Ok(joined)
}

/// A cluster that may join, as far as the names and ids tell.
struct Candidate {
    /// Uid of the namespace `kube-system` of the cluster.
    id: String,
    /// This control plane.
    own: ControlPlane,
    /// The Cluster object of the name, if the cluster has joined before.
    known: Option<Cluster>,
}

/// Checks names and ids. Writes nothing.
async fn check(hub: &Client, member: &Client, request: &JoinRequest) -> Result<Candidate, JoinError> {
    if !is_name(&request.name) {
        return Err(JoinError::Name { name: request.name.clone() });
    }
    let id = identity(member, &request.name).await?;
    let own = ControlPlane { id: control_plane_id(hub).await?, name: request.control_plane.clone() };
    if id == own.id {
        return Err(JoinError::Itself { id });
    }
    let known = known_cluster(hub, request, &id).await?;
    Ok(Candidate { id, own, known })
}

/// The id of the control plane: the uid of the namespace `kube-system` of its API server.
async fn control_plane_id(hub: &Client) -> Result<String, JoinError> {
    let api = hub.resource::<Object>(&resources::NAMESPACE.into());
    let system = api.get(&ObjectKey::cluster("kube-system")).await;
    let failed = |source| JoinError::Hub { step: "identity", source };
    Ok(system.map_err(failed)?.uid().to_owned())
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

/// Refuses a cluster that is a member in the other mode: its agent and the control plane would both apply its Works.
fn expect_mode(known: &Cluster, wanted: SyncMode) -> Result<(), JoinError> {
    let name = || known.metadata.name.clone();
    match (known.spec.sync_mode, wanted) {
        (SyncMode::Pull, SyncMode::Push) => Err(JoinError::HasAgent { name: name() }),
        (SyncMode::Push, SyncMode::Pull) => Err(JoinError::IsPushed { name: name() }),
        _ => Ok(()),
    }
}

/// What a second join updates: how the cluster is reached, and what the request says of it. Users may have edited the rest.
fn changes(desired: &Cluster) -> Value {
    let spec = &desired.spec;
    let mut changed = json!({
        "id": spec.id,
        "proxyURL": null,
        "apiEndpoint": spec.api_endpoint,
        "secretRef": spec.secret_ref,
        "impersonatorSecretRef": spec.impersonator_secret_ref,
        "insecureSkipTLSVerification": spec.insecure_skip_tls_verification,
    });
    for (field, value) in [("provider", &spec.provider), ("region", &spec.region)] {
        if !value.is_empty() {
            changed[field] = json!(value);
        }
    }
    if !spec.zones.is_empty() {
        changed["zones"] = json!(spec.zones);
    }
    json!({ "metadata": { "labels": desired.metadata.labels }, "spec": changed })
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
    fn a_second_join_updates_what_it_names() {
        let request =
            JoinRequest { name: "eu".to_owned(), url: "https://eu".to_owned(), ..Default::default() };
        let spec = |request: &JoinRequest| changes(&cluster_object(request, "id"))["spec"].clone();
        let unnamed = spec(&request);
        assert_eq!(unnamed["apiEndpoint"], "https://eu");
        for field in ["provider", "region", "zones"] {
            assert!(unnamed.get(field).is_none(), "{field} may have been edited");
        }
        let named = spec(&JoinRequest { region: "eu".to_owned(), zones: vec!["a".to_owned()], ..request });
        assert_eq!((named["region"].as_str(), named["zones"][0].as_str()), (Some("eu"), Some("a")));
    }

    #[test]
    fn a_cluster_does_not_change_its_mode_while_it_is_a_member() {
        let mut known = cluster("eu", "id", "https://eu");
        let refused = |known: &Cluster, wanted| expect_mode(known, wanted).err().map(|e| e.to_string());
        assert_eq!(refused(&known, SyncMode::Push), None);
        assert!(refused(&known, SyncMode::Pull).is_some_and(|text| text.contains("in push mode")));
        known.spec.sync_mode = SyncMode::Pull;
        assert_eq!(refused(&known, SyncMode::Pull), None);
        assert!(refused(&known, SyncMode::Push).is_some_and(|text| text.contains("portolan unjoin eu")));
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
