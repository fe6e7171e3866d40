//! Imports of cluster sets: created by Portolan and merged from all exports of the set.

mod steps;

use std::sync::Arc;

use portolan_object::{Object, ObjectKey};
use portolan_plan::cluster_sets::membership::Membership;
use portolan_plan::discovery::problem::ImportProblem;
use portolan_plan::discovery::set_import::{
    ExportedService, ExportingMember, ImportingMember, SetImportAction, allotments, plan_set_import, problems,
};
use portolan_plan::import_marks::is_import_of_set;
use portolan_runtime::Cache;

use super::importer::{ImportError, Importer};
use super::set_exports::{ExportingSite, SetExports};
use super::traffic::Labels;
use crate::hub::MembershipState;

/// Maximum passes in one reconciliation. At most three passes change something and the fourth confirms; five is the
/// safety limit.
const MAX_PASSES: usize = 5;

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
}
