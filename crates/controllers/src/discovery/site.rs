//! One member as exporter and importer: its caches and its queue.

use std::sync::Arc;

use parking_lot::RwLock;
use portolan_api::{labels, names};
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::slices::service_of;
use portolan_runtime::cache::Change;
use portolan_runtime::client::Selection;
use portolan_runtime::{Cache, Member, Queue, Resource};

use crate::discovery::Discovery;

const GROUP: &str = "multicluster.x-k8s.io";
/// Index of slices by `namespace/service`.
const BY_SERVICE: &str = "service";

/// What follows the API types that a member may get later.
#[derive(Default)]
struct Types {
    exports: Option<Cache<Object>>,
    imports: Option<Cache<Object>>,
}

/// One member.
pub(crate) struct Site {
    member: Arc<Member>,
    slices: Cache<Object>,
    services: Cache<Object>,
    types: RwLock<Types>,
    queue: Queue<ObjectKey>,
}

impl Site {
    pub(super) fn new(member: Arc<Member>) -> Self {
        let slices = member.cache(
            &slice_resource(),
            Selection::all(),
            |builder| {
                builder.index(BY_SERVICE, |_, slice| {
                    service_of(slice).map(|key| key.to_string()).into_iter().collect()
                })
            },
            |_| {},
        );
        let services = member.managed(&service_resource());
        let queue = Queue::new(format!("imports of {}", member.name()));
        Self { member, slices, services, types: RwLock::default(), queue }
    }

    pub(super) fn member(&self) -> &Member {
        &self.member
    }

    pub(super) fn queue(&self) -> &Queue<ObjectKey> {
        &self.queue
    }

    /// Reacts to endpoints and derived Services of this member.
    pub(super) fn follow_slices(self: &Arc<Self>, discovery: &Arc<Discovery>) {
        let (site, discovery) = (Arc::downgrade(self), Arc::downgrade(discovery));
        self.slices.observe(move |change| {
            let (Some(site), Some(discovery)) = (site.upgrade(), discovery.upgrade()) else { return };
            for key in services_of(change) {
                if site.exports_service(&key) {
                    discovery.fan_out(&key);
                }
                if let Some(import) = import_of(&key) {
                    site.queue.add(import);
                }
            }
        });
        let site = Arc::downgrade(self);
        self.services.observe(move |change| {
            if let (Some(site), Some(import)) = (site.upgrade(), import_of(&change.key)) {
                site.queue.add(import);
            }
        });
    }

    /// Starts to follow exports and imports once the member has these types.
    pub(super) fn follow_types(self: &Arc<Self>, discovery: &Arc<Discovery>) {
        let served = self.member.discovery();
        let (has_exports, has_imports) = {
            let types = self.types.read();
            (types.exports.is_some(), types.imports.is_some())
        };
        let find = |kind| served.find(GROUP, kind).map(|found| found.resource.clone());
        if let Some(resource) = find("ServiceExport")
            && !has_exports
        {
            let cache = self.member.cache(&resource, Selection::all(), |builder| builder, |_| {});
            self.types.write().exports = Some(cache.clone());
            let discovery = Arc::downgrade(discovery);
            cache.observe(move |change| {
                if let Some(discovery) = discovery.upgrade() {
                    discovery.fan_out(&change.key);
                }
            });
        }
        if let Some(resource) = find("ServiceImport")
            && !has_imports
        {
            let cache = self.member.cache(&resource, Selection::all(), |builder| builder, |_| {});
            self.types.write().imports = Some(cache.clone());
            let site = Arc::downgrade(self);
            cache.observe(move |change| {
                if let Some(site) = site.upgrade() {
                    site.queue.add(change.key.clone());
                }
            });
        }
    }

    /// Whether the member exports a service.
    pub(super) fn exports_service(&self, key: &ObjectKey) -> bool {
        let types = self.types.read();
        let export = types.exports.as_ref().and_then(|exports| exports.get(key));
        export.is_some_and(|export| !export.is_deleting())
    }

