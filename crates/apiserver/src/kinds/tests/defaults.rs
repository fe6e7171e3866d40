use portolan_object::Object;
use serde_json::{Value, json};

use crate::kinds::core::pod::account;
use crate::kinds::{self, BuiltinKind, Strategy as _};

fn kind(api_version: &str, kind: &str) -> &'static BuiltinKind {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    kinds::find_kind(group, version, kind).unwrap()
}

/// The object completed, after checking that completing it again changes nothing.
fn completed(api_version: &str, name: &str, mut object: Value) -> Value {
    let kind = kind(api_version, name);
    object["apiVersion"] = json!(api_version);
    kind.apply_defaults(&mut object);
    let mut again = object.clone();
    kind.apply_defaults(&mut again);
    assert_eq!(object, again, "{name} is completed once");
    object
}

fn created(api_version: &str, name: &str, object: Value) -> Value {
    let mut object = completed(api_version, name, object);
    kind(api_version, name).prepare_for_create(&mut object);
    object
}

#[test]
fn pods() {
    let pod = completed(
        "v1",
        "Pod",
        json!({ "spec": { "containers": [
            { "name": "a", "image": "nginx", "ports": [{ "containerPort": 80 }],
              "resources": { "limits": { "cpu": 1, "memory": "1024Mi" } },
              "readinessProbe": { "httpGet": { "port": 80 } },
              "env": [{ "name": "N", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } }] }],
            "volumes": [{ "name": "v" }, { "name": "c", "configMap": { "name": "c" } }], "serviceAccountName": "sa" } }),
    );
    let spec = &pod["spec"];
    assert_eq!(spec["restartPolicy"], "Always");
    assert_eq!(spec["terminationGracePeriodSeconds"], 30);
    assert_eq!(spec["dnsPolicy"], "ClusterFirst");
    assert_eq!(spec["schedulerName"], "default-scheduler");
    assert_eq!(spec["securityContext"], json!({}));
    assert_eq!(spec["enableServiceLinks"], true);
    assert_eq!(spec["serviceAccount"], "sa");
    assert_eq!(
        spec["volumes"],
        json!([{ "name": "v", "emptyDir": {} }, { "name": "c", "configMap": { "name": "c", "defaultMode": 420 } }])
    );
    let container = &spec["containers"][0];
    assert_eq!(container["imagePullPolicy"], "Always");
    assert_eq!(container["terminationMessagePath"], "/dev/termination-log");
    assert_eq!(container["terminationMessagePolicy"], "File");
    assert_eq!(container["resources"]["requests"], json!({ "cpu": "1", "memory": "1Gi" }));
    assert_eq!(container["ports"][0]["protocol"], "TCP");
    assert_eq!(
        container["readinessProbe"],
        json!({ "httpGet": { "port": 80, "path": "/", "scheme": "HTTP" }, "timeoutSeconds": 1, "periodSeconds": 10,
            "successThreshold": 1, "failureThreshold": 3 })
    );
    assert_eq!(container["env"][0]["valueFrom"]["fieldRef"]["apiVersion"], "v1");
}

#[test]
fn images_are_pulled_by_tag() {
    let cases = [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.2", "IfNotPresent"),
        ("registry:5000/nginx", "Always"),
        ("registry:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:abc", "IfNotPresent"),
    ];
    for (image, want) in cases {
        let pod =
            completed("v1", "Pod", json!({ "spec": { "containers": [{ "name": "a", "image": image }] } }));
        assert_eq!(pod["spec"]["containers"][0]["imagePullPolicy"], want, "{image}");
    }
}

#[test]
fn templates_get_less_than_pods() {
    let deployment = completed(
        "apps/v1",
        "Deployment",
        json!({ "spec": { "template": { "spec": { "containers": [
        { "name": "a", "image": "i", "resources": { "limits": { "cpu": "1" } } }] } } } }),
    );
    let spec = &deployment["spec"];
    assert_eq!(spec["replicas"], 1);
    assert_eq!(spec["revisionHistoryLimit"], 10);
    assert_eq!(spec["progressDeadlineSeconds"], 600);
    assert_eq!(
        spec["strategy"],
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } })
    );
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["restartPolicy"], "Always");
    assert!(pod.get("enableServiceLinks").is_none());
    assert!(pod["containers"][0]["resources"].get("requests").is_none());
}

