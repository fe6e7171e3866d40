use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;
use crate::kinds::{self, Strategy as _};

/// Draws 0, 1, 2 and so on, cut to the bound.
fn counting() -> Draw {
    let next = AtomicU64::new(0);
    Box::new(move |bound| next.fetch_add(1, Ordering::Relaxed) % bound)
}

fn services() -> Services {
    Services::new(["10.96.0.0/16".parse().unwrap()], 30000..=32767, counting())
}

fn service(spec: Value) -> Value {
    let mut service = json!({ "metadata": { "namespace": "n", "name": "s" }, "spec": spec });
    kinds::find_kind("", "v1", "Service").unwrap().apply_defaults(&mut service);
    service
}

fn created(services: &Services, spec: Value) -> Result<Value, String> {
    let mut service = service(spec);
    let reservation = services.allocate(&mut service, None, false).map_err(lines)?;
    reservation.commit();
    Ok(service["spec"].clone())
}

fn updated(services: &Services, old: &Value, new: Value) -> Result<Value, String> {
    let mut new = service(new);
    let reservation = services.allocate(&mut new, Some(&json!({ "spec": old })), false).map_err(lines)?;
    reservation.commit();
    Ok(new["spec"].clone())
}

fn lines(errors: Vec<FieldError>) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn address(spec: &Value) -> &str {
    assert_eq!(spec["clusterIPs"], json!([spec["clusterIP"]]));
    spec["clusterIP"].as_str().unwrap()
}

#[test]
fn every_service_gets_its_own_address() {
    let services = services();
    let first = created(&services, json!({ "ports": [{ "port": 80 }] })).unwrap();
    let second = created(&services, json!({ "ports": [{ "port": 80 }] })).unwrap();
    assert_eq!(address(&first), "10.96.1.1", "the lowest part is left to those who ask");
    assert_ne!(address(&first), address(&second));
    assert_eq!(first["ipFamilies"], json!(["IPv4"]));
    assert_eq!(first["ipFamilyPolicy"], "SingleStack");
}

#[test]
fn addresses_that_are_asked_for() {
    let services = services();
    let ask = |address: &str| created(&services, json!({ "clusterIP": address, "ports": [{ "port": 80 }] }));
    assert_eq!(address(&ask("10.96.0.5").unwrap()), "10.96.0.5");
    assert_eq!(
        ask("10.96.0.5").unwrap_err(),
        r#"spec.clusterIPs: Invalid value: ["10.96.0.5"]: failed to allocate IP 10.96.0.5: provided IP is already allocated"#
    );
    assert_eq!(
        ask("1.2.3.4").unwrap_err(),
        r#"spec.clusterIPs: Invalid value: ["1.2.3.4"]: failed to allocate IP 1.2.3.4: the provided IP (1.2.3.4) is not in the valid range. The range of valid IPs is 10.96.0.0/16"#
    );
    assert!(ask("10.96.0.0").is_err(), "the network itself");
    assert!(ask("10.96.255.255").is_err(), "broadcast");
    assert!(ask("10.96.0.1").is_err(), "kept for the API server");
    let two = json!({ "clusterIP": "10.96.0.6", "clusterIPs": ["10.96.0.7"], "ports": [{ "port": 80 }] });
    let kept = created(&services, two).unwrap();
    assert_eq!(
        (&kept["clusterIP"], &kept["clusterIPs"]),
        (&json!("10.96.0.6"), &json!(["10.96.0.7"])),
        "two different spellings are for validation to refuse"
    );
}

#[test]
fn the_api_server_has_the_first_address() {
    let services = services();
    let mut service = json!({ "metadata": { "namespace": "default", "name": "kubernetes" }, "spec": { "type": "ClusterIP" } });
    services.allocate(&mut service, None, false).unwrap().commit();
    assert_eq!(address(&service["spec"]), "10.96.0.1");
}

