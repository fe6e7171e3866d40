//! Runs `plan::kubernetes::volume_claim` and `plan::kubernetes::persistent_volume` over the claims and volumes of a cluster.

use std::fmt;
use std::sync::Arc;

use portolan_api::resources;
use portolan_net::{Clock, Shutdown};
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::persistent_volume::{self, VolumeStep, claim_of};
use portolan_plan::kubernetes::volume_claim::{self, ClaimStep, Storages, Waiting};
use portolan_runtime::cache::Caches;
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::{Api, Cache, Client, ClientError, EventRecorder, Outcome, Queue, Reconciler, driver};
use serde_json::{Value, json};

use crate::merge::status_patch;
use crate::missing::ignore_missing;

const WORKERS: usize = 2;
const COMPONENT: &str = "persistentvolume-controller";
/// Index of the pods with a node: by the claims that they use, as `namespace/name`.
const BY_CLAIM: &str = "claims";

/// How a cluster makes volumes.
#[derive(Debug, Clone)]
pub struct Provisioner {
    /// The name that StorageClasses use.
    pub name: &'static str,
    /// Directory of the volumes, each under its own name.
    pub directory: String,
}

/// A claim, or a volume.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    Claim(ObjectKey),
    Volume(ObjectKey),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(key) => write!(f, "claim {key}"),
            Self::Volume(key) => write!(f, "volume {key}"),
        }
    }
}

struct Volumes {
    claims_api: Api<Object>,
    volumes_api: Api<Object>,
    claims: Cache<Object>,
    volumes: Cache<Object>,
    classes: Cache<Object>,
    pods: Cache<Object>,
    provisioner: Provisioner,
    events: EventRecorder,
}

pub(super) fn start(caches: &Caches, provisioner: Provisioner, clock: &Clock, scope: &Shutdown) {
    let client: &Client = caches.client();
    let claims = caches.of(&resources::PERSISTENT_VOLUME_CLAIM.into());
    let volumes = caches.of(&resources::PERSISTENT_VOLUME.into());
    let classes = caches.of(&resources::STORAGE_CLASS.into());
    let pods = caches.of(&resources::POD.into());
    pods.add_index(BY_CLAIM, claims_of);
    let queue = Queue::new("volumes");
    let (adder, all) = (queue.clone(), volumes.clone());
    claims.observe(move |change| {
        adder.add(Key::Claim(change.key.clone()));
        let named = |volume: &Arc<Object>| claim_of(volume).as_ref() == Some(&change.key);
        all.list()
            .iter()
            .filter(|volume| named(volume))
            .for_each(|volume| adder.add(Key::Volume(volume.key())));
    });
    let (adder, waiting) = (queue.clone(), claims.clone());
    volumes.observe(move |change| {
        adder.add(Key::Volume(change.key.clone()));
        let named = change.old.iter().chain(&change.new).filter_map(|volume| claim_of(volume));
        named.for_each(|claim| adder.add(Key::Claim(claim)));
        queue_waiting(&waiting, &adder);
    });
    let (adder, waiting) = (queue.clone(), claims.clone());
    classes.observe(move |_| queue_waiting(&waiting, &adder));
    let adder = queue.clone();
    pods.observe(move |change| {
        let Some(pod) = &change.new else { return };
        for claim in claims_of(&change.key, pod) {
            if let Some((namespace, name)) = claim.split_once('/') {
                adder.add(Key::Claim(ObjectKey::namespaced(namespace, name)));
            }
        }
    });
    let controller = Volumes {
        claims_api: client.resource(claims.resource()),
        volumes_api: client.resource(volumes.resource()),
        claims,
        volumes,
        classes,
        pods,
        provisioner,
        events: EventRecorder::new(client, COMPONENT, clock.clone(), scope),
    };
    driver::run(Arc::new(controller), &queue, WORKERS, scope);
}

/// Queues the claims that have no volume.
fn queue_waiting(claims: &Cache<Object>, queue: &Queue<Key>) {
    let waits = |claim: &&Arc<Object>| claim.str_at(&["status", "phase"]) != "Bound";
    claims.list().iter().filter(waits).for_each(|claim| queue.add(Key::Claim(claim.key())));
}

/// The claims of a pod with a node, as values of the index.
fn claims_of(key: &ObjectKey, pod: &Object) -> Vec<String> {
    if pod.str_at(&["spec", "nodeName"]).is_empty() {
        return Vec::new();
    }
    let volumes = pod.at(&["spec", "volumes"]).and_then(Value::as_array).into_iter().flatten();
    let names = volumes.filter_map(|volume| volume["persistentVolumeClaim"]["claimName"].as_str());
    names.map(|name| format!("{}/{name}", key.namespace)).collect()
}

impl Reconciler for Volumes {
    type Key = Key;

