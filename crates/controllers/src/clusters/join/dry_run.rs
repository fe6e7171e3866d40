//! What joining would create, without creating it.

use portolan_api::cluster::SyncMode;
use portolan_api::{Kind as _, names};
use portolan_object::Object;
use portolan_runtime::Client;
use serde_json::json;

use super::account::Account;
use super::credential::{self, Tokens};
use super::ensure::namespace;
use super::terminating_namespace::terminating;
use super::{JoinError, JoinRequest, check, check_holder, cluster_object, expect_mode, proof};

/// The objects that joining would create.
#[derive(Debug)]
pub struct Planned {
    /// In the cluster.
    pub in_cluster: Vec<Object>,
    /// In the control plane. Secrets have no tokens.
    pub in_control_plane: Vec<Object>,
}

/// Checks whether the cluster can join, and returns what joining would create. Writes nothing, except for the random Secret
/// that proves a changed address.
///
/// # Errors
/// As [`super::join`]. A namespace that is being deleted is not waited for.
pub async fn dry_run(hub: &Client, member: &Client, request: &JoinRequest) -> Result<Planned, JoinError> {
    let candidate = check(hub, member, request).await?;
    if let Some(known) = &candidate.known {
        expect_mode(known, SyncMode::Push)?;
        proof::check_same_cluster(hub, member, known, request).await?;
    }
    let account = Account { member, cluster: &request.name };
    if let Some(cause) = terminating(&account, names::CLUSTER_NAMESPACE).await? {
        let (cluster, namespace) = (request.name.clone(), names::CLUSTER_NAMESPACE.to_owned());
        return Err(JoinError::Terminating { cluster, namespace, cause });
    }
    check_holder(&account, &candidate.own, request).await?;
    let in_cluster = account.objects();
    let cluster = cluster_object(request, &candidate.id);
    let secrets = credential::secrets(&cluster, &request.ca_pem, &Tokens::default());
    let mut in_control_plane = vec![namespace(names::CLUSTER_NAMESPACE)];
    in_control_plane.push(cluster.to_object());
    in_control_plane.extend(secrets.map(|mut secret| {
        // Both have values only when the Cluster exists.
        for field in ["ownerReferences", "annotations"] {
            secret.metadata_mut().remove(field);
        }
        secret.0["data"]["token"] = json!("");
        secret
    }));
    Ok(Planned { in_cluster, in_control_plane })
}
