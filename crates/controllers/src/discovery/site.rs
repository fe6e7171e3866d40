//! One member as exporter and importer: its caches and its queues.
//!
//! Answers from the caches alone. Which of it matters to whom is decided by `portolan_plan::discovery`.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::RwLock;
use portolan_api::multicluster::{ServiceExport, ServiceImport};
use portolan_api::resources;
use portolan_api::{Kind, labels, names};
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::cluster_set::is_of_set;
use portolan_plan::discovery::slices::service_of;
use portolan_runtime::cache::Change;
use portolan_runtime::client::Selection;
use portolan_runtime::{Cache, Member, Queue, Resource};
use serde_json::{Value, json};

use crate::discovery::Discovery;

/// Index of slices by `namespace/service`.
const BY_SERVICE: &str = "service";
/// Index of slices by `namespace/import`, for those that a cluster set brought.
const BY_IMPORT: &str = "import";

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
    namespaces: Cache<Object>,
    types: RwLock<Types>,
    /// Address families that any Service has; noted as they come, for passes must not look through all Services.
    families: RwLock<BTreeSet<String>>,
    imports_queue: Queue<ObjectKey>,
    exports_queue: Queue<ObjectKey>,
}

impl Site {
    pub(super) fn new(member: Arc<Member>) -> Self {
        let key_text = |key: Option<ObjectKey>| key.map(|key| key.to_string()).into_iter().collect();
        let slices = member.cache(
            &slice_resource(),
            Selection::all(),
            |builder| {
                let builder = builder.index(BY_SERVICE, move |_, slice| key_text(service_of(slice)));
                builder.index(BY_IMPORT, move |_, slice| key_text(import_of_slice(slice)))
            },
            |_| {},
        );
        let services =
            member.cache(&service_resource(), Selection::all(), |builder| builder.trim(terms), |_| {});
        let namespaces = member.cache(&namespaces(), Selection::all(), |builder| builder.trim(phase), |_| {});
        let imports_queue = Queue::new(format!("imports of {}", member.name()));
        let exports_queue = Queue::new(format!("exports of {}", member.name()));
        let types = RwLock::default();
        let families = RwLock::default();
        Self { member, slices, services, namespaces, types, families, imports_queue, exports_queue }
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

    /// Reacts to endpoints, Services and namespaces of this member.
    pub(super) fn follow(self: &Arc<Self>, discovery: &Arc<Discovery>) {
        let both = || (Arc::downgrade(self), Arc::downgrade(discovery));
        let (site, discoveries) = both();
        self.slices.observe(move |change| {
            let (Some(site), Some(discovery)) = (site.upgrade(), discoveries.upgrade()) else { return };
            for key in keys_of(change, service_of) {
                if site.exports_service(&key) {
                    discovery.fan_out_endpoints(&key);
                }
                if let Some(import) = import_of(&key).filter(|_| !change.is_own) {
                    site.imports_queue.add(import);
                }
            }
            if change.is_own {
                // The pass that wrote it knows, and nothing follows from a slice.
                return;
            }
            keys_of(change, import_of_slice).into_iter().for_each(|key| site.imports_queue.add(key));
        });
        let (site, discoveries) = both();
        self.services.observe(move |change| {
            let (Some(site), Some(discovery)) = (site.upgrade(), discoveries.upgrade()) else { return };
            if let Some(service) = &change.new {
                site.note_families(service);
            }
            if let Some(import) = import_of(&change.key) {
                site.imports_queue.add(import);
            }
            keys_of(change, import_of_service).into_iter().for_each(|key| site.imports_queue.add(key));
            if site.exports_service(&change.key) {
                discovery.fan_out_offer(&change.key);
            }
        });
        let (site, discoveries) = both();
        self.namespaces.observe(move |change| {
            let (Some(site), Some(discovery)) = (site.upgrade(), discoveries.upgrade()) else { return };
            if change.old != change.new {
                discovery.queue_namespace(&site, &change.key.name);
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
        let find = |kind| served.find(ServiceExport::GROUP, kind).map(|found| found.resource.clone());
        if let Some(resource) = find(ServiceExport::KIND)
            && !has_exports
        {
            let cache = self.member.cache(&resource, Selection::all(), |builder| builder, |_| {});
            self.types.write().exports = Some(cache.clone());
            let (site, discovery) = (Arc::downgrade(self), Arc::downgrade(discovery));
            cache.observe(move |change| {
                let (Some(site), Some(discovery)) = (site.upgrade(), discovery.upgrade()) else { return };
                if is_only_status(change) {
                    // Conditions that somebody else wrote may need ours beside them.
                    site.exports_queue.add(change.key.clone());
                } else {
                    discovery.fan_out_offer(&change.key);
                }
            });
        }
        if let Some(resource) = find(ServiceImport::KIND)
            && !has_imports
        {
            let cache = self.member.cache(&resource, Selection::all(), |builder| builder, |_| {});
            self.types.write().imports = Some(cache.clone());
            let (site, discovery) = (Arc::downgrade(self), Arc::downgrade(discovery));
            cache.observe(move |change| {
                let (Some(site), Some(discovery)) = (site.upgrade(), discovery.upgrade()) else { return };
                if !is_only_status(change) || labels_differ(change) {
                    // The type that a set uses decides about the type of what is offered.
                    discovery.offered.forget(&change.key);
                }
                site.imports_queue.add(change.key.clone());
            });
        }
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

    /// Everything that the member exports.
    pub(super) fn exported(&self) -> Vec<ObjectKey> {
        self.types.read().exports.as_ref().map(Cache::keys).unwrap_or_default()
    }

    /// What the member exports of one namespace.
    pub(super) fn exported_in(&self, namespace: &str) -> Vec<ObjectKey> {
        let types = self.types.read();
        let exports = types.exports.iter().flat_map(|exports| exports.list_namespace(namespace));
        exports.map(|export| export.key()).collect()
    }

    /// What the member imports into one namespace.
    pub(super) fn imported_in(&self, namespace: &str) -> Vec<ObjectKey> {
        let types = self.types.read();
        let imports = types.imports.iter().flat_map(|imports| imports.list_namespace(namespace));
        imports.map(|import| import.key()).collect()
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
        exports_known && self.is_synced()
    }

    /// Whether everything that this member has of ours is known.
    pub(super) fn is_synced(&self) -> bool {
        self.slices.is_synced() && self.services.is_synced() && self.namespaces.is_synced()
    }

    /// Waits until everything that is followed by now has been read once.
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

    /// The member's slices of a Service.
    pub(super) fn slices(&self, service: &ObjectKey) -> Vec<Arc<Object>> {
        self.slices.by_index(BY_SERVICE, &service.to_string())
    }

    /// The member's slices of an import that a cluster set brought.
    pub(super) fn imported_slices(&self, import: &ObjectKey) -> Vec<Arc<Object>> {
        self.slices.by_index(BY_IMPORT, &import.to_string())
    }

    /// A Service, whoever made it.
    pub(super) fn service(&self, key: &ObjectKey) -> Option<Arc<Object>> {
        self.services.get(key)
    }

    /// Whether a namespace is there to stay.
    pub(super) fn has_namespace(&self, name: &str) -> bool {
        let namespace = self.namespaces.get(&ObjectKey::cluster(name));
        namespace.is_some_and(|namespace| !namespace.is_deleting())
    }

    /// The address families that Services of this member have: the API server's own has the first one, and a second one
    /// shows in any Service that asks for it.
    pub(super) fn families(&self) -> Vec<String> {
        self.families.read().iter().cloned().collect()
    }

    fn note_families(&self, service: &Object) {
        let listed = service.at(&["spec", "ipFamilies"]).and_then(Value::as_array).into_iter().flatten();
        for family in listed.filter_map(Value::as_str) {
            if !self.families.read().contains(family) {
                self.families.write().insert(family.to_owned());
            }
        }
    }

    /// What this member imports from any of these clusters, as far as its slices and imports tell.
    pub(super) fn brought_from(&self, clusters: &BTreeSet<String>) -> BTreeSet<ObjectKey> {
        let is_from = |name: Option<&str>| name.is_some_and(|name| clusters.contains(name));
        let slices = self.slices.list();
        let from_there =
            slices.iter().filter(|slice| is_from(slice.label(labels::endpoint_slice::SOURCE_CLUSTER)));
        let by_slice = from_there.filter_map(|slice| {
            import_of_slice(slice).or_else(|| service_of(slice).and_then(|service| import_of(&service)))
        });
        let imports = self.types.read().imports.as_ref().map(Cache::list).unwrap_or_default();
        let by_import = imports.iter().filter(|import| {
            let told = import.at(&["status", "clusters"]).and_then(Value::as_array);
            told.into_iter().flatten().any(|told| is_from(told["cluster"].as_str()))
        });
        by_slice.chain(by_import.map(|import| import.key())).collect()
    }

    /// Has everything that this member exports judged again.
    pub(super) fn queue_exports(&self) {
        self.exported().into_iter().for_each(|key| self.exports_queue.add(key));
    }

    /// Has everything that this member exports or imports looked at again.
    pub(super) fn queue_own(&self) {
        self.queue_exports();
        let imports = self.types.read().imports.as_ref().map(Cache::keys).unwrap_or_default();
        imports.into_iter().for_each(|key| self.imports_queue.add(key));
        // What is left of imports that are gone.
        let services = self.services.list();
        let derived = services.iter().filter(|service| service.label(labels::MANAGED).is_some());
        derived
            .filter_map(|service| import_of(&service.key()).or_else(|| import_of_service(service)))
            .for_each(|key| self.imports_queue.add(key));
        let slices = self.slices.list();
        slices.iter().filter_map(|slice| import_of_slice(slice)).for_each(|key| self.imports_queue.add(key));
    }
}

pub(super) fn slice_resource() -> Resource {
    resources::ENDPOINT_SLICE.into()
}

pub(super) fn service_resource() -> Resource {
    resources::SERVICE.into()
}

fn namespaces() -> Resource {
    resources::NAMESPACE.into()
}

/// The key of the derived Service of an explicit import.
pub(super) fn derived(import: &ObjectKey) -> ObjectKey {
    ObjectKey::namespaced(import.namespace.clone(), names::derived_service(&import.name))
}

/// The explicit import of a derived Service.
fn import_of(service: &ObjectKey) -> Option<ObjectKey> {
    let name = names::import_of_derived_service(&service.name)?;
    Some(ObjectKey::namespaced(service.namespace.clone(), name))
}

/// The import of a cluster set that a slice or Service belongs to.
fn import_of_slice(object: &Object) -> Option<ObjectKey> {
    let name = object.label(labels::endpoint_slice::IMPORT_NAME).filter(|_| is_of_set(object))?;
    Some(ObjectKey::namespaced(object.namespace(), name))
}

fn import_of_service(service: &Object) -> Option<ObjectKey> {
    import_of_slice(service)
}

/// What a changed object belongs or belonged to.
fn keys_of(change: &Change<Object>, key: impl Fn(&Object) -> Option<ObjectKey>) -> Vec<ObjectKey> {
    let new = change.new.as_deref().and_then(&key);
    let old = change.old.as_deref().and_then(&key).filter(|old| Some(old) != new.as_ref());
    new.into_iter().chain(old).collect()
}

/// Whether only the status, or what an API server keeps for itself, changed.
fn is_only_status(change: &Change<Object>) -> bool {
    let (Some(old), Some(new)) = (&change.old, &change.new) else { return false };
    old.0.get("spec") == new.0.get("spec") && old.uid() == new.uid() && old.is_deleting() == new.is_deleting()
}

fn labels_differ(change: &Change<Object>) -> bool {
    let labels = |object: &Option<Arc<Object>>| object.as_ref().map(|object| object.labels());
    labels(&change.old) != labels(&change.new)
}

/// Keeps of a Service what an import can follow.
fn terms(service: &mut Object) {
    portolan_runtime::cache::drop_managed_fields(service);
    if let Some(map) = service.0.as_object_mut() {
        map.remove("status");
    }
}

/// Keeps of a Namespace whether it is there to stay.
fn phase(namespace: &mut Object) {
    let mut kept = Object::new(&namespace.group_version_kind(), &namespace.key());
    if namespace.is_deleting() {
        kept.metadata_mut().insert("deletionTimestamp".to_owned(), Value::from("set"));
    }
    kept.0["metadata"]["uid"] = json!(namespace.uid());
    *namespace = kept;
}
