use jiff::Timestamp;
use serde_json::{Value, json};

use super::counter::Counter;
use super::enforcement::{Request, charge};
use super::recount::{Objects, Recount};
use super::scopes;

fn counter(group: &str, plural: &str) -> Counter {
    Counter::of(group, plural).expect("a resource that is counted")
}

fn used(counter: &Counter, object: &Value) -> Value {
    super::amounts::to_list(&counter.usage(object, Timestamp::UNIX_EPOCH))
}

fn pod(requests: Value, limits: Value) -> Value {
    json!({ "metadata": { "name": "p" }, "spec": { "containers": [
        { "name": "c", "resources": { "requests": requests, "limits": limits } }] } })
}

fn quota(hard: Value, used: Value) -> Value {
    json!({ "metadata": { "name": "q" }, "spec": { "hard": hard }, "status": { "hard": hard, "used": used } })
}

fn ask(
    quota: Value,
    counter: &Counter,
    object: &Value,
    old: Option<&Value>,
) -> Result<Option<Value>, String> {
    let request = Request { counter, object, old, now: Timestamp::UNIX_EPOCH };
    charge(&[quota], &request).map(|mut charges| charges.remove(0))
}

#[test]
fn objects_are_counted_by_the_names_that_quotas_have_for_them() {
    let class = json!({ "spec": { "storageClassName": "gold", "resources": { "requests": { "storage": "1500m" } } } });
    let ports = json!([{ "port": 1, "nodePort": 30000 }, { "port": 2 }]);
    let balanced = json!({ "spec": { "type": "LoadBalancer", "ports": ports } });
    let without_ports =
        json!({ "spec": { "type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": ports } });
    let mut ended = pod(json!({ "cpu": "1" }), json!({}));
    ended["status"] = json!({ "phase": "Failed" });
    let mut lost = pod(json!({ "cpu": "1" }), json!({}));
    lost["metadata"] =
        json!({ "deletionTimestamp": "1969-12-31T23:59:00Z", "deletionGracePeriodSeconds": 30 });
    let mut heavy = pod(json!({ "cpu": "1", "example.com/gpu": "2" }), json!({ "memory": "1Gi" }));
    heavy["spec"]["overhead"] = json!({ "cpu": "100m", "memory": "1Mi" });
    let cases = [
        (("", "secrets"), json!({}), json!({ "count/secrets": "1", "secrets": "1" })),
        (("apps", "deployments"), json!({}), json!({ "count/deployments.apps": "1" })),
        (
            ("", "services"),
            balanced,
            json!({ "count/services": "1", "services": "1", "services.loadbalancers": "1", "services.nodeports": "2" }),
        ),
        (
            ("", "services"),
            without_ports,
            json!({ "count/services": "1", "services": "1", "services.loadbalancers": "1", "services.nodeports": "1" }),
        ),
        (
            ("", "persistentvolumeclaims"),
            class,
            json!({ "count/persistentvolumeclaims": "1", "persistentvolumeclaims": "1", "requests.storage": "2",
                "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
                "gold.storageclass.storage.k8s.io/requests.storage": "2" }),
        ),
        (("", "pods"), ended, json!({ "count/pods": "1" })),
        (("", "pods"), lost, json!({ "count/pods": "1" })),
        (
            ("", "pods"),
            heavy,
            json!({ "count/pods": "1", "pods": "1", "cpu": "1100m", "requests.cpu": "1100m", "memory": "1Mi",
                "requests.memory": "1Mi", "requests.example.com/gpu": "2", "limits.memory": "1025Mi" }),
        ),
    ];
    for ((group, plural), object, want) in cases {
        assert_eq!(used(&counter(group, plural), &object), want, "{group} {plural} {object}");
    }
    assert_eq!(Counter::of("", "events"), None);
}

