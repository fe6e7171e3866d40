//! One pass over one import of one member.

use std::sync::Arc;
use std::time::Duration;

use portolan_api::labels;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::consumer::{Action, Exporter, Observed, plan};
use portolan_runtime::client::{Apply, ClientError, Delete};
use portolan_runtime::{ClusterName, Outcome, Reconciler};

use crate::MANAGER;
use crate::discovery::Discovery;
use crate::discovery::site::{Site, derived, is_imported, service_resource, slice_resource};

/// A Service that is in the way is not watched; its removal is noticed after this time.
const FOREIGN_RECHECK: Duration = Duration::from_secs(30);

/// Gives one member what its imports ask for.
pub(super) struct Importer {
    pub(super) discovery: Arc<Discovery>,
    pub(super) site: Arc<Site>,
}

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
enum ActError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("the import has no derived service: service {service} exists and is not managed by Portolan")]
    Foreign { service: ObjectKey },
    #[error("the cache does not show our own write yet")]
    CacheBehind,
}

/// What was seen, owned, so that `plan` can borrow from it.
struct Picture {
    import: Option<Arc<Object>>,
    exporters: Vec<(ClusterName, Vec<Arc<Object>>)>,
    unknown: Vec<String>,
    service: Option<Arc<Object>>,
    slices: Vec<Arc<Object>>,
}

impl Reconciler for Importer {
    type Key = ObjectKey;

    async fn reconcile(&self, key: &ObjectKey) -> Outcome {
        let Some(picture) = self.observe(key) else {
            // Whatever becomes known later adds the key again.
            return Outcome::Done;
        };
        for action in plan(&picture.observed()) {
            match self.act(action).await {
                Ok(()) => {}
                Err(ActError::CacheBehind) => return Outcome::Stale,
                Err(ActError::Client(error)) => return Outcome::retry(error),
                Err(error @ ActError::Foreign { .. }) => {
                    tracing::warn!(cluster = %self.site.member().name(), import = %key, %error);
                    return Outcome::RequeueAfter(FOREIGN_RECHECK);
                }
            }
        }
        Outcome::Done
    }
}

impl Importer {
    /// `None` while too little is known to decide anything.
    fn observe(&self, key: &ObjectKey) -> Option<Picture> {
        let clusters = &self.discovery.clusters;
        if !self.site.is_synced() || !clusters.is_synced() {
            return None;
        }
        let import = self.site.import(key)?;
        let sites = self.discovery.sites.read();
        let exporting = sites.iter().filter(|(_, site)| site.exports_service(key));
        let exporters = exporting.map(|(cluster, site)| (cluster.clone(), site.slices(key))).collect();
        let is_known =
            |cluster: &str| sites.get(&ClusterName::new(cluster)).is_some_and(|site| site.is_known());
        let names = clusters.keys().into_iter().map(|cluster| cluster.name);
        let unknown = names.filter(|name| !is_known(name)).collect();
        let (service, slices) = (self.site.derived_service(key), self.site.slices(&derived(key)));
        Some(Picture { import, exporters, unknown, service, slices })
    }

    async fn act(&self, action: Action) -> Result<(), ActError> {
        let client = self.site.member().client();
        let (services, slices) = (service_resource(), slice_resource());
        match action {
            Action::Apply(object) if object.kind() == "EndpointSlice" => self.put_slice(object).await,
            Action::Apply(service) => self.put_service(service).await,
            Action::DeleteSlice(key) => {
                gone(client.resource::<Object>(&slices).delete(&key, &Delete::default()).await)
            }
            Action::DeleteService(key) => {
                gone(client.resource::<Object>(&services).delete(&key, &Delete::background()).await)
            }
            Action::ReportForeignService(service) => Err(ActError::Foreign { service }),
        }
    }

    /// Creates the derived Service, or brings ours in line. One that is not ours is never touched.
    async fn put_service(&self, service: Object) -> Result<(), ActError> {
        let api = self.site.member().client().resource::<Object>(&service_resource());
        if self.site.has_service(&service.key()) {
            let apply = Apply { manager: MANAGER.to_owned(), force: true };
            api.apply(&service, &apply).await?;
            return Ok(());
        }
        match api.create(&service).await {
            Err(ClientError::AlreadyExists(_)) => {
                let present = api.get(&service.key()).await?;
                match present.label(labels::MANAGED) {
                    Some(labels::TRUE) => Err(ActError::CacheBehind),
                    _ => Err(ActError::Foreign { service: service.key() }),
                }
            }
            result => Ok(result.map(drop)?),
        }
    }

    /// Replaces where we know the slice, creates otherwise: one request either way.
    async fn put_slice(&self, mut slice: Object) -> Result<(), ActError> {
        let api = self.site.member().client().resource(&slice_resource());
        let present = self.site.slice(&slice.key()).filter(|present| is_imported(present));
        let Some(present) = present else {
            api.create(&slice).await?;
            return Ok(());
        };
        slice.metadata_mut().insert("resourceVersion".to_owned(), present.resource_version().into());
        api.replace(&slice).await?;
        Ok(())
    }
}

impl Picture {
    fn observed(&self) -> Observed<'_> {
        let exporters = self.exporters.iter().map(|(cluster, slices)| Exporter {
            cluster: cluster.as_str(),
            slices: slices.iter().map(AsRef::as_ref).collect(),
        });
        Observed {
            import: self.import.as_deref(),
            exporters: exporters.collect(),
            unreachable: self.unknown.iter().map(String::as_str).collect(),
            service: self.service.as_deref(),
            slices: self.slices.iter().map(AsRef::as_ref).collect(),
        }
    }
}

/// Deleting what is not there is done.
fn gone(result: Result<(), ClientError>) -> Result<(), ActError> {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        result => Ok(result?),
    }
}
