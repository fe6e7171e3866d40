//! `networking.k8s.io/v1` Ingress.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::{Ingress, View, ViewError};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::Value;

use super::pod_references::PodReferences;
use super::{Hook, Interpreter, Report, load_balancer};

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::INGRESS,
    status_fields: &["loadBalancer"],
    replicas: Hook::Default,
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Default,
    reflect: Hook::Default,
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Custom(dependencies),
};

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    Ok(Ingress::read(object)?.status.has_address())
}

fn aggregate(_template: &Object, _status: Value, reports: &[Report]) -> Option<Value> {
    Some(load_balancer::merge(reports))
}

/// The Secrets with its certificates.
fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    let ingress = Ingress::read(template)?;
    let mut secrets = PodReferences::default();
    ingress.spec.tls.iter().for_each(|tls| secrets.add_secret(tls.secret_name));
    Ok(secrets.in_namespace(template.namespace()))
}
