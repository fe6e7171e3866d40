//! The explicit form: an import that a user or a policy put into a member, answered by `derived-<name>`.

use std::sync::Arc;

use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::consumer::{Action, Exporter, Observed, plan};
use portolan_plan::discovery::service::brought_in_line;
use portolan_runtime::ClusterName;

use super::importer::{ActError, Importer, first_failure};
use super::site::derived;
use super::write::Writer;

/// An exporting cluster with the slices of its Service.
type Exporting = (ClusterName, Vec<Arc<Object>>);

impl Importer {
    /// Gives the member what an explicit import asks for; without one, takes back what it had.
    pub(super) async fn import_explicitly(
        &self,
        key: &ObjectKey,
        import: Option<Arc<Object>>,
    ) -> Result<(), ActError> {
        let service = self.site.service(&derived(key));
        let slices = self.site.slices(&derived(key));
        if import.is_none() && service.is_none() && slices.is_empty() {
            return Ok(());
        }
        let (exporters, unknown) = self.sources(key);
        let exporters = exporters.iter().map(|(cluster, slices)| Exporter {
            cluster: cluster.as_str(),
            slices: slices.iter().map(AsRef::as_ref).collect(),
        });
        let actions = plan(&Observed {
            import: import.as_deref(),
            exporters: exporters.collect(),
            unreachable: unknown.iter().map(String::as_str).collect(),
            service: service.as_deref(),
            slices: slices.iter().map(AsRef::as_ref).collect(),
        });
        let mut failure = None;
        for action in actions {
            let is_slice = matches!(&action, Action::Apply(object) if object.kind() == "EndpointSlice");
            match self.act_explicitly(action).await {
                // Without its Service a slice is of no use, and the Service may turn out to be somebody else's.
                Err(error) if !is_slice => return Err(error),
                result => first_failure(&mut failure, result),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// The exporting clusters with their slices, and the clusters that cannot be judged.
    fn sources(&self, key: &ObjectKey) -> (Vec<Exporting>, Vec<String>) {
        let sites = self.discovery.sites.read();
        let exporting = sites.iter().filter(|(_, site)| site.exports_service(key));
        let exporters = exporting.map(|(cluster, site)| (cluster.clone(), site.slices(key))).collect();
        let is_known =
            |cluster: &str| sites.get(&ClusterName::new(cluster)).is_some_and(|site| site.is_known());
        let names = self.discovery.clusters.keys().into_iter().map(|cluster| cluster.name);
        (exporters, names.filter(|name| !is_known(name)).collect())
    }

    async fn act_explicitly(&self, action: Action) -> Result<(), ActError> {
        let member = self.site.member();
        let services = Writer { member, cache: self.site.service_cache() };
        let slices = Writer { member, cache: self.site.slice_cache() };
        match action {
            Action::Apply(object) if object.kind() == "EndpointSlice" => Ok(slices.put(object).await?),
            // Created, not applied: a Service that appeared meanwhile is somebody else's.
            Action::Apply(service) => match self.site.service(&service.key()) {
                Some(present) => Ok(services.put(brought_in_line(&present, &service)).await?),
                None => Ok(services.create(&service).await?),
            },
            Action::DeleteSlice(key) => Ok(slices.delete(&key).await?),
            Action::DeleteService(key) => Ok(services.delete(&key).await?),
            Action::ReportForeignService(service) => Err(ActError::Foreign { service }),
        }
    }
}
