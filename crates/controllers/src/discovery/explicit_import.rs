//! Explicit imports: a ServiceImport that a user or a policy created in a member, served by `derived-<name>`.

use std::sync::Arc;

use portolan_api::labels;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::derived_service::updated_service;
use portolan_plan::discovery::explicit_import::{
    ExplicitImport, ExplicitImportAction, Exporter, allotments, plan_explicit_import, problems,
};
use portolan_plan::discovery::problem::ImportProblem;
use portolan_plan::import_marks::is_of_explicit_import;
use portolan_runtime::ClusterName;

use super::importer::{ImportError, Importer, keep_first};
use super::member_writer::MemberWriter;
use super::site::{Site, derived_service_key};
use super::traffic::Labels;

/// An exporting cluster.
struct ExporterObjects {
    cluster: ClusterName,
    service: Option<Arc<Object>>,
    slices: Vec<Arc<Object>>,
}

impl Importer {
    /// Creates, updates or deletes the objects of an explicit import; `import` is `None` after its deletion. Returns the
    /// problems that remain.
    pub(super) async fn reconcile_explicit_import(
        &self,
        key: &ObjectKey,
        import: Option<Arc<Object>>,
        own: &str,
    ) -> Result<Vec<ImportProblem>, ImportError> {
        let service = self.site.service(&derived_service_key(key));
        let slices = self.site.slices(&derived_service_key(key));
        if import.is_none() && service.is_none() && slices.is_empty() {
            return Ok(Vec::new());
        }
        let exporters = self.exporters(key);
        let clusters: Vec<ClusterName> = exporters.iter().map(|exporter| exporter.cluster.clone()).collect();
        let (known, unreachable) = self.clusters();
        let exporters = exporters.iter().map(|exporter| Exporter {
            cluster: exporter.cluster.as_str(),
            service: exporter.service.as_deref(),
            slices: exporter.slices.iter().map(AsRef::as_ref).collect(),
        });
        let mut seen = ExplicitImport {
            control_plane: own,
            import: import.as_deref(),
            exporters: exporters.collect(),
            known: known.iter().map(String::as_str).collect(),
            unreachable: unreachable.iter().map(String::as_str).collect(),
            service: service.as_deref(),
            slices: slices.iter().map(AsRef::as_ref).collect(),
            routing: self.discovery.routing(&self.site, key, Labels::Names),
        };
        if import.is_some() {
            let (time, now) = (seen.routing.transition, self.discovery.clock.elapsed());
            seen.routing.moving = self.moving.step(key, time, now, || allotments(&seen));
        }
        let (actions, found) = (plan_explicit_import(&seen), problems(&seen));
        let mut failure = None;
        let wanted: Vec<ObjectKey> = actions.iter().filter_map(slice_to_apply).collect();
        self.keep_refusals(key, labels::endpoint_slice::IMPORT_MANAGER, &wanted);
        for action in actions {
            let is_slice = slice_to_apply(&action).is_some();
            match self.apply_explicit_import(key, action).await {
                // The slices depend on the Service, which may turn out to be managed by another controller.
                Err(error) if !is_slice => return Err(error),
                result => keep_first(&mut failure, result),
            }
        }
        if let Some(import) = &import {
            let written = self.write_exporters(import, &clusters, &seen.routing, &allotments(&seen)).await;
            keep_first(&mut failure, written.map_err(ImportError::from));
        }
        failure.map_or(Ok(found), Err)
    }

    /// Exporting clusters.
    fn exporters(&self, key: &ObjectKey) -> Vec<ExporterObjects> {
        let sites = self.discovery.sites.read();
        let exporting = sites.iter().filter(|(_, site)| site.exports_service(key));
        let objects = |(cluster, site): (&ClusterName, &Arc<Site>)| ExporterObjects {
            cluster: cluster.clone(),
            service: site.service(key),
            slices: site.slices(key),
        };
        exporting.map(objects).collect()
    }

    /// Names of all clusters: those with known exports, and those that are unreachable or not synced.
    fn clusters(&self) -> (Vec<String>, Vec<String>) {
        let sites = self.discovery.sites.read();
        let is_known =
            |cluster: &str| sites.get(&ClusterName::new(cluster)).is_some_and(|site| site.is_known());
        let names = self.discovery.clusters.keys().into_iter().map(|cluster| cluster.name);
        names.partition(|name| is_known(name))
    }

    async fn apply_explicit_import(
        &self,
        key: &ObjectKey,
        action: ExplicitImportAction,
    ) -> Result<(), ImportError> {
        let member = self.site.member();
        let services = MemberWriter { member, cache: self.site.service_cache() };
        let slices = MemberWriter { member, cache: self.site.slice_cache() };
        match action {
            ExplicitImportAction::Apply(object) if object.kind() == "EndpointSlice" => {
                self.put_slice(key, object).await
            }
            // POST instead of apply: a Service created meanwhile is not managed by Portolan.
            ExplicitImportAction::Apply(service) => match self.site.service(&service.key()) {
                // It has reached the cache after the plan was made.
                Some(present) if !is_of_explicit_import(&present) => {
                    Err(ImportError::ForeignService { service: service.key() })
                }
                Some(present) => Ok(services.put(updated_service(&present, &service)).await?),
                None => Ok(services.create(&service).await?),
            },
            ExplicitImportAction::DeleteSlice(key) => Ok(slices.delete(&key).await?),
            ExplicitImportAction::DeleteService(key) => Ok(services.delete(&key).await?),
            ExplicitImportAction::ReportForeignService(service) => {
                Err(ImportError::ForeignService { service })
            }
        }
    }
}

/// The key of the EndpointSlice that a step writes.
fn slice_to_apply(action: &ExplicitImportAction) -> Option<ObjectKey> {
    match action {
        ExplicitImportAction::Apply(object) if object.kind() == "EndpointSlice" => Some(object.key()),
        _ => None,
    }
}
