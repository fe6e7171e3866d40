//! Federations: their status, and the records of their Services in public zones.
//!
//! `propagation::federated` puts the objects into the clusters. From what is seen of them there, `portolan_plan` computes
//! the records, and providers write what differs:
//!
//! | # | step | file | decided in |
//! | --- | --- | --- | --- |
//! | 1 | A report of a cluster, its endpoints, its health or the Federation changes: the Federation is queued. | `federation.rs`, `endpoints.rs` | |
//! | 2 | Shards and clusters are gathered; host names of load balancers are looked up. Clusters without contact are probed. | `observed.rs`, `hosts.rs`, `probe.rs` | `plan::federation::dns::observed` |
//! | 3 | The zones that will have records are noted in the status, before anything is written to them. | `federation.rs` | `zones` |
//! | 4 | The wanted record sets are computed and compared with those of the zone. | `records.rs`, `zone_writer.rs` | `planner`, `registry`, `difference` |
//! | 5 | The difference is written. | `credentials.rs`, `dns_endpoints.rs`, crate `portolan_providers` | |
//! | 6 | Status, conditions and events say what is published and what failed. | `federation.rs`, `records.rs` | `plan::federation::status` |
//!
//! `dns_records.rs` publishes the ServiceDNSRecords and IngressDNSRecords of KubeFed, as DNSEndpoints.

mod credentials;
mod dns_endpoints;
mod dns_records;
mod endpoints;
mod hosts;
mod observed;
mod probe;
mod records;
mod zone_writer;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::READY;
use portolan_api::federation::{Federation, FederationStatus, PUBLISHED, PublishedZone};
use portolan_api::finalizers::FEDERATION_RECORDS;
use portolan_api::meta::{Condition, condition};
use portolan_api::names::SYSTEM_NAMESPACE;
use portolan_api::{labels, resources};
use portolan_object::{GroupKind, ObjectKey};
use portolan_plan::federation::dns::record::DomainName;
use portolan_plan::federation::dns::sharing::{reserve_serials, serial_floor};
use portolan_plan::federation::dns::zones::{Target, targets};
use portolan_plan::federation::status::{Facts, Served, published, status};
use portolan_runtime::client::Patch;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{ClientError, Outcome, Queue, Reconciler, driver};
use serde_json::json;

pub use credentials::{CredentialsError, OwnTargets, publisher, secret_of};
pub use portolan_providers::PublicDns;
pub use portolan_providers::built_in::{PlaceDatabase, Writers};

use crate::hub::Hub;
use crate::merge::difference;
use crate::missing::ignore_missing;
use crate::propagation::Pipeline;
use endpoints::Endpoints;
use hosts::Hosts;
use observed::Observer;
use records::Records;
use zone_writer::RESYNC;

/// Time for which changes are gathered for one pass.
const BATCH: Duration = Duration::from_millis(100);
/// Time after which a federation that does not take effect as written is looked at again.
const RETRY: Duration = Duration::from_secs(10);
/// A slow provider holds up one worker.
const WORKERS: usize = 4;

/// Is told of Services with changed endpoints.
type OnService = Box<dyn Fn(ObjectKey) + Send + Sync>;

struct Federations {
    hub: Hub,
    pipeline: Pipeline,
    records: Arc<Records>,
}

/// Starts the controller. Its keys are Federations.
pub(crate) fn start(hub: &Hub, pipeline: &Pipeline) {
    let queue: Queue<ObjectKey> = hub.client.metrics().queue("federations", None);
    // Records of KubeFed are told of changed endpoints when their controller runs.
    let record_changed: Arc<OnceLock<OnService>> = Arc::default();
    let endpoints = {
        let (queue, pipeline, record_changed) = (queue.clone(), pipeline.clone(), record_changed.clone());
        Endpoints::follow(&hub.members, move |service| {
            if let Some(federation) = pipeline.federation_of(&resources::SERVICE.gvk(), &service) {
                queue.add_after(ObjectKey::cluster(federation), BATCH);
            }
            if let Some(changed) = record_changed.get() {
                changed(service);
            }
        })
    };
    let hosts = Arc::new(Hosts::default());
    let observer = Observer { hub: hub.clone(), pipeline: pipeline.clone(), endpoints, hosts };
    // It is set once.
    let _ = record_changed.set(Box::new(dns_records::start(hub, pipeline, observer.clone())));
    let (hub, pipeline, scope) = (hub.clone(), pipeline.clone(), hub.scope.clone());
    spawn_until_stop(&scope, async move {
        if !(hub.federations.synced().await && pipeline.synced().await) {
            return;
        }
        observe(&hub, &pipeline, &queue);
        let records = Arc::new(Records::new(observer, queue.clone()));
        let scope = hub.scope.clone();
        driver::run(Arc::new(Federations { hub, pipeline, records }), &queue, WORKERS, &scope);
    });
}