#[test]
fn workloads() {
    let template = json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [] } });
    let cases = [
        (
            "apps/v1",
            "Deployment",
            json!({ "strategy": { "type": "Recreate" }, "replicas": 0 }),
            json!({ "replicas": 0, "strategy": { "type": "Recreate" } }),
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({}),
            json!({ "replicas": 1, "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10, "serviceName": "",
                "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": 0 } },
                "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Retain", "whenScaled": "Retain" } }),
        ),
        (
            "apps/v1",
            "DaemonSet",
            json!({}),
            json!({ "revisionHistoryLimit": 10,
                "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 1, "maxSurge": 0 } } }),
        ),
        (
            "batch/v1",
            "Job",
            json!({}),
            json!({ "completions": 1, "parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed",
                "suspend": false, "manualSelector": false, "podReplacementPolicy": "TerminatingOrFailed" }),
        ),
        ("batch/v1", "Job", json!({ "parallelism": 3 }), json!({ "parallelism": 3 })),
        (
            "batch/v1",
            "CronJob",
            json!({}),
            json!({ "concurrencyPolicy": "Allow", "suspend": false, "successfulJobsHistoryLimit": 3,
                "failedJobsHistoryLimit": 1 }),
        ),
        ("v1", "ReplicationController", json!({}), json!({ "replicas": 1, "selector": { "a": "b" } })),
    ];
    for (api_version, kind, mut spec, want) in cases {
        spec["template"] = template.clone();
        let got = completed(api_version, kind, json!({ "spec": spec }));
        for (field, want) in want.as_object().unwrap() {
            assert_eq!(&got["spec"][field], want, "{kind} {field}");
        }
    }
    let job = completed("batch/v1", "Job", json!({ "spec": { "parallelism": 3, "template": template } }));
    assert!(job["spec"].get("completions").is_none(), "a work queue has no number");
    assert_eq!(job["metadata"]["labels"], json!({ "a": "b" }));
}

#[test]
fn a_job_selects_by_its_identity() {
    let job = created(
        "batch/v1",
        "Job",
        json!({ "metadata": { "name": "j", "uid": "u" }, "spec": { "template": { "spec": {} } } }),
    );
    assert_eq!(job["spec"]["selector"]["matchLabels"], json!({ "batch.kubernetes.io/controller-uid": "u" }));
    assert_eq!(
        job["spec"]["template"]["metadata"]["labels"],
        json!({ "batch.kubernetes.io/controller-uid": "u", "batch.kubernetes.io/job-name": "j", "controller-uid": "u", "job-name": "j" })
    );
    assert_eq!(job["metadata"]["labels"], job["spec"]["template"]["metadata"]["labels"]);
    let manual =
        created("batch/v1", "Job", json!({ "metadata": { "uid": "u" }, "spec": { "manualSelector": true } }));
    assert!(manual["spec"].get("selector").is_none());
}

