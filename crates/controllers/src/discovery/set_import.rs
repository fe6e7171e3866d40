//! Imports of cluster sets: created by Portolan and merged from all exports of the set.

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::kubernetes::View;
use portolan_api::labels;
use portolan_api::multicluster::{ServiceImportType, ServiceImportView};
use portolan_object::{Object, ObjectKey};
use portolan_plan::cluster_sets::membership::Membership;
use portolan_plan::discovery::derived_service::updated_service;
use portolan_plan::discovery::export::{ValidExport, validate_export};
use portolan_plan::discovery::problem::ImportProblem;
use portolan_plan::discovery::set_import::{
    ExportedService, ExportingMember, ImportingMember, RefusedFamilies, SetImportAction, allotments,
    plan_set_import, problems,
};
use portolan_plan::import_marks::{is_import_of_set, is_of_set};
use portolan_runtime::Cache;
use portolan_runtime::client::ClientError;

use super::Discovery;
use super::importer::{ImportError, Importer, keep_first};
use super::member_writer::MemberWriter;
use super::site::Site;
use super::traffic::Labels;
use crate::hub::MembershipState;

/// Maximum passes in one reconciliation. At most three passes change something and the fourth confirms; five is the
/// safety limit.
const MAX_PASSES: usize = 5;

/// An exporting member of a set.
pub(super) struct ExportingSite {
    id: String,
    site: Arc<Site>,
}

/// Exports of one service in a set.
#[derive(Default)]
pub(super) struct SetExports {
    pub(super) valid: Vec<ValidExport>,
    pub(super) exporting: Vec<ExportingSite>,
    /// Ids of members with known exports.
    pub(super) known: BTreeSet<String>,
    /// Ids of members that are unreachable or not synced.
    pub(super) unknown: BTreeSet<String>,
    /// Type of the oldest import in the set.
    pub(super) used: Option<ServiceImportType>,
}

impl Discovery {
    /// Exports of a service by the members of a set.
    pub(super) fn exports_of(&self, set: &str, key: &ObjectKey) -> Arc<SetExports> {
        self.exports.get_or_collect(set, key, || self.collect_exports(set, key))
    }

    fn collect_exports(&self, set: &str, key: &ObjectKey) -> SetExports {
        let (known, unknown) = self.members_of(set);
        let ids = known.iter().map(|(_, id)| id.clone()).collect();
        let mut exports = SetExports { known: ids, unknown, ..SetExports::default() };
        let mut oldest_import: Option<(String, ServiceImportType)> = None;
        for (site, id) in known {
            if let Some(import) = site.import(key).flatten().filter(|import| is_import_of_set(import)) {
                let since = import.str_at(&["metadata", "creationTimestamp"]).to_owned();
                let is_headless = ServiceImportView::read(&import)
                    .is_ok_and(|import| import.spec.kind == ServiceImportType::Headless.as_str());
                let kind =
                    if is_headless { ServiceImportType::Headless } else { ServiceImportType::ClusterSetIP };
                if oldest_import.as_ref().is_none_or(|(oldest, _)| since < *oldest) {
                    oldest_import = Some((since, kind));
                }
            }
            let Some(export) = site.export(key) else { continue };
            if let Ok(valid) = validate_export(&id, &export, site.service(key).as_deref()) {
                exports.valid.push(valid);
                exports.exporting.push(ExportingSite { id, site });
            }
        }
        exports.used = oldest_import.map(|(_, kind)| kind);
        exports
    }
}

/// Data of one reconciliation that does not change between its passes.
struct SetImport<'a> {
    key: &'a ObjectKey,
    /// Id of this control plane.
    own: Arc<str>,
    /// Whether the present import is not the set's.
    is_explicit: bool,
    derived_service: ObjectKey,
    imports: Cache<Object>,
    /// Membership and exports; `None` deletes the objects of the set.
    membership: Option<(Membership, Arc<SetExports>)>,
    families: Vec<String>,
}

