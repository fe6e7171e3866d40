//! Site: caches and queues of one member, as exporter and importer.
//!
//! Reads caches only. Their observers queue the affected services, see `follow`.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::RwLock;
use portolan_api::kubernetes::{Service, View};
use portolan_api::multicluster::{ServiceExport, ServiceImport, ServiceImportView};
use portolan_api::resources;
use portolan_api::{Kind, labels, names};
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::importable::has_refused;
use portolan_plan::discovery::slice_ports::has_unusable_ports;
use portolan_plan::import_marks::{is_slice_of_multi_cluster_service, service_of_slice, set_import_of};
use portolan_runtime::cache::{CacheBuilder, Change, drop_managed_fields};
use portolan_runtime::client::Selection;
use portolan_runtime::{Cache, Member, Queue, Resource};

use crate::discovery::Discovery;
use crate::discovery::member_slices::{member_slices, of_import, of_service};

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

    /// Observes EndpointSlices, Services and namespaces of this member, and queues the affected services.
    pub(super) fn follow(self: &Arc<Self>, discovery: &Arc<Discovery>) {
        let both = || (Arc::downgrade(self), Arc::downgrade(discovery));
        let (site, discoveries) = both();
        self.slices.observe(move |change| {
            let (Some(site), Some(discovery)) = (site.upgrade(), discoveries.upgrade()) else { return };
            for key in keys_of(change, service_of_slice) {
                if !change.is_own {
                    discovery.dispatch_source_changed(&key);
                }
                if site.exports_service(&key) {
                    discovery.queue_importers(&key);
                    // The conditions of the export name the endpoints that cannot be imported, and slices without a port of the
                    // Service.
                    let service = site.service(&key);
                    let is_named = |slice: &Arc<Object>| {
                        has_refused(slice)
                            || service.as_ref().is_some_and(|service| has_unusable_ports(service, slice))
                    };
                    if change.old.iter().chain(&change.new).any(is_named) {
                        site.exports_queue.add(key.clone());
                    }
                }
                // The import of a derived Service; a slice of another controller may name it.
                let of_set = || site.service(&key).and_then(|service| set_import_of(&service));
                if let Some(import) = explicit_import_of(&key).filter(|_| !change.is_own) {
                    site.imports_queue.add(import);
                }
                if let Some(import) = of_set().filter(|_| !change.is_own) {
                    site.imports_queue.add(import);
                }
            }
            if change.is_own {
                // The result of our own write: the pass that wrote it is still running.
                return;
            }
            keys_of(change, set_import_of).into_iter().for_each(|key| site.imports_queue.add(key));
        });
        let (site, discoveries) = both();
        self.agents.observe(move |change| {
            let (Some(site), Some(discovery)) = (site.upgrade(), discoveries.upgrade()) else { return };
            if discovery.sightings.note(site.member.name(), change, discovery.clock.elapsed()) {
                discovery.withdrawals.wake();
            }
        });
        let (site, discoveries) = both();
        self.services.observe(move |change| {
            let (Some(site), Some(discovery)) = (site.upgrade(), discoveries.upgrade()) else { return };
            if let Some(service) = &change.new {
                site.collect_families(service);
            }
            if let Some(import) = explicit_import_of(&change.key) {
                site.imports_queue.add(import);
            }
            keys_of(change, set_import_of).into_iter().for_each(|key| site.imports_queue.add(key));
            if site.exports_service(&change.key) {
                discovery.queue_service(&change.key);
            }
            discovery.dispatch_source_changed(&change.key);
        });
        let (site, discoveries) = both();
        self.namespaces.observe(move |change| {
            let (Some(site), Some(discovery)) = (site.upgrade(), discoveries.upgrade()) else { return };
            if change.old != change.new {
                discovery.queue_namespace(&site, &change.key.name);
            }
        });
    }

    /// Starts the caches of ServiceExports and ServiceImports once the member serves these kinds.
    pub(super) fn follow_types(self: &Arc<Self>, discovery: &Arc<Discovery>) {
        let served = self.member.discovery();
        let find = |kind| served.find(ServiceExport::GROUP, kind).map(|found| found.resource.clone());
        if let (Some(resource), None) = (find(ServiceExport::KIND), self.export_cache()) {
            self.follow_exports(&resource, discovery);
        }
        if let (Some(resource), None) = (find(ServiceImport::KIND), self.import_cache()) {
            self.follow_imports(&resource, discovery);
        }
    }

    fn follow_exports(self: &Arc<Self>, resource: &Resource, discovery: &Arc<Discovery>) {
        let cache = self.member.cache(resource, Selection::all(), |builder| builder, |_| {});
        self.types.write().exports = Some(cache.clone());
        let (site, discovery) = (Arc::downgrade(self), Arc::downgrade(discovery));
        cache.observe(move |change| {
            let (Some(site), Some(discovery)) = (site.upgrade(), discovery.upgrade()) else { return };
            if is_only_status(change) {
                // Another writer may have removed our conditions.
                site.exports_queue.add(change.key.clone());
            } else {
                discovery.queue_service(&change.key);
            }
        });
    }

    fn follow_imports(self: &Arc<Self>, resource: &Resource, discovery: &Arc<Discovery>) {
        let cache = self.member.cache(resource, Selection::all(), |builder| builder, |_| {});
        self.types.write().imports = Some(cache.clone());
        let (site, discovery) = (Arc::downgrade(self), Arc::downgrade(discovery));
        cache.observe(move |change| {
            let (Some(site), Some(discovery)) = (site.upgrade(), discovery.upgrade()) else { return };
            if !is_only_status(change) || labels_differ(change) {
                // The type of the present imports decides a type conflict between the exports.
                discovery.exports.invalidate(&change.key);
            }
            site.imports_queue.add(change.key.clone());
        });
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

    fn collect_families(&self, service: &Object) {
        let Ok(Service { spec, .. }) = Service::read(service) else { return };
        for family in spec.ip_families {
            if !self.families.read().contains(family) {
                self.families.write().insert(family.to_owned());
            }
        }
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

/// Keys of the new and the old state of a changed object.
fn keys_of(change: &Change<Object>, key: impl Fn(&Object) -> Option<ObjectKey>) -> Vec<ObjectKey> {
    let new = change.new.as_deref().and_then(&key);
    let old = change.old.as_deref().and_then(&key).filter(|old| Some(old) != new.as_ref());
    new.into_iter().chain(old).collect()
}

/// Whether neither spec, uid nor deletion changed.
fn is_only_status(change: &Change<Object>) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return false };
    old.0.get("spec") == new.0.get("spec") && old.uid() == new.uid() && old.is_deleting() == new.is_deleting()
}

