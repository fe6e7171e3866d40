use super::*;

fn workload(spec: Value) -> Value {
    let mut whole = json!({
        "selector": { "matchLabels": { "a": "b" } },
        "template": { "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } },
    });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({ "spec": whole })
}

fn template(pod: Value) -> Value {
    let mut spec = json!({ "containers": [{ "name": "c", "image": "i" }] });
    spec.as_object_mut().unwrap().extend(pod.as_object().unwrap().clone());
    json!({ "metadata": { "labels": { "a": "b" } }, "spec": spec })
}

#[test]
fn controllers() {
    let cases = [
        ("Deployment", json!({}), ""),
        ("ReplicaSet", json!({}), ""),
        ("DaemonSet", json!({}), ""),
        ("StatefulSet", json!({}), ""),
        (
            "Deployment",
            json!({ "selector": null }),
            "spec.selector: Required value\nspec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match template `labels`",
        ),
        (
            "Deployment",
            json!({ "selector": { "matchExpressions": [{ "key": "a", "operator": "Odd" }] } }),
            "spec.selector.matchExpressions[0].operator: Invalid value: \"Odd\": not a valid selector operator\nspec.selector: Invalid value: {\"matchExpressions\":[{\"key\":\"a\",\"operator\":\"Odd\"}]}: invalid label selector",
        ),
        (
            "Deployment",
            json!({ "strategy": { "type": "X" } }),
            r#"spec.strategy: Unsupported value: {"Type":"X","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate""#,
        ),
        (
            "DaemonSet",
            json!({ "selector": null }),
            r#"spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`"#,
        ),
        (
            "StatefulSet",
            json!({ "updateStrategy": { "type": "OnDelete", "rollingUpdate": { "partition": 1 } } }),
            r#"spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":1,"MaxUnavailable":null}: only allowed for updateStrategy 'RollingUpdate'"#,
        ),
        (
            "Deployment",
            json!({ "selector": { "matchLabels": { "x": "y" } } }),
            r#"spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`"#,
        ),
        (
            "Deployment",
            json!({ "template": template(json!({ "restartPolicy": "Never" })) }),
            r#"spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always""#,
        ),
        (
            "Deployment",
            json!({ "replicas": -1 }),
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (
            "Deployment",
            json!({ "strategy": { "rollingUpdate": { "maxSurge": 0, "maxUnavailable": "0%" } } }),
            r#"spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0"#,
        ),
        (
            "Deployment",
            json!({ "strategy": { "type": "Recreate", "rollingUpdate": {} } }),
            "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ),
        (
            "DaemonSet",
            json!({ "updateStrategy": { "rollingUpdate": { "maxSurge": 1 } } }),
            "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero",
        ),
        (
            "StatefulSet",
            json!({ "podManagementPolicy": "Odd" }),
            r#"spec.podManagementPolicy: Invalid value: "Odd": must be 'OrderedReady' or 'Parallel'"#,
        ),
    ];
    for (kind, spec, want) in cases {
        let name = format!("{kind} {spec}");
        assert_eq!(errors("apps/v1", kind, workload(spec)), want, "{name}");
    }
}

#[test]
fn selectors_stay() {
    let other = json!({ "selector": { "matchExpressions": [{ "key": "a", "operator": "Exists" }] } });
    for kind in ["Deployment", "ReplicaSet", "DaemonSet"] {
        assert_eq!(
            changed("apps/v1", kind, workload(json!({})), workload(other.clone())),
            r#"spec.selector: Invalid value: {"matchExpressions":[{"key":"a","operator":"Exists"}]}: field is immutable"#,
            "{kind}"
        );
    }
    let refusal =
        changed("apps/v1", "StatefulSet", workload(json!({})), workload(json!({ "serviceName": "s" })));
    assert!(
        refusal.starts_with("spec: Forbidden: updates to statefulset spec for fields other than 'replicas'"),
        "{refusal}"
    );
    assert_eq!(
        changed("apps/v1", "StatefulSet", workload(json!({})), workload(json!({ "replicas": 3 }))),
        ""
    );
}

#[test]
fn claims_of_a_set_can_be_mounted() {
    let claim = json!({ "metadata": { "name": "data" }, "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } } });
    let mounted = template(
        json!({ "containers": [{ "name": "c", "image": "i", "volumeMounts": [{ "name": "data", "mountPath": "/d" }] }] }),
    );
    let set = workload(json!({ "volumeClaimTemplates": [claim], "template": mounted }));
    assert_eq!(errors("apps/v1", "StatefulSet", set), "");
}

fn job(spec: Value) -> String {
    let kind = kind_of("batch/v1", "Job");
    let mut whole = json!({ "template": template(json!({ "restartPolicy": "Never" })) });
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let mut job = completed("batch/v1", "Job", json!({ "metadata": { "uid": "u" }, "spec": whole }));
    kind.prepare_for_create(&mut job);
    lines(kind.validate_create(&job, &Interrupt::never()).errors)
}

#[test]
fn jobs() {
    let cases = [
        ("fine", json!({}), ""),
        (
            "no restart policy",
            json!({ "template": template(json!({})) }),
            r#"spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never""#,
        ),
        (
            "indexed",
            json!({ "completionMode": "Indexed", "parallelism": 1 }),
            "spec.completions: Required value: when completion mode is Indexed",
        ),
        (
            "selector of another",
            json!({ "selector": { "matchLabels": { "x": "y" } } }),
            r#"spec.selector: Invalid value: {"matchLabels":{"batch.kubernetes.io/controller-uid":"u","x":"y"}}: `selector` not auto-generated
spec.template.metadata.labels: Invalid value: {"a":"b","batch.kubernetes.io/controller-uid":"u","batch.kubernetes.io/job-name":"x","controller-uid":"u","job-name":"x"}: `selector` does not match template `labels`"#,
        ),
        (
            "replacement while failing",
            json!({ "podFailurePolicy": { "rules": [] }, "podReplacementPolicy": "TerminatingOrFailed" }),
            r#"spec.podReplacementPolicy: Unsupported value: "TerminatingOrFailed": supported values: "Failed""#,
        ),
        (
            "negative",
            json!({ "backoffLimit": -1 }),
            "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0",
        ),
    ];
    for (name, spec, want) in cases {
        assert_eq!(job(spec), want, "{name}");
    }
}

#[test]
fn templates_of_jobs_stay() {
    let job = |suspend: bool, pod: Value| {
        let mut template = template(json!({ "restartPolicy": "Never" }));
        template["spec"].as_object_mut().unwrap().extend(pod.as_object().unwrap().clone());
        let mut job = completed(
            "batch/v1",
            "Job",
            json!({ "metadata": { "uid": "u" }, "spec": { "suspend": suspend, "template": template } }),
        );
        kind_of("batch/v1", "Job").prepare_for_create(&mut job);
        job
    };
    let (placed, hidden) = (json!({ "nodeSelector": { "a": "b" } }), json!({ "hostNetwork": true }));
    let cases = [
        (false, json!({}), ""),
        (false, placed.clone(), "spec.template"),
        (true, placed, ""),
        (true, hidden, "spec.template"),
    ];
    for (suspend, pod, want) in cases {
        let errors = kind_of("batch/v1", "Job")
            .validate_update(&job(suspend, pod.clone()), &job(suspend, json!({})), &Interrupt::never())
            .errors;
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields.join(" "), want, "suspended: {suspend}, {pod}");
    }
}

#[test]
fn schedules() {
    let cases = [
        ("* * * * *", ""),
        ("*/5 0-6,12 1 jan-mar MON", ""),
        ("@hourly", ""),
        ("@every 1h30m", ""),
        ("bad", "expected exactly 5 fields, found 1: [bad]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", r#"failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax"#),
        ("@sometimes", "unrecognized descriptor: @sometimes"),
        ("TZ=UTC * * * * *", "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
    ];
    for (schedule, want) in cases {
        let jobs = json!({ "spec": { "template": template(json!({ "restartPolicy": "Never" })) } });
        let object = json!({ "spec": { "schedule": schedule, "jobTemplate": jobs } });
        let want = if want.is_empty() {
            String::new()
        } else {
            format!("spec.schedule: Invalid value: {schedule:?}: {want}")
        };
        assert_eq!(errors("batch/v1", "CronJob", object), want, "{schedule}");
    }
    let long = json!({ "metadata": { "name": "a".repeat(53) }, "spec": { "schedule": "@daily", "jobTemplate": {
        "spec": { "template": template(json!({ "restartPolicy": "Never" })) } } } });
    assert!(errors("batch/v1", "CronJob", long).ends_with("must be no more than 52 characters"));
}
