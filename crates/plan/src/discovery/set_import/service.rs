//! The derived Service that gives an import its address in one member.
//!
//! It has no selector; the EndpointSlices of the import carry its name, so that the proxies of the member route to them.
//! The member's API server allocates the addresses for the lifetime of the Service. The import is not its owner: the garbage
//! collector would delete the Service with an import that a user deletes, and the set makes the import again at once, for
//! clients that keep the address.

use portolan_api::kubernetes::{Service, View};
use portolan_api::multicluster::ServiceImportType;
use portolan_api::{labels, resources};
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

use super::import::{Addresses, set_marks};
use super::{Pass, SetImportAction};
use crate::clusters::ownership::{is_own, stamped};
use crate::discovery::compare::same_service;
use crate::discovery::conditions::Usability;
use crate::discovery::derived_service::present_fields;
use crate::discovery::merge::Merged;
use crate::import_marks::is_of_set;

/// Plan for the derived Service, and its effect on the rest of the pass.
pub(super) enum ServicePlan {
    /// Plan the import with these addresses.
    Continue {
        /// Step for the Service, before those for the import.
        action: Option<SetImportAction>,
        /// Addresses of the import.
        addresses: Addresses,
        /// Whether clients can use the import.
        usability: Usability,
    },
    /// Take only these steps; the import depends on their result.
    Wait(Vec<SetImportAction>),
}

impl ServicePlan {
    fn without_address(merged: &Merged, action: Option<SetImportAction>, usability: Usability) -> Self {
        let addresses = Addresses { ips: Vec::new(), families: merged.families.clone() };
        Self::Continue { action, addresses, usability }
    }
}

/// Plans the derived Service of one pass.
pub(super) fn plan_service(pass: &Pass<'_>) -> ServicePlan {
    let merged = pass.merged;
    if merged.kind == ServiceImportType::Headless {
        let service = pass.member.derived_service.filter(|service| is_of_set(service));
        let action = service.map(|service| delete(service, pass));
        return ServicePlan::without_address(merged, action, Usability::Usable);
    }
    if merged.ports.is_empty() {
        // The API refuses a Service with an address and without ports, so there is nothing to create.
        return wait_for_address(pass);
    }
    let Some(present) = pass.member.derived_service else {
        let service = wanted(pass, None);
        // The same families would be refused again; other families are a new attempt.
        let refused = pass.member.refused.filter(|refused| refused.families == families(&service));
        return match refused {
            Some(refused) => {
                ServicePlan::without_address(merged, None, Usability::NoFamily(refused.message.clone()))
            }
            None => ServicePlan::Wait(vec![SetImportAction::PutService(service)]),
        };
    };
    if !is_of_set(present) {
        return ServicePlan::Wait(vec![SetImportAction::ReportForeignService(present.key())]);
    }
    let addresses = addresses(present);
    if addresses.families.first().is_some_and(|primary| !merged.families.contains(primary)) {
        // The primary family of a Service is immutable: delete it; the next pass creates it with another address.
        return ServicePlan::Wait(vec![delete(present, pass)]);
    }
    if addresses.ips.is_empty() {
        return wait_for_address(pass);
    }
    let wanted = wanted(pass, Some(present));
    let action = (!same_service(present, &wanted)).then_some(SetImportAction::PutService(wanted));
    ServicePlan::Continue { action, addresses, usability: Usability::Usable }
}

/// Deletes the Service. One of another control plane gets the label of this one first; the next pass deletes it.
fn delete(service: &Object, pass: &Pass<'_>) -> SetImportAction {
    let own = pass.member.control_plane;
    if is_own(service, own) {
        SetImportAction::DeleteService(service.key())
    } else {
        SetImportAction::PutService(stamped(service, own))
    }
}

/// Creates no import without an address; an existing one becomes pending.
fn wait_for_address(pass: &Pass<'_>) -> ServicePlan {
    match pass.member.import {
        Some(_) => ServicePlan::without_address(pass.merged, None, Usability::Pending),
        None => ServicePlan::Wait(Vec::new()),
    }
}

/// Addresses of a Service, at most two, with their families.
fn addresses(service: &Object) -> Addresses {
    // An unreadable Service has no address to use.
    let spec = Service::read(service).map(|service| service.spec).unwrap_or_default();
    let ips: Vec<String> = spec.addresses().into_iter().take(2).map(str::to_owned).collect();
    let families = ips.iter().map(|ip| if ip.contains(':') { "IPv6" } else { "IPv4" }.to_owned()).collect();
    Addresses { ips, families }
}

/// `spec.ipFamilies` of a Service.
pub(super) fn families(service: &Object) -> Vec<String> {
    let families = Service::read(service).map(|service| service.spec.ip_families);
    families.unwrap_or_default().into_iter().map(str::to_owned).collect()
}

/// The desired Service.
fn wanted(pass: &Pass<'_>, present: Option<&Object>) -> Object {
    let (import, merged) = (pass.service, pass.merged);
    let key = ObjectKey::namespaced(import.namespace.clone(), pass.derived_name());
    let mut service = Object::new(&resources::SERVICE.gvk(), &key);
    set_marks(&mut service, pass.exported.set, pass.owner, None);
    if present.is_some() {
        // Without an owner, such as the import that another implementation or an earlier version has set.
        service.metadata_mut().insert("ownerReferences".to_owned(), json!([]));
    }
    service.set_label(labels::endpoint_slice::IMPORT_NAME, import.name.as_str());
    let ports = merged.ports.iter().map(|port| {
        let name = merged.port_name(port);
        Value::Object(present_fields([
            ("name", Some(name).filter(|name| !name.is_empty()).map(Value::from)),
            ("protocol", Some(port.protocol.as_str().into())),
            ("port", Some(port.port.into())),
            ("appProtocol", port.app_protocol.as_deref().map(Value::from)),
        ]))
    });
    let affinity =
        merged.affinity_seconds.map(|seconds| json!({ "clientIP": { "timeoutSeconds": seconds } }));
    let is_dual = merged.families.len() > 1;
    let policy = if is_dual { "PreferDualStack" } else { "SingleStack" };
    service.0["spec"] = Value::Object(present_fields([
        ("type", Some("ClusterIP".into())),
        ("ports", Some(ports.collect())),
        ("sessionAffinity", Some(merged.session_affinity.as_str().into())),
        ("sessionAffinityConfig", affinity),
        (
            "internalTrafficPolicy",
            Some(merged.internal_traffic_policy.as_deref().unwrap_or("Cluster").into()),
        ),
        ("trafficDistribution", merged.traffic_distribution.as_deref().map(Value::from)),
        ("ipFamilyPolicy", Some(policy.into())),
        ("ipFamilies", Some(requested_families(pass, present, is_dual))),
    ]));
    service
}

/// The families to request. Only the first one is requested for a new Service; with `PreferDualStack` the API server
/// adds the second one if the member has it.
fn requested_families(pass: &Pass<'_>, present: Option<&Object>, is_dual: bool) -> Value {
    if let Some(families) = present.map(addresses).map(|addresses| addresses.families) {
        let kept = if is_dual { families.len() } else { 1 };
        return families.into_iter().take(kept).collect();
    }
    let families = &pass.merged.families;
    let supported = families.iter().find(|family| pass.member.families.contains(family));
    supported.or(families.first()).into_iter().map(String::as_str).collect()
}
