use serde_json::{Value, json};

use crate::kinds::{self, Strategy as _};

const NOW: &str = "2026-01-02T00:00:00Z";

fn cells(api_version: &str, mut object: Value) -> Vec<Value> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let name = object["kind"].as_str().unwrap().to_owned();
    let metadata = object.as_object_mut().unwrap().entry("metadata").or_insert_with(|| json!({}));
    if metadata.get("name").is_none() {
        metadata["name"] = json!("x");
    }
    metadata["creationTimestamp"] = json!("2026-01-01T23:58:00Z");
    let kind = kinds::find_kind(group, version, &name).unwrap();
    let cells = kind.cells(&object, NOW.parse().unwrap());
    assert_eq!(cells.len(), kind.columns().len(), "cells and columns of {name}");
    cells
}

/// The cells joined by bars, so that a row reads as it prints.
fn line(api_version: &str, object: Value) -> String {
    let texts = cells(api_version, object).into_iter().map(|cell| match cell {
        Value::String(text) => text,
        other => other.to_string(),
    });
    texts.collect::<Vec<_>>().join("|")
}

#[test]
fn headings() {
    let cases = [
        ("v1", "Pod", "Name Ready Status Restarts Age IP* Node* Nominated Node* Readiness Gates*"),
        ("v1", "Service", "Name Type Cluster-IP External-IP Port(s) Age Selector*"),
        ("apps/v1", "Deployment", "Name Ready Up-to-date Available Age Containers* Images* Selector*"),
        ("v1", "ReplicationController", "Name Desired Current Ready Age Containers* Images* Selector*"),
        (
            "batch/v1",
            "CronJob",
            "Name Schedule Timezone Suspend Active Last Schedule Age Containers* Images* Selector*",
        ),
        (
            "events.k8s.io/v1",
            "Event",
            "Last Seen Type Reason Object Subobject* Source* Message First Seen* Count* Name*",
        ),
        (
            "v1",
            "PersistentVolume",
            "Name Capacity Access Modes Reclaim Policy Status Claim StorageClass VolumeAttributesClass Reason Age \
             VolumeMode*",
        ),
        ("rbac.authorization.k8s.io/v1", "Role", "Name Created At"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "Name Created At"),
        ("networking.k8s.io/v1", "IPAddress", "Name ParentRef"),
    ];
    for (api_version, kind, want) in cases {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let columns = kinds::find_kind(group, version, kind).unwrap().table().columns;
        let headings: Vec<String> = columns
            .iter()
            .map(|column| format!("{}{}", column.name, if column.priority == 1 { "*" } else { "" }))
            .collect();
        assert_eq!(headings.join(" "), want, "{kind}");
    }
}

