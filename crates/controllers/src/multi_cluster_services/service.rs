//! The Service of a MultiClusterService: its claim, and its binding to the clusters with endpoints and those with clients.

use std::collections::BTreeSet;

use portolan_api::networking::MultiClusterService;
use portolan_api::policy::{ClusterAffinity, ConflictResolution, Placement, PropagationSpec};
use portolan_api::{annotations, labels, resources};
use portolan_object::{Object, ObjectKey};
use portolan_plan::multi_cluster_service::{consumers, providers};
use portolan_plan::propagation::binding::{self, belongs_to_another, differs, unclaimed_metadata};
use portolan_plan::propagation::claim;
use portolan_plan::propagation::replicas::Demand;
use portolan_runtime::client::{BoxError, Patch};
use serde_json::{Value, json};

use super::controller::Controller;
use super::unapplied::Unapplied;
use crate::collections::template_api;
use crate::missing::ignore_missing;
use crate::propagation::{Binding, binding_key};

impl Controller {
    /// Claims the Service, and binds it to the clusters with endpoints and those with clients.
    pub(super) async fn propagate(
        &self,
        key: &ObjectKey,
        service: &MultiClusterService,
    ) -> Result<(), Unapplied> {
        let kind = resources::SERVICE.gvk();
        let template = self.pipeline.template(&kind, key).filter(|template| !template.is_deleting());
        let template = template.ok_or(Unapplied::NoService)?;
        let template = self.claim(service, &template).await?;
        Ok(self.bind(service, &template).await?)
    }

    /// The labels and annotations by which the Service belongs to the MultiClusterService.
    async fn claim(&self, service: &MultiClusterService, template: &Object) -> Result<Object, BoxError> {
        let (labels, annotations) = marks(service);
        let is_claimed = labels.iter().all(|(key, value)| template.label(key) == Some(value))
            && annotations.iter().all(|(key, value)| template.annotation(key) == Some(value))
            && !claim::has_marks(template);
        if is_claimed {
            return Ok(template.clone());
        }
        let mut metadata =
            json!({ "resourceVersion": template.resource_version(), "labels": {}, "annotations": {} });
        claim::LABELS.iter().for_each(|label| metadata["labels"][*label] = Value::Null);
        claim::ANNOTATIONS.iter().for_each(|name| metadata["annotations"][*name] = Value::Null);
        labels.into_iter().for_each(|(key, value)| metadata["labels"][key] = value.into());
        annotations.into_iter().for_each(|(key, value)| metadata["annotations"][key] = value.into());
        self.patch_template(template, metadata).await
    }

    async fn patch_template(&self, template: &Object, metadata: Value) -> Result<Object, BoxError> {
        let api = template_api(&self.pipeline.hub().client, &resources::SERVICE.into());
        let written = api.patch(&template.key(), &Patch::Merge(json!({ "metadata": metadata }))).await?;
        self.pipeline.template_written(written.clone());
        Ok(written)
    }

    async fn bind(&self, service: &MultiClusterService, template: &Object) -> Result<(), BoxError> {
        let key = binding_key(template.kind(), &template.key());
        let bindings = self.pipeline.bindings();
        let policy = self.propagation(service);
        let Some(present) = bindings.get(&key) else {
            let metadata = unclaimed_metadata(template, &uuid::Uuid::new_v4().to_string());
            let spec = binding::spec(template, &policy, &Demand::default(), None, None);
            let mut new = Binding::new(metadata, spec);
            mark(&mut new, service);
            bindings.written(bindings.api(&key).create(&new).await?);
            return Ok(());
        };
        if present.metadata.is_deleting() || belongs_to_another(&present.metadata, template) {
            // It is made again when it is gone, which queues the Service.
            return Ok(());
        }
        let spec = binding::spec(template, &policy, &Demand::default(), None, Some(&present.spec));
        let mut changed = Binding::clone(&present);
        mark(&mut changed, service);
        if changed.metadata == present.metadata && !differs(&present.spec, &spec) {
            if present.spec.resource.resource_version != template.resource_version() {
                self.pipeline.queue_binding(key);
            }
            return Ok(());
        }
        changed.spec = spec;
        bindings.written(bindings.api(&key).replace(&changed).await?);
        Ok(())
    }

