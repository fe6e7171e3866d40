//! The form of cluster sets: imports that appear by themselves, merged from all exports of the set.

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::multicluster::ServiceImportType;
use portolan_api::names;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::cluster_set::{Action, Observed, Source, is_of_set, plan};
use portolan_plan::discovery::export::{Offer, judge};
use portolan_plan::discovery::service::brought_in_line;
use portolan_runtime::client::ClientError;

use super::Discovery;
use super::importer::{ActError, Importer, first_failure};
use super::site::Site;
use super::write::Writer;
use crate::cluster_sets::Standing;

/// A step tells what the next one needs; there are three at most, and one more that finds nothing to do.
const ROUNDS: usize = 5;

/// One member of a set that exports a service.
pub(super) struct Exporting {
    id: String,
    site: Arc<Site>,
}

/// What a set knows of one service.
#[derive(Default)]
pub(super) struct Exports {
    /// Valid offers.
    pub(super) offers: Vec<Offer>,
    pub(super) exporting: Vec<Exporting>,
    /// Ids of members that cannot be judged.
    pub(super) unknown: BTreeSet<String>,
    /// The type with which it is imported already.
    pub(super) used: Option<ServiceImportType>,
}

impl Discovery {
    /// What the members of a set export of a service.
    pub(super) fn exports_of(&self, set: &str, key: &ObjectKey) -> Arc<Exports> {
        self.offered.get_or_look(set, key, || self.look_at_exports(set, key))
    }

    /// Looks at every member of a set.
    fn look_at_exports(&self, set: &str, key: &ObjectKey) -> Exports {
        let (known, unknown) = self.members_of(set);
        let mut exports = Exports { offers: Vec::new(), exporting: Vec::new(), unknown, used: None };
        let mut oldest_import: Option<(String, ServiceImportType)> = None;
        for (site, id) in known {
            if let Some(import) = site.import(key).flatten().filter(|import| is_of_set(import)) {
                let since = import.str_at(&["metadata", "creationTimestamp"]).to_owned();
                let kind = match import.str_at(&["spec", "type"]) {
                    "Headless" => ServiceImportType::Headless,
                    _ => ServiceImportType::ClusterSetIP,
                };
                if oldest_import.as_ref().is_none_or(|(oldest, _)| since < *oldest) {
                    oldest_import = Some((since, kind));
                }
            }
            let Some(export) = site.export(key) else { continue };
            if let Ok(offer) = judge(&id, &export, site.service(key).as_deref()) {
                exports.offers.push(offer);
                exports.exporting.push(Exporting { id, site });
            }
        }
        exports.used = oldest_import.map(|(_, kind)| kind);
        exports
    }
}

