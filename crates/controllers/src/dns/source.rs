//! Source of one zone: caches of its objects, the set of changed services, and their publication.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use portolan_api::Kind;
use portolan_api::labels::endpoint_slice::IMPORT_NAME;
use portolan_api::multicluster::ServiceImport;
use portolan_api::resources;
use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_plan::dns::{Problem, RecordSink, ServiceChange, ServiceRecords, ZoneKind, import, service};
use portolan_plan::import_marks::{import_of_slice, service_of_slice};
use portolan_runtime::cache::{self, Caches, drop_managed_fields};
use portolan_runtime::client::Selection;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, Client, Resource};
use tokio::sync::{Notify, watch};

use super::Zone;

/// Name of the index of EndpointSlices by Service or ServiceImport; values are `namespace/name`.
const BY_OWNER: &str = "owner";
/// Interval of discovery while the kind of the zone's services is not served or cannot be watched.
const REDISCOVERY_INTERVAL: Duration = Duration::from_secs(2);
/// Maximum services in one publication. The task yields between two publications.
const PUBLISH_BATCH: usize = 256;

/// Cache of the objects that define the zone's services: ServiceImports or Services.
#[derive(Clone)]
enum Owners {
    /// Discovery has not succeeded yet.
    Unknown,
    /// The cluster does not serve the kind, so the zone is empty.
    Missing,
    Served(Cache<Object>),
}

/// The source of one zone.
pub(super) struct ZoneSource {
    zone: Zone,
    slices: Cache<Object>,
    /// Derived Services, which have the addresses of imports that the set has not written; for the zone of a set only.
    /// Publication does not wait for them: all other names are complete without.
    derived: Option<Cache<Object>>,
    owners: watch::Sender<Owners>,
    changed: Mutex<BTreeSet<ObjectKey>>,
    wake: Notify,
    published: watch::Sender<bool>,
    problems: RwLock<BTreeMap<ObjectKey, Vec<Problem>>>,
}

impl ZoneSource {
    pub(super) fn start(
        caches: &Caches,
        zone: &Zone,
        sink: Arc<impl RecordSink>,
        scope: &Shutdown,
    ) -> Arc<Self> {
        let client = caches.client();
        let resource = Resource::from(resources::ENDPOINT_SLICE);
        // The zone of a cluster needs nearly all EndpointSlices; the zone of a set only the imported ones.
        let (owner_of, slices): (fn(&Object) -> _, _) = match zone.kind {
            ZoneKind::ClusterSet => {
                let slices = Cache::of(client, resource).select(Selection::labels(IMPORT_NAME));
                (import_of_slice, slices.trim(trim_slice).start(scope))
            }
            ZoneKind::Cluster => (service_of_slice, caches.of(&resource)),
        };
        slices.add_index(BY_OWNER, move |_, slice| {
            owner_of(slice).map(|key: ObjectKey| key.to_string()).into_iter().collect()
        });
        let derived = (zone.kind == ZoneKind::ClusterSet).then(|| {
            let services = Cache::of(client, Resource::from(resources::SERVICE));
            services.select(Selection::labels(IMPORT_NAME)).trim(drop_managed_fields).start(scope)
        });
        let source = Arc::new(Self {
            zone: zone.clone(),
            slices,
            derived,
            owners: watch::Sender::new(Owners::Unknown),
            changed: Mutex::default(),
            wake: Notify::new(),
            published: watch::Sender::new(false),
            problems: RwLock::default(),
        });
        let waking = Arc::downgrade(&source);
        source.slices.observe(move |change: &cache::Change<Object>| {
            let Some(source) = waking.upgrade() else { return };
            let [old, new] = [&change.old, &change.new].map(|slice| slice.as_deref().and_then(owner_of));
            source.mark(new.into_iter().chain(old));
        });
        let waking = Arc::downgrade(&source);
        if let Some(derived) = &source.derived {
            derived.observe(move |change: &cache::Change<Object>| {
                let Some(source) = waking.upgrade() else { return };
                source.mark(
                    change.old.iter().chain(&change.new).filter_map(|service| import_of_service(service)),
                );
            });
        }
        match zone.kind {
            ZoneKind::Cluster => {
                let services = Resource::from(resources::SERVICE);
                source.adopt(caches.of(&services));
            }
            ZoneKind::ClusterSet => {
                let (following, client, within) = (source.clone(), client.clone(), scope.clone());
                spawn_until_stop(scope, async move { following.follow_type(&client, &within).await });
            }
        }
        let publishing = source.clone();
        spawn_until_stop(scope, async move { publishing.publish(&*sink).await });
        source
    }

