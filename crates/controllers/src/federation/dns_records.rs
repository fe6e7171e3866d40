//! ServiceDNSRecords and IngressDNSRecords of KubeFed: a DNSEndpoint for each, which an ExternalDNS publishes.

mod observe;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portolan_api::Kind;
use portolan_api::external_dns::DNSEndpoint;
use portolan_api::kubefed::{DnsRecordStatus, Domain, IngressDNSRecord, SYSTEM_NAMESPACE, ServiceDNSRecord};
use portolan_api::meta::{ObjectMeta, OwnerReference};
use portolan_api::{labels, names};
use portolan_object::ObjectKey;
use portolan_plan::federation::dns::record::{NameError, RecordSet};
use portolan_plan::federation::dns::service::{Cluster, Shard};
use portolan_plan::kubefed::dns_records::{
    LABEL, RecordKind, clusters_status, dns_endpoint, ingress_sets, service_sets,
};
use portolan_runtime::cache::Content;
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::events::{Regarding, Severity};
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, ClientError, Outcome, Queue, Reconciler, driver};
use serde_json::json;

use super::observed::Observer;
use crate::hub::Hub;
use crate::merge::difference;
use crate::missing::ignore_missing;
use crate::propagation::Pipeline;

/// Time for which changes are gathered for one pass.
const BATCH: Duration = Duration::from_millis(100);

/// A record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct RecordId {
    kind: RecordKind,
    key: ObjectKey,
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.target(), self.key)
    }
}

struct DnsRecords {
    observer: Observer,
    records: Records,
}

/// The caches.
#[derive(Clone)]
struct Records {
    services: Cache<ServiceDNSRecord>,
    ingresses: Cache<IngressDNSRecord>,
    domains: Cache<Domain>,
}

/// What a record asks for.
struct Asked {
    metadata: ObjectMeta,
    owner: OwnerReference,
    status: DnsRecordStatus,
    sets: Result<Vec<RecordSet>, RecordError>,
    domain: String,
    external_name: String,
    ignores_endpoints: bool,
}

/// A record without names.
#[derive(Debug, thiserror::Error)]
enum RecordError {
    #[error("there is no Domain {SYSTEM_NAMESPACE}/{0}: create it, or correct spec.domainRef")]
    NoDomain(String),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("the DNSEndpoint {0} has another owner: delete it, or rename the record")]
    Taken(ObjectKey),
}

/// Starts the controller. Returns the queue of Services with changed endpoints.
pub(super) fn start(hub: &Hub, pipeline: &Pipeline, observer: Observer) -> impl Fn(ObjectKey) + use<> {
    let queue: Queue<RecordId> = hub.client.metrics().queue("dns-records", None);
    let records = Records {
        services: cache(hub, |record: &mut ServiceDNSRecord| record.metadata.managed_fields.clear()),
        ingresses: cache(hub, |record: &mut IngressDNSRecord| record.metadata.managed_fields.clear()),
        domains: cache(hub, |domain: &mut Domain| domain.metadata.managed_fields.clear()),
    };
    observe::observe(hub, pipeline, &records, &queue);
    let changed = queue.clone();
    let (pipeline, scope) = (pipeline.clone(), hub.scope.clone());
    spawn_until_stop(&hub.scope, async move {
        let is_read = records.services.synced().await
            && records.ingresses.synced().await
            && records.domains.synced().await
            && pipeline.synced().await;
        if is_read {
            driver::run(Arc::new(DnsRecords { observer, records }), &queue, 2, &scope);
        }
    });
    move |key| changed.add_after(RecordId { kind: RecordKind::Service, key }, BATCH)
}

fn cache<T: Content + Kind>(hub: &Hub, trim: impl Fn(&mut T) + Send + Sync + 'static) -> Cache<T> {
    Cache::<T>::of_kind(&hub.client).trim(trim).start(&hub.scope)
}

impl Reconciler for DnsRecords {
    type Key = RecordId;

    async fn reconcile(&self, id: &RecordId) -> Outcome {
        self.record(id).await.into()
    }
}

impl DnsRecords {
    async fn record(&self, id: &RecordId) -> Result<Outcome, ClientError> {
        let (shards, clusters, again) = self.observe(id).await;
        let Some(mut asked) = self.asked(id, &clusters, &shards) else {
            self.delete(id).await?;
            return Ok(Outcome::Done);
        };
        if let Ok(sets) = &asked.sets {
            let Asked { metadata, owner, external_name, .. } = &asked;
            let wanted = dns_endpoint(id.kind, metadata, owner.clone(), sets, external_name);
            if !self.write(&wanted).await? {
                asked.sets = Err(RecordError::Taken(wanted.metadata.key()));
            }
        }
        let dns = clusters_status(&clusters, &shards, asked.ignores_endpoints);
        let message = asked.sets.as_ref().err().map(ToString::to_string).unwrap_or_default();
        let status = DnsRecordStatus { domain: asked.domain.clone(), dns, message };
        self.report(id, &asked, &status).await?;
        Ok(again.map_or(Outcome::Done, Outcome::RequeueAfter))
    }

