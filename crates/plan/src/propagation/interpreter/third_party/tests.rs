use std::collections::BTreeSet;

use portolan_api::work::ResourceHealth;
use portolan_object::Object;
use serde_json::{Value, json};

use super::*;
use crate::propagation::aggregate::aggregate;
use crate::propagation::health::health as health_of;
use crate::propagation::interpreter::{Report, interpreter};
use crate::propagation::references::dependencies;
use crate::propagation::reflect::reflect;
use crate::propagation::replicas::{demand, revise};
use crate::propagation::retain::retain;

/// An object of a kind of one of the tables; the version is that of the kind's interpreter.
fn object(kind: &str, content: Value) -> Object {
    let (kind, group) = kind.split_once('.').expect("tables name kind and group");
    let found = ALL.iter().find(|one| one.resource.kind == kind && one.resource.group == group);
    let resource = found.unwrap_or_else(|| panic!("{kind}.{group} has no interpreter")).resource;
    let mut object = json!({"apiVersion": resource.api_version(), "kind": kind,
                            "metadata": {"name": "x", "namespace": "shop", "generation": 2}});
    object.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
    Object(object)
}

fn reports(statuses: &[Value]) -> Vec<Report> {
    let report = |(index, status): (usize, &Value)| Report {
        cluster: format!("m{}", index + 1),
        status: Some(status.clone()).filter(|status| !status.is_null()),
    };
    statuses.iter().enumerate().map(report).collect()
}

#[test]
fn each_kind_has_one_interpreter_that_is_found_in_any_version() {
    let kinds: BTreeSet<_> = ALL.iter().map(|one| (one.resource.group, one.resource.kind)).collect();
    assert_eq!(kinds.len(), ALL.len());
    for one in ALL {
        let mut kind = one.resource.gvk();
        kind.version = "v9".to_owned();
        assert_eq!(interpreter(&kind).map(|found| found.resource), Some(one.resource));
    }
    // A kind of the same name in another group.
    let core = interpreter(&portolan_object::GroupVersionKind::new("batch", "v1", "Job")).unwrap();
    assert_eq!(core.resource.group, "batch");
}

#[test]
fn replicas_are_counted_and_written_back() {
    let cases = [
        ("CloneSet.apps.kruise.io", json!({"replicas": 4}), 4, 2, "/spec/replicas"),
        ("StatefulSet.apps.kruise.io", json!({"replicas": 4}), 4, 2, "/spec/replicas"),
        ("UnitedDeployment.apps.kruise.io", json!({"replicas": 4}), 4, 2, "/spec/replicas"),
        ("BroadcastJob.apps.kruise.io", json!({"parallelism": 3}), 3, 2, "/spec/parallelism"),
        ("BroadcastJob.apps.kruise.io", json!({}), 1, 2, "/spec/parallelism"),
        ("Workflow.argoproj.io", json!({"parallelism": 3}), 3, 2, "/spec/parallelism"),
        (
            "RayService.ray.io",
            json!({"rayClusterConfig": {"headGroupSpec": {"template": {}}, "workerGroupSpecs": [{"replicas": 3}]}}),
            4,
            3,
            "/spec/rayClusterConfig/workerGroupSpecs/0/replicas",
        ),
    ];
    for (kind, spec, count, share, pointer) in cases {
        let mut object = object(kind, json!({"spec": spec}));
        assert_eq!(demand(&object).replicas, Some(count), "{kind}");
        revise(&mut object, share);
        let want = if kind == "RayService.ray.io" { share - 1 } else { share };
        assert_eq!(object.0.pointer(pointer), Some(&json!(want)), "{kind}");
    }
}

#[test]
fn workers_of_a_ray_service_keep_their_proportion() {
    let groups =
        |replicas: &[i64]| -> Value { replicas.iter().map(|count| json!({"replicas": count})).collect() };
    for (present, share, want) in [
        (&[2, 4][..], 4, &[1, 2][..]),
        (&[0, 0], 5, &[2, 2]),
        (&[2, 4], 1, &[0, 0]),
        (&[1, 1, 2], 9, &[2, 2, 4]),
    ] {
        let spec = json!({"rayClusterConfig": {"headGroupSpec": {"template": {}}, "workerGroupSpecs": groups(present)}});
        let mut service = object("RayService.ray.io", json!({"spec": spec}));
        revise(&mut service, share);
        assert_eq!(
            service.0["spec"]["rayClusterConfig"]["workerGroupSpecs"],
            groups(want),
            "{present:?} {share}"
        );
    }
}

