use portolan_api::policy::OverrideSpec;
use serde_json::Value;

use super::*;
use crate::propagation::binding;
use crate::propagation::claim::Claim;

fn template() -> Object {
    Object(json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3},
        "metadata": {"name": "nginx", "namespace": "default", "uid": "u1", "generation": 2, "resourceVersion": "7",
            "labels": {"app": "nginx"}, "annotations": {"note": "x"}},
        "status": {"replicas": 3}}))
}

fn cluster(name: &str) -> Cluster {
    Cluster { metadata: ObjectMeta::cluster(name), ..Cluster::default() }
}

fn target(name: &str, replicas: i32) -> TargetCluster {
    TargetCluster { name: name.to_owned(), replicas, ..TargetCluster::default() }
}

/// Builds the Work of `template` for member1 with one override policy.
fn built(template: &Object, spec: Value, overriders: Value) -> Work {
    let claim = Claim::Namespaced { policy: ObjectKey::namespaced("default", "p"), id: "p1".to_owned() };
    let binding = binding::metadata(template, &claim, "b1");
    let spec: ResourceBindingSpec = serde_json::from_value(spec).unwrap();
    let overrides: OverrideSpec =
        serde_json::from_value(json!({"overrideRules": [{"overriders": overriders}]})).unwrap();
    let metadata = ObjectMeta::namespaced("default", "example-override");
    let policies = [Policy { metadata: &metadata, spec: &overrides }];
    let policies =
        if overriders.as_object().is_some_and(|map| map.is_empty()) { &[][..] } else { &policies[..] };
    let input =
        Input { template, binding: &binding, spec: &spec, cluster_overrides: &[], overrides: policies };
    let target = target("member1", 2);
    build(&input, revised(template, &spec, &target), &target, &cluster("member1"), None, "w1").unwrap()
}

#[test]
fn a_manifest_carries_the_marks_and_the_clusters_share() {
    let work = built(&template(), json!({"replicas": 3}), json!({}));
    assert_eq!(
        (work.metadata.namespace.as_str(), work.metadata.name.as_str()),
        ("karmada-es-member1", "nginx-687f7fb96f")
    );
    assert_eq!(work.metadata.finalizers, ["karmada.io/execution-controller"]);
    let manifest = &work.spec.workload.manifests[0];
    assert_eq!(
        *manifest,
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 2},
            "metadata": {"name": "nginx", "namespace": "default",
                "labels": {"app": "nginx", "karmada.io/managed": "true",
                    "resourcebinding.karmada.io/permanent-id": "b1", "work.karmada.io/permanent-id": "w1"},
                "annotations": {"note": "x",
                    "resourcebinding.karmada.io/namespace": "default",
                    "resourcebinding.karmada.io/name": "nginx-deployment",
                    "resourcetemplate.karmada.io/uid": "u1",
                    "resourcetemplate.karmada.io/generation": "2",
                    "resourcetemplate.karmada.io/managed-labels":
                        "app,karmada.io/managed,resourcebinding.karmada.io/permanent-id,work.karmada.io/permanent-id",
                    "resourcetemplate.karmada.io/managed-annotations":
                        "note,resourcebinding.karmada.io/name,resourcebinding.karmada.io/namespace,\
                         resourcetemplate.karmada.io/generation,resourcetemplate.karmada.io/managed-annotations,\
                         resourcetemplate.karmada.io/managed-labels,resourcetemplate.karmada.io/uid,\
                         work.karmada.io/conflict-resolution,work.karmada.io/name,work.karmada.io/namespace",
                    "work.karmada.io/conflict-resolution": "abort",
                    "work.karmada.io/namespace": "karmada-es-member1",
                    "work.karmada.io/name": "nginx-687f7fb96f"}}})
    );
}

#[test]
fn overrides_come_before_the_marks_and_are_recorded() {
    let overriders =
        json!({"plaintext": [{"path": "/metadata/annotations", "operator": "add", "value": {"foo": "bar"}}]});
    let work = built(&template(), json!({}), overriders.clone());
    let annotations = &work.spec.workload.manifests[0]["metadata"]["annotations"];
    assert_eq!(annotations["foo"], "bar");
    assert_eq!(annotations["note"], Value::Null, "the whole map was replaced");
    assert_eq!(annotations["work.karmada.io/name"], "nginx-687f7fb96f", "marks survive");
    let recorded = work.metadata.annotation("policy.karmada.io/applied-overrides").unwrap();
    let recorded: Value = serde_json::from_str(recorded).unwrap();
    assert_eq!(recorded, json!([{"policyName": "example-override", "overriders": overriders}]));
}