    /// Shards and clusters, and the time after which they change without an event.
    async fn observe(&self, id: &RecordId) -> (Vec<Shard>, Vec<Cluster>, Option<Duration>) {
        let target = id.kind.target();
        let bindings = self.observer.pipeline.bindings();
        let reports = [format!("Federated{target}"), target.to_owned()].iter().find_map(|kind| {
            let key = ObjectKey::namespaced(&*id.key.namespace, names::binding(kind, &id.key.name));
            Some(bindings.get(&key)?.status.aggregated_status.clone())
        });
        let observed = self.observer.observe_one(&id.key, &reports.unwrap_or_default()).await;
        let shards = observed.services.into_iter().flat_map(|service| service.shards).collect();
        (shards, observed.clusters, observed.again)
    }

    /// `None` if there is no such record.
    fn asked(&self, id: &RecordId, clusters: &[Cluster], shards: &[Shard]) -> Option<Asked> {
        match id.kind {
            RecordKind::Service => {
                let record = self.records.services.get(&id.key)?;
                let reference = &record.spec.domain_ref;
                let domain = self.records.domains.get(&ObjectKey::namespaced(SYSTEM_NAMESPACE, &**reference));
                let domain = domain.map(|domain| domain.domain.clone());
                let sets = match &domain {
                    None => Err(RecordError::NoDomain(reference.clone())),
                    Some(domain) => {
                        service_sets(&record, (reference.as_str(), domain.as_str()), clusters, shards)
                            .map_err(Into::into)
                    }
                };
                Some(Asked {
                    owner: owner(&*record),
                    metadata: record.metadata.clone(),
                    status: record.status.clone(),
                    sets,
                    domain: domain.unwrap_or_default(),
                    external_name: record.spec.external_name.clone(),
                    ignores_endpoints: record.spec.allow_service_without_endpoints,
                })
            }
            RecordKind::Ingress => {
                let record = self.records.ingresses.get(&id.key)?;
                Some(Asked {
                    owner: owner(&*record),
                    metadata: record.metadata.clone(),
                    status: record.status.clone(),
                    sets: ingress_sets(&record, shards).map_err(Into::into),
                    domain: String::new(),
                    external_name: String::new(),
                    ignores_endpoints: true,
                })
            }
        }
    }

    /// Writes the DNSEndpoint if it differs. Returns `false` if it has another owner. A DNSEndpoint without record sets is kept,
    /// so that ExternalDNS removes the records.
    async fn write(&self, wanted: &DNSEndpoint) -> Result<bool, ClientError> {
        let api = self.observer.hub.client.kind::<DNSEndpoint>();
        let key = wanted.metadata.key();
        let Some(present) = ignore_missing(api.get(&key).await)? else {
            return api.create(wanted).await.map(|_| true);
        };
        if present.metadata.label(LABEL) != Some(labels::TRUE) {
            return Ok(false);
        }
        if present.spec != wanted.spec {
            let changed = DNSEndpoint { spec: wanted.spec.clone(), ..present };
            api.replace(&changed).await?;
        }
        Ok(true)
    }

    /// Deletes the DNSEndpoint of a record that is gone.
    async fn delete(&self, id: &RecordId) -> Result<(), ClientError> {
        let api = self.observer.hub.client.kind::<DNSEndpoint>();
        let key = ObjectKey::namespaced(&*id.key.namespace, id.kind.endpoint_name(&id.key.name));
        let present = ignore_missing(api.get(&key).await)?;
        let Some(present) = present.filter(|present| present.metadata.label(LABEL) == Some(labels::TRUE))
        else {
            return Ok(());
        };
        let options = Delete::default().uid(present.metadata.uid);
        ignore_missing(api.delete(&key, &options).await).map(drop)
    }

    async fn report(
        &self,
        id: &RecordId,
        asked: &Asked,
        status: &DnsRecordStatus,
    ) -> Result<(), ClientError> {
        if *status == asked.status {
            return Ok(());
        }
        let hub = &self.observer.hub;
        let patch = Patch::Merge(json!({ "status": difference(&json!(asked.status), &json!(status)) }));
        let about = match id.kind {
            RecordKind::Service => {
                let written = ignore_missing(
                    hub.client.kind::<ServiceDNSRecord>().patch_status(&id.key, &patch).await,
                )?;
                let Some(mut written) = written else { return Ok(()) };
                written.metadata.managed_fields.clear();
                let about = Regarding::kind(&written);
                let version = written.metadata.resource_version.clone();
                self.records.services.written(id.key.clone(), &version, written);
                about
            }
            RecordKind::Ingress => {
                let written = ignore_missing(
                    hub.client.kind::<IngressDNSRecord>().patch_status(&id.key, &patch).await,
                )?;
                let Some(mut written) = written else { return Ok(()) };
                written.metadata.managed_fields.clear();
                let about = Regarding::kind(&written);
                let version = written.metadata.resource_version.clone();
                self.records.ingresses.written(id.key.clone(), &version, written);
                about
            }
        };
        if !status.message.is_empty() && status.message != asked.status.message {
            hub.events.record(about, Severity::Warning, "DNSRecordFailed", status.message.clone());
        }
        Ok(())
    }
}

fn owner<T: Kind>(record: &T) -> OwnerReference {
    let gvk = T::gvk();
    OwnerReference {
        api_version: gvk.api_version(),
        kind: gvk.kind,
        name: record.metadata().name.clone(),
        uid: record.metadata().uid.clone(),
        ..OwnerReference::default()
    }
}
