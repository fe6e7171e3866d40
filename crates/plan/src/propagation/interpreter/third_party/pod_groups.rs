//! Components of workloads with several pod templates.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_api::work::{Component, ComponentReplicaRequirements, ReplicaRequirements};
use portolan_object::Object;
use serde_json::Value;

use super::combine::at;
use crate::propagation::interpreter::pod_references;
use crate::propagation::requirements::of_pod_spec;

/// A component with the requirements of its pod template.
pub(super) fn component(name: &str, replicas: i64, template: Option<&Value>) -> Component {
    let requirements = template.and_then(|template| of_pod_spec(at(template, &["spec"])?));
    with_requirements(name, replicas, requirements)
}

/// A component with these requirements.
pub(super) fn with_requirements(
    name: &str,
    replicas: i64,
    requirements: Option<ReplicaRequirements>,
) -> Component {
    let of_component = |requirements: ReplicaRequirements| ComponentReplicaRequirements {
        node_claim: requirements.node_claim,
        resource_request: requirements.resource_request,
        priority_class_name: requirements.priority_class_name,
    };
    Component {
        name: name.to_owned(),
        replicas: i32::try_from(replicas).unwrap_or(i32::MAX),
        replica_requirements: requirements.map(of_component),
    }
}

/// The references of the pods of several templates.
pub(super) fn dependencies(
    object: &Object,
    templates: &[&Value],
) -> Result<Vec<DependentObjectReference>, ViewError> {
    let specs: Vec<&Value> = templates.iter().filter_map(|template| at(template, &["spec"])).collect();
    pod_references::of_pod_specs(object, &specs)
}