    pub(super) fn kind(&self) -> ZoneKind {
        self.zone.kind
    }

    pub(super) fn slices(&self) -> &Cache<Object> {
        &self.slices
    }

    fn cache(&self, client: &Client, resource: &Resource, scope: &Shutdown) -> Cache<Object> {
        Cache::of_objects(client, resource.clone()).start(scope)
    }

    /// Replaces the cache of owners.
    fn adopt(self: &Arc<Self>, cache: Cache<Object>) {
        let before = self.owners.send_replace(Owners::Served(cache.clone()));
        let waking = Arc::downgrade(self);
        cache.observe(move |change| {
            if let Some(source) = waking.upgrade() {
                source.mark([change.key.clone()]);
            }
        });
        if let Owners::Served(before) = before {
            self.mark(before.keys());
        }
    }

    /// Starts the cache of ServiceImports once the cluster serves them, and replaces it when their version changes.
    async fn follow_type(self: &Arc<Self>, client: &Client, scope: &Shutdown) {
        let mut within: Option<Shutdown> = None;
        loop {
            let current = self.served();
            let is_read = current.as_ref().is_some_and(|cache| cache.trouble().is_none());
            let discovery = if is_read { None } else { client.discover().await.ok() };
            let found = discovery
                .as_ref()
                .and_then(|discovery| discovery.find(ServiceImport::GROUP, ServiceImport::KIND));
            match (found, &discovery) {
                (Some(found), _) if current.as_ref().map(Cache::resource) != Some(&found.resource) => {
                    let stop = scope.child();
                    let cache = self.cache(client, &found.resource, &stop);
                    // Keep the cache of the old version until the new one is synced.
                    if current.is_none() || cache.synced().await {
                        self.adopt(cache);
                        if let Some(before) = within.replace(stop) {
                            before.request();
                        }
                    }
                }
                // A group with a failed request may still be served, so an absent kind counts only without failures.
                (None, Some(discovery)) if current.is_none() && discovery.failed.is_empty() => {
                    self.owners.send_replace(Owners::Missing);
                }
                _ => {}
            }
            tokio::time::sleep(REDISCOVERY_INTERVAL).await;
        }
    }

    fn served(&self) -> Option<Cache<Object>> {
        match &*self.owners.borrow() {
            Owners::Served(cache) => Some(cache.clone()),
            Owners::Unknown | Owners::Missing => None,
        }
    }

    fn mark(&self, services: impl IntoIterator<Item = ObjectKey>) {
        self.changed.lock().extend(services);
        self.wake.notify_one();
    }

    /// Publishes all services once the caches are synced, and then every change.
    async fn publish(&self, sink: &impl RecordSink) {
        let mut owners = self.owners.subscribe();
        // `self` owns the sender, so this does not fail.
        let Ok(_) = owners.wait_for(|owners| !matches!(owners, Owners::Unknown)).await else { return };
        self.slices.synced().await;
        if let Some(cache) = self.served() {
            cache.synced().await;
        }
        loop {
            // Let importers run first: they forward the same change to other clusters, and most changes of endpoints do
            // not change a record.
            tokio::task::yield_now().await;
            while let Some(batch) = self.next_batch() {
                let changes = batch.into_iter().map(|service| self.change(service)).collect();
                sink.publish(self.zone.kind, changes);
                tokio::task::yield_now().await;
            }
            if !*self.published.borrow() {
                // The records must be visible before `published` wakes its waiters.
                sink.synced(self.zone.kind);
                self.published.send_replace(true);
                tracing::info!(zone = %self.zone.name, "zone is complete");
            }
            self.wake.notified().await;
        }
    }