fn labels_differ(change: &Change<Object>) -> bool {
    let labels = |object: &Option<Arc<Object>>| object.as_ref().map(|object| object.labels());
    labels(&change.old) != labels(&change.new)
}

/// Drops `managedFields` and `status` of a Service.
fn trim_service(service: &mut Object) {
    portolan_runtime::cache::drop_managed_fields(service);
    if let Some(map) = service.0.as_object_mut() {
        map.remove("status");
    }
}

/// Keeps name, uid and deletion timestamp of a Namespace.
fn trim_namespace(namespace: &mut Object) {
    let mut kept = Object::new(&namespace.group_version_kind(), &namespace.key());
    for field in ["uid", "deletionTimestamp"] {
        if let Some(value) = namespace.at(&["metadata", field]) {
            kept.metadata_mut().insert(field.to_owned(), value.clone());
        }
    }
    *namespace = kept;
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_trimmed_namespace_still_says_whether_it_is_being_deleted() {
        for (name, deletion) in [("present", Value::Null), ("deleting", json!("2026-01-02T03:04:05Z"))] {
            let mut namespace = Object(json!({ "apiVersion": "v1", "kind": "Namespace",
                "metadata": { "name": "shop", "uid": "u1", "labels": { "a": "b" }, "deletionTimestamp": deletion },
                "status": { "phase": "Active" } }));
            let is_deleting = namespace.is_deleting();
            trim_namespace(&mut namespace);
            assert_eq!(namespace.is_deleting(), is_deleting, "{name}");
            assert_eq!((namespace.uid(), namespace.0.get("status")), ("u1", None), "{name}");
        }
    }
}
