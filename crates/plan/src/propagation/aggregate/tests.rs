use super::*;

fn reports(statuses: &[Value]) -> Vec<Report> {
    let named = statuses.iter().enumerate();
    named
        .map(|(index, status)| Report {
            cluster: format!("m{}", index + 1),
            status: (!status.is_null()).then(|| status.clone()),
        })
        .collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn aggregates() {
    let template = |kind: &str, extra: Value| {
        let (api_version, kind) = kind.rsplit_once('/').unwrap();
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"generation": 2}});
        object.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        Object(object)
    };
    let caught_up = |replicas: i64| json!({"replicas": replicas, "readyReplicas": replicas, "generation": 1, "observedGeneration": 1, "resourceTemplateGeneration": 2});
    let complete = json!([{"type": "Complete", "status": "True"}]);
    let cases: Vec<(&str, Object, Vec<Value>, Option<Value>)> = vec![
        (
            "deployment sums and catches up",
            template("apps/v1/Deployment", json!({})),
            vec![caught_up(1), caught_up(2)],
            Some(json!({"replicas": 3, "readyReplicas": 3, "observedGeneration": 2})),
        ),
        (
            "a member without report holds the generation back",
            template("apps/v1/Deployment", json!({"status": {"observedGeneration": 1}})),
            vec![caught_up(1), Value::Null],
            Some(json!({"replicas": 1, "readyReplicas": 1, "observedGeneration": 1})),
        ),
        (
            "stateful set advances as well",
            template("apps/v1/StatefulSet", json!({})),
            vec![caught_up(1)],
            Some(json!({"replicas": 1, "readyReplicas": 1, "observedGeneration": 2})),
        ),
        (
            "no cluster, observed",
            template("apps/v1/Deployment", json!({"status": {"replicas": 3}})),
            vec![],
            Some(json!({"observedGeneration": 2})),
        ),
        (
            "load balancers are merged, host names first",
            template("v1/Service", json!({"spec": {"type": "LoadBalancer"}})),
            vec![
                json!({"loadBalancer": {"ingress": [{"ip": "2.2.2.2"}, {"ip": "1.1.1.1"}]}}),
                json!({"loadBalancer": {"ingress": [{"hostname": "b.example"}, {"ip": "1.1.1.1"}]}}),
            ],
            Some(
                json!({"loadBalancer": {"ingress": [{"hostname": "b.example"}, {"ip": "1.1.1.1"}, {"ip": "2.2.2.2"}]}}),
            ),
        ),
        (
            "an inner service is not aggregated",
            template("v1/Service", json!({"spec": {"type": "ClusterIP"}})),
            vec![],
            None,
        ),
        (
            "a job completes when all do",
            template("batch/v1/Job", json!({})),
            vec![
                json!({"succeeded": 1, "conditions": complete, "startTime": "2026-01-01T00:00:01Z", "completionTime": "2026-01-01T00:01:00Z"}),
                json!({"succeeded": 2, "conditions": complete, "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:02:00Z"}),
            ],
            Some(
                json!({"succeeded": 3, "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:02:00Z",
                "conditions": [{"type": "Complete", "status": "True", "reason": "Completed", "message": "Job completed"}]}),
            ),
        ),
        (
            "a job fails when one does",
            template("batch/v1/Job", json!({})),
            vec![
                json!({"failed": 1, "conditions": [{"type": "Failed", "status": "True"}]}),
                json!({"active": 1}),
            ],
            Some(
                json!({"active": 1, "failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "JobFailed",
                "message": "Job executed failed in member clusters m1"}]}),
            ),
        ),
        (
            "a finished job stays",
            template("batch/v1/Job", json!({"status": {"conditions": complete}})),
            vec![json!({"active": 4})],
            Some(json!({"conditions": complete})),
        ),
        (
            "pods: pending beats running",
            template("v1/Pod", json!({})),
            vec![
                json!({"phase": "Running", "containerStatuses": [{"name": "x", "ready": true, "state": {"running": {}}}]}),
                Value::Null,
            ],
            Some(
                json!({"phase": "Pending", "containerStatuses": [{"ready": true, "state": {"running": {}}}]}),
            ),
        ),
        (
            "claims: lost wins",
            template("v1/PersistentVolumeClaim", json!({})),
            vec![json!({"phase": "Lost"}), json!({"phase": "Pending"})],
            Some(json!({"phase": "Lost"})),
        ),
        (
            "disruption budgets name the cluster of a pod",
            template("policy/v1/PodDisruptionBudget", json!({})),
            vec![json!({"currentHealthy": 1, "disruptedPods": {"p": "t"}})],
            Some(
                json!({"currentHealthy": 1, "desiredHealthy": 0, "expectedPods": 0, "disruptionsAllowed": 0, "disruptedPods": {"m1/p": "t"}}),
            ),
        ),
        ("other kinds are not aggregated", template("v1/ConfigMap", json!({})), vec![], None),
    ];
    for (name, template, statuses, want) in cases {
        assert_eq!(aggregate(&template, &reports(&statuses)), want, "{name}");
    }
}

#[test]
fn a_deployment_is_available_once_every_cluster_says_so() {
    let template = Object(
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 1}, "spec": {}}),
    );
    let condition = |kind: &str, status: &str, reason: &str, time: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": reason, "lastUpdateTime": time,
               "lastTransitionTime": time})
    };
    let available = |status: &str, time: &str| {
        Some(json!({"conditions": [condition("Available", status, "Minimum", time)]}))
    };
    let progressing = |status: &str, reason: &str| {
        Some(json!({"conditions": [condition("Progressing", status, reason, "t")]}))
    };
    let cases = [
        (
            "everywhere",
            vec![available("True", "t1"), available("True", "t2")],
            vec![("Available", "True", "Minimum", "t2")],
        ),
        (
            "not in one",
            vec![available("True", "t1"), available("False", "t0")],
            vec![("Available", "False", "m2: Minimum", "t0")],
        ),
        (
            "one has not reported",
            vec![available("True", "t1"), None],
            vec![("Available", "False", "m2: no status has been reported yet", "t1")],
        ),
        ("no cluster has reported", vec![None, None], vec![]),
        (
            "one still rolls out",
            vec![progressing("True", "NewReplicaSetAvailable"), progressing("True", "ReplicaSetUpdated")],
            vec![("Progressing", "True", "m1: NewReplicaSetAvailable; m2: ReplicaSetUpdated", "t")],
        ),
        (
            "one has given up",
            vec![
                progressing("True", "NewReplicaSetAvailable"),
                progressing("False", "ProgressDeadlineExceeded"),
            ],
            vec![("Progressing", "False", "m2: ProgressDeadlineExceeded", "t")],
        ),
    ];
    for (name, statuses, want) in cases {
        let reports: Vec<Report> = statuses
            .into_iter()
            .zip(1..)
            .map(|(status, index)| Report { cluster: format!("m{index}"), status })
            .collect();
        let status = aggregate(&template, &reports).unwrap();
        let found: Vec<(&str, &str, &str, &str)> = status["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|one| {
                let text = |field: &str| one[field].as_str().unwrap();
                (text("type"), text("status"), text("message"), text("lastTransitionTime"))
            })
            .collect();
        assert_eq!(found, want, "{name}");
    }
}
