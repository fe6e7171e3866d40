use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a readable object")
}

fn config_map(name: &str) -> Object {
    Object(
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "shop", "name": name, "uid": name } }),
    )
}

fn policy(name: &str, api_version: &str, kind: &str, object: &str) -> Value {
    json!({ "metadata": { "namespace": "shop", "name": name, "uid": name },
        "spec": { "resourceSelectors": [{ "apiVersion": api_version, "kind": kind, "name": object }],
            "placement": { "clusterAffinity": { "clusterNames": ["eu"] } } } })
}

fn cluster(name: &str, ready: &str) -> Value {
    json!({ "metadata": { "name": name }, "status": { "conditions": [{ "type": "Ready", "status": ready,
        "reason": "ClusterNotReachable", "message": "no answer", "lastTransitionTime": "2026-01-02T00:00:00Z" }] } })
}

fn binding(object: &str, condition: Value, health: &str) -> Value {
    json!({ "metadata": { "namespace": "shop", "name": format!("{object}-configmap") },
        "spec": { "resource": { "apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": object } },
        "status": { "conditions": [condition], "aggregatedStatus": [{ "clusterName": "eu", "health": health }] } })
}

fn work(cluster: &str, object: &str, message: &str) -> Value {
    json!({ "metadata": { "namespace": format!("karmada-es-{cluster}"), "name": object },
        "spec": { "workload": { "manifests": [config_map(object).0] } },
        "status": { "conditions": [{ "type": "Applied", "status": if message.is_empty() { "True" } else { "False" },
            "reason": "x", "message": message, "lastTransitionTime": "2026-01-03T00:00:00Z" }] } })
}

fn scheduled(status: &str) -> Value {
    json!({ "type": "Scheduled", "status": status, "reason": "NoClusterFit", "message": "0/1 clusters are available",
        "lastTransitionTime": "2026-01-04T00:00:00Z" })
}

fn federation() -> Federation {
    let kinds = vec![
        GroupVersionKind::new("", "v1", "ConfigMap"),
        GroupVersionKind::new("apps", "v1", "Deployment"),
        GroupVersionKind::new("storage.k8s.io", "v1", "StorageClass"),
    ];
    let none = |kind: &str, group: &str| {
        (GroupKind { group: group.to_owned(), kind: kind.to_owned() }, Ok(Vec::new()))
    };
    Federation {
        cluster_kinds: BTreeSet::from([kinds[2].group_kind()]),
        kinds,
        clusters: Ok(vec![read(cluster("eu", "True"))]),
        policies: Ok(Vec::new()),
        templates: BTreeMap::from([
            none("ConfigMap", ""),
            none("Deployment", "apps"),
            none("StorageClass", "storage.k8s.io"),
        ]),
        bindings: Ok(Vec::new()),
        works: Ok(Vec::new()),
    }
}

fn lines(federation: &Federation) -> Vec<String> {
    sweep(federation)
        .iter()
        .map(|trouble| format!("{} [{}] {}", trouble.cause, trouble.objects.join(", "), trouble.cure))
        .collect()
}

#[test]
fn a_healthy_federation_has_no_trouble() {
    let mut healthy = federation();
    healthy.templates.insert(
        GroupKind { group: String::new(), kind: "ConfigMap".to_owned() },
        Ok(vec![config_map("app")]),
    );
    healthy.policies = Ok(vec![read(policy("app", "v1", "ConfigMap", "app"))]);
    healthy.bindings = Ok(vec![read(binding("app", scheduled("True"), "Healthy"))]);
    healthy.works = Ok(vec![read(work("eu", "app", ""))]);
    assert_eq!(lines(&healthy), Vec::<String>::new());
}