#[test]
fn a_write_is_charged_and_refused_with_the_texts_of_kubernetes() {
    let pods = counter("", "pods");
    let small = pod(json!({ "cpu": "300m" }), json!({}));
    let hard = json!({ "cpu": "1", "pods": "3" });
    let charged = ask(quota(hard.clone(), json!({ "cpu": "500m", "pods": "1" })), &pods, &small, None);
    assert_eq!(charged, Ok(Some(json!({ "cpu": "800m", "pods": "2" }))));
    let full = ask(quota(hard.clone(), json!({ "cpu": "900m", "pods": "3" })), &pods, &small, None);
    let text = "exceeded quota: q, requested: cpu=300m,pods=1, used: cpu=900m,pods=3, limited: cpu=1,pods=3";
    assert_eq!(full, Err(text.to_owned()));
    let unknown = ask(quota(hard.clone(), json!({})), &pods, &small, None);
    assert_eq!(unknown, Err("status unknown for quota: q, resources: cpu,pods".to_owned()));
    let silent =
        ask(quota(hard, json!({ "cpu": "0", "pods": "0" })), &pods, &pod(json!({}), json!({})), None);
    assert_eq!(silent, Err("failed quota: q: must specify cpu for: c".to_owned()));
    let maps = counter("", "configmaps");
    let other = ask(quota(json!({ "pods": "0" }), json!({ "pods": "0" })), &maps, &json!({}), None);
    assert_eq!(other, Ok(None));
}

#[test]
fn a_change_is_charged_for_what_it_adds() {
    let services = counter("", "services");
    let service = |kind: &str| json!({ "spec": { "type": kind, "ports": [{ "port": 1 }] } });
    let hard = json!({ "services": "1", "services.nodeports": "1" });
    let now = |ports: &str| quota(hard.clone(), json!({ "services": "1", "services.nodeports": ports }));
    let (plain, open) = (service("ClusterIP"), service("NodePort"));
    let want = json!({ "services": "1", "services.nodeports": "1" });
    assert_eq!(ask(now("0"), &services, &open, Some(&plain)), Ok(Some(want)));
    assert!(ask(now("1"), &services, &open, Some(&plain)).is_err());
    assert_eq!(ask(now("1"), &services, &plain, Some(&open)), Ok(None));
}

#[test]
fn scopes_choose_pods_and_claims() {
    let with = |field: &str, value: Value| {
        let mut pod = pod(json!({}), json!({}));
        pod["spec"][field] = value;
        pod
    };
    let selected = |scope: &str, operator: &str, values: Value| {
        json!({ "spec": { "scopeSelector": { "matchExpressions": [
            { "scopeName": scope, "operator": operator, "values": values }] } } })
    };
    let named = |scope: &str| json!({ "spec": { "scopes": [scope] } });
    let term = json!({ "podAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [{ "namespaces": ["x"] }] } });
    let high = with("priorityClassName", json!("high"));
    let plain = pod(json!({}), json!({}));
    let cases = [
        (named("Terminating"), with("activeDeadlineSeconds", json!(5)), true),
        (named("Terminating"), plain.clone(), false),
        (named("NotTerminating"), plain.clone(), true),
        (named("BestEffort"), plain.clone(), true),
        (named("NotBestEffort"), pod(json!({ "cpu": "1" }), json!({})), true),
        (named("CrossNamespacePodAffinity"), with("affinity", term), true),
        (selected("PriorityClass", "In", json!(["high"])), high.clone(), true),
        (selected("PriorityClass", "In", json!(["low"])), high.clone(), false),
        (selected("PriorityClass", "NotIn", json!(["low"])), plain.clone(), true),
        (selected("PriorityClass", "Exists", json!([])), plain.clone(), false),
        (selected("PriorityClass", "DoesNotExist", json!([])), plain, true),
    ];
    for (quota, pod, want) in cases {
        assert_eq!(scopes::contains(&quota, &counter("", "pods"), &pod), want, "{quota} {pod}");
    }
    let maps = counter("", "configmaps");
    assert!(!scopes::contains(&named("Terminating"), &maps, &json!({})), "a scope excludes other objects");
}

#[test]
fn a_recount_has_every_line_that_something_counts() {
    let hard = json!({ "pods": "5", "cpu": "1", "count/secrets": "9", "count/gone.example.com": "1" });
    let quota = json!({ "spec": { "hard": hard }, "status": { "used": { "count/gone.example.com": "1", "pods": "4" } } });
    let mut recount = Recount::new(&quota);
    let pods = [pod(json!({ "cpu": "100m" }), json!({})), pod(json!({ "cpu": "200m" }), json!({}))];
    let now = Timestamp::UNIX_EPOCH;
    assert!(recount.needs(&counter("", "pods")) && !recount.needs(&counter("", "services")));
    recount.add(&counter("", "pods"), Objects::Read(&pods), now);
    recount.add(&counter("", "secrets"), Objects::Number(3), now);
    let used = json!({ "pods": "2", "cpu": "300m", "count/secrets": "3", "count/gone.example.com": "1" });
    assert_eq!(recount.status(), json!({ "hard": hard, "used": used }));
}