#[test]
fn workload_rows() {
    let template = json!({
        "metadata": { "labels": { "app": "web" } },
        "spec": { "containers": [{ "name": "a", "image": "one" }, { "name": "b", "image": "two" }] },
    });
    let selector = json!({ "matchLabels": { "b": "2", "a": "1" },
        "matchExpressions": [{ "key": "aa", "operator": "In", "values": ["y", "x"] },
                             { "key": "c", "operator": "DoesNotExist" }] });
    let deployment = json!({ "kind": "Deployment",
        "spec": { "replicas": 3, "selector": selector, "template": template },
        "status": { "readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1 } });
    assert_eq!(line("apps/v1", deployment), "x|1/3|2|1|2m|a,b|one,two|a=1,aa in (x,y),b=2,!c");
    let set = json!({ "kind": "DaemonSet",
        "spec": { "selector": {}, "template": { "spec": { "nodeSelector": { "z": "1", "y": "" } } } },
        "status": { "desiredNumberScheduled": 4, "numberReady": 2 } });
    assert_eq!(line("apps/v1", set), "x|4|0|2|0|0|y=,z=1|2m|||<none>");
    let rows = [
        ("running", json!({ "completions": 2 }), json!({ "succeeded": 1 }), "x|Running|1/2||2m"),
        ("work queue", json!({ "parallelism": 4 }), json!({}), "x|Running|0/1 of 4||2m"),
        (
            "complete",
            json!({ "completions": 1 }),
            json!({ "succeeded": 1, "startTime": "2026-01-01T10:00:00Z", "completionTime": "2026-01-01T10:02:05Z",
                "conditions": [{ "type": "Complete", "status": "True" }] }),
            "x|Complete|1/1|2m5s|2m",
        ),
        (
            "suspended",
            json!({}),
            json!({ "conditions": [{ "type": "Suspended", "status": "True" }] }),
            "x|Suspended|0/1||2m",
        ),
    ];
    for (name, spec, status, want) in rows {
        let row = line("batch/v1", json!({ "kind": "Job", "spec": spec, "status": status }));
        assert!(row.starts_with(want), "{name}: {row}");
    }
    let cron = json!({ "kind": "CronJob", "spec": { "schedule": "* * * * *", "suspend": false },
        "status": { "active": [{}], "lastScheduleTime": "2026-01-01T23:59:00Z" } });
    assert_eq!(line("batch/v1", cron), "x|* * * * *|<none>|False|1|60s|2m|||<none>");
    let revision = json!({ "kind": "ControllerRevision", "revision": 3, "metadata": { "ownerReferences": [
        { "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "controller": true }] } });
    assert_eq!(line("apps/v1", revision), "x|daemonset.apps/d|3|2m");
}

#[test]
fn service_rows() {
    let cases = [
        (
            "cluster address",
            json!({ "type": "ClusterIP", "clusterIPs": ["10.96.0.1"], "ports": [{ "port": 80, "protocol": "TCP" }],
                "selector": { "app": "web" } }),
            json!({}),
            "x|ClusterIP|10.96.0.1|<none>|80/TCP|2m|app=web",
        ),
        (
            "headless without ports",
            json!({ "type": "ClusterIP", "clusterIPs": ["None"] }),
            json!({}),
            "x|ClusterIP|None|<none>|<none>|2m|<none>",
        ),
        (
            "node ports and external addresses",
            json!({ "type": "NodePort", "clusterIPs": ["10.96.0.2"], "externalIPs": ["1.1.1.1", "2.2.2.2"],
                "ports": [{ "port": 80, "nodePort": 30668, "protocol": "TCP" }, { "port": 53, "protocol": "UDP" }] }),
            json!({}),
            "x|NodePort|10.96.0.2|1.1.1.1,2.2.2.2|80:30668/TCP,53/UDP|2m|<none>",
        ),
        (
            "load balancer waits",
            json!({ "type": "LoadBalancer" }),
            json!({ "loadBalancer": {} }),
            "x|LoadBalancer|<none>|<pending>|<none>|2m|<none>",
        ),
        (
            "load balancer, sorted",
            json!({ "type": "LoadBalancer", "externalIPs": ["9.9.9.9"] }),
            json!({ "loadBalancer": { "ingress": [{ "hostname": "b.example" }, { "ip": "1.2.3.4" }] } }),
            "x|LoadBalancer|<none>|1.2.3.4,b.example,9.9.9.9|<none>|2m|<none>",
        ),
        (
            "external name",
            json!({ "type": "ExternalName", "externalName": "a.example" }),
            json!({}),
            "x|ExternalName|<none>|a.example|<none>|2m|<none>",
        ),
    ];
    for (name, spec, status, want) in cases {
        assert_eq!(line("v1", json!({ "kind": "Service", "spec": spec, "status": status })), want, "{name}");
    }
}

#[test]
fn endpoint_and_ingress_rows() {
    let slice = json!({ "kind": "EndpointSlice", "addressType": "IPv4",
        "ports": [{ "port": 80 }, { "name": "web" }, {}, { "port": 4 }],
        "endpoints": [{ "addresses": ["10.0.0.1"] }, { "addresses": ["10.0.0.2"] }, { "addresses": ["10.0.0.3"] },
                      { "addresses": ["10.0.0.4"] }, { "addresses": ["10.0.0.5"] }] });
    assert_eq!(
        line("discovery.k8s.io/v1", slice),
        "x|IPv4|80,web,* + 1 more...|10.0.0.1,10.0.0.2,10.0.0.3 + 2 more...|2m"
    );
    let empty = json!({ "kind": "EndpointSlice", "addressType": "IPv4", "ports": null, "endpoints": null });
    assert_eq!(line("discovery.k8s.io/v1", empty), "x|IPv4|<unset>|<unset>|2m");
    let endpoints = json!({ "kind": "Endpoints", "subsets": [
        { "addresses": [{ "ip": "10.0.0.1" }, { "ip": "fd00::1" }], "ports": [{ "port": 80 }, { "port": 81 }] }] });
    assert_eq!(line("v1", endpoints), "x|10.0.0.1:80,[fd00::1]:80,10.0.0.1:81 + 1 more...|2m");
    assert_eq!(line("v1", json!({ "kind": "Endpoints" })), "x|<none>|2m");
    let rules = |hosts: &[&str]| -> Value { hosts.iter().map(|host| json!({ "host": host })).collect() };
    let ingress = |hosts: &[&str], tls: Value| json!({ "kind": "Ingress", "spec": { "ingressClassName": "c", "rules": rules(hosts), "tls": tls } });
    assert_eq!(
        line("networking.k8s.io/v1", ingress(&["a", "b", "c", "d"], json!([{}]))),
        "x|c|a,b,c + 1 more...||80, 443|2m"
    );
    assert_eq!(line("networking.k8s.io/v1", ingress(&[], json!([]))), "x|c|*||80|2m");
    let address = json!({ "kind": "IPAddress", "metadata": { "name": "10.96.0.1" },
        "spec": { "parentRef": { "resource": "services", "namespace": "default", "name": "kubernetes" } } });
    assert_eq!(line("networking.k8s.io/v1", address), "10.96.0.1|services/default/kubernetes");
}

#[test]
fn node_rows() {
    let node = json!({ "kind": "Node",
        "metadata": { "labels": { "node-role.kubernetes.io/worker": "", "kubernetes.io/role": "edge" } },
        "spec": { "unschedulable": true },
        "status": { "conditions": [{ "type": "Ready", "status": "True" }],
            "addresses": [{ "type": "Hostname", "address": "h" }, { "type": "InternalIP", "address": "10.1.0.1" }],
            "nodeInfo": { "kubeletVersion": "v1.36.2", "kernelVersion": "6.1", "architecture": "arm64" } } });
    assert_eq!(
        line("v1", node),
        "x|Ready,SchedulingDisabled|edge,worker|2m|v1.36.2|10.1.0.1|<none>|<unknown>|6.1 (arm64)|<unknown>"
    );
    let unknown =
        json!({ "kind": "Node", "status": { "conditions": [{ "type": "Ready", "status": "Unknown" }] } });
    assert!(line("v1", unknown).starts_with("x|NotReady|<none>|"));
    assert!(line("v1", json!({ "kind": "Node" })).starts_with("x|Unknown|<none>|"));
}

#[test]
fn event_rows() {
    let older = json!({ "kind": "Event", "type": "Normal", "reason": "Started", "message": " Up \n", "count": 3,
        "involvedObject": { "kind": "Pod", "name": "p", "fieldPath": "spec" },
        "source": { "component": "kubelet", "host": "n1" },
        "firstTimestamp": "2026-01-01T23:00:00Z", "lastTimestamp": "2026-01-01T23:59:30Z" });
    assert_eq!(line("v1", older), "30s|Normal|Started|pod/p|spec|kubelet, n1|Up|60m|3|x");
    let newer = json!({ "kind": "Event", "type": "Warning", "reason": "Odd", "note": "Hm",
        "regarding": { "kind": "Node", "name": "n" }, "reportingController": "c",
        "deprecatedFirstTimestamp": null, "eventTime": "2026-01-01T23:59:00.000000Z" });
    assert_eq!(line("events.k8s.io/v1", newer), "60s|Warning|Odd|node/n||c|Hm|60s|1|x");
    let series = json!({ "kind": "Event", "eventTime": "2026-01-01T23:00:00.000000Z",
        "series": { "count": 7, "lastObservedTime": "2026-01-01T23:59:50.000000Z" } });
    assert!(line("v1", series).starts_with("10s|"));
}

#[test]
fn pod_rows() {
    let running = |ready: bool| {
        json!({ "name": "c", "ready": ready, "restartCount": 0,
            "state": { "running": { "startedAt": "2026-01-01T23:58:01Z" } } })
    };
    let ended = |reason: &str, code: i64| {
        json!({ "name": "c", "restartCount": 2, "state": { "terminated": { "reason": reason, "exitCode": code } },
            "lastState": { "terminated": { "finishedAt": "2026-01-01T23:55:00Z", "exitCode": 1 } } })
    };
    let waiting = |reason: &str| json!({ "name": "c", "state": { "waiting": { "reason": reason } } });
    let ready = json!([{ "type": "Ready", "status": "True" }]);
    let cases = [
        ("new", json!({ "phase": "Pending" }), "0/2|Pending|0"),
        (
            "all run",
            json!({ "phase": "Running", "containerStatuses": [running(true), running(true)] }),
            "2/2|Running|0",
        ),
        (
            "one crashes",
            json!({ "phase": "Running", "containerStatuses": [running(true), ended("Error", 1)] }),
            "1/2|Error|2 (5m ago)",
        ),
        (
            "one waits",
            json!({ "phase": "Running", "containerStatuses": [waiting("CrashLoopBackOff"), ended("Error", 1)] }),
            "0/2|CrashLoopBackOff|2 (5m ago)",
        ),
        (
            "one is done while the other serves",
            json!({ "phase": "Running", "conditions": ready,
                "containerStatuses": [ended("Completed", 0), running(true)] }),
            "1/2|Running|2 (5m ago)",
        ),
        (
            "one is done, the pod is not ready",
            json!({ "phase": "Running", "containerStatuses": [ended("Completed", 0), running(true)] }),
            "1/2|NotReady|2 (5m ago)",
        ),
        (
            "one is done, the other failed",
            json!({ "phase": "Running", "containerStatuses": [ended("Completed", 0), ended("OOMKilled", 137)] }),
            "0/2|OOMKilled|4 (5m ago)",
        ),
        (
            "killed without a reason",
            json!({ "phase": "Failed", "containerStatuses": [
                { "state": { "terminated": { "exitCode": 137, "signal": 9 } } }] }),
            "0/2|Signal:9|0",
        ),
        ("evicted", json!({ "phase": "Failed", "reason": "Evicted" }), "0/2|Evicted|0"),
        (
            "gated",
            json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "reason": "SchedulingGated" }] }),
            "0/2|SchedulingGated|0",
        ),
    ];
    for (name, status, want) in cases {
        let pod = json!({ "kind": "Pod", "spec": { "containers": [{}, {}] }, "status": status });
        let row = line("v1", pod);
        assert_eq!(row, format!("x|{want}|2m|<none>|<none>|<none>|<none>"), "{name}");
    }
}

#[test]
fn initializing_and_ending_pods() {
    let spec = json!({ "containers": [{}], "nodeName": "n",
        "initContainers": [{ "name": "i" }, { "name": "s", "restartPolicy": "Always" }],
        "readinessGates": [{ "conditionType": "g" }] });
    let done = json!({ "name": "i", "state": { "terminated": { "exitCode": 0 } } });
    let cases = [
        (
            "first of two",
            json!({ "initContainerStatuses": [{ "name": "i", "state": { "running": {} } }] }),
            "0/2|Init:0/2",
        ),
        (
            "second waits",
            json!({ "initContainerStatuses": [done, { "name": "s", "state": { "waiting": { "reason": "ImagePullBackOff" } } }] }),
            "0/2|Init:ImagePullBackOff",
        ),
        (
            "first failed",
            json!({ "initContainerStatuses": [
                { "name": "i", "state": { "terminated": { "exitCode": 3, "reason": "Error" } } }] }),
            "0/2|Init:Error",
        ),
        (
            "sidecar serves",
            json!({ "phase": "Running",
                "initContainerStatuses": [done, { "name": "s", "started": true, "ready": true, "state": { "running": {} } }],
                "containerStatuses": [{ "ready": true, "state": { "running": {} } }] }),
            "2/2|Running",
        ),
    ];
    for (name, status, want) in cases {
        let row = line("v1", json!({ "kind": "Pod", "spec": spec, "status": status }));
        assert_eq!(row, format!("x|{want}|0|2m|<none>|n|<none>|0/1"), "{name}");
    }
    let leaving = |status: Value| {
        line(
            "v1",
            json!({ "kind": "Pod", "metadata": { "deletionTimestamp": NOW }, "spec": {}, "status": status }),
        )
    };
    assert!(leaving(json!({ "phase": "Running" })).starts_with("x|0/0|Terminating|"));
    assert!(leaving(json!({ "phase": "Succeeded" })).starts_with("x|0/0|Succeeded|"));
    assert!(leaving(json!({ "phase": "Running", "reason": "NodeLost" })).starts_with("x|0/0|Unknown|"));
}

#[test]
fn other_rows() {
    let cases = [
        (
            "v1",
            json!({ "kind": "ConfigMap", "data": { "a": "", "b": "" }, "binaryData": { "c": "" } }),
            "x|3|2m",
        ),
        ("v1", json!({ "kind": "Secret", "type": "Opaque", "data": { "a": "" } }), "x|Opaque|1|2m"),
        ("v1", json!({ "kind": "Namespace", "status": { "phase": "Active" } }), "x|Active|2m"),
        ("coordination.k8s.io/v1", json!({ "kind": "Lease", "spec": { "holderIdentity": "me" } }), "x|me|2m"),
        (
            "policy/v1",
            json!({ "kind": "PodDisruptionBudget", "spec": { "minAvailable": "50%" } }),
            "x|50%|N/A|0|2m",
        ),
        (
            "autoscaling/v2",
            json!({ "kind": "HorizontalPodAutoscaler", "spec": { "scaleTargetRef": { "kind": "Deployment", "name": "d" },
                "minReplicas": 1, "maxReplicas": 5, "metrics": [
                { "type": "Resource", "resource": { "name": "cpu", "target": { "averageUtilization": 80 } } },
                { "type": "Pods", "pods": { "target": { "averageValue": "10" } } },
                { "type": "External", "external": { "target": { "value": "7" } } }] },
                "status": { "currentReplicas": 2, "currentMetrics": [
                { "resource": { "current": { "averageUtilization": 33 } } }] } }),
            "x|Deployment/d|cpu: 33%/80%, <unknown>/10 + 1 more...|1|5|2|2m",
        ),
        (
            "rbac.authorization.k8s.io/v1",
            json!({ "kind": "RoleBinding", "roleRef": { "kind": "ClusterRole", "name": "edit" }, "subjects": [
                { "kind": "User", "name": "a" }, { "kind": "User", "name": "b" }, { "kind": "Group", "name": "g" },
                { "kind": "ServiceAccount", "namespace": "n", "name": "s" }] }),
            "x|ClusterRole/edit|2m|a, b|g|n/s",
        ),
        ("rbac.authorization.k8s.io/v1", json!({ "kind": "Role" }), "x|2026-01-01T23:58:00Z"),
        (
            "v1",
            json!({ "kind": "PersistentVolumeClaim", "spec": { "volumeName": "v", "storageClassName": "s", "volumeMode": "Filesystem" },
                "status": { "phase": "Bound", "capacity": { "storage": "1Gi" }, "accessModes": ["ReadWriteMany", "ReadWriteOnce"] } }),
            "x|Bound|v|1Gi|RWO,RWX|s|<unset>|2m|Filesystem",
        ),
        (
            "storage.k8s.io/v1",
            json!({ "kind": "StorageClass", "provisioner": "p",
                "metadata": { "annotations": { "storageclass.kubernetes.io/is-default-class": "true" }, "name": "x" } }),
            "x (default)|p|Delete|Immediate|false|2m",
        ),
        (
            "certificates.k8s.io/v1",
            json!({ "kind": "CertificateSigningRequest", "spec": { "signerName": "s", "username": "u", "expirationSeconds": 86400 },
                "status": { "conditions": [{ "type": "Approved" }], "certificate": "eA==" } }),
            "x|2m|s|u|24h|Approved,Issued",
        ),
    ];
    for (api_version, object, want) in cases {
        let kind = object["kind"].clone();
        assert_eq!(line(api_version, object), want, "{kind}");
    }
}

#[test]
fn ages() {
    let cases = [
        ("missing", "", "<unknown>"),
        ("future within a second", "2026-01-02T00:00:01Z", "0s"),
        ("future", "2026-01-02T00:00:10Z", "<invalid>"),
        ("seconds", "2026-01-01T23:58:01Z", "119s"),
        ("minutes", "2026-01-01T23:57:55Z", "2m5s"),
        ("hours", "2026-01-01T21:00:00Z", "3h"),
        ("days", "2025-12-30T22:00:00Z", "2d2h"),
        ("years", "2018-01-04T00:00:00Z", "8y"),
    ];
    for (name, time, want) in cases {
        assert_eq!(super::super::table::cells::elapsed(time, NOW.parse().unwrap()), want, "{name}");
    }
}