#[test]
fn policies_without_effect_are_told() {
    let cases = [
        (
            vec![policy("p", "storage.k8s.io/v1", "StorageClass", "fast")],
            "the policy is for objects of its namespace, and kind StorageClass has none [PropagationPolicy shop/p] create a \
             ClusterPropagationPolicy instead",
        ),
        (
            vec![policy("p", "v1", "ConfigMap", "missing")],
            "the policy selects nothing that exists [PropagationPolicy shop/p] kubectl edit pp p -n shop",
        ),
        (
            vec![policy("p", "v1", "Deployment", "web")],
            "the control plane does not serve kind Deployment of apiVersion \"v1\": write apiVersion apps/v1 and kind \
             Deployment [PropagationPolicy shop/p] kubectl edit pp p -n shop",
        ),
        (
            vec![policy("p", "apps/v1", "deployments", "web")],
            "the control plane does not serve kind deployments of apiVersion \"apps/v1\": write apiVersion apps/v1 and \
             kind Deployment [PropagationPolicy shop/p] kubectl edit pp p -n shop",
        ),
        (
            vec![policy("p", "v1", "Widget", "web")],
            "the control plane does not serve kind Widget of apiVersion \"v1\": its CustomResourceDefinition is missing, \
             or it is misspelled [PropagationPolicy shop/p] kubectl edit pp p -n shop",
        ),
        (
            vec![policy("a", "v1", "ConfigMap", "app"), policy("b", "v1", "ConfigMap", "app")],
            "the policy has no object: PropagationPolicy shop/a has what it selects [PropagationPolicy shop/b] raise \
             spec.priority, or delete it: kubectl edit pp b -n shop",
        ),
    ];
    for (policies, want) in cases {
        let mut broken = federation();
        let key = GroupKind { group: String::new(), kind: "ConfigMap".to_owned() };
        broken.templates.insert(key, Ok(vec![config_map("app")]));
        broken.policies = Ok(policies.into_iter().map(read).collect());
        assert_eq!(lines(&broken), [want]);
    }
}

#[test]
fn a_held_object_without_a_binding_is_broken_unless_its_policy_waits() {
    let mut held = config_map("app");
    held.set_label("propagationpolicy.karmada.io/permanent-id", "id".to_owned());
    held.0["metadata"]["annotations"] = json!({ "propagationpolicy.karmada.io/namespace": "shop",
        "propagationpolicy.karmada.io/name": "p" });
    let mut policy = policy("p", "v1", "ConfigMap", "app");
    policy["metadata"]["labels"] = json!({ "propagationpolicy.karmada.io/permanent-id": "id" });
    for (preference, want) in [(Value::Null, Verdict::Broken), (json!("Lazy"), Verdict::Waiting)] {
        policy["spec"]["activationPreference"] = preference;
        let mut unbound = federation();
        let key = GroupKind { group: String::new(), kind: "ConfigMap".to_owned() };
        unbound.templates.insert(key, Ok(vec![held.clone()]));
        unbound.policies = Ok(vec![read(policy.clone())]);
        let verdicts: Vec<Verdict> = sweep(&unbound).iter().map(|trouble| trouble.verdict).collect();
        assert_eq!(verdicts, [want], "{:?}", lines(&unbound));
    }
}

#[test]
fn one_cause_is_one_line() {
    let mut broken = federation();
    broken.clusters = Ok(vec![read(cluster("eu", "True")), read(cluster("us", "False"))]);
    broken.bindings = Ok(vec![
        read(binding("a", scheduled("False"), "Unknown")),
        read(binding("b", scheduled("False"), "Unknown")),
        read(binding("c", scheduled("True"), "Unhealthy")),
    ]);
    let taken = "resource(kind=ConfigMap, shop/x) already exists in the cluster eu and";
    broken.works = Ok(vec![
        read(work("eu", "d", taken)),
        read(work("eu", "e", taken)),
        read(work("us", "f", "cluster us is not ready (no answer)")),
    ]);
    assert_eq!(
        lines(&broken),
        [
            "eu has objects of these names that are not the control plane's [ConfigMap shop/d, ConfigMap shop/e] delete them \
         in eu, or set conflictResolution: Overwrite in the policy",
            "not scheduled: NoClusterFit: 0/1 clusters are available [ConfigMap shop/a, ConfigMap shop/b] portolan why \
         configmap/a -n shop",
            "cluster us is not ready: ClusterNotReachable: no answer; 1 object depends on it [Cluster us] kubectl describe \
         cluster us",
            "not healthy in eu [ConfigMap shop/c] portolan why configmap/c -n shop",
        ]
    );
    assert_eq!(sweep(&broken)[1].since.as_deref(), Some("2026-01-04T00:00:00Z"));
}

#[test]
fn what_was_not_read_is_said() {
    let mut hidden = federation();
    hidden.works = Err(crate::discovery::ReadError("works is forbidden".to_owned()));
    assert_eq!(sweep(&hidden)[0].cause, "the Works were not looked at: works is forbidden");
    assert_eq!(sweep(&hidden)[0].verdict, Verdict::NotLookedAt);
    assert_eq!(sweep(&hidden)[0].cure, "run the command with more rights");
    hidden.works = Err(crate::discovery::ReadError("no answer within 30 s".to_owned()));
    assert!(sweep(&hidden)[0].cure.starts_with("run the command again"), "rights are not what is missing");
}