    /// Whether the member imports a service, or did.
    pub(super) fn imports_service(&self, key: &ObjectKey) -> bool {
        self.types.read().imports.as_ref().is_some_and(|imports| imports.contains(key))
            || self.services.contains(&derived(key))
    }

    /// The import of a service; `None` while it cannot be known.
    pub(super) fn import(&self, key: &ObjectKey) -> Option<Option<Arc<Object>>> {
        let types = self.types.read();
        let imports = types.imports.as_ref().filter(|imports| imports.is_synced())?;
        Some(imports.get(key))
    }

    /// Whether what this member exports is known.
    pub(super) fn is_known(&self) -> bool {
        let exports_known = match &self.types.read().exports {
            Some(exports) => exports.is_synced(),
            // Without the type there is nothing to export, once discovery has said so.
            None => !self.member.discovery().resources.is_empty(),
        };
        exports_known && self.slices.is_synced()
    }

    /// Whether everything that this member has of ours is known.
    pub(super) fn is_synced(&self) -> bool {
        self.slices.is_synced() && self.services.is_synced()
    }

    /// Waits until everything that is followed by now has been read once.
    pub(super) async fn synced(&self) {
        self.slices.synced().await;
        self.services.synced().await;
        let (exports, imports) = {
            let types = self.types.read();
            (types.exports.clone(), types.imports.clone())
        };
        for cache in exports.into_iter().chain(imports) {
            cache.synced().await;
        }
    }

    /// The member's slices of a Service.
    pub(super) fn slices(&self, service: &ObjectKey) -> Vec<Arc<Object>> {
        self.slices.by_index(BY_SERVICE, &service.to_string())
    }

    /// One of the member's slices.
    pub(super) fn slice(&self, key: &ObjectKey) -> Option<Arc<Object>> {
        self.slices.get(key)
    }

    /// The derived Service of an import; a foreign Service of that name is not seen here.
    pub(super) fn derived_service(&self, import: &ObjectKey) -> Option<Arc<Object>> {
        self.services.get(&derived(import))
    }

    /// Whether a Service of ours is there.
    pub(super) fn has_service(&self, service: &ObjectKey) -> bool {
        self.services.contains(service)
    }

    /// Has every import of this member looked at again.
    pub(super) fn queue_all(&self) {
        if let Some(imports) = &self.types.read().imports {
            imports.keys().into_iter().for_each(|key| self.queue.add(key));
        }
        let derived = self.services.keys().into_iter().filter_map(|key| import_of(&key));
        derived.for_each(|key| self.queue.add(key));
    }
}

pub(super) fn slice_resource() -> Resource {
    Resource::namespaced("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
}

pub(super) fn service_resource() -> Resource {
    Resource::namespaced("", "v1", "Service", "services")
}

/// The key of the derived Service of an import.
pub(super) fn derived(import: &ObjectKey) -> ObjectKey {
    ObjectKey::namespaced(import.namespace.clone(), names::derived_service(&import.name))
}

/// The import of a derived Service.
fn import_of(service: &ObjectKey) -> Option<ObjectKey> {
    let name = names::import_of_derived_service(&service.name)?;
    Some(ObjectKey::namespaced(service.namespace.clone(), name))
}

/// The Services that a changed slice belongs or belonged to.
fn services_of(change: &Change<Object>) -> Vec<ObjectKey> {
    let new = change.new.as_deref().and_then(service_of);
    let old = change.old.as_deref().and_then(service_of).filter(|old| Some(old) != new.as_ref());
    new.into_iter().chain(old).collect()
}

/// Whether a slice was put there by an import.
pub(super) fn is_imported(slice: &Object) -> bool {
    slice.label(labels::endpoint_slice::MANAGED_BY) == Some(labels::endpoint_slice::IMPORT_MANAGER)
}