/// Queues federations for everything that their status or records depend on.
fn observe(hub: &Hub, pipeline: &Pipeline, queue: &Queue<ObjectKey>) {
    let queue_all = {
        let (queue, federations) = (queue.clone(), hub.federations.clone());
        move || {
            for federation in federations.list() {
                queue.add_after(federation.metadata.key(), BATCH);
            }
        }
    };
    // Another federation may overlap with this one.
    let changed = queue_all.clone();
    hub.federations.observe(move |change| {
        let decides = |one: &Arc<Federation>| (one.spec.clone(), one.metadata.deletion_timestamp.clone());
        if change.old.as_ref().map(decides) != change.new.as_ref().map(decides) {
            changed();
        }
    });
    let changed = queue_all.clone();
    hub.namespaces.observe(move |change| {
        if change.old.is_none() || change.new.is_none() {
            changed();
        }
    });
    let changed = queue_all.clone();
    hub.clusters.observe(move |change| {
        let decides = |cluster: &Arc<Cluster>| {
            let ready = condition(&cluster.status.conditions, READY).cloned();
            (cluster.spec.region.clone(), cluster.spec.zones.clone(), ready)
        };
        if change.old.as_ref().map(decides) != change.new.as_ref().map(decides) {
            changed();
        }
    });
    let secrets = resources::SECRET.gvk();
    let (changed, federated, hub_queue) = (queue_all, pipeline.clone(), queue.clone());
    pipeline.observe_templates(move |resource, change| {
        if resource.gvk == secrets && change.key.namespace == SYSTEM_NAMESPACE {
            changed();
        } else if let Some(name) = federated.federation_of(&resource.gvk, &change.key) {
            hub_queue.add_after(ObjectKey::cluster(name), BATCH);
        }
    });
    let queue = queue.clone();
    pipeline.observe_binding_changes(move |change| {
        for binding in change.old.iter().chain(&change.new) {
            if let Some(name) = binding.metadata.label(labels::federation::NAME) {
                queue.add_after(ObjectKey::cluster(name), BATCH);
            }
        }
    });
}

impl Reconciler for Federations {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(federation) = self.hub.federations.get(&key.name) else { return Outcome::Done };
        self.reconcile_federation(&federation).await.into()
    }
}

impl Federations {
    async fn reconcile_federation(&self, federation: &Federation) -> Result<Outcome, ClientError> {
        let mut targets = targets(federation);
        self.reserve_serials(&mut targets);
        let mut status = self.status(federation);
        let mut again = (!status.conditions.iter().all(Condition::is_true)).then_some(RETRY);
        if targets.is_empty() {
            status.conditions.retain(|condition| condition.kind != PUBLISHED);
            status.clusters.clear();
            if federation.metadata.has_finalizer(FEDERATION_RECORDS) {
                return self.release(federation).await;
            }
            self.write_status(federation, &status).await?;
            return Ok(again.map_or(Outcome::Done, Outcome::RequeueAfter));
        }
        let Some(federation) = self.announce(federation, &targets).await? else { return Ok(Outcome::Done) };
        status.zones.clone_from(&federation.status.zones);
        let (federation, observer) = (Arc::new(federation), &self.records.observer);
        let observed = Arc::new(observer.observe(&federation).await);
        let reports = self.records.publish(&federation, &targets, &observed).await;
        status.clusters.clone_from(&observed.places);
        // A report can be older than this pass.
        let zones = reports.into_iter().zip(&targets).map(|(mut report, target)| {
            report.zone.serial_limit = target.zone.serial_limit;
            report
        });
        status.zones = zones.filter(|report| !report.is_cleared).map(|report| report.zone).collect();
        let is_published = published(&federation, &mut status, &self.hub.now());
        self.write_status(&federation, &status).await?;
        let retry = (!is_published).then_some(RETRY);
        again = [again, retry, observed.again, Some(RESYNC)].into_iter().flatten().min();
        if status.zones.is_empty() {
            // The status that has no zone any more queues nothing: it is our own.
            again = Some(BATCH);
        }
        Ok(again.map_or(Outcome::Done, Outcome::RequeueAfter))
    }

