//! Observers of the caches of one member: they queue the affected services.

use std::sync::Arc;

use portolan_api::Kind;
use portolan_api::kubernetes::{Service, View};
use portolan_api::multicluster::{ServiceExport, ServiceImport};
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::importable::has_refused;
use portolan_plan::discovery::slice_ports::has_unusable_ports;
use portolan_plan::import_marks::{service_of_slice, set_import_of};
use portolan_runtime::Resource;
use portolan_runtime::cache::Change;
use portolan_runtime::client::Selection;

use super::{Site, explicit_import_of};
use crate::discovery::Discovery;

impl Site {
    /// Observes EndpointSlices, Services and namespaces of this member, and queues the affected services.
    pub(in crate::discovery) fn follow(self: &Arc<Self>, discovery: &Arc<Discovery>) {
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
    pub(in crate::discovery) fn follow_types(self: &Arc<Self>, discovery: &Arc<Discovery>) {
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
            if comes_or_goes(change) {
                discovery.report_policies_of(&change.key.namespace);
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
            if comes_or_goes(change) {
                discovery.report_policies_of(&change.key.namespace);
            }
        });
    }

    fn collect_families(&self, service: &Object) {
        let Ok(Service { spec, .. }) = Service::read(service) else { return };
        for family in spec.ip_families {
            if !self.families.read().contains(family) {
                self.families.write().insert(family.to_owned());
            }
        }
    }
}

/// Keys of the new and the old state of a changed object.
fn keys_of(change: &Change<Object>, key: impl Fn(&Object) -> Option<ObjectKey>) -> Vec<ObjectKey> {
    let new = change.new.as_deref().and_then(&key);
    let old = change.old.as_deref().and_then(&key).filter(|old| Some(old) != new.as_ref());
    new.into_iter().chain(old).collect()
}

/// Whether the object is new or gone.
fn comes_or_goes(change: &Change<Object>) -> bool {
    change.old.is_none() || change.new.is_none()
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
