//! What admission adds to new pods, and what it refuses.

use serde_json::{Value, json};

use crate::cluster::{Cluster, MERGE};

const PODS: &str = "/api/v1/namespaces/default/pods";
const CLASSES: &str = "/apis/scheduling.k8s.io/v1/priorityclasses";

fn pod(name: &str, spec: &Value) -> Value {
    let mut pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": { "containers": [{ "name": "a", "image": "nginx" }] } });
    portolan_object::patch::merge_patch(&mut pod, &json!({ "spec": spec })).unwrap();
    pod
}

#[tokio::test]
async fn a_pod_has_the_priority_of_its_class() {
    let cluster = Cluster::start().await;
    let made =
        cluster.post(PODS, &pod("critical", &json!({ "priorityClassName": "system-node-critical" }))).await;
    assert_eq!(made.body["spec"]["priority"], 2_000_001_000);
    let made = cluster.post(PODS, &pod("plain", &json!({}))).await;
    assert_eq!(
        (&made.body["spec"]["priority"], made.body["spec"].get("priorityClassName")),
        (&json!(0), None)
    );
    let refused = cluster.post(PODS, &pod("none", &json!({ "priorityClassName": "nope" }))).await;
    assert_eq!(
        refused.summary(),
        "403 Forbidden pods \"none\" is forbidden: no PriorityClass with name nope was found"
    );
    let class = |name: &str| {
        json!({ "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": name },
            "value": 7, "globalDefault": true })
    };
    assert_eq!(cluster.post(CLASSES, &class("usual")).await.code, 201);
    let made = cluster.post(PODS, &pod("usual", &json!({}))).await;
    assert_eq!(
        (&made.body["spec"]["priority"], &made.body["spec"]["priorityClassName"]),
        (&json!(7), &json!("usual"))
    );
    assert_eq!(
        cluster.post(CLASSES, &class("second")).await.summary(),
        "403 Forbidden priorityclasses.scheduling.k8s.io \"second\" is forbidden: PriorityClass usual is already marked as \
         default. Only one default can exist"
    );
}

#[tokio::test]
async fn a_pod_that_is_replaced_by_its_first_manifest_is_as_it_was() {
    let cluster = Cluster::start().await;
    let class = json!({ "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": "polite" },
        "value": 7, "preemptionPolicy": "Never" });
    assert_eq!(cluster.post(CLASSES, &class).await.code, 201);
    for (name, spec) in [("plain", json!({})), ("polite", json!({ "priorityClassName": "polite" }))] {
        let manifest = pod(name, &spec);
        let made = cluster.post(PODS, &manifest).await;
        let account = json!({ "serviceAccountName": made.body["spec"]["serviceAccountName"],
            "volumes": made.body["spec"]["volumes"] });
        let mut again = pod(name, &spec);
        portolan_object::patch::merge_patch(&mut again, &json!({ "spec": account })).unwrap();
        again["spec"]["containers"][0]["volumeMounts"] =
            made.body["spec"]["containers"][0]["volumeMounts"].clone();
        let replaced = cluster.put(&format!("{PODS}/{name}"), &again).await;
        assert_eq!(replaced.code, 200, "{name}: {}", replaced.text);
        assert_eq!(replaced.body["spec"], made.body["spec"], "{name}");
        let mut other = again.clone();
        other["spec"]["priority"] = json!(8);
        let refused = cluster.put(&format!("{PODS}/{name}"), &other).await;
        assert!(refused.text.contains("pod updates may not change fields"), "{name}: {}", refused.text);
    }
}

#[tokio::test]
async fn a_pod_needs_its_runtime_class() {
    let cluster = Cluster::start().await;
    let refused = cluster.post(PODS, &pod("none", &json!({ "runtimeClassName": "nope" }))).await;
    assert_eq!(
        refused.summary(),
        "403 Forbidden pods \"none\" is forbidden: pod rejected: RuntimeClass \"nope\" not found"
    );
    let class = json!({ "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": { "name": "vm" },
        "handler": "vm", "overhead": { "podFixed": { "cpu": "100m" } } });
    assert_eq!(cluster.post("/apis/node.k8s.io/v1/runtimeclasses", &class).await.code, 201);
    let made = cluster.post(PODS, &pod("vm", &json!({ "runtimeClassName": "vm" }))).await;
    assert_eq!(made.body["spec"]["overhead"]["cpu"], "100m");
}

