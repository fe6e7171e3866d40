//! `multicluster.x-k8s.io` ServiceImport.

use std::collections::BTreeMap;

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_api::meta::LabelSelector;
use portolan_api::resources::{self, StaticResource};
use portolan_api::{labels, names};
use portolan_object::Object;

use super::pod_references::reference;
use super::{Hook, Interpreter};

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: StaticResource::namespaced(
        "multicluster.x-k8s.io",
        "v1alpha1",
        "ServiceImport",
        "serviceimports",
    ),
    status_fields: &[],
    replicas: Hook::Default,
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Default,
    health: Hook::Default,
    aggregate: Hook::Default,
    dependencies: Hook::Custom(dependencies),
};

/// The derived Service and its EndpointSlices.
fn dependencies(import: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    let derived = names::derived_service(import.name());
    let mut slices = reference(resources::ENDPOINT_SLICE, import.namespace(), "");
    slices.label_selector = Some(LabelSelector {
        match_labels: BTreeMap::from([(labels::endpoint_slice::SERVICE_NAME.to_owned(), derived.clone())]),
        ..LabelSelector::default()
    });
    Ok(vec![reference(resources::SERVICE, import.namespace(), &derived), slices])
}