#[test]
fn what_is_not_written_is_free_again() {
    let services = services();
    let spec =
        json!({ "type": "NodePort", "clusterIP": "10.96.0.5", "ports": [{ "port": 80, "nodePort": 30005 }] });
    let mut service = service(spec.clone());
    let reservation = services.allocate(&mut service, None, false).unwrap();
    assert!(created(&services, spec.clone()).is_err(), "held by the first");
    drop(reservation);
    let kept = created(&services, spec.clone()).unwrap();
    services.release(&json!({ "spec": kept }));
    assert!(created(&services, spec).is_ok(), "released");
}

#[test]
fn a_failed_second_step_gives_back_the_first() {
    let services = services();
    created(&services, json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": 30005 }] })).unwrap();
    let clash =
        json!({ "type": "NodePort", "clusterIP": "10.96.0.7", "ports": [{ "port": 80, "nodePort": 30005 }] });
    assert_eq!(
        created(&services, clash).unwrap_err(),
        "spec.ports[0].nodePort: Invalid value: 30005: provided port is already allocated"
    );
    assert!(created(&services, json!({ "clusterIP": "10.96.0.7" })).is_ok());
}

#[test]
fn a_dry_run_takes_nothing() {
    let services = services();
    for _ in 0..2 {
        let mut service = service(json!({ "type": "NodePort", "ports": [{ "port": 80 }] }));
        let reservation = services.allocate(&mut service, None, true).unwrap();
        assert_eq!(service["spec"]["clusterIP"], "10.96.0.0");
        assert_eq!(service["spec"]["ports"][0]["nodePort"], 30000);
        reservation.commit();
    }
}

#[test]
fn node_ports() {
    let services = services();
    let spec = created(&services, json!({ "type": "NodePort", "ports": [
        { "name": "a", "port": 53, "protocol": "UDP" }, { "name": "b", "port": 53, "protocol": "TCP" }, { "name": "c", "port": 80 }] })).unwrap();
    let ports: Vec<i64> =
        spec["ports"].as_array().unwrap().iter().map(|port| port["nodePort"].as_i64().unwrap()).collect();
    assert_eq!(ports[0], ports[1], "one number for both protocols");
    assert_ne!(ports[0], ports[2]);
    assert!(ports.iter().all(|port| (30000..=32767).contains(port)));
    assert_eq!(
        created(&services, json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": 80 }] }))
            .unwrap_err(),
        "spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767"
    );
    let quiet = created(
        &services,
        json!({ "type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": [{ "port": 80 }] }),
    )
    .unwrap();
    assert!(quiet["ports"][0].get("nodePort").is_none());
    let local = created(
        &services,
        json!({ "type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{ "port": 80 }] }),
    )
    .unwrap();
    assert!(local["healthCheckNodePort"].as_i64().unwrap() >= 30000);
}

#[test]
fn families() {
    let services = services();
    let cases = [
        (
            "headless",
            json!({ "clusterIP": "None", "selector": { "a": "b" } }),
            Ok((json!(["IPv4"]), "SingleStack")),
        ),
        (
            "headless without selector",
            json!({ "clusterIP": "None" }),
            Ok((json!(["IPv4", "IPv6"]), "RequireDualStack")),
        ),
        (
            "prefers both",
            json!({ "ipFamilyPolicy": "PreferDualStack" }),
            Ok((json!(["IPv4"]), "PreferDualStack")),
        ),
        (
            "asks for the other",
            json!({ "ipFamilies": ["IPv6"] }),
            Err(r#"spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster"#),
        ),
        (
            "asks for both",
            json!({ "ipFamilyPolicy": "RequireDualStack" }),
            Err(
                r#"spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services"#,
            ),
        ),
    ];
    for (name, spec, want) in cases {
        let got = created(&services, spec);
        match want {
            Ok((families, policy)) => {
                let spec = got.unwrap();
                assert_eq!(
                    (&spec["ipFamilies"], &spec["ipFamilyPolicy"]),
                    (&families, &json!(policy)),
                    "{name}"
                );
            }
            Err(text) => assert_eq!(got.unwrap_err(), text, "{name}"),
        }
    }
    let headless = created(&services, json!({ "clusterIP": "None" })).unwrap();
    assert_eq!(address(&headless), "None");
    let named = created(&services, json!({ "type": "ExternalName", "externalName": "a.b" })).unwrap();
    assert!(named.get("clusterIP").is_none() && named.get("ipFamilies").is_none());
}

/// With ranges of both families, IPv4 first.
fn dual() -> Services {
    let ranges = ["10.96.0.0/16", "fd00:96::/112"].map(|range| range.parse().unwrap());
    Services::new(ranges, 30000..=32767, counting())
}

#[test]
fn services_of_a_dual_stack_cluster() {
    let cases = [
        ("no families given", json!({}), "IPv4 SingleStack 10.96."),
        (
            "prefers both",
            json!({ "ipFamilyPolicy": "PreferDualStack" }),
            "IPv4,IPv6 PreferDualStack 10.96.,fd00:96::",
        ),
        (
            "needs both",
            json!({ "ipFamilyPolicy": "RequireDualStack" }),
            "IPv4,IPv6 RequireDualStack 10.96.,fd00:96::",
        ),
        (
            "the other one first",
            json!({ "ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6"] }),
            "IPv6,IPv4 PreferDualStack fd00:96::,10.96.",
        ),
        ("the other one alone", json!({ "ipFamilies": ["IPv6"] }), "IPv6 SingleStack fd00:96::"),
        ("an address of the other", json!({ "clusterIP": "fd00:96::7" }), "IPv6 SingleStack fd00:96::7"),
        (
            "the first address of the second range",
            json!({ "ipFamilyPolicy": "RequireDualStack", "clusterIPs": ["10.96.0.9", "fd00:96::1"], "clusterIP": "10.96.0.9" }),
            "IPv4,IPv6 RequireDualStack 10.96.0.9,fd00:96::1",
        ),
        (
            "two and one at once",
            json!({ "ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "SingleStack" }),
            "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple 'ipFamilies' are specified",
        ),
    ];
    for (name, spec, want) in cases {
        let got = match created(&dual(), spec) {
            Err(text) => text,
            Ok(spec) => {
                let list = |field: &str| -> Vec<&str> {
                    spec[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
                };
                assert_eq!(spec["clusterIP"], spec["clusterIPs"][0], "{name}");
                let wanted: Vec<&str> = want.rsplit(' ').next().unwrap().split(',').collect();
                let addresses = list("clusterIPs");
                assert_eq!(addresses.len(), wanted.len(), "{name}: {spec}");
                for (address, start) in addresses.iter().zip(&wanted) {
                    assert!(address.starts_with(start), "{name}: {spec}");
                }
                let policy = spec["ipFamilyPolicy"].as_str().unwrap();
                format!("{} {policy} {}", list("ipFamilies").join(","), wanted.join(","))
            }
        };
        assert_eq!(got, want, "{name}");
    }
}

#[test]
fn a_service_takes_a_second_family_and_gives_it_back() {
    let services = dual();
    let port = json!([{ "port": 80 }]);
    let single = created(&services, json!({ "clusterIP": "10.96.0.5", "ports": port })).unwrap();
    let mut wish = single.clone();
    wish["ipFamilyPolicy"] = json!("PreferDualStack");
    let both = updated(&services, &single, wish).unwrap();
    assert_eq!(both["ipFamilies"], json!(["IPv4", "IPv6"]));
    assert_eq!(both["clusterIPs"][0], "10.96.0.5");
    let second = both["clusterIPs"][1].clone();
    let ask = json!({ "clusterIP": second, "ports": port });
    assert!(created(&services, ask.clone()).is_err(), "the second address is taken");
    let mut back = both.clone();
    back["ipFamilyPolicy"] = json!("SingleStack");
    let single = updated(&services, &both, back).unwrap();
    assert_eq!((&single["clusterIPs"], &single["ipFamilies"]), (&json!(["10.96.0.5"]), &json!(["IPv4"])));
    assert!(created(&services, ask).is_ok(), "it is free");
}

#[test]
fn updates_keep_what_clients_leave_out() {
    let services = services();
    let old =
        created(&services, json!({ "type": "NodePort", "ports": [{ "name": "a", "port": 80 }] })).unwrap();
    for (name, address) in [("missing", Value::Null), ("empty", json!(""))] {
        let new = json!({ "type": "NodePort", "clusterIP": address, "ports": [{ "name": "a", "port": 81 }, { "name": "b", "port": 82 }] });
        let spec = updated(&services, &old, new).unwrap();
        assert_eq!(spec["clusterIP"], old["clusterIP"], "{name}");
        assert_eq!(spec["clusterIPs"], old["clusterIPs"], "{name}");
        assert_eq!(spec["ipFamilies"], old["ipFamilies"], "{name}");
        assert_eq!(spec["ports"][0]["nodePort"], old["ports"][0]["nodePort"], "{name}");
        assert_ne!(spec["ports"][1]["nodePort"], old["ports"][0]["nodePort"], "{name}");
        services.release(&json!({ "spec": { "ports": [spec["ports"][1]] } }));
    }
    let other =
        json!({ "clusterIP": "10.96.77.77", "clusterIPs": old["clusterIPs"], "ports": [{ "port": 80 }] });
    let spec = updated(&services, &old, other).unwrap();
    assert_eq!(spec["clusterIPs"], json!(["10.96.77.77"]), "for validation to refuse");
}

#[test]
fn a_new_type_frees_what_it_does_not_need() {
    let services = services();
    let port = json!([{ "port": 80, "nodePort": 30005 }]);
    let old =
        created(&services, json!({ "type": "NodePort", "clusterIP": "10.96.0.5", "ports": port })).unwrap();
    let mut plain = old.clone();
    plain["type"] = json!("ClusterIP");
    let inside = updated(&services, &old, plain).unwrap();
    assert!(inside["ports"][0].get("nodePort").is_none());
    assert!(inside.get("externalTrafficPolicy").is_none());
    assert_eq!(address(&inside), "10.96.0.5");
    assert!(created(&services, json!({ "type": "NodePort", "ports": port })).is_ok(), "the port is free");

    let mut name = inside.clone();
    name["type"] = json!("ExternalName");
    name["externalName"] = json!("a.b");
    let named = updated(&services, &inside, name).unwrap();
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        assert!(named.get(field).is_none(), "{field}");
    }
    assert!(created(&services, json!({ "clusterIP": "10.96.0.5" })).is_ok(), "the address is free");
    let back = updated(&services, &named, json!({ "type": "ClusterIP", "ports": [{ "port": 80 }] })).unwrap();
    assert_ne!(address(&back), "10.96.0.5");
}

#[test]
fn stored_services_are_remembered() {
    let services = services();
    services.restore(&json!({ "spec": { "clusterIPs": ["10.96.0.5"], "ports": [{ "nodePort": 30005 }], "healthCheckNodePort": 30006 } }));
    services.restore(&json!({ "spec": { "clusterIPs": ["None"] } }));
    services.restore(&json!({ "spec": { "clusterIPs": ["1.2.3.4"] } }));
    assert!(created(&services, json!({ "clusterIP": "10.96.0.5" })).is_err());
    for port in [30005, 30006] {
        assert!(
            created(&services, json!({ "type": "NodePort", "ports": [{ "port": 80, "nodePort": port }] }))
                .is_err()
        );
    }
}

#[test]
fn small_ranges_are_used_up_to_the_last() {
    let services = Services::new(["10.0.0.0/29".parse().unwrap()], 30000..=30001, counting());
    let given: Vec<String> =
        (0..5).map(|_| address(&created(&services, json!({})).unwrap()).to_owned()).collect();
    let mut sorted = given.clone();
    sorted.sort();
    assert_eq!(sorted, ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
    assert!(created(&services, json!({})).unwrap_err().contains("range is full"));
    let sixth = Services::new(["fd00::/112".parse().unwrap()], 30000..=30001, counting());
    let spec = created(&sixth, json!({})).unwrap();
    assert!(address(&spec).starts_with("fd00::"), "{spec}");
    assert_eq!(spec["ipFamilies"], json!(["IPv6"]));
}

/// A change of one of a few Services.
#[derive(Debug, Clone)]
enum Step {
    /// It is created or changed; the write may fail.
    Write { name: usize, kind: &'static str, address: Option<u8>, port: Option<u16>, is_durable: bool },
    /// It is deleted.
    Delete { name: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(vec!["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]);
    let write =
        (0..6_usize, kind, prop::option::of(1..16_u8), prop::option::of(30000..30006_u16), any::<bool>());
    prop_oneof![
        4 => write.prop_map(|(name, kind, address, port, is_durable)| Step::Write {
            name, kind, address, port, is_durable
        }),
        1 => (0..6_usize).prop_map(|name| Step::Delete { name }),
    ]
}

proptest! {
    /// However Services come, change, fail to be written and go: no two hold the same address or port, and what none
    /// holds can be had.
    #[test]
    fn nothing_is_given_twice_and_nothing_is_lost(steps in prop::collection::vec(step(), 1..60)) {
        let services = Services::new(["10.0.0.0/28".parse().unwrap()], 30000..=30005, counting());
        let mut stored: BTreeMap<usize, Value> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Delete { name } => {
                    if let Some(old) = stored.remove(&name) {
                        services.release(&old);
                    }
                }
                Step::Write { name, kind, address, port, is_durable } => {
                    let mut spec = json!({ "type": kind, "ports": [{ "port": 80 }] });
                    if let Some(address) = address.filter(|_| kind != "ExternalName") {
                        spec["clusterIP"] = json!(format!("10.0.0.{address}"));
                    }
                    if let Some(port) = port.filter(|_| ["NodePort", "LoadBalancer"].contains(&kind)) {
                        spec["ports"][0]["nodePort"] = json!(port);
                    }
                    let mut new = service(spec);
                    let old = stored.get(&name);
                    let Ok(reservation) = services.allocate(&mut new, old, false) else { continue };
                    let kept = |service: &Value| service["spec"]["clusterIP"].clone();
                    let is_moved = old.is_some_and(|old| !kept(old).is_null() && !kept(&new).is_null() && kept(old) != kept(&new));
                    // Validation refuses a changed address, and then nothing is written.
                    if is_durable && !is_moved {
                        reservation.commit();
                        stored.insert(name, new);
                    }
                }
            }
        }
        let (mut addresses, mut ports) = (BTreeSet::new(), BTreeSet::new());
        for service in stored.values() {
            let address = tree::str_at(service, "/spec/clusterIP");
            prop_assert!(address.is_empty() || addresses.insert(address.to_owned()), "{address} twice");
            if let Some(port) = tree::integer(service, "/spec/ports/0/nodePort") {
                prop_assert!(ports.insert(port), "{port} twice");
            }
        }
        // Fourteen addresses of the range can be given but for the first, and six ports.
        let fill = |kind: &str| -> usize {
            let spec = json!({ "type": kind, "ports": [{ "port": 80 }] });
            let new: Vec<Value> = std::iter::from_fn(|| created(&services, spec.clone()).ok()).take(20).collect();
            new.iter().for_each(|spec| services.release(&json!({ "spec": spec })));
            new.len()
        };
        let free = 13 - addresses.len();
        prop_assert_eq!(fill("ClusterIP"), free);
        prop_assert_eq!(fill("NodePort"), free.min(6 - ports.len()));
    }
}
