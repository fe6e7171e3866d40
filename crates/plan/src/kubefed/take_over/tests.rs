use super::*;

fn of(target: resources::StaticResource) -> FederatedType {
    FederatedType::of(target.into())
}

fn federated_object(kind: &str, key: &str) -> Object {
    let (namespace, name) = key.split_once('/').expect("a namespace");
    Object(json!({ "apiVersion": "types.kubefed.io/v1beta1", "kind": kind,
        "metadata": { "namespace": namespace, "name": name, "uid": "u", "resourceVersion": "9", "generation": 3,
            "finalizers": ["kubefed.io/sync-controller"], "annotations": { "note": "kept" } },
        "spec": { "template": { "spec": { "replicas": 2 } }, "placement": { "clusters": [{ "name": "eu" }] } },
        "status": { "clusters": [{ "name": "eu" }] } }))
}

fn type_config(of: &FederatedType) -> FederatedTypeConfig {
    FederatedTypeConfig::of(of, portolan_api::kubefed::Switch::Enabled)
}

fn boats() -> FederatedType {
    FederatedType::of(portolan_api::kubefed::TypeName {
        gvk: portolan_object::GroupVersionKind::new("example.com", "v1", "Boat"),
        plural: "boats".to_owned(),
        namespaced: true,
    })
}

fn host() -> Host {
    let cluster = serde_json::from_value(json!({ "metadata": { "namespace": SYSTEM_NAMESPACE, "name": "eu",
        "labels": { "env": "prod" }, "finalizers": ["core.kubefed.io/kubefed-cluster"], "uid": "c" },
        "spec": { "apiEndpoint": "https://10.0.0.1:6443", "secretRef": { "name": "eu-x7f" } },
        "status": { "kubernetesVersion": "v1.20.0" } }));
    let secret = |name: &str| {
        Object(
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": SYSTEM_NAMESPACE, "name": name },
            "data": { "token": "dG9rZW4=", "ca.crt": "eA==" } }),
        )
    };
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop", "uid": "n",
        "labels": { "team": "a", "kubernetes.io/metadata.name": "shop", "kubefed.io/managed": "true" } } });
    Host {
        type_configs: vec![
            type_config(&of(resources::DEPLOYMENT)),
            type_config(&of(resources::NAMESPACE)),
            type_config(&boats()),
        ],
        definitions: vec![Object(json!({ "metadata": { "name": "federatedboats.types.kubefed.io" },
            "spec": { "names": { "shortNames": ["fbt"] } } }))],
        clusters: vec![cluster.expect("a KubeFedCluster")],
        secrets: vec![secret("eu-x7f"), secret("other")],
        namespaces: vec![Object(namespace)],
        federated: vec![
            federated_object("FederatedDeployment", "shop/web"),
            federated_object("FederatedNamespace", "shop/shop"),
            federated_object("FederatedCar", "shop/car"),
        ],
        others: vec![Object(json!({ "apiVersion": "scheduling.kubefed.io/v1alpha1",
            "kind": "ReplicaSchedulingPreference",
            "metadata": { "namespace": "default", "name": "web", "uid": "r" }, "spec": { "totalReplicas": 9 } }))],
        ..Host::default()
    }
}

fn titles(objects: &[Object]) -> Vec<String> {
    objects.iter().map(title).collect()
}

