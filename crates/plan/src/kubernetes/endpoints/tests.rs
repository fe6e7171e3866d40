use super::*;

fn service(target: Value) -> Object {
    Object(
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop", "uid": "s"},
        "spec": {"selector": {"app": "web"}, "ipFamilies": ["IPv4"],
                 "ports": [{"port": 80, "protocol": "TCP", "targetPort": target}]}}),
    )
}

fn pod(name: &str, ip: &str, ready: bool) -> Object {
    Object(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "uid": name, "labels": {"app": "web"}},
        "spec": {"nodeName": "n1", "containers": [{"ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
                   "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]}}))
}

/// The slices after the actions, with names as an API server would give them.
fn applied(before: &[Object], actions: &[EndpointsAction]) -> Vec<Object> {
    let mut slices = before.to_vec();
    for action in actions {
        match action {
            EndpointsAction::Create(slice) => {
                let mut slice = slice.clone();
                let name = json!(format!("web-{}", slices.len()));
                slice.metadata_mut().insert("name".to_owned(), name);
                slices.push(slice);
            }
            EndpointsAction::Replace(slice) => {
                let place = slices.iter_mut().find(|old| old.name() == slice.name()).expect("it exists");
                *place = slice.clone();
            }
            EndpointsAction::Delete(key) => slices.retain(|slice| slice.key() != *key),
        }
    }
    slices
}

fn render(slices: &[Object]) -> Vec<String> {
    let one = |slice: &Object| {
        let endpoints = slice.0["endpoints"].as_array().unwrap().iter();
        let texts: Vec<String> = endpoints
            .map(|endpoint| {
                let mark = if endpoint["conditions"]["ready"] == true { "" } else { "!" };
                format!("{}{mark}", endpoint["addresses"][0].as_str().unwrap())
            })
            .collect();
        let ports: Vec<String> =
            slice.0["ports"].as_array().unwrap().iter().map(|port| port["port"].to_string()).collect();
        format!("{}: {}", ports.join(","), texts.join(" "))
    };
    slices.iter().map(one).collect()
}

/// Plans, applies, and checks that planning again yields nothing.
fn settle(service: &Object, pods: &[Object], before: &[Object]) -> Vec<Object> {
    let pods: Vec<&Object> = pods.iter().collect();
    let actions = plan(Some(service), &pods, &before.iter().collect::<Vec<_>>());
    let after = applied(before, &actions);
    assert_eq!(plan(Some(service), &pods, &after.iter().collect::<Vec<_>>()), [], "a fixpoint");
    after
}

#[test]
fn slices_follow_the_pods() {
    let service = service(json!("http"));
    let (a, b) = (pod("a", "10.0.0.1", true), pod("b", "10.0.0.2", false));
    let empty = settle(&service, &[], &[]);
    assert_eq!(render(&empty), [": "], "an empty slice says that there are none");
    let one = settle(&service, std::slice::from_ref(&a), &empty);
    assert_eq!(render(&one), ["8080: 10.0.0.1"]);
    let two = settle(&service, &[a.clone(), b.clone()], &one);
    assert_eq!(render(&two), ["8080: 10.0.0.1 10.0.0.2!"]);
    assert_eq!(two[0].name(), one[0].name(), "the slice stays");
    let gone = settle(&service, &[b], &two);
    assert_eq!(render(&gone), ["8080: 10.0.0.2!"]);
    let mut finished = a;
    finished.0["status"]["phase"] = json!("Succeeded");
    assert_eq!(render(&settle(&service, &[finished], &gone)), ["8080: "]);
}

#[test]
fn target_ports_resolve_by_number_name_and_default() {
    let pods = [pod("a", "10.0.0.1", true)];
    let cases = [
        ("number", json!(9000), "9000: 10.0.0.1"),
        ("name", json!("http"), "8080: 10.0.0.1"),
        ("unset", Value::Null, "80: 10.0.0.1"),
        ("unknown name", json!("nope"), ": 10.0.0.1"),
    ];
    for (name, target, want) in cases {
        assert_eq!(render(&settle(&service(target), &pods, &[])), [want], "{name}");
    }
}

#[test]
fn a_terminating_pod_is_not_ready_but_may_still_serve() {
    let mut leaving = pod("a", "10.0.0.1", true);
    leaving.metadata_mut().insert("deletionTimestamp".to_owned(), json!("t"));
    let slices = settle(&service(json!(80)), &[leaving], &[]);
    assert_eq!(
        slices[0].0["endpoints"][0]["conditions"],
        json!({"ready": false, "serving": true, "terminating": true})
    );
}

#[test]
fn slices_hold_a_hundred_and_stay_stable() {
    let service = service(json!(80));
    let pods: Vec<Object> = (0..250)
        .map(|index| pod(&format!("p{index}"), &format!("10.0.{}.{}", index / 250, index + 1), true))
        .collect();
    let slices = settle(&service, &pods[..249], &[]);
    assert_eq!(
        slices.iter().map(|slice| slice.0["endpoints"].as_array().unwrap().len()).collect::<Vec<_>>(),
        [100, 100, 49]
    );
    let fewer: Vec<&Object> = pods[1..249].iter().collect();
    let actions = plan(Some(&service), &fewer, &slices.iter().collect::<Vec<_>>());
    assert_eq!(actions.len(), 1, "one change rewrites one slice");
}

#[test]
fn services_without_selector_are_left_to_their_owner() {
    let mut bare = service(json!(80));
    bare.0["spec"].as_object_mut().unwrap().remove("selector");
    let by_hand =
        Object(json!({"metadata": {"name": "mine", "namespace": "shop", "labels": {SERVICE_NAME: "web"}}}));
    assert_eq!(plan(Some(&bare), &[], &[&by_hand]), []);
    let slices = settle(&service(json!(80)), &[pod("a", "10.0.0.1", true)], &[]);
    let gone = plan(None, &[], &slices.iter().chain([&by_hand]).collect::<Vec<_>>());
    assert_eq!(gone, [EndpointsAction::Delete(slices[0].key())], "only ours go with the service");
}

#[test]
fn selectors_take_pods_of_the_same_namespace() {
    let service = service(json!(80));
    let mut elsewhere = pod("a", "10.0.0.1", true);
    assert!(PodSelector::of(&service).selects(&elsewhere));
    elsewhere.metadata_mut().insert("namespace".to_owned(), json!("other"));
    assert!(!PodSelector::of(&service).selects(&elsewhere));
}

#[test]
fn old_clients_get_endpoints() {
    let (a, b) = (pod("a", "10.0.0.1", true), pod("b", "10.0.0.2", false));
    let endpoints = legacy(&service(json!(80)), &[&a, &b]).expect("the service has a selector");
    let subset = &endpoints.0["subsets"][0];
    assert_eq!(subset["addresses"][0]["ip"], "10.0.0.1");
    assert_eq!(subset["notReadyAddresses"][0]["ip"], "10.0.0.2");
    assert_eq!(subset["ports"][0]["port"], 80);
}

#[test]
fn a_pod_with_a_host_name_in_the_services_domain_carries_it() {
    let cases = [
        ("host name and subdomain", "db-0", "web", json!("db-0")),
        ("the subdomain of another service", "db-0", "other", Value::Null),
        ("no subdomain", "db-0", "", Value::Null),
        ("no host name", "", "web", Value::Null),
    ];
    let mut headless = service(json!(80));
    headless.0["spec"]["clusterIP"] = json!("None");
    for (name, hostname, subdomain, want) in cases {
        let mut pod = pod("a", "10.0.0.1", true);
        pod.0["spec"]["hostname"] = json!(hostname);
        pod.0["spec"]["subdomain"] = json!(subdomain);
        let slices = settle(&headless, std::slice::from_ref(&pod), &[]);
        assert_eq!(slices[0].0["endpoints"][0]["hostname"], want, "{name}");
        assert_eq!(slices[0].label("service.kubernetes.io/headless"), Some(""), "{name}");
        let old = legacy(&headless, &[&pod]).expect("the service has a selector");
        assert_eq!(old.0["subsets"][0]["addresses"][0]["hostname"], want, "{name}");
    }
}

#[test]
fn headless_services_without_ports_have_endpoints() {
    let mut headless = service(json!(80));
    headless.0["spec"]["clusterIP"] = json!("None");
    headless.0["spec"].as_object_mut().expect("an object").remove("ports");
    assert_eq!(render(&settle(&headless, &[pod("a", "10.0.0.1", true)], &[])), [": 10.0.0.1"]);
}

#[test]
fn unready_addresses_are_published_on_request() {
    let mut eager = service(json!(80));
    eager.0["spec"]["publishNotReadyAddresses"] = json!(true);
    let slices = settle(&eager, &[pod("a", "10.0.0.1", false)], &[]);
    assert_eq!(
        slices[0].0["endpoints"][0]["conditions"],
        json!({"ready": true, "serving": false, "terminating": false})
    );
}

#[test]
fn a_named_port_may_have_another_number_in_each_pod() {
    let mut moved = pod("b", "10.0.0.2", true);
    moved.0["spec"]["containers"][0]["ports"][0]["containerPort"] = json!(9090);
    let slices = settle(&service(json!("http")), &[pod("a", "10.0.0.1", true), moved], &[]);
    assert_eq!(render(&slices), ["8080: 10.0.0.1", "9090: 10.0.0.2"]);
}

#[test]
fn both_families_have_slices_of_their_own() {
    let mut dual = service(json!(80));
    dual.0["spec"]["ipFamilies"] = json!(["IPv4", "IPv6"]);
    let mut pod = pod("a", "10.0.0.1", true);
    pod.0["status"]["podIPs"] = json!([{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]);
    let slices = settle(&dual, &[pod], &[]);
    let families: Vec<&str> = slices.iter().map(|slice| slice.str_at(&["addressType"])).collect();
    assert_eq!(families, ["IPv4", "IPv6"]);
    assert_eq!(render(&slices), ["80: 10.0.0.1", "80: fd00::1"]);
}