#[tokio::test]
async fn limit_ranges_complete_and_refuse_pods_and_claims() {
    let cluster = Cluster::start().await;
    let range = json!({ "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "limits" }, "spec": { "limits": [
        { "type": "Container", "max": { "cpu": "2" }, "default": { "cpu": "1", "memory": "1Gi" },
          "defaultRequest": { "cpu": "500m" } },
        { "type": "PersistentVolumeClaim", "max": { "storage": "2Gi" } }] } });
    assert_eq!(cluster.post("/api/v1/namespaces/default/limitranges", &range).await.code, 201);
    let made = cluster.post(PODS, &pod("a", &json!({}))).await;
    assert_eq!(
        made.body["spec"]["containers"][0]["resources"],
        json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "500m", "memory": "1Gi" } })
    );
    assert_eq!(made.body["status"]["qosClass"], "Burstable");
    let large = json!({ "containers": [{ "name": "a", "image": "nginx", "resources": { "limits": { "cpu": "3" } } }] });
    assert_eq!(
        cluster.post(PODS, &pod("b", &large)).await.summary(),
        "403 Forbidden pods \"b\" is forbidden: maximum cpu usage per Container is 2, but limit is 3"
    );
    let claim = json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "c" }, "spec": {
        "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "3Gi" } } } });
    let refused = cluster.post("/api/v1/namespaces/default/persistentvolumeclaims", &claim).await;
    assert_eq!(refused.code, 403, "{}", refused.text);
}

#[tokio::test]
async fn a_write_to_status_keeps_the_metadata_that_kubernetes_keeps() {
    let cluster = Cluster::start().await;
    let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
        "spec": { "ports": [{ "port": 80 }] } });
    cluster.post("/api/v1/namespaces/default/services", &service).await;
    let patch = json!({ "metadata": { "labels": { "l": "x" }, "annotations": { "a": "b" } } });
    let written = cluster.patch("/api/v1/namespaces/default/services/web/status", MERGE, &patch).await;
    assert_eq!(written.body["metadata"]["labels"]["l"], "x", "{}", written.text);
    assert_eq!(written.body["metadata"]["annotations"]["a"], "b");
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let deployment = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" }, "spec": {
        "selector": { "matchLabels": { "a": "b" } }, "template": { "metadata": { "labels": { "a": "b" } },
        "spec": { "containers": [{ "name": "a", "image": "nginx" }] } } } });
    cluster.post(deployments, &deployment).await;
    let written = cluster.patch(&format!("{deployments}/web/status"), MERGE, &patch).await;
    let metadata = &written.body["metadata"];
    assert_eq!(
        (metadata.get("labels"), &metadata["annotations"]["a"]),
        (None, &json!("b")),
        "{}",
        written.text
    );
    assert_eq!(metadata["generation"], 1);
}

#[tokio::test]
async fn a_namespace_refuses_pods_that_break_its_level() {
    let cluster = Cluster::start().await;
    let labelled = |labels: &Value| json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "tight", "labels": labels } });
    let wrong = cluster
        .post("/api/v1/namespaces", &labelled(&json!({ "pod-security.kubernetes.io/enforce": "strict" })))
        .await;
    assert_eq!(
        wrong.summary(),
        "422 Invalid Namespace \"tight\" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \
         \"strict\": must be one of privileged, baseline, restricted"
    );
    let enforced = labelled(&json!({ "pod-security.kubernetes.io/enforce": "restricted" }));
    assert_eq!(cluster.post("/api/v1/namespaces", &enforced).await.code, 201);
    let pods = "/api/v1/namespaces/tight/pods";
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "default" } });
    cluster.post("/api/v1/namespaces/tight/serviceaccounts", &account).await;
    let violation = "PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false (container \"a\" must set \
         securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"a\" must set \
         securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"a\" must set \
         securityContext.runAsNonRoot=true), seccompProfile (pod or container \"a\" must set \
         securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")";
    let refused = cluster.post(pods, &pod("bare", &json!({}))).await;
    assert_eq!(refused.summary(), format!("403 Forbidden pods \"bare\" is forbidden: violates {violation}"));
    // A workload is stored, and its user learns that its pods will be refused.
    let deployment = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" }, "spec": {
        "selector": { "matchLabels": { "app": "web" } }, "template": { "metadata": { "labels": { "app": "web" } },
            "spec": { "containers": [{ "name": "a", "image": "nginx" }] } } } });
    let made = cluster.post("/apis/apps/v1/namespaces/tight/deployments", &deployment).await;
    assert_eq!(made.code, 201);
    assert!(made.warnings().iter().any(|warning| warning.contains("would violate PodSecurity")), "{made:?}");
    let hardened = json!({ "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [{ "name": "a", "image": "nginx", "securityContext": { "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] } } }] });
    assert_eq!(cluster.post(pods, &pod("hardened", &hardened)).await.code, 201);
}

#[tokio::test]
async fn raising_the_level_of_a_namespace_names_the_pods_that_break_it() {
    let cluster = Cluster::start().await;
    assert_eq!(cluster.post(PODS, &pod("host", &json!({ "hostNetwork": true }))).await.code, 201);
    let labels = json!({ "metadata": { "labels": { "pod-security.kubernetes.io/enforce": "baseline" } } });
    let raised = cluster.patch("/api/v1/namespaces/default", MERGE, &labels).await;
    assert_eq!(raised.code, 200);
    let warnings = raised.warnings();
    assert!(warnings.iter().any(|warning| warning.contains("host: host namespaces")), "{warnings:?}");
    // The pod stays, and changes that add nothing are allowed.
    let label = json!({ "metadata": { "labels": { "a": "b" } } });
    assert_eq!(cluster.patch(&format!("{PODS}/host"), MERGE, &label).await.code, 200);
}