impl Importer {
    /// Gives the member what its set has of a service; takes back what it had when it has left, or when a user's own
    /// import is there.
    pub(super) async fn import_of_set(
        &self,
        key: &ObjectKey,
        import: Option<Arc<Object>>,
        is_explicit: bool,
    ) -> Result<(), ActError> {
        let membership = match self.discovery.sets.standing(self.site.member().name()) {
            Standing::Unknown | Standing::Pending(_) => return Ok(()),
            Standing::Alone => None,
            Standing::Member(membership) => Some(membership).filter(|_| !is_explicit),
        };
        let Some(imports) = self.site.import_cache() else { return Ok(()) };
        let derived = ObjectKey::namespaced(
            key.namespace.clone(),
            names::derived_service_of_set(&key.namespace, &key.name),
        );
        let nothing = || import.is_none() && self.site.service(&derived).is_none();
        if membership.is_none() && nothing() && self.site.imported_slices(key).is_empty() {
            return Ok(());
        }
        let exports = membership.as_ref().map(|membership| self.discovery.exports_of(&membership.set, key));
        let families = self.site.families();
        let none = BTreeSet::new();
        let mut import = import;
        for _ in 0..ROUNDS {
            let sources: Vec<(&Exporting, Vec<Arc<Object>>)> = exports
                .iter()
                .flat_map(|exports| &exports.exporting)
                .map(|exporting| (exporting, exporting.site.slices(key)))
                .collect();
            let sources = sources.iter().map(|(exporting, slices)| Source {
                cluster: &exporting.id,
                is_here: Arc::ptr_eq(&exporting.site, &self.site),
                slices: slices.iter().map(AsRef::as_ref).collect(),
            });
            let service = self.site.service(&derived);
            let slices = self.site.imported_slices(key);
            let refused = self.refused.lock().get(key).cloned();
            let now = crate::time::rfc3339(&self.discovery.clock);
            let actions = plan(&Observed {
                service_key: key,
                set: membership.as_ref().map(|membership| membership.set.as_str()),
                import_version: &imports.resource().gvk.api_version(),
                has_namespace: self.site.has_namespace(&key.namespace),
                offers: exports.as_ref().map(|exports| exports.offers.clone()).unwrap_or_default(),
                used: exports.as_ref().and_then(|exports| exports.used),
                sources: sources.collect(),
                unknown: exports.as_ref().map_or(&none, |exports| &exports.unknown),
                families: &families,
                refused: refused.as_deref(),
                import: import.as_deref(),
                derived: service.as_deref(),
                slices: slices.iter().map(AsRef::as_ref).collect(),
                now: &now,
            });
            let tells =
                actions.iter().any(|action| matches!(action, Action::PutService(_) | Action::PutImport(_)));
            let mut failure = None;
            for action in actions {
                let is_slice = matches!(action, Action::PutSlice(_) | Action::DeleteSlice(_));
                match self.act_of_set(key, action).await {
                    // What follows rests on it.
                    Err(error) if !is_slice => return Err(error),
                    result => first_failure(&mut failure, result),
                }
            }
            if let Some(failure) = failure {
                return Err(failure);
            }
            // Nothing but Services and imports tells something that another step waits for; a deletion is seen by the
            // watch.
            if !tells {
                return Ok(());
            }
            import = self.site.import(key).flatten().filter(|import| is_of_set(import));
        }
        Ok(())
    }

    async fn act_of_set(&self, key: &ObjectKey, action: Action) -> Result<(), ActError> {
        let member = self.site.member();
        let Some(import_cache) = self.site.import_cache() else { return Ok(()) };
        let services = Writer { member, cache: self.site.service_cache() };
        let slices = Writer { member, cache: self.site.slice_cache() };
        let imports = Writer { member, cache: &import_cache };
        match action {
            Action::PutService(service) => match put_service(&services, &service).await {
                Err(error) if is_about_families(&error) => {
                    // The next round says so in the import; a new attempt is made when anything changes.
                    self.refused.lock().insert(key.clone(), error.to_string());
                    Ok(())
                }
                result => {
                    self.refused.lock().remove(key);
                    Ok(result?)
                }
            },
            Action::PutImport(import) => Ok(imports.put(import).await?),
            Action::PutStatus(import) => Ok(imports.put_status(&import).await?),
            Action::PutSlice(slice) => Ok(slices.put(slice).await?),
            Action::DeleteSlice(key) => Ok(slices.delete(&key).await?),
            Action::DeleteService(key) => Ok(services.delete(&key).await?),
            Action::DeleteImport(import) => {
                self.refused.lock().remove(key);
                Ok(imports.delete(&import).await?)
            }
            Action::ReportForeignService(service) => Err(ActError::Foreign { service }),
        }
    }
}

/// Created when it is not known: a Service that appeared meanwhile is somebody else's.
async fn put_service(services: &Writer<'_>, service: &Object) -> Result<(), ClientError> {
    match services.cache.get(&service.key()) {
        Some(present) => services.put(brought_in_line(&present, service)).await,
        None => services.create(service).await,
    }
}

/// Whether an API server refused a Service because it has none of its address families.
fn is_about_families(error: &ClientError) -> bool {
    matches!(error, ClientError::Invalid(_)) && error.to_string().contains("ipFamilies")
}
