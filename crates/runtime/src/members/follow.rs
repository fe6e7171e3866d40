//! Keeps the registry of members equal to the Cluster objects of the hub.
//!
//! A cluster in pull mode is reached through the tunnel of its agent, which applies its Works. A Cluster object that is being deleted stays registered
//! until it is gone, because the clean-up needs its client.

use std::sync::Arc;

use portolan_api::cluster::{Cluster, SyncMode};
use portolan_api::credential::{Distrust, Trust};
use portolan_api::resources;
use portolan_api::{annotations, names};
use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use serde_json::json;

use crate::cache::Cache;
use crate::client::{BoxError, Client, Endpoint, Patch, Selection};
use crate::cluster_name::ClusterName;
use crate::driver::{self, Outcome, Reconciler};
use crate::members::Members;
use crate::members::endpoint::{EndpointError, endpoint, secret_key};
use crate::queue::Queue;
use crate::resource::Resource;

struct Follower {
    hub: Client,
    members: Members,
    clusters: Cache<Cluster>,
}

fn secrets() -> Resource {
    resources::SECRET.into()
}

/// Keeps `members` equal to `clusters` until `scope` stops.
pub fn follow(hub: &Client, members: &Members, clusters: &Cache<Cluster>, scope: &Shutdown) {
    let queue: Queue<ClusterName> = hub.metrics().queue("members", None);
    let follower = Follower { hub: hub.clone(), members: members.clone(), clusters: clusters.clone() };
    let changed = queue.clone();
    clusters.observe(move |change| changed.add(ClusterName::new(change.key.name.as_str())));

    // A rotated credential: the Secret changes, the Cluster does not.
    let selection = Selection::namespace(names::CLUSTER_NAMESPACE);
    let credentials = Cache::of_objects(hub, secrets())
        .select(selection)
        .trim(|secret| *secret = Object::new(&secret.group_version_kind(), &secret.key()))
        .start(scope);
    let (rotated, known) = (queue.clone(), clusters.clone());
    credentials.observe(move |change| {
        let named = ClusterName::new(change.key.name.as_str());
        if known.contains(&ObjectKey::cluster(named.as_str())) {
            rotated.add(named);
            return;
        }
        let users =
            known.list().into_iter().filter(|cluster| secret_key(cluster).as_ref() == Some(&change.key));
        users.for_each(|cluster| rotated.add(ClusterName::new(cluster.metadata.name.as_str())));
    });
    driver::run(Arc::new(follower), &queue, 4, scope);
}

impl Reconciler for Follower {
    type Key = ClusterName;

    async fn reconcile(&self, name: &ClusterName) -> Outcome {
        self.reconcile_member(name).await.into()
    }
}

impl Follower {
    async fn reconcile_member(&self, name: &ClusterName) -> Result<(), BoxError> {
        let Some(cluster) = self.clusters.get(&ObjectKey::cluster(name.as_str())) else {
            self.members.remove(name);
            return Ok(());
        };
        // An agent that has given no credential of its cluster does all of the work there.
        if cluster.spec.sync_mode == SyncMode::Pull && cluster.spec.secret_ref.is_none() {
            self.members.remove(name);
            return Ok(());
        }
        let endpoint = match self.trusted_endpoint(&cluster).await {
            Ok(endpoint) => endpoint,
            Err(error) => {
                let is_unusable = match error.downcast_ref() {
                    Some(EndpointError::Distrusted(_)) => true,
                    // The clean-up of a cluster that leaves needs the client.
                    Some(_) => !cluster.metadata.is_deleting(),
                    None => false,
                };
                // A registered member stays if its Secret cannot be read at the moment.
                if is_unusable || self.members.get(name).is_none() {
                    self.suspend(&cluster, &error)?;
                }
                // A change of the Cluster or of the Secret queues the key again.
                return if is_unusable { Ok(()) } else { Err(error) };
            }
        };
        if endpoint.insecure_skip_verify {
            tracing::warn!(cluster = %name, "the certificate of this member is not verified (insecureSkipTLSVerification)");
        }
        if let Err(error) = self.members.put(name, endpoint) {
            self.suspend(&cluster, &error.into())?;
        }
        Ok(())
    }

    /// Sends nothing to a cluster any more, and says why.
    fn suspend(&self, cluster: &Cluster, error: &BoxError) -> Result<(), BoxError> {
        let name = ClusterName::new(cluster.metadata.name.as_str());
        self.members.suspend(&name, &error.to_string())?;
        log_suspension(cluster, error);
        Ok(())
    }

    /// Reads the Secret of a cluster and its endpoint. A Secret that is used for the first time is bound to the present
    /// address before.
    async fn trusted_endpoint(&self, cluster: &Cluster) -> Result<Endpoint, BoxError> {
        let secret_key = secret_key(cluster).ok_or(EndpointError::NoSecret)?;
        if secret_key.namespace != names::CLUSTER_NAMESPACE {
            return Err(EndpointError::from(Distrust::Namespace(secret_key)).into());
        }
        let secrets = self.hub.resource::<Object>(&secrets());
        let secret = match secrets.get(&secret_key).await {
            Err(error) if error.is_not_found() => return Err(EndpointError::SecretGone(secret_key).into()),
            found => found?,
        };
        let (endpoint, trust) = endpoint(cluster, &secret)?;
        if let Trust::FirstUse(target) = trust {
            let annotation = json!({ annotations::credential::TARGET: target.annotation() });
            let patch = json!({ "metadata": {
                "resourceVersion": secret.resource_version(), "annotations": annotation } });
            secrets.patch(&secret_key, &Patch::Merge(patch)).await?;
            let address = &target.address;
            tracing::info!(cluster = %target.cluster, secret = %secret_key, address, "the credential is bound to the address");
        }
        Ok(endpoint)
    }
}

/// Logs that nothing is sent to `cluster`. Its Secret names its uid and is therefore made after it: a cluster that was never
/// reported waits for its Secret, which is no fault.
fn log_suspension(cluster: &Cluster, error: &BoxError) {
    let name = &cluster.metadata.name;
    if cluster.status.conditions.is_empty()
        && matches!(error.downcast_ref(), Some(EndpointError::SecretGone(_)))
    {
        tracing::info!(cluster = %name, "the cluster waits for the Secret of its credential");
        return;
    }
    tracing::warn!(cluster = %name, %error, "nothing is sent to the cluster");
}
