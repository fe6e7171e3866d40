//! The derived Service that gives an import its address in one member.
//!
//! It has no selector: the import's EndpointSlices belong to it, and the member's own proxies program it. The API
//! server of the member chooses the addresses, and they stay for the life of the Service.

use portolan_api::{labels, names};
use portolan_object::{GroupVersionKind, Object, ObjectKey};
use serde_json::{Value, json};

use super::import::{Addresses, fields, set_marks};
use super::{Observed, is_of_set};
use crate::discovery::compare::same_service;
use crate::discovery::merge::Merged;

/// What to do about the Service.
pub(super) enum Step {
    /// It is as it should be and has these addresses.
    Settled(Addresses),
    /// Write it; the addresses are known when it is there already.
    Put(Object, Option<Addresses>),
    /// Its address is of a family that the import no longer has: it has to go first.
    Replace(ObjectKey),
    /// The member has none of the families.
    Refused(String),
    /// It has no address yet.
    Waiting,
    /// Somebody else has the name.
    Foreign(ObjectKey),
}

pub(super) fn decide(seen: &Observed<'_>, set: &str, merged: &Merged) -> Step {
    if merged.ports.is_empty() {
        // A Service without ports cannot exist, nor can one be exported with an address.
        return Step::Waiting;
    }
    let Some(present) = seen.derived else {
        return match seen.refused {
            Some(reason) => Step::Refused(reason.to_owned()),
            None => Step::Put(wanted(seen, set, merged, None), None),
        };
    };
    if !is_of_set(present) {
        return Step::Foreign(present.key());
    }
    let addresses = addresses(present);
    if addresses.families.first().is_some_and(|primary| !merged.families.contains(primary)) {
        return Step::Replace(present.key());
    }
    if addresses.ips.is_empty() {
        return Step::Waiting;
    }
    let wanted = wanted(seen, set, merged, Some(present));
    match same_service(present, &wanted) {
        true => Step::Settled(addresses),
        false => Step::Put(wanted, Some(addresses)),
    }
}

/// At most two addresses, and their families.
fn addresses(service: &Object) -> Addresses {
    let texts = |field: &str| -> Vec<String> {
        let listed = service.at(&["spec", field]).and_then(Value::as_array).into_iter().flatten();
        listed.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut ips: Vec<String> =
        texts("clusterIPs").into_iter().filter(|ip| !ip.is_empty() && ip != "None").collect();
    let single = service.str_at(&["spec", "clusterIP"]);
    if ips.is_empty() && !single.is_empty() && single != "None" {
        ips.push(single.to_owned());
    }
    ips.truncate(2);
    let families = ips.iter().map(|ip| if ip.contains(':') { "IPv6" } else { "IPv4" }.to_owned()).collect();
    Addresses { ips, families }
}

fn wanted(seen: &Observed<'_>, set: &str, merged: &Merged, present: Option<&Object>) -> Object {
    let key = seen.service_key;
    let name = names::derived_service_of_set(&key.namespace, &key.name);
    let key = ObjectKey::namespaced(key.namespace.clone(), name);
    let mut service = Object::new(&GroupVersionKind::new("", "v1", "Service"), &key);
    set_marks(&mut service, set, seen.import);
    service.set_label(labels::endpoint_slice::IMPORT_NAME, seen.service_key.name.as_str());
    let ports = merged.ports.iter().map(|port| {
        let name = merged.port_name(port);
        Value::Object(fields([
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
    service.0["spec"] = Value::Object(fields([
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
        ("ipFamilies", Some(requested_families(seen, merged, present, is_dual))),
    ]));
    service
}

/// The first family decides; the API server adds the second one where the member has it.
fn requested_families(
    seen: &Observed<'_>,
    merged: &Merged,
    present: Option<&Object>,
    is_dual: bool,
) -> Value {
    if let Some(families) = present.map(addresses).map(|addresses| addresses.families) {
        let kept = if is_dual { families.len() } else { 1 };
        return families.into_iter().take(kept).collect();
    }
    let here = merged.families.iter().find(|family| seen.families.contains(family));
    here.or(merged.families.first()).into_iter().map(String::as_str).collect()
}