#[test]
fn services() {
    let service =
        created("v1", "Service", json!({ "spec": { "ports": [{ "port": 80, "nodePort": 0, "name": "" }] } }));
    assert_eq!(
        service["spec"],
        json!({ "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            "ports": [{ "port": 80, "protocol": "TCP", "targetPort": 80 }] })
    );
    assert_eq!(service["status"], json!({ "loadBalancer": {} }));
    let balancer = completed(
        "v1",
        "Service",
        json!({ "spec": { "type": "LoadBalancer", "sessionAffinity": "ClientIP" } }),
    );
    assert_eq!(balancer["spec"]["externalTrafficPolicy"], "Cluster");
    assert_eq!(balancer["spec"]["allocateLoadBalancerNodePorts"], true);
    assert_eq!(balancer["spec"]["sessionAffinityConfig"], json!({ "clientIP": { "timeoutSeconds": 10800 } }));
    let named =
        completed("v1", "Service", json!({ "spec": { "type": "ExternalName", "externalName": "a" } }));
    assert_eq!(
        named["spec"],
        json!({ "type": "ExternalName", "externalName": "a", "sessionAffinity": "None" })
    );
}

#[test]
fn network_kinds() {
    let slice = completed(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        json!({ "endpoints": [{ "addresses": ["10.0.0.1"] }], "ports": [{ "port": 80 }] }),
    );
    assert_eq!(slice["endpoints"][0]["conditions"], json!({}));
    assert_eq!(slice["ports"], json!([{ "name": "", "port": 80, "protocol": "TCP" }]));
    let bare = completed("discovery.k8s.io/v1", "EndpointSlice", json!({}));
    assert!(bare["ports"].is_null() && bare["endpoints"].is_null() && bare.get("ports").is_some());
    let policy = completed(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        json!({ "spec": { "egress": [{ "ports": [{ "port": 1 }] }] } }),
    );
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(policy["spec"]["egress"][0]["ports"][0]["protocol"], "TCP");
}

#[test]
fn secrets_keep_no_text() {
    let secret = completed(
        "v1",
        "Secret",
        json!({ "data": { "a": "b2xk", "b": "Yg==" }, "stringData": { "a": "new" } }),
    );
    assert_eq!(secret["data"], json!({ "a": "bmV3", "b": "Yg==" }));
    assert_eq!(secret["type"], "Opaque");
    assert!(secret.get("stringData").is_none());
}

#[test]
fn namespaces_and_nodes() {
    let namespace = created("v1", "Namespace", json!({ "metadata": { "name": "n" } }));
    assert_eq!(namespace["metadata"]["labels"], json!({ "kubernetes.io/metadata.name": "n" }));
    assert_eq!(namespace["spec"], json!({ "finalizers": ["kubernetes"] }));
    assert_eq!(namespace["status"], json!({ "phase": "Active" }));
    let node = completed("v1", "Node", json!({ "status": { "capacity": { "cpu": "2000m" } } }));
    assert_eq!(node["status"]["allocatable"], json!({ "cpu": "2" }));
}

#[test]
fn other_kinds() {
    let scaler = completed(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        json!({ "spec": { "maxReplicas": 3, "behavior": { "scaleDown": { "selectPolicy": "Min" } } } }),
    );
    assert_eq!(scaler["spec"]["minReplicas"], 1);
    assert_eq!(scaler["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"], 80);
    assert_eq!(scaler["spec"]["behavior"]["scaleDown"]["selectPolicy"], "Min");
    assert_eq!(scaler["spec"]["behavior"]["scaleUp"]["policies"].as_array().unwrap().len(), 2);
    let older =
        completed("autoscaling/v1", "HorizontalPodAutoscaler", json!({ "spec": { "maxReplicas": 3 } }));
    assert_eq!(
        older["spec"],
        json!({ "maxReplicas": 3, "minReplicas": 1, "targetCPUUtilizationPercentage": 80 })
    );
    let binding = completed(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        json!({ "roleRef": { "kind": "Role", "name": "r" },
        "subjects": [{ "kind": "User", "name": "u" }, { "kind": "ServiceAccount", "name": "s" }] }),
    );
    assert_eq!(binding["roleRef"]["apiGroup"], "rbac.authorization.k8s.io");
    assert_eq!(binding["subjects"][0]["apiGroup"], "rbac.authorization.k8s.io");
    assert!(binding["subjects"][1].get("apiGroup").is_none());
    let claim = created(
        "v1",
        "PersistentVolumeClaim",
        json!({ "spec": { "resources": { "requests": { "storage": "1024Mi" } } } }),
    );
    assert_eq!(
        claim["spec"],
        json!({ "volumeMode": "Filesystem", "resources": { "requests": { "storage": "1Gi" } } })
    );
    assert_eq!(claim["status"]["phase"], "Pending");
}

#[test]
fn first_states() {
    let zeros =
        |names: &[&str]| Value::Object(names.iter().map(|&name| (name.to_owned(), json!(0))).collect());
    let cases = [
        ("v1", "ResourceQuota", json!({})),
        ("v1", "ReplicationController", zeros(&["replicas"])),
        ("apps/v1", "Deployment", json!({})),
        ("apps/v1", "ReplicaSet", zeros(&["replicas"])),
        ("apps/v1", "StatefulSet", zeros(&["replicas", "availableReplicas"])),
        (
            "apps/v1",
            "DaemonSet",
            zeros(&["currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"]),
        ),
        (
            "policy/v1",
            "PodDisruptionBudget",
            zeros(&["currentHealthy", "desiredHealthy", "disruptionsAllowed", "expectedPods"]),
        ),
        ("autoscaling/v1", "HorizontalPodAutoscaler", zeros(&["currentReplicas", "desiredReplicas"])),
        ("autoscaling/v2", "HorizontalPodAutoscaler", zeros(&["desiredReplicas"])),
        ("v1", "PersistentVolumeClaim", json!({ "phase": "Pending" })),
        ("v1", "Service", json!({ "loadBalancer": {} })),
    ];
    for (api_version, name, want) in cases {
        let object = created(api_version, name, json!({ "apiVersion": api_version, "spec": {} }));
        assert_eq!(object["status"], want, "{api_version} {name}");
    }
}

#[test]
fn new_pods() {
    let with =
        |resources: Value| json!({ "spec": { "containers": [{ "name": "a", "resources": resources }] } });
    let cases = [
        (json!({}), "BestEffort"),
        (json!({ "requests": { "cpu": "0" } }), "BestEffort"),
        (json!({ "requests": { "cpu": "1" } }), "Burstable"),
        (json!({ "limits": { "cpu": "1" } }), "Burstable"),
        (json!({ "limits": { "cpu": "1", "memory": "1Gi" } }), "Guaranteed"),
        (json!({ "limits": { "cpu": "1", "memory": "1Gi" }, "requests": { "cpu": "500m" } }), "Burstable"),
    ];
    for (resources, want) in cases {
        let name = resources.to_string();
        assert_eq!(
            created("v1", "Pod", with(resources))["status"],
            json!({ "phase": "Pending", "qosClass": want }),
            "{name}"
        );
    }
    let pod = created(
        "v1",
        "Pod",
        json!({ "spec": { "containers": [], "tolerations": [{ "key": "node.kubernetes.io/not-ready", "operator": "Exists" }] } }),
    );
    assert_eq!(pod["spec"]["tolerations"].as_array().unwrap().len(), 2);
    assert_eq!(pod["spec"]["tolerations"][1]["tolerationSeconds"], 300);
}

#[test]
fn pods_get_their_account() {
    let account =
        Object(json!({ "metadata": { "name": "default" }, "imagePullSecrets": [{ "name": "pull" }] }));
    let mut pod = json!({ "metadata": { "name": "p", "namespace": "n" }, "spec": { "containers": [{ "name": "a" }], "initContainers": [{ "name": "i" }] } });
    account::attach(&mut pod, Some(&account), "x7k2p").unwrap();
    assert_eq!(pod["spec"]["serviceAccountName"], "default");
    assert_eq!(pod["spec"]["imagePullSecrets"], json!([{ "name": "pull" }]));
    assert_eq!(pod["spec"]["volumes"][0]["name"], "kube-api-access-x7k2p");
    for part in ["containers", "initContainers"] {
        assert_eq!(
            pod["spec"][part][0]["volumeMounts"],
            json!([{ "name": "kube-api-access-x7k2p", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true }])
        );
    }
    let before = pod.clone();
    account::attach(&mut pod, Some(&account), "other").unwrap();
    assert_eq!(pod, before, "once is enough");

    let quiet = Object(json!({ "metadata": { "name": "default" }, "automountServiceAccountToken": false }));
    let mut pod = json!({ "spec": { "containers": [{ "name": "a" }] } });
    account::attach(&mut pod, Some(&quiet), "x").unwrap();
    assert!(pod["spec"].get("volumes").is_none());

    let mut pod =
        json!({ "metadata": { "name": "p", "namespace": "lw" }, "spec": { "serviceAccountName": "nosa" } });
    let status = account::attach(&mut pod, None, "x").unwrap_err();
    assert_eq!(
        status.message,
        r#"pods "p" is forbidden: error looking up service account lw/nosa: serviceaccount "nosa" not found"#
    );
}