#[test]
fn one_replica_requires_what_its_pod_asks_for() {
    let pod =
        |cpu: &str| json!({"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}});
    let cases = [
        ("CloneSet.apps.kruise.io", json!({"template": pod("100m")}), "100m"),
        (
            "UnitedDeployment.apps.kruise.io",
            json!({"template": {"cloneSetTemplate": {"spec": {"template": pod("200m")}}}}),
            "200m",
        ),
        ("Notebook.kubeflow.org", json!({"template": pod("300m")}), "300m"),
        (
            "RayService.ray.io",
            json!({"rayClusterConfig": {"headGroupSpec": {"template": pod("100m")},
                   "workerGroupSpecs": [{"replicas": 1, "template": pod("400m")}]}}),
            "400m",
        ),
    ];
    for (kind, spec, cpu) in cases {
        let requirements = demand(&object(kind, json!({"spec": spec}))).requirements.expect(kind);
        assert_eq!(json!(requirements.resource_request), json!({"cpu": cpu}), "{kind}");
        assert_eq!(requirements.namespace, "shop", "{kind}");
    }
}

#[test]
fn workloads_with_several_pod_templates_have_components() {
    let pod = json!({"spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]}});
    let roles = |spec: &str, roles: Value| json!({ spec: roles });
    let cases = [
        (
            "Job.batch.volcano.sh",
            json!({"tasks": [{"name": "ps", "minAvailable": 2, "template": pod}, {"template": pod}]}),
            vec![("ps", 2), ("task-1", 1)],
        ),
        (
            "PyTorchJob.kubeflow.org",
            roles(
                "pytorchReplicaSpecs",
                json!({"Master": {"template": pod}, "Worker": {"replicas": 3, "template": pod}}),
            ),
            vec![("master", 1), ("worker", 3)],
        ),
        (
            "TFJob.kubeflow.org",
            roles(
                "tfReplicaSpecs",
                json!({"PS": {"replicas": 2, "template": pod}, "Worker": {"template": pod}}),
            ),
            vec![("ps", 2), ("worker", 1)],
        ),
        (
            "MPIJob.kubeflow.org",
            roles("mpiReplicaSpecs", json!({"Launcher": {"template": pod}, "Worker": {"template": pod}})),
            vec![("Launcher", 1), ("Worker", 0)],
        ),
        (
            "RayCluster.ray.io",
            json!({"headGroupSpec": {"template": pod}, "workerGroupSpecs": [
                {"groupName": "gpu", "replicas": 2, "template": pod}, {"template": pod}]}),
            vec![("ray-head", 1), ("gpu", 2), ("worker-2", 0)],
        ),
        (
            "RayJob.ray.io",
            json!({"rayClusterSpec": {"headGroupSpec": {"template": pod}}}),
            vec![("ray-head", 1)],
        ),
    ];
    for (kind, spec, want) in cases {
        let demand = demand(&object(kind, json!({"spec": spec})));
        let found: Vec<(&str, i32)> =
            demand.components.iter().map(|one| (one.name.as_str(), one.replicas)).collect();
        assert_eq!(found, want, "{kind}");
        assert_eq!(demand.replicas, None, "{kind}");
        for component in &demand.components {
            let requirements = component.replica_requirements.as_ref().expect(kind);
            assert_eq!(json!(requirements.resource_request), json!({"cpu": "1"}), "{kind}");
        }
    }
}

#[test]
fn a_spark_application_asks_for_heap_and_overhead() {
    let cases = [
        (json!({"type": "Scala"}), 1, "1476395008"),
        (json!({"type": "Python", "executor": {"instances": 3, "memory": "2g"}}), 3, "3006477108"),
        (
            json!({"type": "Java", "executor": {"memory": "512m", "memoryOverhead": "128m"},
                   "dynamicAllocation": {"enabled": true, "initialExecutors": 4}}),
            4,
            "671088640",
        ),
    ];
    for (spec, replicas, memory) in cases {
        let components =
            demand(&object("SparkApplication.sparkoperator.k8s.io", json!({"spec": spec}))).components;
        let (driver, executor) = (&components[0], &components[1]);
        assert_eq!((driver.name.as_str(), driver.replicas), ("driver", 1));
        assert_eq!((executor.name.as_str(), executor.replicas), ("executor", replicas));
        let requests = &executor.replica_requirements.as_ref().unwrap().resource_request;
        assert_eq!(json!(requests), json!({"cpu": "1", "memory": memory}), "{spec}");
    }
}

#[test]
fn a_flink_deployment_has_as_many_task_managers_as_its_parallelism_needs() {
    let cases = [
        (json!({"taskManager": {"replicas": 5}}), 5),
        (json!({"job": {"parallelism": 7}, "flinkConfiguration": {"taskmanager.numberOfTaskSlots": "2"}}), 4),
        (json!({"job": {"parallelism": 7}}), 1),
        (json!({"jobManager": {"replicas": 2}}), 1),
    ];
    for (spec, want) in cases {
        let found = demand(&object("FlinkDeployment.flink.apache.org", json!({"spec": spec})));
        assert_eq!((found.replicas, found.components.len()), (None, 2), "{spec}");
        assert_eq!(
            (found.components[1].name.as_str(), found.components[1].replicas),
            ("taskmanager", want),
            "{spec}"
        );
    }
}

#[test]
fn amounts_are_written_as_an_api_server_writes_them() {
    let spec = json!({"jobManager": {"resource": {"cpu": 0.05, "memory": "100m"}},
                      "taskManager": {"resource": {"cpu": 2, "memory": "2048Ki"}}});
    let found = demand(&object("FlinkDeployment.flink.apache.org", json!({"spec": spec})));
    let requests: Vec<Value> = found
        .components
        .iter()
        .map(|one| json!(one.replica_requirements.as_ref().expect("requirements").resource_request))
        .collect();
    assert_eq!(requests, [json!({"cpu": "50m", "memory": "100m"}), json!({"cpu": "2", "memory": "2Mi"})]);
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn each_kind_has_its_rule_of_health() {
    let ready = |kind: &str, reason: &str| json!({"status": {"conditions": [{"type": kind, "status": "True", "reason": reason}]}});
    let rolled_out = |updated: i64, observed: i64| {
        json!({"spec": {"replicas": 2}, "status": {"observedGeneration": observed, "updatedReplicas": updated,
               "availableReplicas": 2}})
    };
    let flink = |state: &str, error: &str| json!({"status": {"jobStatus": {"state": state}, "error": error}});
    let cases = [
        ("CloneSet.apps.kruise.io", rolled_out(2, 2), true),
        ("CloneSet.apps.kruise.io", rolled_out(1, 2), false),
        ("StatefulSet.apps.kruise.io", rolled_out(2, 1), false),
        ("UnitedDeployment.apps.kruise.io", json!({}), false),
        (
            "DaemonSet.apps.kruise.io",
            json!({"status": {"observedGeneration": 2, "updatedNumberScheduled": 3, "desiredNumberScheduled": 3,
                              "numberAvailable": 3}}),
            true,
        ),
        ("BroadcastJob.apps.kruise.io", json!({"status": {"desired": 2, "active": 1}}), true),
        ("BroadcastJob.apps.kruise.io", json!({"status": {"desired": 2, "active": 1, "failed": 1}}), false),
        ("SidecarSet.apps.kruise.io", json!({"status": {"matchedPods": 0}}), true),
        ("SidecarSet.apps.kruise.io", json!({"status": {"matchedPods": 2, "updatedPods": 1}}), false),
        ("Workflow.argoproj.io", json!({"status": {"phase": "Running"}}), true),
        ("Workflow.argoproj.io", json!({"status": {"phase": "Error"}}), false),
        ("Workflow.argoproj.io", json!({}), false),
        ("Job.batch.volcano.sh", json!({"status": {"state": {"phase": "Pending"}}}), true),
        ("Job.batch.volcano.sh", json!({"status": {"state": {"phase": "Failed"}}}), false),
        ("FlinkDeployment.flink.apache.org", flink("RUNNING", ""), true),
        ("FlinkDeployment.flink.apache.org", flink("CREATED", ""), false),
        ("FlinkDeployment.flink.apache.org", flink("CREATED", "pod: ErrImagePull"), true),
        (
            "FlinkDeployment.flink.apache.org",
            json!({"status": {"jobManagerDeploymentStatus": "READY", "lifecycleState": "STABLE"}}),
            true,
        ),
        ("HelmRelease.helm.toolkit.fluxcd.io", ready("Ready", "ReconciliationSucceeded"), true),
        ("HelmRelease.helm.toolkit.fluxcd.io", ready("Ready", "Other"), false),
        ("Kustomization.kustomize.toolkit.fluxcd.io", ready("Ready", "ReconciliationSucceeded"), true),
        ("GitRepository.source.toolkit.fluxcd.io", ready("Ready", "Succeeded"), true),
        ("Bucket.source.toolkit.fluxcd.io", ready("Ready", "Succeeded"), true),
        ("HelmChart.source.toolkit.fluxcd.io", ready("Ready", "ChartPullSucceeded"), true),
        ("HelmRepository.source.toolkit.fluxcd.io", json!({}), false),
        ("OCIRepository.source.toolkit.fluxcd.io", ready("Ready", "Succeeded"), true),
        ("Notebook.kubeflow.org", json!({"status": {"containerState": {"running": {}}}}), true),
        (
            "Notebook.kubeflow.org",
            json!({"status": {"containerState": {"waiting": {"reason": "ContainerCreating"}}}}),
            true,
        ),
        (
            "Notebook.kubeflow.org",
            json!({"status": {"containerState": {"terminated": {"exitCode": 1}}}}),
            false,
        ),
        ("PyTorchJob.kubeflow.org", ready("Running", ""), true),
        ("TFJob.kubeflow.org", ready("Failed", ""), false),
        ("MPIJob.kubeflow.org", json!({"status": {"conditions": []}}), false),
        ("ClusterPolicy.kyverno.io", json!({"status": {"ready": true}}), true),
        ("Policy.kyverno.io", ready("Ready", "Succeeded"), true),
        ("RayCluster.ray.io", ready("HeadPodReady", ""), false),
        (
            "RayCluster.ray.io",
            json!({"status": {"conditions": [{"type": "HeadPodReady", "status": "True"},
                                             {"type": "RayClusterProvisioned", "status": "True"}]}}),
            true,
        ),
        (
            "RayJob.ray.io",
            json!({"status": {"jobDeploymentStatus": "Complete", "jobStatus": "FAILED"}}),
            false,
        ),
        ("RayJob.ray.io", json!({"status": {"jobDeploymentStatus": "Running"}}), true),
        ("RayService.ray.io", ready("Ready", ""), true),
        (
            "SparkApplication.sparkoperator.k8s.io",
            json!({"status": {"applicationState": {"state": "RUNNING"}}}),
            true,
        ),
        (
            "SparkApplication.sparkoperator.k8s.io",
            json!({"status": {"applicationState": {"state": "FAILED"}}}),
            false,
        ),
    ];
    for (kind, content, is_healthy) in cases {
        let want = if is_healthy { ResourceHealth::Healthy } else { ResourceHealth::Unhealthy };
        assert_eq!(health_of(&object(kind, content.clone())), want, "{kind} {content}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table")]
fn statuses_are_combined() {
    let message =
        |text: &str| json!([{"type": "Ready", "status": "True", "reason": "Succeeded", "message": text}]);
    let ended =
        |kind: &str, time: &str| json!([{"type": kind, "status": "True", "lastTransitionTime": time}]);
    let cases = [
        (
            "counters are summed, revisions are those of the last member",
            "CloneSet.apps.kruise.io",
            vec![
                json!({"replicas": 1, "readyReplicas": 1, "updateRevision": "r1", "generation": 1,
                       "observedGeneration": 1, "resourceTemplateGeneration": 2}),
                json!({"replicas": 2, "updateRevision": "r2", "generation": 4, "observedGeneration": 4,
                       "resourceTemplateGeneration": 2}),
            ],
            json!({"replicas": 3, "readyReplicas": 1, "updatedReplicas": 0, "availableReplicas": 0,
                   "updatedReadyReplicas": 0, "expectedUpdatedReplicas": 0, "updateRevision": "r2",
                   "observedGeneration": 2}),
        ),
        (
            "a job is failed if it failed anywhere",
            "BroadcastJob.apps.kruise.io",
            vec![json!({"failed": 1, "conditions": ended("Failed", "t1")}), json!({"succeeded": 2})],
            json!({"active": 0, "succeeded": 2, "failed": 1, "desired": 0, "conditions": [
                {"type": "Failed", "status": "True", "reason": "JobFailed", "lastTransitionTime": "t1",
                 "message": "Job executed failed in member clusters: m1"}]}),
        ),
        (
            "conditions that agree are one",
            "GitRepository.source.toolkit.fluxcd.io",
            vec![
                json!({"conditions": message("a"), "artifact": {"revision": "1"}}),
                json!({"conditions": message("b")}),
            ],
            json!({"artifact": {"revision": "1"}, "conditions": [
                {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "m1=a, m2=b"}]}),
        ),
        (
            "rules of a policy are counted",
            "ClusterPolicy.kyverno.io",
            vec![
                json!({"ready": true, "rulecount": {"validate": 1}}),
                json!({"rulecount": {"validate": 2, "mutate": 1}}),
            ],
            json!({"ready": true, "conditions": [],
                   "rulecount": {"validate": 3, "generate": 0, "mutate": 1, "verifyimages": 0}}),
        ),
        (
            "one member's job is the job",
            "Job.batch.volcano.sh",
            vec![json!({"state": {"phase": "Running"}})],
            json!({"state": {"phase": "Running"}}),
        ),
        (
            "a job is complete once it is complete everywhere",
            "Job.batch.volcano.sh",
            vec![
                json!({"state": {"phase": "Completed", "lastTransitionTime": "t1"}, "succeeded": 1, "version": 3,
                       "runningDuration": "1m5s", "taskStatusCount": {"a": {"phase": {"Done": 1}}}}),
                json!({"state": {"phase": "Completed", "lastTransitionTime": "t2"}, "succeeded": 2, "version": 2,
                       "runningDuration": "50s", "taskStatusCount": {"a": {"phase": {"Done": 2}}}}),
            ],
            json!({"state": {"phase": "Completed", "reason": "Completed", "lastTransitionTime": "t2",
                             "message": "Job completed successfully"},
                   "succeeded": 3, "version": 3, "runningDuration": "1m5s", "taskStatusCount": {"a": {"phase": {"Done": 3}}}}),
        ),
        (
            "a training job succeeds once it succeeded everywhere",
            "TFJob.kubeflow.org",
            vec![
                json!({"conditions": ended("Succeeded", "t2"), "startTime": "s1", "completionTime": "c1",
                       "replicaStatuses": {"Worker": {"succeeded": 1}}}),
                json!({"conditions": ended("Succeeded", "t1"), "startTime": "s0", "completionTime": "c2",
                       "replicaStatuses": {"Worker": {"succeeded": 2}}}),
            ],
            json!({"startTime": "s0", "completionTime": "c2", "replicaStatuses": {"Worker": {"succeeded": 3}},
                   "conditions": [{"type": "Succeeded", "status": "True", "reason": "Completed",
                                   "message": "TFJob completed successfully", "lastTransitionTime": "t2"}]}),
        ),
        (
            "a failed training job no longer runs",
            "PyTorchJob.kubeflow.org",
            vec![
                json!({"conditions": [{"type": "Running", "status": "True", "lastUpdateTime": "u"}]}),
                json!({"conditions": ended("Failed", "t"), "completionTime": "c"}),
            ],
            json!({"conditions": [
                {"type": "Running", "status": "False", "reason": "PyTorchJobRunning", "lastUpdateTime": "u",
                 "message": "PyTorchJob is running."},
                {"type": "Failed", "status": "True", "reason": "PyTorchJobFailed", "lastUpdateTime": "c",
                 "lastTransitionTime": "c", "message": "PyTorchJob executed failed in member clusters: m2"}]}),
        ),
        (
            "amounts of a ray cluster are added",
            "RayCluster.ray.io",
            vec![
                json!({"desiredCPU": "500m", "desiredMemory": "1Gi", "desiredGPU": "1", "readyWorkerReplicas": 1}),
                json!({"desiredCPU": "1", "desiredMemory": "1Gi", "desiredGPU": "2", "state": "ready"}),
            ],
            json!({"desiredCPU": "1500m", "desiredMemory": "2Gi", "desiredGPU": "3", "desiredTPU": "0",
                   "readyWorkerReplicas": 1, "availableWorkerReplicas": 0, "maxWorkerReplicas": 0,
                   "minWorkerReplicas": 0, "desiredWorkerReplicas": 0, "state": "ready", "conditions": []}),
        ),
        (
            "the worst state of a ray job is its state",
            "RayJob.ray.io",
            vec![
                json!({"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}),
                json!({"jobDeploymentStatus": "Failed", "reason": "r", "jobStatus": "PENDING"}),
            ],
            json!({"jobDeploymentStatus": "Failed", "reason": "r", "jobStatus": "RUNNING"}),
        ),
        (
            "the worst state of an application is its state",
            "SparkApplication.sparkoperator.k8s.io",
            vec![
                json!({"applicationState": {"state": "FAILED"}, "executionAttempts": 1, "executorState": {"e1": "x"}}),
                json!({"applicationState": {"state": "RUNNING"}, "executionAttempts": 2, "executorState": {"e2": "y"}}),
            ],
            json!({"applicationState": {"state": "FAILED"}, "executionAttempts": 3, "submissionAttempts": 0,
                   "executorState": {"e1": "x", "e2": "y"}}),
        ),
        (
            "a notebook that runs nowhere else is ready",
            "Notebook.kubeflow.org",
            vec![
                json!({"readyReplicas": 1, "containerState": {"running": {"startedAt": "t1"}}}),
                json!({"readyReplicas": 1, "containerState": {"running": {"startedAt": "t2"}}}),
            ],
            json!({"readyReplicas": 2, "containerState": {"running": {"startedAt": "t2"}}, "conditions": [
                {"type": "Ready", "status": "True", "reason": "Ready", "message": "All notebooks are ready",
                 "lastTransitionTime": "t2"}]}),
        ),
    ];
    for (name, kind, statuses, want) in cases {
        let template = object(kind, json!({}));
        assert_eq!(aggregate(&template, &reports(&statuses)), Some(want), "{name}");
    }
}

#[test]
fn aggregating_again_changes_nothing() {
    for one in ALL {
        let kind = format!("{}.{}", one.resource.kind, one.resource.group);
        let mut template = object(&kind, json!({"spec": {}}));
        let status = json!({"conditions": [{"type": "Ready", "status": "True", "message": "m"}], "replicas": 1,
                            "failures": 2, "active": 1, "startTime": "t"});
        let reports = reports(&[status.clone(), status]);
        let Some(first) = aggregate(&template, &reports) else { continue };
        template.0["status"] = first.clone();
        assert_eq!(aggregate(&template, &reports), Some(first), "{kind}");
    }
}

#[test]
fn reflected_statuses_carry_the_generations() {
    let mut observed = object("CloneSet.apps.kruise.io", json!({"status": {"replicas": 1, "other": 2}}));
    observed.set_annotation("resourcetemplate.karmada.io/generation", "7");
    assert_eq!(
        reflect(&observed),
        Some(json!({"replicas": 1, "generation": 2, "resourceTemplateGeneration": 7}))
    );
}

#[test]
fn what_the_member_changes_is_retained() {
    let cases = [
        (
            "HelmRelease.helm.toolkit.fluxcd.io",
            json!({"spec": {"suspend": true}}),
            "/spec/suspend",
            json!(true),
        ),
        ("Workflow.argoproj.io", json!({"spec": {"suspend": true}}), "/spec/suspend", json!(true)),
        ("Workflow.argoproj.io", json!({"spec": {}, "status": {"phase": "x"}}), "/status/phase", json!("x")),
        (
            "BroadcastJob.apps.kruise.io",
            json!({"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}}),
            "/spec/template/metadata/labels/a",
            json!("b"),
        ),
    ];
    for (kind, observed, pointer, want) in cases {
        let mut manifest = object(kind, json!({"spec": {"template": {"metadata": {}}}}));
        retain(&mut manifest, &object(kind, observed));
        assert_eq!(manifest.0.pointer(pointer), Some(&want), "{kind}");
    }
}

#[test]
fn references_of_other_projects() {
    let pod = json!({"spec": {"serviceAccountName": "robot", "volumes": [{"name": "v", "configMap": {"name": "settings"}}]}});
    let of_pod = vec!["ConfigMap/settings", "ServiceAccount/robot"];
    let cases = [
        ("CloneSet.apps.kruise.io", json!({"template": pod}), of_pod.clone()),
        ("DaemonSet.apps.kruise.io", json!({"template": pod}), of_pod.clone()),
        (
            "UnitedDeployment.apps.kruise.io",
            json!({"template": {"deploymentTemplate": {"spec": {"template": pod}}}}),
            of_pod.clone(),
        ),
        (
            "AdvancedCronJob.apps.kruise.io",
            json!({"template": {"broadcastJobTemplate": {"spec": {"template": pod}}}}),
            of_pod.clone(),
        ),
        ("SidecarSet.apps.kruise.io", pod["spec"].clone(), of_pod.clone()),
        (
            "Workflow.argoproj.io",
            json!({"serviceAccountName": "robot", "executor": {"serviceAccountName": "runner"},
                   "volumeClaimTemplates": [{"metadata": {"name": "work"}}]}),
            vec!["ServiceAccount/robot", "ServiceAccount/runner", "PersistentVolumeClaim/work"],
        ),
        (
            "PyTorchJob.kubeflow.org",
            json!({"pytorchReplicaSpecs": {"Master": {"template": pod}}}),
            of_pod.clone(),
        ),
        ("TFJob.kubeflow.org", json!({"tfReplicaSpecs": {"Evaluator": {"template": pod}}}), of_pod.clone()),
        ("RayJob.ray.io", json!({"rayClusterSpec": {"headGroupSpec": {"template": pod}}}), of_pod.clone()),
        ("RayService.ray.io", json!({"rayClusterConfig": {"workerGroupSpecs": [{"template": pod}]}}), of_pod),
        (
            "HelmRelease.helm.toolkit.fluxcd.io",
            json!({"valuesFrom": [{"kind": "Secret", "name": "s"}, {"kind": "ConfigMap", "name": "c"}],
                   "kubeConfig": {"secretRef": {"name": "k"}}, "serviceAccountName": "flux"}),
            vec!["ConfigMap/c", "Secret/k", "Secret/s", "ServiceAccount/flux"],
        ),
        (
            "Kustomization.kustomize.toolkit.fluxcd.io",
            json!({"decryption": {"secretRef": {"name": "d"}}}),
            vec!["Secret/d"],
        ),
        (
            "GitRepository.source.toolkit.fluxcd.io",
            json!({"secretRef": {"name": "s"}, "verify": {"secretRef": {"name": "v"}}}),
            vec!["Secret/s", "Secret/v"],
        ),
        ("OCIRepository.source.toolkit.fluxcd.io", json!({"certSecretRef": {"name": "c"}}), vec!["Secret/c"]),
        ("Bucket.source.toolkit.fluxcd.io", json!({}), vec![]),
    ];
    for (kind, spec, want) in cases {
        let references = dependencies(&object(kind, json!({"spec": spec}))).expect(kind);
        let found: Vec<String> = references.iter().map(|one| format!("{}/{}", one.kind, one.name)).collect();
        assert_eq!(found, want, "{kind}");
    }
}
