//! Services that an import of a set has or may take over, and whether the cache has all of them.
//!
//! Caches of different kinds run apart. A choice of the derived Service from a cache that lacks a mark which the API server has
//! would give the import another address, or delete the Service with the one that clients use.

use std::sync::Arc;

use portolan_api::{annotations, labels};
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::set_import::derived_service_name;
use portolan_plan::import_marks::set_import_of;
use portolan_runtime::client::Selection;

use super::importer::{ImportError, Importer};
use super::set_exports::SetExports;
use super::site::service_resource;
use crate::missing::ignore_missing;

impl Importer {
    /// The key of the derived Service.
    pub(super) fn derived_service(
        &self,
        key: &ObjectKey,
        import: Option<&Object>,
        is_explicit: bool,
    ) -> ObjectKey {
        let held = self.services_of(key, is_explicit);
        let held = held.iter().map(|service| service.name().to_owned()).collect();
        ObjectKey::namespaced(key.namespace.clone(), derived_service_name(key, import, &held))
    }

    /// Services with the labels of the import. While there is an explicit import they may be those of a migration, which marks the
    /// Service before the import: none is the set's yet.
    pub(super) fn services_of(&self, key: &ObjectKey, is_explicit: bool) -> Vec<Arc<Object>> {
        if is_explicit { Vec::new() } else { self.site.services_of_import(key) }
    }

    /// Refuses to go on while the cache does not have the labels that a migration has given to the Service named by the import.
    pub(super) async fn check_mark(&self, key: &ObjectKey, import: &Object) -> Result<(), ImportError> {
        let Some(name) = import.annotation(annotations::service_import::DERIVED_SERVICE) else {
            return Ok(());
        };
        let service = ObjectKey::namespaced(key.namespace.clone(), name);
        if self.has_mark(key, &service) {
            return Ok(());
        }
        let services = self.site.member().client().resource::<Object>(&service_resource());
        match ignore_missing(services.get(&service).await)? {
            Some(present) if is_marked(key, &present) => Err(ImportError::MarkNotSeen { service }),
            _ => Ok(()),
        }
    }

    /// Refuses to make a deleted import again while the cache lacks a Service with its labels. The deletion may reach the caches
    /// before the Service, and the new import keeps the derived Service that it gets. An import that no pass has seen is new:
    /// that needs no request.
    pub(super) async fn check_services_of_removed(
        &self,
        key: &ObjectKey,
        exports: &SetExports,
    ) -> Result<(), ImportError> {
        if exports.valid.is_empty() {
            self.seen_imports.lock().remove(key);
            return Ok(());
        }
        if !self.seen_imports.lock().contains(key) {
            return Ok(());
        }
        let labels = format!(
            "{}={},{}={},{}",
            labels::endpoint_slice::IMPORT_NAME,
            key.name,
            labels::MANAGED,
            labels::TRUE,
            labels::cluster_set::NAME,
        );
        let selection = Selection { labels, ..Selection::namespace(key.namespace.clone()) };
        let services = self.site.member().client().resource::<Object>(&service_resource());
        let listed = services.list(&selection).await?;
        let mut present = listed.items.iter().map(|seen| seen.object.key());
        if let Some(service) = present.find(|service| !self.has_mark(key, service)) {
            return Err(ImportError::MarkNotSeen { service });
        }
        self.seen_imports.lock().remove(key);
        Ok(())
    }

    /// Whether the cache has a Service with the labels of the import.
    fn has_mark(&self, key: &ObjectKey, service: &ObjectKey) -> bool {
        self.site.service(service).is_some_and(|cached| is_marked(key, &cached))
    }
}

/// Whether a Service has the labels of an import of a set.
fn is_marked(import: &ObjectKey, service: &Object) -> bool {
    set_import_of(service).as_ref() == Some(import)
}
