//! EndpointSlices of Endpoints that users write for Services without a selector (kubernetes
//! pkg/controller/endpointslicemirroring).

use std::collections::BTreeMap;
use std::net::IpAddr;

use portolan_api::kubernetes::{Service, View};
use portolan_api::labels::endpoint_slice::{MANAGED_BY, SERVICE_NAME};
use portolan_object::Object;
use serde_json::{Value, json};

use super::endpoints::EndpointsAction;
use super::pods::controller_reference;

/// The value of [`MANAGED_BY`] on mirrored slices.
const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
/// The label of Endpoints that are not mirrored.
const SKIPPED: &str = "endpointslice.kubernetes.io/skip-mirror";
/// The annotation of Endpoints that are the lock of a leader election.
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
/// Addresses of one subset that are mirrored, as in Kubernetes.
const MAX_ADDRESSES: usize = 1000;

/// The changes that make the slices those of the Endpoints; `endpoints` and `service` have the same name, and `slices` are
/// those of the Service.
pub fn plan(
    endpoints: Option<&Object>,
    service: Option<&Object>,
    slices: &[&Object],
) -> Vec<EndpointsAction> {
    let mut wanted = match (endpoints, service) {
        (Some(endpoints), Some(service)) if is_mirrored(endpoints, service) => mirrored(endpoints),
        _ => BTreeMap::new(),
    };
    let mut actions = Vec::new();
    for slice in slices.iter().filter(|slice| slice.label(MANAGED_BY) == Some(MANAGER)) {
        match wanted.remove(slice.name()) {
            // The kind of addresses cannot be changed, but it is a part of the name.
            Some(mut new) if !slice.is_deleting() => {
                if differs(slice, &new) {
                    new.metadata_mut().insert("resourceVersion".to_owned(), json!(slice.resource_version()));
                    actions.push(EndpointsAction::Replace(new));
                }
            }
            _ => actions.push(EndpointsAction::Delete(slice.key())),
        }
    }
    actions.extend(wanted.into_values().map(EndpointsAction::Create));
    actions
}

fn is_mirrored(endpoints: &Object, service: &Object) -> bool {
    let is_without_selector = Service::read(service).is_ok_and(|service| service.spec.selector.is_empty());
    is_without_selector
        && !endpoints.is_deleting()
        && endpoints.label(SKIPPED) != Some("true")
        && endpoints.annotation(LEADER).is_none()
}

fn differs(old: &Object, new: &Object) -> bool {
    let parts = ["endpoints", "ports"].map(|part| old.0.get(part) != new.0.get(part));
    parts.contains(&true) || old.labels() != new.labels()
}

/// The slices by name: one for each subset and family. The names are stable, so that none is made twice.
fn mirrored(endpoints: &Object) -> BTreeMap<String, Object> {
    let subsets = endpoints.at(&["subsets"]).and_then(Value::as_array);
    let mut slices = BTreeMap::new();
    for (index, subset) in subsets.into_iter().flatten().enumerate() {
        for (family, is_of_family) in
            [("IPv4", IpAddr::is_ipv4 as fn(&IpAddr) -> bool), ("IPv6", IpAddr::is_ipv6)]
        {
            let of_family = addresses(subset, is_of_family);
            if of_family.is_empty() {
                continue;
            }
            let name = format!("{}-{}-{index}", endpoints.name(), family.to_lowercase());
            slices.insert(name.clone(), slice(endpoints, &name, family, of_family, subset));
        }
    }
    slices
}

/// The endpoints of a subset in one family.
fn addresses(subset: &Value, is_of_family: impl Fn(&IpAddr) -> bool) -> Vec<Value> {
    let mut found = Vec::new();
    for (list, is_ready) in [("addresses", true), ("notReadyAddresses", false)] {
        for address in subset[list].as_array().into_iter().flatten() {
            let Some(ip) = address["ip"].as_str() else { continue };
            if !ip.parse().is_ok_and(|ip| is_of_family(&ip)) {
                continue;
            }
            let mut endpoint = json!({ "addresses": [ip], "conditions": { "ready": is_ready } });
            for field in ["hostname", "nodeName", "targetRef"] {
                if let Some(value) = address.get(field).filter(|value| !value.is_null()) {
                    endpoint[field] = value.clone();
                }
            }
            found.push(endpoint);
        }
    }
    found.truncate(MAX_ADDRESSES);
    found
}