#[test]
fn the_control_plane_gets_what_the_user_wrote_in_an_order_that_moves_no_replicas() {
    let plan = take_over(&host());
    let foundation = [
        "Namespace kube-federation-system",
        "Namespace shop",
        "FederatedTypeConfig kube-federation-system/deployments.apps",
        "FederatedTypeConfig kube-federation-system/namespaces",
        "CustomResourceDefinition federatedboats.types.kubefed.io",
        "FederatedTypeConfig kube-federation-system/boats.example.com",
        "Secret kube-federation-system/eu-x7f",
    ];
    assert_eq!(titles(&plan.foundation), foundation);
    assert_eq!(titles(&plan.federated), ["FederatedNamespace shop/shop", "FederatedDeployment shop/web"]);
    assert_eq!(titles(&plan.others), ["ReplicaSchedulingPreference default/web"]);
    assert_eq!(plan.left_out, ["FederatedCar shop/car: the host has no FederatedTypeConfig for its kind"]);

    let web = &plan.federated[1].0;
    let want = json!({ "namespace": "shop", "name": "web", "annotations": { "note": "kept" } });
    assert_eq!((&web["metadata"], web.get("status")), (&want, None));
    let labels = json!({ "team": "a", SKIP_AUTO_PROPAGATION: "true" });
    assert_eq!(plan.foundation[1].0["metadata"]["labels"], labels);
    assert_eq!(plan.foundation[6].0["data"], json!({ "token": "dG9rZW4=" }), "nothing but the token");
    assert_eq!(plan.foundation[4].0["spec"]["names"]["shortNames"], json!(["fbt"]));
    let cluster = &plan.clusters[0].0;
    assert_eq!(cluster["metadata"]["labels"], json!({ "env": "prod" }));
    assert_eq!((cluster["metadata"].get("finalizers"), cluster["metadata"].get("uid")), (None, None));
}

#[test]
fn what_leaves_the_host_and_what_has_no_effect_here_is_named() {
    let mut host = host();
    host.federated[0].metadata_mut().insert("deletionTimestamp".to_owned(), json!("t"));
    host.type_configs[2].spec.federated_type.group = "types.example.com".to_owned();
    host.config = serde_json::from_value(json!({ "spec": { "scope": "Namespaced" } })).ok();
    let plan = take_over(&host);
    assert_eq!(titles(&plan.federated), ["FederatedNamespace shop/shop"]);
    let reasons = plan.left_out.join("\n");
    for want in ["being deleted on the host", "in the group types.kubefed.io", "its scope is Namespaced"] {
        assert!(reasons.contains(want), "{want}: {reasons}");
    }
}

#[test]
fn of_two_kinds_with_one_federated_kind_the_first_is_taken_over() {
    let mut host = host();
    let others = FederatedType::of(portolan_api::kubefed::TypeName {
        gvk: portolan_object::GroupVersionKind::new("example.org", "v1", "Boat"),
        ..boats().target
    });
    host.type_configs.push(type_config(&others));
    let reasons = take_over(&host).left_out.join("\n");
    let want = "FederatedTypeConfig boats.example.org: FederatedBoat is the federated form of boats.example.com already";
    assert!(reasons.contains(want), "{reasons}");
}

#[test]
fn a_replacement_keeps_what_the_member_wrote() {
    let mut federated = federated_object("FederatedDeployment", "shop/web");
    federated.0["spec"]["overrides"] = json!([{ "clusterName": "eu",
        "clusterOverrides": [{ "path": "/spec/replicas", "value": 5 }] }]);
    let observed = Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "namespace": "shop", "name": "web", "uid": "m", "resourceVersion": "7",
            "labels": { "kubefed.io/managed": "true" },
            "annotations": { "deployment.kubernetes.io/revision": "2" } },
        "spec": { "replicas": 5 } }));
    let found =
        replacement(&federated, &of(resources::DEPLOYMENT), "eu", &observed).expect("a replacement").0;
    assert_eq!(found["spec"], json!({ "replicas": 5 }));
    assert_eq!(found["metadata"]["resourceVersion"], "7");
    assert_eq!(found["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    assert_eq!(found["metadata"]["labels"]["kubefed.io/managed"], "true");
}

#[test]
fn a_controller_manager_with_replicas_runs() {
    let deployment = |name: &str, replicas: Value| {
        Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
            "spec": { "replicas": replicas } }))
    };
    assert!(runs_kubefed(&deployment("kubefed-controller-manager", json!(2))));
    assert!(!runs_kubefed(&deployment("kubefed-controller-manager", json!(0))));
    assert!(!runs_kubefed(&deployment("other", json!(2))));
}