    async fn reconcile(&self, key: &Key) -> Outcome {
        let is_synced = self.claims.synced().await && self.volumes.synced().await;
        if !(is_synced && self.classes.synced().await && self.pods.synced().await) {
            return Outcome::Done;
        }
        match key {
            Key::Claim(key) => self.claim(key).await.into(),
            Key::Volume(key) => self.volume(key).await.into(),
        }
    }
}

impl Volumes {
    async fn claim(&self, key: &ObjectKey) -> Result<(), ClientError> {
        let Some(claim) = self.claims.get(key) else { return Ok(()) };
        let (volumes, classes) = (self.volumes.list(), self.classes.list());
        let volumes: Vec<&Object> = volumes.iter().map(|volume| &**volume).collect();
        let classes: Vec<&Object> = classes.iter().map(|class| &**class).collect();
        let used = self.pods.count_by_index(BY_CLAIM, &format!("{}/{}", key.namespace, key.name));
        let storages = Storages {
            volumes: &volumes,
            classes: &classes,
            provisioner: self.provisioner.name,
            directory: &self.provisioner.directory,
            has_consumer: used > 0,
        };
        for step in volume_claim::plan(&claim, &storages) {
            self.take(&claim, step).await?;
        }
        Ok(())
    }

    async fn take(&self, claim: &Object, step: ClaimStep) -> Result<(), ClientError> {
        match step {
            ClaimStep::Claim(mut change) => {
                change["metadata"]["uid"] = json!(claim.uid());
                ignore_missing(self.claims_api.patch(&claim.key(), &Patch::Merge(change)).await).map(drop)
            }
            ClaimStep::Status(status) => {
                let patch = status_patch(claim, &status);
                ignore_missing(self.claims_api.patch_status(&claim.key(), &patch).await).map(drop)
            }
            ClaimStep::Volume(name, mut change) => {
                let key = ObjectKey::cluster(&name);
                // Two claims must not take one volume: the version in the cache is the one that was decided on.
                let version = self.volumes.get(&key).map(|volume| volume.resource_version().to_owned());
                change["metadata"]["resourceVersion"] = json!(version);
                ignore_missing(self.volumes_api.patch(&key, &Patch::Merge(change)).await).map(drop)
            }
            ClaimStep::Provision(volume) => match self.volumes_api.create(&volume).await {
                Ok(_) => {
                    let message = format!("Successfully provisioned volume {}", volume.name());
                    self.record(claim, Severity::Normal, "ProvisioningSucceeded", message);
                    Ok(())
                }
                Err(ClientError::AlreadyExists(_)) => Ok(()),
                Err(error) => {
                    let message = format!("failed to provision volume: {error}");
                    self.record(claim, Severity::Warning, "ProvisioningFailed", message);
                    Err(error)
                }
            },
            ClaimStep::Wait(cause) => {
                let class = claim.str_at(&["spec", "storageClassName"]);
                let (severity, reason, message) = waiting(cause, class);
                self.record(claim, severity, reason, message);
                Ok(())
            }
        }
    }

    async fn volume(&self, key: &ObjectKey) -> Result<(), ClientError> {
        let Some(volume) = self.volumes.get(key) else { return Ok(()) };
        let claim = claim_of(&volume).and_then(|claim| self.claims.get(&claim));
        match persistent_volume::plan(&volume, claim.as_deref(), self.provisioner.name) {
            VolumeStep::None => Ok(()),
            VolumeStep::Delete => {
                let delete = Delete::background().uid(volume.uid());
                ignore_missing(self.volumes_api.delete(key, &delete).await).map(drop)
            }
            VolumeStep::Status(status) => {
                let patch = status_patch(&volume, &status);
                ignore_missing(self.volumes_api.patch_status(key, &patch).await).map(drop)
            }
        }
    }

    fn record(&self, claim: &Object, severity: Severity, reason: &str, message: String) {
        self.events.record(Regarding::object(claim), severity, reason, message);
    }
}

/// The event of a claim that waits, in the words of kube-controller-manager.
fn waiting(cause: Waiting, class: &str) -> (Severity, &'static str, String) {
    match cause {
        Waiting::NoVolume => (
            Severity::Normal,
            "FailedBinding",
            "no persistent volumes available for this claim and no storage class is set".to_owned(),
        ),
        Waiting::Consumer => (
            Severity::Normal,
            "WaitForFirstConsumer",
            "waiting for first consumer to be created before binding".to_owned(),
        ),
        Waiting::Provisioner => (
            Severity::Normal,
            "ExternalProvisioning",
            format!("waiting for a volume to be created by the provisioner of storage class {class:?}"),
        ),
        Waiting::Class => (
            Severity::Warning,
            "ProvisioningFailed",
            format!("storageclass.storage.k8s.io {class:?} not found"),
        ),
    }
}