fn slice(endpoints: &Object, name: &str, family: &str, addresses: Vec<Value>, subset: &Value) -> Object {
    let mut labels = endpoints.labels();
    labels.remove("endpoints.kubernetes.io/managed-by");
    labels.insert(SERVICE_NAME.to_owned(), endpoints.name().to_owned());
    labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
    Object(json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": name, "namespace": endpoints.namespace(), "labels": labels,
            "ownerReferences": [controller_reference(endpoints)],
        },
        "addressType": family, "endpoints": addresses, "ports": ports(subset),
    }))
}

/// The ports of a subset, with the name that a slice has for one without.
fn ports(subset: &Value) -> Value {
    let complete = |port: &Value| {
        let mut port = port.clone();
        if port.get("name").is_none() {
            port["name"] = json!("");
        }
        port
    };
    subset["ports"].as_array().into_iter().flatten().map(complete).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(labels: Value) -> Object {
        Object(json!({ "apiVersion": "v1", "kind": "Endpoints",
            "metadata": { "name": "db", "namespace": "shop", "uid": "u", "labels": labels },
            "subsets": [{ "addresses": [{ "ip": "192.0.2.1" }, { "ip": "2001:db8::1" }],
                "notReadyAddresses": [{ "ip": "192.0.2.2", "hostname": "b" }],
                "ports": [{ "port": 5432, "protocol": "TCP" }] }] }))
    }

    fn service(selector: Value) -> Object {
        Object(
            json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "db", "namespace": "shop" },
            "spec": { "selector": selector } }),
        )
    }

    fn created(actions: Vec<EndpointsAction>) -> Vec<Object> {
        let created = |action| match action {
            EndpointsAction::Create(slice) => slice,
            other => panic!("{other:?}"),
        };
        actions.into_iter().map(created).collect()
    }

    #[test]
    fn each_family_has_a_slice() {
        let slices = created(plan(Some(&endpoints(json!({ "a": "b" }))), Some(&service(json!({}))), &[]));
        let names: Vec<&str> = slices.iter().map(Object::name).collect();
        assert_eq!(names, ["db-ipv4-0", "db-ipv6-0"]);
        assert_eq!(
            slices[0].0["endpoints"],
            json!([{ "addresses": ["192.0.2.1"], "conditions": { "ready": true } },
                { "addresses": ["192.0.2.2"], "conditions": { "ready": false }, "hostname": "b" }])
        );
        assert_eq!(slices[0].0["ports"], json!([{ "name": "", "port": 5432, "protocol": "TCP" }]));
        assert_eq!((slices[0].label("a"), slices[0].label(SERVICE_NAME)), (Some("b"), Some("db")));
        assert_eq!(slices[0].0["metadata"]["ownerReferences"][0]["uid"], "u");
    }

    #[test]
    fn nothing_is_written_twice_and_what_is_not_wanted_goes() {
        let (all, bare) = (endpoints(json!({})), service(json!({})));
        let slices = created(plan(Some(&all), Some(&bare), &[]));
        let slices: Vec<&Object> = slices.iter().collect();
        assert_eq!(plan(Some(&all), Some(&bare), &slices), []);
        let mut fewer = all.clone();
        fewer.0["subsets"][0]["addresses"] = json!([{ "ip": "192.0.2.1" }]);
        let actions = plan(Some(&fewer), Some(&bare), &slices);
        assert_eq!(actions, [EndpointsAction::Delete(slices[1].key())]);
        for (name, endpoints, service) in [
            ("the Service has a selector", all.clone(), service(json!({ "a": "b" }))),
            ("the user asks for none", endpoints(json!({ SKIPPED: "true" })), bare.clone()),
        ] {
            assert_eq!(plan(Some(&endpoints), Some(&service), &slices).len(), 2, "{name}");
            assert_eq!(plan(Some(&endpoints), Some(&service), &[]), [], "{name}");
        }
        assert_eq!(plan(None, Some(&bare), &slices).len(), 2, "they are deleted");
    }
}