    /// Notes the serial numbers of the zones that this process serves before it uses them, so that they go up over a restart.
    fn reserve_serials(&self, targets: &mut [Target]) {
        let Some(dns) = &self.hub.public_dns else { return };
        let federations = self.hub.federations.list();
        let own = targets.iter_mut().filter(|target| target.zone.provider.built_in.is_some());
        for target in own {
            if let Ok(zone) = DomainName::parse(&target.zone.zone) {
                dns.begin(&zone, serial_floor(target, &federations));
                reserve_serials(target, dns.next_serial(&zone));
            }
        }
    }

    /// The status without zones.
    fn status(&self, federation: &Federation) -> FederationStatus {
        let served = |kind: &GroupKind| match self.pipeline.is_namespaced(kind) {
            None => Served::Nothing,
            Some(true) => Served::Namespaced,
            Some(false) => Served::ClusterScoped,
        };
        let (federations, namespaces) = (self.hub.federations.list(), self.hub.namespaces.list());
        let objects = self.pipeline.federated(&federation.metadata.name).len();
        let facts = Facts { federations: &federations, namespaces: &namespaces, objects, served: &served };
        status(federation, facts, &self.hub.now())
    }

    /// Notes the zones in the status, and the finalizer, before anything is written to them: whatever happens then, the
    /// records can be found and deleted. Returns the federation as it is stored; `None` if it is gone.
    async fn announce(
        &self,
        federation: &Federation,
        targets: &[Target],
    ) -> Result<Option<Federation>, ClientError> {
        let api = self.hub.client.kind::<Federation>();
        let key = federation.metadata.key();
        let mut current = federation.clone();
        let finalizers = current.metadata.with_finalizer(FEDERATION_RECORDS);
        if let Some(finalizers) = finalizers.filter(|_| !federation.metadata.is_deleting()) {
            let patch = json!({ "metadata": {
                "resourceVersion": current.metadata.resource_version, "finalizers": finalizers } });
            let Some(written) = ignore_missing(api.patch(&key, &Patch::Merge(patch)).await)? else {
                return Ok(None);
            };
            self.hub.federations.written(written.clone());
            current = written;
        }
        let place =
            |zone: &PublishedZone| PublishedZone { record_sets: 0, message: String::new(), ..zone.clone() };
        let is_noted =
            |target: &Target| current.status.zones.iter().any(|noted| place(noted) == place(&target.zone));
        if !targets.iter().all(is_noted) {
            let mut status = current.status.clone();
            status.zones = targets.iter().map(|target| target.zone.clone()).collect();
            return self.write_status(&current, &status).await;
        }
        Ok(Some(current))
    }

    /// Writes the status if it changed. Returns the federation as it is stored; `None` if it is gone.
    async fn write_status(
        &self,
        federation: &Federation,
        status: &FederationStatus,
    ) -> Result<Option<Federation>, ClientError> {
        if *status == federation.status {
            return Ok(Some(federation.clone()));
        }
        let patch = json!({ "metadata": { "resourceVersion": federation.metadata.resource_version },
            "status": difference(&json!(federation.status), &json!(status)) });
        let api = self.hub.client.kind::<Federation>();
        let written = api.patch_status(&federation.metadata.key(), &Patch::Merge(patch)).await;
        let written = ignore_missing(written)?;
        written.iter().for_each(|written| self.hub.federations.written(written.clone()));
        Ok(written)
    }

    /// Lets a federation go, or forget its zones: no zone has its records any more.
    async fn release(&self, federation: &Federation) -> Result<Outcome, ClientError> {
        let Some(finalizers) = federation.metadata.without_finalizers(&[FEDERATION_RECORDS]) else {
            return Ok(Outcome::Done);
        };
        let patch = json!({ "metadata": {
            "resourceVersion": federation.metadata.resource_version, "finalizers": finalizers } });
        let api = self.hub.client.kind::<Federation>();
        let written = api.patch(&federation.metadata.key(), &Patch::Merge(patch)).await;
        if let Some(written) = ignore_missing(written)?.filter(|written| !written.metadata.is_deleting()) {
            self.hub.federations.written(written);
            return Ok(Outcome::RequeueAfter(BATCH));
        }
        Ok(Outcome::Done)
    }
}
