//! One zone's objects: their caches, which services have changed, and their publication.

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
use portolan_plan::dns::{Change, Problem, RecordSink, ServiceRecords, ZoneKind, import, service};
use portolan_plan::import_marks::{import_of_slice, service_of_slice};
use portolan_runtime::cache::{self, Caches, drop_managed_fields};
use portolan_runtime::client::Selection;
use portolan_runtime::scope::spawn_until_stop;
use portolan_runtime::{Cache, Client, Resource};
use tokio::sync::{Notify, watch};

use super::Zone;

/// Index of slices by `namespace/name` of the object that they belong to.
const BY_OWNER: &str = "owner";
/// Pause between two looks for a type that is not there, or that cannot be read any more.
const REDISCOVERY: Duration = Duration::from_secs(2);
/// Services that are published together; between two such lots other tasks get their turn.
const LOT: usize = 256;

/// Whether the cluster has the type whose objects name the zone's services.
#[derive(Clone)]
enum Owners {
    /// It was not possible to ask yet.
    Unknown,
    /// It does not, so there are no services.
    Missing,
    Served(Cache<Object>),
}

/// The source of one zone.
pub(super) struct Source {
    zone: Zone,
    slices: Cache<Object>,
    owners: watch::Sender<Owners>,
    changed: Mutex<BTreeSet<ObjectKey>>,
    wake: Notify,
    published: watch::Sender<bool>,
    problems: RwLock<BTreeMap<ObjectKey, Vec<Problem>>>,
}

impl Source {
    pub(super) fn start(
        caches: &Caches,
        zone: &Zone,
        sink: Arc<impl RecordSink>,
        scope: &Shutdown,
    ) -> Arc<Self> {
        let client = caches.client();
        let resource = Resource::from(resources::ENDPOINT_SLICE);
        // A cluster's own zone is made of nearly all of its slices, that of a set of those which the set brought.
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
        let source = Arc::new(Self {
            zone: zone.clone(),
            slices,
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

    fn cache(&self, client: &Client, resource: &Resource, scope: &Shutdown) -> Cache<Object> {
        Cache::of_objects(client, resource.clone()).start(scope)
    }

    /// Reads the zone's services from this cache from now on.
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

    /// Finds the type, also when it appears later or is served in another version.
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
                    // What was known of the old version holds until the new one is complete.
                    if current.is_none() || cache.synced().await {
                        self.adopt(cache);
                        if let Some(before) = within.replace(stop) {
                            before.request();
                        }
                    }
                }
                // A group that could not be listed may still be there.
                (None, Some(discovery)) if current.is_none() && discovery.failed.is_empty() => {
                    self.owners.send_replace(Owners::Missing);
                }
                _ => {}
            }
            tokio::time::sleep(REDISCOVERY).await;
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

    /// Publishes everything once it is known, and every change from then on.
    async fn publish(&self, sink: &impl RecordSink) {
        let mut owners = self.owners.subscribe();
        // The sender lives as long as this source.
        let Ok(_) = owners.wait_for(|owners| !matches!(owners, Owners::Unknown)).await else { return };
        self.slices.synced().await;
        if let Some(cache) = self.served() {
            cache.synced().await;
        }
        loop {
            // Endpoints are on their way to other clusters at the same moment, and most changes of them change no record.
            tokio::task::yield_now().await;
            while let Some(lot) = self.next_lot() {
                let changes = lot.into_iter().map(|service| self.change(service)).collect();
                sink.publish(self.zone.kind, changes);
                tokio::task::yield_now().await;
            }
            if !*self.published.borrow() {
                // First in force, then said: who waits for it may ask at once.
                sink.synced(self.zone.kind);
                self.published.send_replace(true);
                tracing::info!(zone = %self.zone.name, "zone is complete");
            }
            self.wake.notified().await;
        }
    }

    fn next_lot(&self) -> Option<BTreeSet<ObjectKey>> {
        let mut changed = self.changed.lock();
        let first_left = changed.iter().nth(LOT).cloned();
        let left = first_left.map(|first| changed.split_off(&first)).unwrap_or_default();
        let lot = std::mem::replace(&mut *changed, left);
        (!lot.is_empty()).then_some(lot)
    }

    /// One service's records from what is there now.
    fn change(&self, service: ObjectKey) -> Change {
        let records = match self.served().and_then(|owners| owners.get(&service)) {
            None => ServiceRecords::default(),
            Some(owner) => {
                let slices = self.slices.by_index(BY_OWNER, &service.to_string());
                let slices: Vec<&Object> = slices.iter().map(AsRef::as_ref).collect();
                match self.zone.kind {
                    ZoneKind::ClusterSet => import::records(&owner, &slices, &self.zone.name),
                    ZoneKind::Cluster => service::records(&owner, &slices, &self.zone.name),
                }
            }
        };
        self.note(&service, &records.problems);
        Change { service, records }
    }

    /// Logs a service's problems when they are new, and keeps them.
    fn note(&self, service: &ObjectKey, found: &[Problem]) {
        let mut problems = self.problems.write();
        let before = problems.remove(service).unwrap_or_default();
        for problem in found.iter().filter(|problem| !before.contains(problem)) {
            tracing::warn!(zone = %self.zone.name, %service, %problem, "a service is not answered in full");
        }
        if !found.is_empty() {
            problems.insert(service.clone(), found.to_vec());
        }
    }

    /// What the first publication waits for.
    pub(super) fn waiting_for(&self) -> Option<String> {
        if *self.published.borrow() {
            return None;
        }
        let zone = &self.zone.name;
        let what = match &*self.owners.borrow() {
            Owners::Unknown => "the API server has not said which kinds it has".to_owned(),
            Owners::Served(cache) if !cache.is_synced() => format!("{} are being read", cache.resource()),
            _ if !self.slices.is_synced() => format!("{} are being read", self.slices.resource()),
            _ => "records are being made".to_owned(),
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

/// Drops what no record is made of.
pub(super) fn trim_slice(slice: &mut Object) {
    drop_managed_fields(slice);
    let endpoints = slice.0.get_mut("endpoints").and_then(serde_json::Value::as_array_mut);
    for endpoint in endpoints.into_iter().flatten().filter_map(serde_json::Value::as_object_mut) {
        endpoint.retain(|field, _| matches!(field.as_str(), "addresses" | "conditions" | "hostname"));
    }
}