    fn next_batch(&self) -> Option<BTreeSet<ObjectKey>> {
        let mut changed = self.changed.lock();
        let first_left = changed.iter().nth(PUBLISH_BATCH).cloned();
        let left = first_left.map(|first| changed.split_off(&first)).unwrap_or_default();
        let batch = std::mem::replace(&mut *changed, left);
        (!batch.is_empty()).then_some(batch)
    }

    /// Current records of one service.
    fn change(&self, service: ObjectKey) -> ServiceChange {
        let records = match self.served().and_then(|owners| owners.get(&service)) {
            None => ServiceRecords::default(),
            Some(owner) => {
                let slices = self.slices.by_index(BY_OWNER, &service.to_string());
                let slices: Vec<&Object> = slices.iter().map(AsRef::as_ref).collect();
                match self.zone.kind {
                    ZoneKind::ClusterSet => {
                        let derived = self.derived.as_ref().and_then(|services| {
                            import::derived_services(&owner).find_map(|key| services.get(&key))
                        });
                        import::records(&owner, derived.as_deref(), &slices, &self.zone.name)
                    }
                    ZoneKind::Cluster => service::records(&owner, &slices, &self.zone.name),
                }
            }
        };
        self.set_problems(&service, &records.problems);
        ServiceChange { service, records }
    }

    /// Stores the problems of a service, and logs new ones.
    fn set_problems(&self, service: &ObjectKey, found: &[Problem]) {
        let mut problems = self.problems.write();
        let before = problems.remove(service).unwrap_or_default();
        for problem in found.iter().filter(|problem| !before.contains(problem)) {
            tracing::warn!(zone = %self.zone.name, %service, %problem, "a part of the service has no DNS record");
        }
        if !found.is_empty() {
            problems.insert(service.clone(), found.to_vec());
        }
    }

    /// Reason why the first publication has not happened yet; `None` afterwards.
    pub(super) fn waiting_for(&self) -> Option<String> {
        if *self.published.borrow() {
            return None;
        }
        let zone = &self.zone.name;
        let what = match &*self.owners.borrow() {
            Owners::Unknown => "discovery of the served kinds has not succeeded yet".to_owned(),
            Owners::Served(cache) if !cache.is_synced() => format!("{} are being listed", cache.resource()),
            _ if !self.slices.is_synced() => format!("{} are being listed", self.slices.resource()),
            _ => "records are being computed".to_owned(),
        };
        let trouble = self.trouble().map(|trouble| format!(" ({trouble})")).unwrap_or_default();
        Some(format!("zone {zone}: {what}{trouble}"))
    }

    pub(super) fn trouble(&self) -> Option<String> {
        let trouble = self.slices.trouble().or_else(|| self.served()?.trouble());
        trouble.map(|trouble| trouble.reason)
    }

    pub(super) fn is_in_contact(&self) -> bool {
        self.slices.is_synced()
            && !matches!(*self.owners.borrow(), Owners::Unknown)
            && self.trouble().is_none()
    }

    pub(super) async fn published(&self) -> bool {
        let mut published = self.published.subscribe();
        published.wait_for(|&published| published).await.is_ok()
    }

    pub(super) fn problems(&self) -> Vec<(ZoneKind, ObjectKey, Problem)> {
        let problems = self.problems.read();
        let each = problems.iter().flat_map(|(key, found)| found.iter().map(move |problem| (key, problem)));
        each.map(|(key, problem)| (self.zone.kind, key.clone(), problem.clone())).collect()
    }
}

/// The import of a derived Service.
fn import_of_service(service: &Object) -> Option<ObjectKey> {
    let name = service.label(IMPORT_NAME).filter(|name| !name.is_empty())?;
    Some(ObjectKey::namespaced(service.namespace(), name))
}

/// Drops all fields of an EndpointSlice that no record needs.
pub(super) fn trim_slice(slice: &mut Object) {
    drop_managed_fields(slice);
    let endpoints = slice.0.get_mut("endpoints").and_then(serde_json::Value::as_array_mut);
    for endpoint in endpoints.into_iter().flatten().filter_map(serde_json::Value::as_object_mut) {
        endpoint.retain(|field, _| matches!(field.as_str(), "addresses" | "conditions" | "hostname"));
    }
}