#[test]
fn settings_of_the_binding_reach_the_work() {
    let suspended_here = json!({"suspension": {"dispatchingOnClusters": {"clusterNames": ["member1"]}},
        "conflictResolution": "Overwrite", "preserveResourcesOnDeletion": true});
    let work = built(&template(), suspended_here, json!({}));
    assert_eq!(work.spec.suspend_dispatching, Some(true));
    assert_eq!(work.spec.preserve_resources_on_deletion, Some(true));
    assert_eq!(work.metadata.annotation("work.karmada.io/conflict-resolution"), Some("overwrite"));
    let mut careful = template();
    careful.set_annotation("work.karmada.io/conflict-resolution", "abort");
    let work = built(&careful, json!({"conflictResolution": "Overwrite"}), json!({}));
    assert_eq!(
        work.metadata.annotation("work.karmada.io/conflict-resolution"),
        Some("abort"),
        "the template's wish wins"
    );
}

#[test]
fn completions_of_a_divided_job_follow_its_parallelism() {
    let job = Object(
        json!({"apiVersion": "batch/v1", "kind": "Job", "spec": {"parallelism": 5, "completions": 10},
        "metadata": {"name": "j", "namespace": "default", "uid": ""}}),
    );
    let spec = json!({"replicas": 5, "placement": {"replicaScheduling": {"replicaSchedulingType": "Divided"}},
        "clusters": [{"name": "member1", "replicas": 2}, {"name": "member2", "replicas": 3}]});
    let work = built(&job, spec, json!({}));
    let manifest = &work.spec.workload.manifests[0];
    assert_eq!((&manifest["spec"]["parallelism"], &manifest["spec"]["completions"]), (&json!(2), &json!(4)));
}

#[test]
fn building_again_changes_nothing() {
    let first = built(&template(), json!({"replicas": 3}), json!({}));
    assert!(is_current(&first, &built(&template(), json!({"replicas": 3}), json!({}))));
    let mut scaled = template();
    scaled.0["spec"]["template"] = json!({});
    assert!(!is_current(&first, &built(&scaled, json!({"replicas": 3}), json!({}))));
}

#[test]
fn targets_are_scheduled_and_required_clusters() {
    let spec: ResourceBindingSpec = serde_json::from_value(json!({
        "clusters": [{"name": "b", "replicas": 2}],
        "requiredBy": [{"name": "x", "clusters": [{"name": "a"}, {"name": "b", "replicas": 9}]}]}))
    .unwrap();
    assert_eq!(targets(&spec), [target("a", 0), target("b", 2)]);
}

#[test]
fn a_work_with_another_object_is_recognized() {
    let good = built(&template(), json!({}), json!({}));
    assert!(is_of_template(&good, &template()) && is_named_after_manifest(&good));
    // What an override of an earlier release made of it.
    let changes = [
        ("/kind", json!("ClusterRoleBinding"), false),
        ("/apiVersion", json!("rbac.authorization.k8s.io/v1"), true),
        ("/metadata/namespace", json!("kube-system"), false),
        ("/metadata/name", json!("other"), false),
    ];
    for (pointer, value, is_named) in changes {
        let mut spoiled = good.clone();
        *spoiled.spec.workload.manifests[0].pointer_mut(pointer).expect("a field") = value;
        assert!(!is_of_template(&spoiled, &template()), "{pointer}");
        assert_eq!(is_named_after_manifest(&spoiled), is_named, "{pointer}");
        spoiled.metadata.annotations.clear();
        assert!(is_named_after_manifest(&spoiled), "{pointer}: written by another program");
    }
    let mut other_version = good;
    other_version.spec.workload.manifests[0]["apiVersion"] = json!("apps/v1beta1");
    assert!(is_of_template(&other_version, &template()));
}
