//! KubeFedClusters: each stands for the Cluster of its name.
//!
//! A Cluster without a KubeFedCluster gets one. A KubeFedCluster without a Cluster, such as `kubefedctl join` makes, joins
//! the cluster with the token in its Secret, as `portolan join` would; the token is not used again. When one of the two is
//! deleted, the other is too.

use std::sync::Arc;
use std::time::Duration;

use portolan_api::cluster::Cluster;
use portolan_api::kubefed::{
    CLUSTER_FINALIZER, CLUSTER_UID, KubeFedCluster, KubeFedClusterStatus, SYSTEM_NAMESPACE,
};
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubefed::cluster::{
    Labels, SpecError, address, common_labels, malformed, merge_labels, mirror, stands_for, status, token,
};
use portolan_runtime::client::{ConnectError, Credential, Delete, Endpoint, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{Cache, Client, ClientError, Outcome, Reconciler, driver};
use serde_json::json;

use crate::clusters::join::{JoinError, JoinRequest, join};
use crate::hub::Hub;
use crate::merge::difference;
use crate::missing::ignore_missing;

/// Time for each answer of a cluster that joins.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time after which a cluster that could not join is tried again.
const RETRY: Duration = Duration::from_secs(20);

struct KubeFedClusters {
    hub: Hub,
    mirrors: Cache<KubeFedCluster>,
}

/// A cluster could not join as its KubeFedCluster describes it.
#[derive(Debug, thiserror::Error)]
enum RegistrationError {
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error("the Secret {0} has no token for the cluster: create it, or correct spec.secretRef")]
    NoToken(ObjectKey),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error("cannot read the Secret {0}: {1}")]
    Secret(ObjectKey, ClientError),
}

/// Starts the controller. Its keys are the names of clusters.
pub(super) fn start(hub: &Hub, mirrors: Cache<KubeFedCluster>) {
    let queue = hub.client.metrics().queue("kubefed-clusters", None);
    let changed = queue.clone();
    hub.clusters.observe(move |change| changed.add(change.key.clone()));
    let changed = queue.clone();
    mirrors.observe(move |change| {
        if change.key.namespace == SYSTEM_NAMESPACE && !change.is_own {
            changed.add(ObjectKey::cluster(&*change.key.name));
        }
    });
    driver::run(Arc::new(KubeFedClusters { hub: hub.clone(), mirrors }), &queue, 2, &hub.scope);
}

impl Reconciler for KubeFedClusters {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let mirror = self.mirrors.get(&ObjectKey::namespaced(SYSTEM_NAMESPACE, &*key.name));
        let cluster = self.hub.clusters.get(key);
        let staying = cluster.as_ref().filter(|cluster| !cluster.metadata.is_deleting());
        match (mirror, cluster.as_deref()) {
            (Some(mirror), cluster) if mirror.metadata.is_deleting() => {
                self.leave(&mirror, cluster).await.into()
            }
            (Some(mirror), None) if mirror.metadata.annotations.contains_key(CLUSTER_UID) => {
                self.remove(&mirror).await.into()
            }
            (Some(mirror), None) => self.register(&mirror).await.into(),
            (mirror, Some(_)) => match staying {
                Some(cluster) => self.sync(cluster, mirror.as_deref()).await.into(),
                None => Outcome::Done,
            },
            (None, None) => Outcome::Done,
        }
    }
}

impl KubeFedClusters {
    /// Makes the KubeFedCluster of a Cluster, or makes labels, address and status equal.
    async fn sync(&self, cluster: &Cluster, old: Option<&KubeFedCluster>) -> Result<Outcome, ClientError> {
        let of_mirror = old.map_or(&cluster.metadata.labels, |old| &old.metadata.labels);
        let common = old.map(common_labels).unwrap_or_default();
        let labels = merge_labels(&common, of_mirror, &cluster.metadata.labels);
        if labels != cluster.metadata.labels {
            self.label(cluster, &labels).await?;
        }
        let wanted = mirror(cluster, &labels, old);
        let api = self.hub.client.kind::<KubeFedCluster>();
        let present = match old {
            None => {
                let created = api.create(&wanted).await?;
                self.written(created.clone());
                created
            }
            Some(old) if *old == wanted => old.clone(),
            Some(old) => match self.patch(old, &wanted).await? {
                Some(written) => written,
                None => return Ok(Outcome::Done),
            },
        };
        if let Some(old) = old.filter(|old| old.spec.api_endpoint != present.spec.api_endpoint) {
            let message = format!(
                "spec.apiEndpoint is again the address of the Cluster, not {:?}: `portolan join {} --replace-address` changes it",
                old.spec.api_endpoint, cluster.metadata.name
            );
            self.hub.events.record(Regarding::kind(&present), Severity::Warning, "AddressOfCluster", message);
        }
        self.report(&present, status(cluster, &self.hub.now())).await?;
        Ok(Outcome::Done)
    }

    async fn label(&self, cluster: &Cluster, labels: &Labels) -> Result<(), ClientError> {
        let labels = difference(&json!(cluster.metadata.labels), &json!(labels));
        let patch = json!({ "metadata": {
            "resourceVersion": cluster.metadata.resource_version, "labels": labels } });
        let api = self.hub.client.kind::<Cluster>();
        let written = api.patch(&cluster.metadata.key(), &Patch::Merge(patch)).await;
        ignore_missing(written).map(drop)
    }