impl Importer {
    /// Creates, updates or deletes the import of a set. Deletes it after the member has left the set, or when the user
    /// has created an explicit import. Returns the problems that remain.
    pub(super) async fn reconcile_set_import(
        &self,
        key: &ObjectKey,
        import: Option<Arc<Object>>,
        is_explicit: bool,
        own: Arc<str>,
    ) -> Result<Vec<ImportProblem>, ImportError> {
        let membership = match self.discovery.sets.state(self.site.member().name()) {
            MembershipState::Unknown | MembershipState::Pending(_) => return Ok(Vec::new()),
            MembershipState::NoSet => None,
            MembershipState::Member(membership) => Some(membership).filter(|_| !is_explicit),
        };
        // An explicit import has noted its own.
        if membership.is_none() && !is_explicit {
            self.moving.forget(key);
        }
        if membership.is_none() && !is_explicit && import.is_none() {
            self.seen_imports.lock().remove(key);
        }
        let Some(imports) = self.site.import_cache() else { return Ok(Vec::new()) };
        let derived_service = self.derived_service(key, import.as_deref(), is_explicit);
        let has_objects = || {
            import.is_some()
                || self.site.service(&derived_service).is_some()
                || !self.services_of(key, is_explicit).is_empty()
                || !self.site.imported_slices(key).is_empty()
        };
        if membership.is_none() && !has_objects() {
            return Ok(Vec::new());
        }
        let membership = membership.map(|membership| {
            let exports = self.discovery.exports_of(&membership.set, key);
            (membership, exports)
        });
        if let (None, Some((_, exports))) = (&import, &membership) {
            self.check_services_of_removed(key, exports).await?;
        }
        let families = self.site.families();
        let set_import = SetImport { key, own, is_explicit, derived_service, imports, membership, families };
        let mut import = import;
        for _ in 0..MAX_PASSES {
            let (actions, found) = self.plan_pass(&set_import, import.as_deref());
            let has_result = actions.iter().any(SetImportAction::has_result);
            self.apply_set_import(&set_import, actions).await?;
            if !has_result {
                return Ok(found);
            }
            import = self.site.import(key).flatten().filter(|import| is_import_of_set(import));
        }
        Ok(Vec::new())
    }

    /// Plans one pass from the present caches.
    fn plan_pass(
        &self,
        set_import: &SetImport<'_>,
        import: Option<&Object>,
    ) -> (Vec<SetImportAction>, Vec<ImportProblem>) {
        let key = set_import.key;
        let exports = set_import.membership.as_ref().map(|(_, exports)| exports);
        let slices_of = |exporting: &ExportingSite| exporting.site.slices(key);
        let exported_slices: Vec<Vec<Arc<Object>>> =
            exports.iter().flat_map(|exports| &exports.exporting).map(slices_of).collect();
        let mut exported = set_import.membership.as_ref().map(|(membership, exports)| {
            let sources =
                exports.exporting.iter().zip(&exported_slices).map(|(exporting, slices)| ExportingMember {
                    cluster: &exporting.id,
                    is_local: Arc::ptr_eq(&exporting.site, &self.site),
                    slices: slices.iter().map(AsRef::as_ref).collect(),
                });
            ExportedService {
                set: &membership.set,
                exports: &exports.valid,
                used: exports.used,
                sources: sources.collect(),
                known: &exports.known,
                unknown: &exports.unknown,
                unreachable: self.discovery.unreachable_members(&membership.set),
                routing: self.discovery.routing(&self.site, key, Labels::Ids),
            }
        });
        let service = self.site.service(&set_import.derived_service);
        let of_import = self.services_of(key, set_import.is_explicit);
        let leftover = of_import.iter().filter(|service| service.key() != set_import.derived_service);
        let slices = self.site.imported_slices(key);
        let refused = self.refused_families.lock().get(key).cloned();
        let member = ImportingMember {
            control_plane: &set_import.own,
            import_version: &set_import.imports.resource().gvk.api_version(),
            has_namespace: self.site.has_namespace(&key.namespace),
            families: &set_import.families,
            refused: refused.as_ref(),
            import,
            derived_service: service.as_deref(),
            leftover_services: leftover.map(AsRef::as_ref).collect(),
            slices: slices.iter().map(AsRef::as_ref).collect(),
        };
        if let Some(exported) = &mut exported {
            let (time, now) = (exported.routing.transition, self.discovery.clock.elapsed());
            exported.routing.moving = self.moving.step(key, time, now, || allotments(exported, &member));
        }
        let now = crate::time::rfc3339(&self.discovery.clock);
        let named = self.site.slices(&set_import.derived_service);
        let named: Vec<&Object> = named.iter().map(AsRef::as_ref).collect();
        let found = problems(exported.as_ref(), &member, &named);
        (plan_set_import(key, exported.as_ref(), &member, &now), found)
    }

