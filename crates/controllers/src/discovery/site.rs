//! Site: caches and queues of one member, as exporter and importer.
//!
//! Reads caches only. Their observers queue the affected services, see [`observers`].

mod observers;
mod trim;

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::RwLock;
use portolan_api::kubernetes::View;
use portolan_api::multicluster::ServiceImportView;
use portolan_api::resources;
use portolan_api::{labels, names};
use portolan_object::{Object, ObjectKey};
use portolan_plan::import_marks::{is_slice_of_multi_cluster_service, service_of_slice, set_import_of};
use portolan_runtime::cache::{CacheBuilder, drop_managed_fields};
use portolan_runtime::client::Selection;
use portolan_runtime::{Cache, Member, Queue, Resource};

use crate::discovery::member_slices::{member_slices, of_import, of_service};
use trim::{trim_namespace, trim_service};

/// Name of the index of Services by import of a set; values are `namespace/name`.
const BY_IMPORT: &str = "import";

/// Caches of the kinds of the Multi-Cluster Services API, which a member may start to serve later.
#[derive(Default)]
struct MultiClusterCaches {
    exports: Option<Cache<Object>>,
    imports: Option<Cache<Object>>,
}

/// Caches and queues of one member.
pub(crate) struct Site {
    member: Arc<Member>,
    slices: Cache<Object>,
    services: Cache<Object>,
    namespaces: Cache<Object>,
    /// Leases of agents.
    agents: Cache<Object>,
    types: RwLock<MultiClusterCaches>,
    /// Address families of all Services seen so far. Collected by an observer, so that no pass lists all Services.
    families: RwLock<BTreeSet<String>>,
    imports_queue: Queue<ObjectKey>,
    exports_queue: Queue<ObjectKey>,
    dispatch_queue: Queue<ObjectKey>,
}

impl Site {
    pub(super) fn new(member: Arc<Member>) -> Self {
        let slices = member_slices(&member);
        let services = member.cache(
            &service_resource(),
            Selection::all(),
            |builder| {
                let builder = builder.trim(trim_service);
                builder.index(BY_IMPORT, |_, service| {
                    set_import_of(service).map(|key| key.to_string()).into_iter().collect()
                })
            },
            |_| {},
        );
        let namespaces =
            member.cache(&namespaces(), Selection::all(), |builder| builder.trim(trim_namespace), |_| {});
        let marked = Selection::labels(format!("{}={}", labels::agent::LEASE, labels::TRUE));
        let trim = |builder: CacheBuilder<Object>| builder.trim(drop_managed_fields);
        let agents = member.cache(&resources::LEASE.into(), marked, trim, |_| {});
        let metrics = member.client().metrics();
        let imports_queue = metrics.queue("imports", Some(member.name()));
        let exports_queue = metrics.queue("exports", Some(member.name()));
        let dispatch_queue = metrics.queue("dispatches", Some(member.name()));
        let types = RwLock::default();
        let families = RwLock::default();
        Self {
            member,
            slices,
            services,
            namespaces,
            agents,
            types,
            families,
            imports_queue,
            exports_queue,
            dispatch_queue,
        }
    }

    pub(super) fn member(&self) -> &Member {
        &self.member
    }

    pub(super) fn imports_queue(&self) -> &Queue<ObjectKey> {
        &self.imports_queue
    }

    pub(super) fn exports_queue(&self) -> &Queue<ObjectKey> {
        &self.exports_queue
    }

    /// Services of MultiClusterServices.
    pub(super) fn dispatch_queue(&self) -> &Queue<ObjectKey> {
        &self.dispatch_queue
    }

    pub(super) fn slice_cache(&self) -> &Cache<Object> {
        &self.slices
    }

    pub(super) fn service_cache(&self) -> &Cache<Object> {
        &self.services
    }

    pub(super) fn import_cache(&self) -> Option<Cache<Object>> {
        self.types.read().imports.clone()
    }

    pub(super) fn export_cache(&self) -> Option<Cache<Object>> {
        self.types.read().exports.clone()
    }

    /// The export of a service.
    pub(super) fn export(&self, key: &ObjectKey) -> Option<Arc<Object>> {
        let types = self.types.read();
        let export = types.exports.as_ref().and_then(|exports| exports.get(key));
        export.filter(|export| !export.is_deleting())
    }

    /// Whether the member exports a service.
    pub(super) fn exports_service(&self, key: &ObjectKey) -> bool {
        self.export(key).is_some()
    }

    /// All exported services of the member.
    pub(super) fn exported(&self) -> Vec<ObjectKey> {
        self.types.read().exports.as_ref().map(Cache::keys).unwrap_or_default()
    }

    /// Exported services in one namespace.
    pub(super) fn exported_in(&self, namespace: &str) -> Vec<ObjectKey> {
        let types = self.types.read();
        types.exports.as_ref().map(|exports| exports.keys_of_namespace(namespace)).unwrap_or_default()
    }

    /// Imported services in one namespace.
    pub(super) fn imported_in(&self, namespace: &str) -> Vec<ObjectKey> {
        let types = self.types.read();
        types.imports.as_ref().map(|imports| imports.keys_of_namespace(namespace)).unwrap_or_default()
    }

    /// Whether the member has an import of the service, or a derived Service of a deleted one.
    pub(super) fn imports_service(&self, key: &ObjectKey) -> bool {
        self.types.read().imports.as_ref().is_some_and(|imports| imports.contains(key))
            || self.services.contains(&derived_service_key(key))
    }