    /// Joins the cluster of a KubeFedCluster. The Cluster that results queues the key again.
    async fn register(&self, mirror: &KubeFedCluster) -> Result<Outcome, ClientError> {
        let Err(error) = self.join(mirror).await else { return Ok(Outcome::Done) };
        let cause = error.to_string();
        let known = mirror.status.conditions.first();
        let is_known = known.is_some_and(|condition| condition.message.ends_with(&cause));
        if !is_known {
            let conditions = vec![malformed(&cause, &self.hub.now())];
            let about = Regarding::kind(mirror);
            self.hub.events.record(about, Severity::Warning, "MalformedClusterConfig", cause);
            self.report(mirror, KubeFedClusterStatus { conditions, ..KubeFedClusterStatus::default() })
                .await?;
        }
        Ok(Outcome::RequeueAfter(RETRY))
    }

    async fn join(&self, mirror: &KubeFedCluster) -> Result<(), RegistrationError> {
        let address = address(&mirror.spec)?;
        let secret = ObjectKey::namespaced(SYSTEM_NAMESPACE, &*mirror.spec.secret_ref.name);
        let endpoint = Endpoint {
            url: address.url.clone(),
            ca_pem: address.ca_pem.clone(),
            credential: Credential::Token(self.token(&secret).await?),
            insecure_skip_verify: address.insecure,
            is_tunnelled: false,
        };
        let member = Client::connect(endpoint)?.with_timeout(ANSWER_TIMEOUT);
        let request = JoinRequest {
            name: mirror.metadata.name.clone(),
            url: address.url,
            ca_pem: address.ca_pem,
            insecure_skip_verify: address.insecure,
            labels: mirror.metadata.labels.clone().into_iter().collect(),
            control_plane: "KubeFed".to_owned(),
            ..JoinRequest::default()
        };
        let joined = join(&self.hub.client, &member, &request).await?;
        tracing::info!(cluster = %request.name, capped = joined.capped.is_some(), "joined by its KubeFedCluster");
        Ok(())
    }

    async fn token(&self, key: &ObjectKey) -> Result<String, RegistrationError> {
        let secrets = self.hub.client.resource::<Object>(&resources::SECRET.into());
        let secret = ignore_missing(secrets.get(key).await);
        let secret = secret.map_err(|error| RegistrationError::Secret(key.clone(), error))?;
        secret.as_ref().and_then(token).ok_or_else(|| RegistrationError::NoToken(key.clone()))
    }

    /// Removes the Cluster of a KubeFedCluster that is being deleted, and then lets it go.
    async fn leave(
        &self,
        mirror: &KubeFedCluster,
        cluster: Option<&Cluster>,
    ) -> Result<Outcome, ClientError> {
        let Some(finalizers) = mirror.metadata.without_finalizers(&[CLUSTER_FINALIZER]) else {
            return Ok(Outcome::Done);
        };
        let own = cluster.filter(|cluster| stands_for(mirror, cluster));
        if let Some(cluster) = own.filter(|_| !self.is_namespace_leaving()) {
            if !cluster.metadata.is_deleting() {
                let options = Delete::default().uid(cluster.metadata.uid.clone());
                let api = self.hub.client.kind::<Cluster>();
                ignore_missing(api.delete(&cluster.metadata.key(), &options).await)?;
            }
            // The end of the Cluster queues the key again.
            return Ok(Outcome::Done);
        }
        let patch = json!({ "metadata": {
            "resourceVersion": mirror.metadata.resource_version, "finalizers": finalizers } });
        let api = self.hub.client.kind::<KubeFedCluster>();
        ignore_missing(api.patch(&mirror.metadata.key(), &Patch::Merge(patch)).await)?;
        Ok(Outcome::Done)
    }

    /// Whether all KubeFedClusters go with their namespace. No cluster leaves for that: they come back with the namespace.
    fn is_namespace_leaving(&self) -> bool {
        let namespace = self.hub.namespaces.get(&ObjectKey::cluster(SYSTEM_NAMESPACE));
        namespace.is_none_or(|namespace| namespace.is_deleting())
    }

    async fn remove(&self, mirror: &KubeFedCluster) -> Result<Outcome, ClientError> {
        let options = Delete::default().uid(mirror.metadata.uid.clone());
        let api = self.hub.client.kind::<KubeFedCluster>();
        ignore_missing(api.delete(&mirror.metadata.key(), &options).await)?;
        Ok(Outcome::Done)
    }

    async fn patch(
        &self,
        old: &KubeFedCluster,
        new: &KubeFedCluster,
    ) -> Result<Option<KubeFedCluster>, ClientError> {
        let mut patch = difference(&json!(old), &json!(new));
        patch["metadata"]["resourceVersion"] = json!(old.metadata.resource_version);
        let api = self.hub.client.kind::<KubeFedCluster>();
        let written = ignore_missing(api.patch(&old.metadata.key(), &Patch::Merge(patch)).await)?;
        written.iter().for_each(|written| self.written(written.clone()));
        Ok(written)
    }

    async fn report(&self, mirror: &KubeFedCluster, status: KubeFedClusterStatus) -> Result<(), ClientError> {
        if status == mirror.status {
            return Ok(());
        }
        let patch = json!({ "status": difference(&json!(mirror.status), &json!(status)) });
        let api = self.hub.client.kind::<KubeFedCluster>();
        let written = ignore_missing(api.patch_status(&mirror.metadata.key(), &Patch::Merge(patch)).await)?;
        written.into_iter().for_each(|written| self.written(written));
        Ok(())
    }

    fn written(&self, mut mirror: KubeFedCluster) {
        mirror.metadata.managed_fields.clear();
        let version = mirror.metadata.resource_version.clone();
        self.mirrors.written(mirror.metadata.key(), &version, mirror);
    }
}