    /// Takes the steps of one pass. A failed EndpointSlice does not stop the steps after it.
    async fn apply_set_import(
        &self,
        set_import: &SetImport<'_>,
        actions: Vec<SetImportAction>,
    ) -> Result<(), ImportError> {
        let mut failure = None;
        let slices = actions.iter().filter_map(|action| match action {
            SetImportAction::PutSlice(slice) => Some(slice.key()),
            _ => None,
        });
        let slices: Vec<ObjectKey> = slices.collect();
        self.keep_refusals(set_import.key, labels::endpoint_slice::CLUSTER_SET_MANAGER, &slices);
        for action in actions {
            let is_independent = action.is_independent();
            match self.apply_set_import_action(set_import, action).await {
                Err(error) if !is_independent => return Err(error),
                result => keep_first(&mut failure, result),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    async fn apply_set_import_action(
        &self,
        set_import: &SetImport<'_>,
        action: SetImportAction,
    ) -> Result<(), ImportError> {
        let (key, member) = (set_import.key, self.site.member());
        let services = MemberWriter { member, cache: self.site.service_cache() };
        let slices = MemberWriter { member, cache: self.site.slice_cache() };
        let imports = MemberWriter { member, cache: &set_import.imports };
        // A Service that has reached the cache after the plan was made may be another controller's.
        let is_foreign =
            |service: &Object| services.cache.get(&service.key()).is_some_and(|present| !is_of_set(&present));
        match action {
            SetImportAction::PutService(service) if is_foreign(&service) => {
                Err(ImportError::ForeignService { service: service.key() })
            }
            SetImportAction::PutService(service) => match put_service(&services, &service).await {
                Err(error) if is_family_refused(&error) => {
                    // The next pass reports the refusal in the status of the import instead of repeating the request.
                    let refused = RefusedFamilies::new(&service, error.to_string());
                    self.refused_families.lock().insert(key.clone(), refused);
                    Ok(())
                }
                result => {
                    self.refused_families.lock().remove(key);
                    Ok(result?)
                }
            },
            SetImportAction::PutImport(import) => {
                self.seen_imports.lock().insert(key.clone());
                Ok(imports.put(import).await?)
            }
            SetImportAction::PutStatus(import) => {
                let before = imports.cache.get(&import.key());
                imports.put_status(&import).await?;
                self.report_exporters(before.as_deref(), &import);
                Ok(())
            }
            SetImportAction::PutSlice(slice) => self.put_slice(key, slice).await,
            SetImportAction::DeleteSlice(key) => Ok(slices.delete(&key).await?),
            SetImportAction::DeleteService(key) => Ok(services.delete(&key).await?),
            SetImportAction::DeleteImport(import) => {
                self.refused_families.lock().remove(key);
                Ok(imports.delete(&import).await?)
            }
            SetImportAction::ReportForeignService(service) => Err(ImportError::ForeignService { service }),
        }
    }
}

/// POST if the cache has no such Service, so that a Service created meanwhile by another controller is not taken over.
async fn put_service(services: &MemberWriter<'_>, service: &Object) -> Result<(), ClientError> {
    match services.cache.get(&service.key()) {
        Some(present) => services.put(updated_service(&present, service)).await,
        None => services.create(service).await,
    }
}

/// Whether an API server refused a Service because of its address families: a 422 with a cause for `spec.ipFamilies`
/// (kubernetes pkg/registry/core/service/storage/alloc.go).
fn is_family_refused(error: &ClientError) -> bool {
    let ClientError::Invalid(status) = error else { return false };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes.into_iter().any(|cause| cause.field.starts_with("spec.ipFamilies"))
}

#[cfg(test)]
mod tests {
    use portolan_object::Status;
    use portolan_object::status::{Cause, Details};

    use super::*;

    #[test]
    fn refused_families_are_recognised_by_the_field_of_the_cause() {
        let cases = [
            (
                "a family",
                "spec.ipFamilies[0]",
                "Invalid value: \"IPv6\": not configured on this cluster",
                true,
            ),
            ("all families", "spec.ipFamilies", "Invalid value", true),
            ("another field", "spec.ports[0].port", "see spec.ipFamilies", false),
            ("no field", "", "ipFamilies", false),
        ];
        for (name, field, message, want) in cases {
            let cause = Cause { field: field.to_owned(), message: message.to_owned(), ..Cause::default() };
            let details = Details { causes: vec![cause], ..Details::default() };
            let mut status = Status::new(422, "Invalid", message);
            status.details = Some(Box::new(details));
            assert_eq!(is_family_refused(&ClientError::Invalid(status.clone())), want, "{name}");
            assert!(!is_family_refused(&ClientError::Conflict(status)), "{name}: another error");
        }
    }
}
