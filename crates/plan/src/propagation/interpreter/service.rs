//! `v1` Service.

use portolan_api::kubernetes::{Service, View, ViewError};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::Value;

use super::counters::pick;
use super::{Hook, Interpreter, Report, load_balancer};
use crate::propagation::{fields, node_ports};

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::SERVICE,
    status_fields: &["loadBalancer"],
    replicas: Hook::Default,
    components: Hook::Default,
    prune: Hook::Custom(prune),
    retain: Hook::Custom(retain),
    reflect: Hook::Custom(reflect),
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Default,
};

fn has_load_balancer(service: &Object) -> bool {
    Service::read(service).is_ok_and(|service| service.spec.kind == "LoadBalancer")
}

/// A headless Service stays headless; any other address is the member's to allocate.
fn prune(service: &mut Object) {
    let is_headless = Service::read(service).is_ok_and(|service| service.spec.is_headless());
    if let (false, Some(spec)) = (is_headless, fields::map_at(&mut service.0, &["spec"])) {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
    if node_ports::is_health_check_allocated(service)
        && let Some(spec) = fields::map_at(&mut service.0, &["spec"])
    {
        spec.remove("healthCheckNodePort");
    }
}

/// The member's address always wins: it cannot change, and it is unique only there.
fn retain(manifest: &mut Object, observed: &Object) {
    let Ok(Service { spec, .. }) = Service::read(observed) else { return };
    if !spec.cluster_ip.is_empty() {
        fields::copy(manifest, observed, &["spec", "clusterIP"]);
    }
    if !spec.cluster_ips.is_empty() {
        fields::copy(manifest, observed, &["spec", "clusterIPs"]);
    }
    node_ports::retain(manifest, observed);
    if spec.health_check_node_port > 0 {
        fields::copy(manifest, observed, &["spec", "healthCheckNodePort"]);
    }
}

fn reflect(object: &Object) -> Option<Value> {
    if !has_load_balancer(object) {
        return None;
    }
    pick(object, INTERPRETER.status_fields).map(Value::Object)
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    let Service { spec, status } = Service::read(object)?;
    Ok(spec.kind != "LoadBalancer" || status.has_address())
}

/// A Service that has no load balancer any more has no addresses of one either.
fn aggregate(template: &Object, _status: Value, reports: &[Report]) -> Option<Value> {
    let had_one = || Service::read(template).is_ok_and(|service| service.status.has_address());
    if has_load_balancer(template) {
        Some(load_balancer::merge(reports))
    } else {
        had_one().then(|| load_balancer::merge(&[]))
    }
}