    /// The placement of the Service.
    fn propagation(&self, service: &MultiClusterService) -> PropagationSpec {
        let all = self.clusters();
        let names = providers(&service.spec, &all).into_iter().chain(consumers(&service.spec, &all));
        let cluster_names: BTreeSet<String> = names.collect();
        let affinity = ClusterAffinity {
            cluster_names: cluster_names.into_iter().collect(),
            ..ClusterAffinity::default()
        };
        PropagationSpec {
            placement: Placement { cluster_affinity: Some(affinity), ..Placement::default() },
            conflict_resolution: ConflictResolution::Overwrite,
            ..PropagationSpec::default()
        }
    }

    pub(super) fn clusters(&self) -> Vec<String> {
        self.pipeline.hub().clusters.keys().into_iter().map(|cluster| cluster.name).collect()
    }

    /// Removes the marks of the MultiClusterService from its Service and the binding of that.
    pub(super) async fn release(
        &self,
        key: &ObjectKey,
        service: &MultiClusterService,
    ) -> Result<(), BoxError> {
        let kind = resources::SERVICE.gvk();
        let id = service.metadata.label(labels::multi_cluster_service::PERMANENT_ID);
        let template = self.pipeline.template(&kind, key);
        let claimed = template.filter(|found| found.label(labels::multi_cluster_service::PERMANENT_ID) == id);
        if let Some(template) = claimed {
            let binding = binding_key(template.kind(), key);
            if let Some(present) = self.pipeline.bindings().get(&binding) {
                let metadata = json!({ "resourceVersion": present.metadata.resource_version,
                    "labels": { labels::multi_cluster_service::PERMANENT_ID: null, labels::binding::MANAGED_BY: null },
                    "annotations": { annotations::multi_cluster_service::NAMESPACE: null,
                        annotations::multi_cluster_service::NAME: null } });
                let patch = Patch::Merge(json!({ "metadata": metadata }));
                let bindings = self.pipeline.bindings();
                let written = ignore_missing(bindings.api(&binding).patch(&binding, &patch).await)?;
                written.into_iter().for_each(|binding| bindings.written(binding));
            }
            let metadata = json!({ "resourceVersion": template.resource_version(),
                "labels": { labels::template::CLAIMED_BY: null, labels::multi_cluster_service::PERMANENT_ID: null },
                "annotations": { annotations::multi_cluster_service::NAMESPACE: null,
                    annotations::multi_cluster_service::NAME: null } });
            self.patch_template(&template, metadata).await?;
        }
        Ok(())
    }
}

/// Keys and values of labels or annotations.
type Marks = Vec<(&'static str, String)>;

/// Labels and annotations of the Service and its binding.
fn marks(service: &MultiClusterService) -> (Marks, Marks) {
    let id = service.metadata.label(labels::multi_cluster_service::PERMANENT_ID).unwrap_or_default();
    let labels = vec![
        (labels::template::CLAIMED_BY, labels::multi_cluster_service::MANAGER.to_owned()),
        (labels::multi_cluster_service::PERMANENT_ID, id.to_owned()),
    ];
    let annotations = vec![
        (annotations::multi_cluster_service::NAMESPACE, service.metadata.namespace.clone()),
        (annotations::multi_cluster_service::NAME, service.metadata.name.clone()),
    ];
    (labels, annotations)
}

/// Marks a binding as that of a MultiClusterService, and of no policy.
fn mark(binding: &mut Binding, service: &MultiClusterService) {
    let (labels, annotations) = marks(service);
    let metadata = &mut binding.metadata;
    claim::LABELS.iter().for_each(|label| drop(metadata.labels.remove(*label)));
    claim::ANNOTATIONS.iter().for_each(|name| drop(metadata.annotations.remove(*name)));
    let id = labels.into_iter().filter(|(key, _)| *key == labels::multi_cluster_service::PERMANENT_ID);
    metadata.labels.extend(id.map(|(key, value)| (key.to_owned(), value)));
    let manager = labels::multi_cluster_service::MANAGER.to_owned();
    metadata.labels.insert(labels::binding::MANAGED_BY.to_owned(), manager);
    metadata.annotations.extend(annotations.into_iter().map(|(key, value)| (key.to_owned(), value)));
}