    /// The import of a service; the outer `None` means that the cache of imports is not synced.
    pub(super) fn import(&self, key: &ObjectKey) -> Option<Option<Arc<Object>>> {
        let types = self.types.read();
        let imports = types.imports.as_ref().filter(|imports| imports.is_synced())?;
        Some(imports.get(key))
    }

    /// Whether the exports of the member are known: all caches are synced.
    pub(super) fn is_known(&self) -> bool {
        let exports_known = match &self.types.read().exports {
            Some(exports) => exports.is_synced(),
            // A member that does not serve ServiceExports has none; discovery must have succeeded once to know that.
            None => !self.member.discovery().resources.is_empty(),
        };
        exports_known && self.is_synced()
    }

    /// Whether the caches of EndpointSlices, Services and namespaces are synced.
    pub(super) fn is_synced(&self) -> bool {
        self.slices.is_synced() && self.services.is_synced() && self.namespaces.is_synced()
    }

    /// Waits until all present caches are synced.
    pub(super) async fn synced(&self) {
        let (exports, imports) = {
            let types = self.types.read();
            (types.exports.clone(), types.imports.clone())
        };
        let caches = [self.slices.clone(), self.services.clone(), self.namespaces.clone()];
        for cache in caches.into_iter().chain(exports).chain(imports) {
            cache.synced().await;
        }
    }

    /// EndpointSlices of a Service.
    pub(super) fn slices(&self, service: &ObjectKey) -> Vec<Arc<Object>> {
        of_service(&self.slices, service)
    }

    /// EndpointSlices of an import of a set.
    pub(super) fn imported_slices(&self, import: &ObjectKey) -> Vec<Arc<Object>> {
        of_import(&self.slices, import)
    }

    /// A Service, managed by Portolan or not.
    pub(super) fn service(&self, key: &ObjectKey) -> Option<Arc<Object>> {
        self.services.get(key)
    }

    /// The Services with the labels of an import of a set: its derived Service, under any name.
    pub(super) fn services_of_import(&self, import: &ObjectKey) -> Vec<Arc<Object>> {
        self.services.by_index(BY_IMPORT, &import.to_string())
    }

    /// Whether a namespace exists and is not being deleted.
    pub(super) fn has_namespace(&self, name: &str) -> bool {
        let namespace = self.namespaces.get(&ObjectKey::cluster(name));
        namespace.is_some_and(|namespace| !namespace.is_deleting())
    }

    /// Known address families of the member: Service `kubernetes` has the primary one, and a Service with two families
    /// shows the second one.
    pub(super) fn families(&self) -> Vec<String> {
        self.families.read().iter().cloned().collect()
    }

    /// Imports with endpoints from one of these clusters, or with one of them in their status.
    pub(super) fn imported_from(&self, clusters: &BTreeSet<String>) -> BTreeSet<ObjectKey> {
        let is_from = |name: Option<&str>| name.is_some_and(|name| clusters.contains(name));
        let slices = self.slices.list();
        let from_there =
            slices.iter().filter(|slice| is_from(slice.label(labels::endpoint_slice::SOURCE_CLUSTER)));
        let by_slice = from_there.filter_map(|slice| {
            set_import_of(slice)
                .or_else(|| service_of_slice(slice).and_then(|service| explicit_import_of(&service)))
        });
        let imports = self.types.read().imports.as_ref().map(Cache::list).unwrap_or_default();
        let by_import = imports.iter().filter(|import| {
            let clusters = ServiceImportView::read(import).map(|import| import.status.clusters);
            clusters.is_ok_and(|clusters| clusters.iter().any(|listed| is_from(Some(listed.cluster))))
        });
        by_slice.chain(by_import.map(|import| import.key())).collect()
    }

    /// Re-queues every ServiceExport of this member.
    pub(super) fn queue_exports(&self) {
        self.exported().into_iter().for_each(|key| self.exports_queue.add(key));
    }

    /// Re-queues every export and import of this member.
    pub(super) fn queue_own(&self) {
        self.queue_exports();
        let imports = self.types.read().imports.as_ref().map(Cache::keys).unwrap_or_default();
        imports.into_iter().for_each(|key| self.imports_queue.add(key));
        // Objects of deleted imports.
        let services = self.services.list();
        let derived = services.iter().filter(|service| service.label(labels::MANAGED).is_some());
        derived
            .filter_map(|service| explicit_import_of(&service.key()).or_else(|| set_import_of(service)))
            .for_each(|key| self.imports_queue.add(key));
        let slices = self.slices.list();
        slices.iter().filter_map(|slice| set_import_of(slice)).for_each(|key| self.imports_queue.add(key));
        let dispatched = slices.iter().filter(|slice| is_slice_of_multi_cluster_service(slice));
        dispatched.filter_map(|slice| service_of_slice(slice)).for_each(|key| self.dispatch_queue.add(key));
    }
}

pub(super) fn service_resource() -> Resource {
    resources::SERVICE.into()
}

fn namespaces() -> Resource {
    resources::NAMESPACE.into()
}

/// The key of the derived Service of an explicit import.
pub(super) fn derived_service_key(import: &ObjectKey) -> ObjectKey {
    ObjectKey::namespaced(import.namespace.clone(), names::derived_service(&import.name))
}

/// The explicit import of a derived Service.
fn explicit_import_of(service: &ObjectKey) -> Option<ObjectKey> {
    let name = names::import_of_derived_service(&service.name)?;
    Some(ObjectKey::namespaced(service.namespace.clone(), name))
}
