use serde_json::json;

use super::*;

fn kind(name: &str) -> GroupVersionKind {
    let (group, version) = match name {
        "Cluster" => ("cluster.karmada.io", "v1alpha1"),
        "ResourceBinding" => ("work.karmada.io", "v1alpha2"),
        "Work" => ("work.karmada.io", "v1alpha1"),
        "ConfigMap" => ("", "v1"),
        "Remedy" => ("remedy.karmada.io", "v1alpha1"),
        "FederatedHPA" | "CronFederatedHPA" => ("autoscaling.karmada.io", "v1alpha1"),
        _ => ("policy.karmada.io", "v1alpha1"),
    };
    GroupVersionKind::new(group, version, name)
}

fn object(name: &str, spec: Value) -> Value {
    let kind = kind(name);
    json!({"apiVersion": kind.api_version(), "kind": name, "metadata": {"name": "p", "namespace": "shop"}, "spec": spec})
}

fn created(name: &str, spec: Value) -> Result<Value, String> {
    let mut object = object(name, spec);
    let admitted = admit(Operation::Create, &kind(name), "shop", &mut object, None, || "new-id".to_owned());
    admitted.map(|_| object).map_err(|status| status.message)
}

fn policy(extra: Value) -> Value {
    let mut spec =
        json!({"resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}]});
    spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    spec
}

#[test]
fn a_policy_is_completed() {
    let cases = [
        ("the selector's namespace", json!({}), "/spec/resourceSelectors/0/namespace", json!("shop")),
        (
            "an identity",
            json!({}),
            "/metadata/labels/propagationpolicy.karmada.io~1permanent-id",
            json!("new-id"),
        ),
        (
            "the finalizer of its controller",
            json!({}),
            "/metadata/finalizers",
            json!(["karmada.io/propagation-policy-controller"]),
        ),
        (
            "spread by cluster",
            json!({"placement": {"spreadConstraints": [{"maxGroups": 2}]}}),
            "/spec/placement/spreadConstraints/0",
            json!({"spreadByField": "cluster", "maxGroups": 2, "minGroups": 1}),
        ),
        (
            "weighted division",
            json!({"placement": {"replicaScheduling": {}}}),
            "/spec/placement/replicaScheduling/replicaDivisionPreference",
            json!("Weighted"),
        ),
    ];
    for (name, extra, pointer, want) in cases {
        let object = created("PropagationPolicy", policy(extra)).unwrap();
        assert_eq!(object.pointer(pointer), Some(&want), "{name}");
    }
    let import = json!({"resourceSelectors": [{"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceImport"}]});
    assert_eq!(created("PropagationPolicy", import).unwrap()["spec"]["propagateDeps"], true);
}

#[test]
fn what_a_policy_says_without_effect_is_a_warning() {
    let selectors = |selector: Value| json!({"resourceSelectors": [selector]});
    let labels = json!({"matchLabels": {"app": "web"}});
    let cases = [
        (policy(json!({})), vec![]),
        (
            selectors(json!({"apiVersion": "", "kind": "Secret", "name": "s"})),
            vec![
                "spec.resourceSelectors[0].apiVersion is empty: the selector selects nothing; set it to that of Secret",
            ],
        ),
        (
            selectors(json!({"apiVersion": "v1", "kind": "Secret", "name": "s", "labelSelector": labels})),
            vec!["spec.resourceSelectors[0].labelSelector is ignored, because the selector has a name"],
        ),
        (
            policy(json!({"placement": {"clusterAffinities": [
                {"affinityName": "a", "clusterNames": ["eu", "us"], "exclude": ["us"]},
                {"affinityName": "b", "clusterNames": ["eu"], "exclude": ["us", "eu"]}]}})),
            vec!["spec.placement.clusterAffinities[1] selects no cluster: exclude has all its clusterNames"],
        ),
        (
            policy(json!({"association": true})),
            vec!["spec.association is deprecated and has no effect; use spec.propagateDeps"],
        ),
        (
            policy(json!({"placement": {"clusterTolerations": [
                {"key": "a", "operator": "Exists", "effect": "NoSchedule"}, {"key": "a", "value": "b"},
                {"key": "a", "operator": "Exist"}, {"key": "a", "effect": "NoSchdule"}]}})),
            vec![
                "spec.placement.clusterTolerations[2] tolerates nothing: operator Exist is unknown; there are Equal and Exists",
                "spec.placement.clusterTolerations[3] tolerates nothing: no taint has the effect NoSchdule; there are \
                 NoSchedule, PreferNoSchedule and NoExecute",
            ],
        ),
    ];
    for (spec, want) in cases {
        let mut object = object("PropagationPolicy", spec);
        let kind = kind("PropagationPolicy");
        let warnings =
            admit(Operation::Create, &kind, "shop", &mut object, None, || "id".to_owned()).unwrap();
        assert_eq!(warnings, want);
    }
}

#[test]
fn faulty_policies_are_refused_with_the_path() {
    let expression = |key: &str, operator: &str| json!({"placement": {"clusterAffinity": {"fieldSelector": {"matchExpressions": [{"key": key, "operator": operator, "values": ["x"]}]}}}});
    let cases = [
        (
            "two affinities",
            json!({"placement": {"clusterAffinity": {}, "clusterAffinities": [{"affinityName": "a"}]}}),
            "clusterAffinities cannot co-exist with clusterAffinity",
        ),
        (
            "an unknown field",
            expression("country", "In"),
            "spec.placement.clusterAffinity.fieldSelector: Unsupported value: \"country\"",
        ),
        ("an unknown operator", expression("region", "Gt"), "Unsupported value: \"Gt\""),
        (
            "an affinity twice",
            json!({"placement": {"clusterAffinities": [{"affinityName": "a"}, {"affinityName": "a"}]}}),
            "spec.placement.clusterAffinities: Invalid value",
        ),
        (
            "a toleration of nodes only",
            json!({"placement": {"clusterTolerations": [{"key": "k", "operator": "Gt"}]}}),
            "clusterTolerations[0].operator",
        ),
        (
            "fewer than the least",
            json!({"placement": {"spreadConstraints": [{"spreadByField": "cluster", "minGroups": 3, "maxGroups": 2}]}}),
            "maxGroups lower than minGroups is not allowed",
        ),
        (
            "no cluster constraint",
            json!({"placement": {"spreadConstraints": [{"spreadByField": "region", "minGroups": 1}]}}),
            "the cluster spread constraint must be enabled",
        ),
        (
            "failover alone",
            json!({"failover": {"application": {"decisionConditions": {}}}}),
            "spec.propagateDeps",
        ),
        (
            "suspended twice",
            json!({"suspension": {"dispatching": true, "dispatchingOnClusters": {"clusterNames": ["m"]}}}),
            "spec.suspension.suspension",
        ),
        (
            "greedy without a name",
            json!({"preemption": "Always", "resourceSelectors": [{"apiVersion": "v1", "kind": "Service"}]}),
            "spec.resourceSelectors[0].name",
        ),
        (
            "another namespace",
            json!({"resourceSelectors": [{"apiVersion": "v1", "kind": "Service", "namespace": "other"}]}),
            "spec.resourceSelectors[0].namespace",
        ),
    ];
    refused(&cases);
}

#[test]
fn faulty_groups_and_failovers_are_refused_with_the_path() {
    let cases = [
        (
            "overflow without capacity",
            json!({"placement": {"clusterAffinities": [{"affinityName": "a", "clusterNames": ["m"],
                "overflowAffinities": [{"affinityName": "b"}]}]}}),
            "overflowAffinities can only be used together with dynamic weight or aggregated scheduling",
        ),
        (
            "overflow of all clusters",
            json!({"placement": {"replicaScheduling": {"replicaDivisionPreference": "Aggregated"},
                "clusterAffinities": [{"affinityName": "a", "overflowAffinities": [{"affinityName": "b"}]}]}}),
            "overflowAffinities can only be used together with the inline ClusterAffinity",
        ),
        (
            "overflow with the name of its group",
            json!({"placement": {"replicaScheduling": {"replicaDivisionPreference": "Aggregated"},
                "clusterAffinities": [{"affinityName": "a", "clusterNames": ["m"],
                    "overflowAffinities": [{"affinityName": "a"}]}]}}),
            "overflowAffinities[0].affinityName: Invalid value: \"a\": overflow affinity name must be unique",
        ),
        (
            "a group with a name that is no label",
            json!({"placement": {"clusterAffinities": [{"affinityName": "a b"}]}}),
            "spec.placement.clusterAffinities[0]",
        ),
        (
            "one group for both affinities of workloads",
            json!({"placement": {"workloadAffinity": {"affinity": {"groupByLabelKey": "g"},
                "antiAffinity": {"groupByLabelKey": "g"}}}}),
            "affinity and antiAffinity must not use the same groupByLabelKey",
        ),
        (
            "a preserved state without a label",
            json!({"failover": {"cluster": {"statePreservation": {"rules": [{"aliasLabelName": "a b"}]}}}}),
            "spec.failover.cluster.statePreservation.rules[0].aliasLabelName",
        ),
        (
            "no patience",
            json!({"propagateDeps": true,
                "failover": {"application": {"decisionConditions": {"tolerationSeconds": -1}}}}),
            "decisionConditions.tolerationSeconds",
        ),
        (
            "grace without grace",
            json!({"propagateDeps": true, "failover": {"application": {"decisionConditions": {},
                "purgeMode": "Never", "gracePeriodSeconds": 5}}}),
            "only takes effect when purgeMode is Gracefully",
        ),
    ];
    refused(&cases);
}

fn refused(cases: &[(&str, Value, &str)]) {
    for (name, extra, want) in cases {
        let error = created("PropagationPolicy", policy(extra.clone())).expect_err(name);
        assert!(
            error.starts_with("admission webhook \"propagationpolicy.karmada.io\" denied the request: "),
            "{name}: {error}"
        );
        assert!(error.contains(want), "{name}: {error}");
    }
}

#[test]
fn what_may_not_change_is_refused() {
    let old = created("PropagationPolicy", policy(json!({}))).unwrap();
    let mut scheduler = old.clone();
    scheduler["spec"]["schedulerName"] = json!("mine");
    let mut identity = old.clone();
    identity["metadata"]["labels"]["propagationpolicy.karmada.io/permanent-id"] = json!("another");
    for (name, mut new, want) in
        [("scheduler", scheduler, "schedulerName"), ("identity", identity, "label is immutable")]
    {
        let refused =
            admit(Operation::Update, &kind("PropagationPolicy"), "shop", &mut new, Some(&old), String::new);
        assert!(refused.unwrap_err().message.contains(want), "{name}");
    }
}

#[test]
fn a_replaced_policy_keeps_its_identity_and_its_finalizer() {
    let old = created("PropagationPolicy", policy(json!({}))).unwrap();
    let mut new = old.clone();
    new["metadata"]["labels"] = json!({"mine": "yes"});
    new["metadata"]["finalizers"] = json!([]);
    admit(Operation::Update, &kind("PropagationPolicy"), "shop", &mut new, Some(&old), String::new).unwrap();
    let id = "propagationpolicy.karmada.io/permanent-id";
    assert_eq!(new["metadata"]["labels"][id], old["metadata"]["labels"][id]);
    assert_eq!(new["metadata"]["labels"]["mine"], "yes");
    assert_eq!(new["metadata"]["finalizers"], old["metadata"]["finalizers"]);
}

#[test]
fn faulty_overrides_are_refused() {
    let rule = |overriders: Value| json!({"overrideRules": [{"overriders": overriders}]});
    let cases = [
        (
            "both forms",
            json!({"targetCluster": {}, "overrideRules": [{"overriders": {}}]}),
            "spec.targetCluster",
        ),
        (
            "no format",
            rule(json!({"fieldOverrider": [{"fieldPath": "/data/a"}]})),
            "fieldOverrider[0]: Required value",
        ),
        (
            "a path without its slash",
            rule(json!({"plaintext": [{"path": "spec/replicas", "operator": "replace", "value": 1}]})),
            "plaintext[0].path: Invalid value",
        ),
        (
            "a bad pointer",
            rule(
                json!({"imageOverrider": [{"component": "Tag", "operator": "add", "predicate": {"path": "spec"}}]}),
            ),
            "predicate.path",
        ),
        (
            "no value",
            rule(
                json!({"fieldOverrider": [{"fieldPath": "/data/a", "json": [{"subPath": "/x", "operator": "add"}]}]}),
            ),
            "json[0].value: Required value",
        ),
    ];
    for (name, spec, want) in cases {
        let error = created("OverridePolicy", spec).expect_err(name);
        assert!(error.contains(want), "{name}: {error}");
    }
}

#[test]
fn faulty_clusters_are_invalid() {
    let cases = [
        ("no host", json!({"syncMode": "Push", "apiEndpoint": "10.0.0.1:6443"}), "spec.apiEndpoint"),
        (
            "an effect of nodes only",
            json!({"syncMode": "Push", "taints": [{"key": "a", "effect": "PreferNoSchedule"}]}),
            "spec.taints[0].effect",
        ),
        (
            "a taint twice",
            json!({"syncMode": "Push", "taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}]}),
            "spec.taints[1]: Duplicate value",
        ),
        (
            "a taint without the form of a label",
            json!({"syncMode": "Push", "taints": [{"key": "not a key!", "effect": "NoSchedule"}]}),
            "spec.taints[0].key: Invalid value: \"not a key!\"",
        ),
        (
            "half a reference",
            json!({"syncMode": "Push", "secretRef": {"name": "x", "namespace": ""}}),
            "spec.secretRef.namespace: Required value",
        ),
        (
            "a Secret of others",
            json!({"syncMode": "Push", "secretRef": {"name": "x", "namespace": "blue"}}),
            "spec.secretRef.namespace: Invalid value: \"blue\"",
        ),
        (
            "another Secret of others",
            json!({"syncMode": "Push", "impersonatorSecretRef": {"name": "x", "namespace": "blue"}}),
            "spec.impersonatorSecretRef.namespace: Invalid value: \"blue\"",
        ),
    ];
    for (name, spec, want) in cases {
        let error = created("Cluster", spec).expect_err(name);
        assert!(error.contains(want), "{name}: {error}");
    }
    let moved = created("Cluster", json!({"syncMode": "Push", "zone": "a"})).unwrap();
    assert_eq!(moved["spec"]["zones"], json!(["a"]));

    let elsewhere = |name: &str| object("Cluster", json!({"secretRef": {"name": name, "namespace": "blue"}}));
    let updated = |mut new: Value, old: Value| {
        admit(Operation::Update, &kind("Cluster"), "", &mut new, Some(&old), String::new).map(drop)
    };
    assert!(updated(elsewhere("x"), elsewhere("x")).is_ok(), "one from before can change otherwise");
    assert!(updated(elsewhere("y"), elsewhere("x")).is_err());
}

#[test]
fn identities_are_given_once() {
    let label = "/metadata/labels/resourcebinding.karmada.io~1permanent-id";
    let mut binding = created("ResourceBinding", json!({"resource": {}})).unwrap();
    assert_eq!(binding.pointer(label), Some(&json!("new-id")));
    let kind = kind("ResourceBinding");
    admit(Operation::Update, &kind, "shop", &mut binding, None, || "other".to_owned()).unwrap();
    assert_eq!(binding.pointer(label), Some(&json!("new-id")));
}

#[test]
fn protected_objects_stay() {
    let mut map = object("ConfigMap", json!({}));
    let delete =
        |map: &mut Value| admit(Operation::Delete, &kind("ConfigMap"), "shop", map, None, String::new);
    assert!(delete(&mut map).is_ok());
    map["metadata"]["labels"] = json!({"resourcetemplate.karmada.io/deletion-protected": "Always"});
    let refused = delete(&mut map).unwrap_err();
    assert_eq!(refused.code, 403);
    assert!(refused.message.contains("please make sure to remove the label"), "{}", refused.message);
}

#[test]
fn a_binding_is_in_the_namespace_of_its_template() {
    let other = json!({"resource": {"kind": "Secret", "name": "s", "namespace": "bank"}});
    let refused = created("ResourceBinding", other.clone()).unwrap_err();
    assert!(refused.contains("spec.resource.namespace: Invalid value: \"bank\""), "{refused}");
    assert!(created("ResourceBinding", json!({"resource": {"name": "s", "namespace": "shop"}})).is_ok());
    // One from before can lose its finalizer.
    let (mut object, old) = (object("ResourceBinding", other.clone()), object("ResourceBinding", other));
    let kind = kind("ResourceBinding");
    assert!(admit(Operation::Update, &kind, "shop", &mut object, Some(&old), String::new).is_ok());
}

#[test]
fn recorded_dependencies_are_references() {
    let kind = kind("ResourceBinding");
    let admitted = |text: &str| {
        let mut binding = object("ResourceBinding", json!({"resource": {}}));
        binding["metadata"]["annotations"] = json!({"resourcebinding.karmada.io/dependencies": text});
        admit(Operation::Create, &kind, "shop", &mut binding, None, String::new).map(drop)
    };
    assert!(admitted(r#"[{"apiVersion":"v1","kind":"Secret","namespace":"shop","name":"s"}]"#).is_ok());
    let refused = admitted("[").expect_err("no JSON").message;
    assert!(refused.contains("metadata.annotations.resourcebinding.karmada.io/dependencies"), "{refused}");
}

#[test]
fn overrides_of_identity_are_refused() {
    let cases = [
        (
            json!({"plaintext": [{"path": "/kind", "operator": "replace", "value": "Secret"}]}),
            "plaintext[0].path",
        ),
        (json!({"plaintext": [{"path": "", "operator": "replace", "value": {}}]}), "plaintext[0].path"),
        (json!({"plaintext": [{"path": "/metadata", "operator": "remove"}]}), "plaintext[0].path"),
        (
            json!({"labelsOverrider": [{"operator": "add", "value": {"karmada.io/managed": "x"}}]}),
            "labelsOverrider[0].value[karmada.io/managed]",
        ),
        (
            json!({"annotationsOverrider": [{"operator": "add", "value": {"work.karmada.io/name": "x"}}]}),
            "annotationsOverrider[0].value[work.karmada.io/name]",
        ),
        (
            json!({"imageOverrider": [{"component": "Tag", "operator": "replace", "value": "x",
                "predicate": {"path": "/metadata/name"}}]}),
            "imageOverrider[0].predicate.path",
        ),
        (
            json!({"fieldOverrider": [{"fieldPath": "/apiVersion", "yaml": [
                {"subPath": "", "operator": "replace", "value": "v2"}]}]}),
            "fieldOverrider[0].fieldPath",
        ),
    ];
    for (overriders, field) in cases {
        for (prefix, spec) in [
            ("spec.overrideRules[0].overriders", json!({"overrideRules": [{"overriders": overriders}]})),
            ("spec.overriders", json!({"overriders": overriders})),
        ] {
            for kind in ["OverridePolicy", "ClusterOverridePolicy"] {
                let refused = created(kind, spec.clone()).expect_err(field);
                assert!(refused.contains(&format!("{prefix}.{field}")), "{kind} {field}: {refused}");
            }
        }
    }
}

/// The warnings about a new object.
fn warnings(name: &str, spec: Value) -> Vec<String> {
    let mut object = object(name, spec);
    admit(Operation::Create, &kind(name), "shop", &mut object, None, String::new).expect("accepted")
}

#[test]
fn tags_that_no_image_can_have_are_told() {
    let tag = |value: &str| {
        let overrider = json!({"component": "Tag", "operator": "replace", "value": value});
        json!({"overrideRules": [{"overriders": {"imageOverrider": [overrider]}}]})
    };
    for value in ["1.27", "1.27-alpine_3", "sha256:0123456789abcdef0123456789abcdef", ""] {
        assert!(warnings("OverridePolicy", tag(value)).is_empty(), "{value}");
    }
    let told = warnings("OverridePolicy", tag("bad tag!"));
    let want =
        "spec.overrideRules[0].overriders.imageOverrider[0].value has no effect: \"bad tag!\" is neither";
    assert!(told[0].starts_with(want), "{told:?}");
}

#[test]
fn taint_policies_without_effect_are_refused() {
    let taint = |effect: &str| json!({"key": "k", "effect": effect});
    let on =
        |operator: &str| json!([{"conditionType": "Ready", "operator": operator, "statusValues": ["False"]}]);
    let cases = [
        ("an effect of nodes only", json!({"taints": [taint("PreferNoSchedule")]}), "spec.taints[0].effect"),
        (
            "a taint twice",
            json!({"taints": [taint("NoSchedule"), taint("NoSchedule")]}),
            "spec.taints[0]: Duplicate value",
        ),
        (
            "an unknown operator",
            json!({"taints": [taint("NoSchedule")], "addOnConditions": on("Near")}),
            "spec.addOnConditions[0].operator: Unsupported value: \"Near\"",
        ),
        (
            "a key that is no key",
            json!({"taints": [{"key": "not a key!", "effect": "NoSchedule"}]}),
            "spec.taints[0].key: Invalid value: \"not a key!\"",
        ),
        (
            "a value that is no value",
            json!({"taints": [{"key": "k", "value": "a b", "effect": "NoSchedule"}]}),
            "spec.taints[0].value: Invalid value: \"a b\"",
        ),
        (
            "a status that no condition has",
            json!({"taints": [taint("NoSchedule")],
                "removeOnConditions": [{"conditionType": "Ready", "operator": "In", "statusValues": ["true"]}]}),
            "spec.removeOnConditions[0].statusValues[0]: Unsupported value: \"true\"",
        ),
        (
            "a condition without a type",
            json!({"taints": [taint("NoSchedule")], "addOnConditions": [{"operator": "In", "statusValues": ["True"]}]}),
            "spec.addOnConditions[0].conditionType: Required value",
        ),
    ];
    for (name, spec, want) in cases {
        let error = created("ClusterTaintPolicy", spec).expect_err(name);
        assert!(error.contains("\"clustertaintpolicy.karmada.io\""), "{name}: {error}");
        assert!(error.contains(want), "{name}: {error}");
    }
    let complete = json!({"taints": [taint("NoExecute")], "addOnConditions": on("In")});
    assert!(warnings("ClusterTaintPolicy", complete).is_empty());
    let without_conditions = warnings("ClusterTaintPolicy", json!({"taints": [taint("NoExecute")]}));
    assert!(without_conditions[0].contains("never adds its taints"), "{without_conditions:?}");
}

#[test]
fn remedies_say_that_nothing_is_done_about_their_actions() {
    let warned = warnings("Remedy", json!({"actions": ["TrafficControl", "Other"]}));
    assert!(warned[0].contains("the action TrafficControl appears in status.remedyActions"), "{warned:?}");
    assert!(warned[1].contains("the unknown action Other"), "{warned:?}");
    assert!(warnings("Remedy", json!({}))[0].contains("has no effect"));
}

#[test]
fn an_autoscaler_is_completed() {
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let made = created(
        "FederatedHPA",
        json!({"scaleTargetRef": target, "maxReplicas": 3,
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}),
    );
    let spec = made.expect("accepted")["spec"].clone();
    let cases = [
        ("/minReplicas", json!(1)),
        ("/metrics/0/resource/name", json!("cpu")),
        ("/metrics/0/resource/target", json!({"type": "Utilization", "averageUtilization": 80})),
        ("/behavior/scaleUp/policies/0", json!({"type": "Pods", "value": 4, "periodSeconds": 15})),
        ("/behavior/scaleUp/stabilizationWindowSeconds", json!(0)),
        ("/behavior/scaleDown/stabilizationWindowSeconds", json!(60)),
        ("/behavior/scaleDown/selectPolicy", json!("Max")),
    ];
    for (pointer, want) in cases {
        assert_eq!(spec.pointer(pointer), Some(&want), "{pointer}: {spec}");
    }
}

#[test]
fn faulty_autoscalers_are_refused() {
    let with = |extra: Value| {
        let mut spec = json!({"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 3});
        spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        spec
    };
    let metric = |metric: Value| with(json!({"metrics": [metric]}));
    let cpu =
        |target: Value| metric(json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}));
    let policy = |policy: Value| with(json!({"behavior": {"scaleUp": {"policies": [policy]}}}));
    let cases = [
        ("no replicas at all", with(json!({"minReplicas": 0})), "spec.minReplicas: Invalid value: 0"),
        ("fewer than the least", with(json!({"minReplicas": 5})), "spec.maxReplicas: Invalid value: 3"),
        (
            "no target",
            with(json!({"scaleTargetRef": {"kind": "", "name": "a/b"}})),
            "spec.scaleTargetRef.name",
        ),
        (
            "from outside",
            metric(json!({"type": "External", "external": {}})),
            "spec.metrics[0].type: Unsupported",
        ),
        ("no source", metric(json!({"type": "Resource"})), "spec.metrics[0].resource: Required value"),
        ("no target of a metric", cpu(json!({"type": "Utilization"})), "resource.target.averageUtilization"),
        (
            "two targets of a metric",
            cpu(json!({"type": "Utilization", "averageUtilization": 1, "averageValue": "1"})),
            "resource.target.averageValue: Forbidden",
        ),
        (
            "an unknown policy",
            policy(json!({"type": "Clusters", "value": 1, "periodSeconds": 1})),
            "scaleUp.policies[0].type: Unsupported value",
        ),
        (
            "a period without end",
            policy(json!({"type": "Pods", "value": 1, "periodSeconds": 9999})),
            "scaleUp.policies[0].periodSeconds",
        ),
    ];
    for (name, spec, want) in cases {
        let error = created("FederatedHPA", spec).expect_err(name);
        assert!(error.contains(want), "{name}: {error}");
    }
    let pods = json!({"type": "Pods", "pods": {"metric": {"name": "m"}, "target": {"type": "AverageValue", "averageValue": "1"}}});
    assert!(warnings("FederatedHPA", metric(pods))[0].contains("metrics of type Pods are not read"));
}

#[test]
fn faulty_schedules_are_refused() {
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let autoscaler =
        json!({"apiVersion": "autoscaling.karmada.io/v1alpha1", "kind": "FederatedHPA", "name": "web"});
    let rule = |extra: Value| {
        let mut rule = json!({"name": "r", "schedule": "* * * * *"});
        rule.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!([rule])
    };
    let mut twice = rule(json!({"targetReplicas": 1}));
    let again = twice[0].clone();
    twice.as_array_mut().unwrap().push(again);
    let cases = [
        (
            "a kind that has no limits",
            json!({"apiVersion": "autoscaling.karmada.io/v1alpha1", "kind": "X", "name": "x"}),
            rule(json!({})),
            "only support FederatedHPA",
        ),
        (
            "no schedule",
            deployment.clone(),
            rule(json!({"schedule": "daily", "targetReplicas": 1})),
            "spec.rules[0].schedule",
        ),
        (
            "no such zone",
            deployment.clone(),
            rule(json!({"timeZone": "Mars/Base", "targetReplicas": 1})),
            "spec.rules[0].timeZone",
        ),
        ("a name twice", deployment.clone(), twice, "spec.rules[1].name: Duplicate value"),
        (
            "no replicas",
            deployment.clone(),
            rule(json!({})),
            "targetReplicas cannot be nil if you want to scale Deployment",
        ),
        ("less than none", deployment, rule(json!({"targetReplicas": -1})), "larger than or equal to 0"),
        (
            "no limits",
            autoscaler.clone(),
            rule(json!({"targetReplicas": 1})),
            "cannot be nil at the same time",
        ),
        (
            "turned limits",
            autoscaler,
            rule(json!({"targetMinReplicas": 3, "targetMaxReplicas": 2})),
            "larger than or equal to targetMinReplicas",
        ),
    ];
    for (name, target, rules, want) in cases {
        let error =
            created("CronFederatedHPA", json!({"scaleTargetRef": target, "rules": rules})).expect_err(name);
        assert!(error.contains("\"cronfederatedhpa.karmada.io\""), "{name}: {error}");
        assert!(error.contains(want), "{name}: {error}");
    }
}

#[test]
fn rules_of_a_schedule_say_what_has_no_effect() {
    let workload = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let autoscaler =
        json!({"apiVersion": "autoscaling.karmada.io/v1alpha1", "kind": "FederatedHPA", "name": "web"});
    let rule = |extra: Value| {
        let mut rule = json!({"name": "up", "schedule": "0 8 * * *"});
        rule.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        rule
    };
    let cases = [
        (&workload, json!({"targetReplicas": 3}), vec![]),
        (&workload, json!({"targetReplicas": 3, "schedule": "0 0 29 2 *"}), vec![]),
        (&workload, json!({"targetReplicas": 3, "schedule": "0 0 30 2 *"}), vec!["the rule never runs"]),
        (
            &workload,
            json!({"targetReplicas": 3, "targetMinReplicas": 1, "targetMaxReplicas": 5}),
            vec!["targetMinReplicas has no effect", "targetMaxReplicas has no effect"],
        ),
        (&autoscaler, json!({"targetMaxReplicas": 5}), vec![]),
        (
            &autoscaler,
            json!({"targetMaxReplicas": 5, "targetReplicas": 3}),
            vec!["targetReplicas has no effect"],
        ),
    ];
    for (target, extra, want) in cases {
        let spec = json!({"scaleTargetRef": target, "rules": [rule(extra.clone())]});
        let warned = warnings("CronFederatedHPA", spec);
        assert_eq!(warned.len(), want.len(), "{extra}: {warned:?}");
        for (warning, want) in warned.iter().zip(want) {
            assert!(warning.contains(want), "{extra}: {warning}");
        }
    }
}

fn webhooks(change: Value) -> Result<Value, String> {
    let mut webhook = json!({
        "name": "workloads.example.com",
        "clientConfig": {"url": "https://hook.example.com/interpret", "caBundle": "Y2E="},
        "rules": [{"operations": ["Retain"], "apiGroups": ["*"], "apiVersions": ["v1"], "kinds": ["Widget"]}],
        "interpreterContextVersions": ["v1alpha1"],
    });
    webhook.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let kind =
        GroupVersionKind::new("config.karmada.io", "v1alpha1", "ResourceInterpreterWebhookConfiguration");
    let mut object = json!({"apiVersion": "config.karmada.io/v1alpha1", "kind": kind.kind,
                            "metadata": {"name": "hooks"}, "webhooks": [webhook]});
    let admitted = admit(Operation::Create, &kind, "", &mut object, None, || "id".to_owned());
    admitted.map(|_| object).map_err(|status| status.message)
}

#[test]
fn interpreter_webhooks_that_cannot_be_called_are_refused() {
    assert_eq!(webhooks(json!({})).err(), None);
    let rule = |field: &str, value: Value| {
        let mut rule = json!({"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "kinds": ["*"]});
        rule[field] = value;
        json!({"rules": [rule]})
    };
    let client = |client: Value| json!({"clientConfig": client});
    let cases = [
        ("an unqualified name", json!({"name": "hook"}), "webhooks[0].name"),
        ("no time", json!({"timeoutSeconds": 0}), "between 1 and 30 seconds"),
        ("too much time", json!({"timeoutSeconds": 31}), "between 1 and 30 seconds"),
        (
            "another version",
            json!({"interpreterContextVersions": ["v2"]}),
            "must include at least one of v1alpha1",
        ),
        ("no address", client(json!({"caBundle": "Y2E="})), "exactly one of url or service"),
        (
            "two addresses",
            client(
                json!({"url": "https://a", "service": {"namespace": "n", "name": "s"}, "caBundle": "Y2E="}),
            ),
            "exactly one of url or service",
        ),
        ("no TLS", client(json!({"url": "http://a", "caBundle": "Y2E="})), "must be an https URL"),
        (
            "a query",
            client(json!({"url": "https://a/b?c", "caBundle": "Y2E="})),
            "no user, query or fragment",
        ),
        ("no CA", client(json!({"url": "https://a"})), "webhooks[0].clientConfig.caBundle"),
        ("no operation", rule("operations", json!([])), "webhooks[0].rules[0].operations"),
        ("an unknown operation", rule("operations", json!(["Prune"])), "Unsupported value: \"Prune\""),
        ("all and one", rule("kinds", json!(["*", "Widget"])), "if '*' is present"),
    ];
    for (name, change, want) in cases {
        let error = webhooks(change).expect_err(name);
        assert!(error.contains(want), "{name}: {error}");
    }
}

#[test]
fn one_customization_has_an_operation_on_a_kind() {
    use crate::config::ResourceInterpreterCustomization;
    let customization = |name: &str, kind: &str, scripts: Value| -> ResourceInterpreterCustomization {
        serde_json::from_value(json!({"apiVersion": "config.karmada.io/v1alpha1",
            "kind": "ResourceInterpreterCustomization", "metadata": {"name": name},
            "spec": {"target": {"apiVersion": "example.io/v1", "kind": kind}, "customizations": scripts}}))
        .unwrap()
    };
    let script = json!({"luaScript": "x"});
    let there =
        customization("there", "Widget", json!({"retention": script, "dependencyInterpretation": script}));
    let cases = [
        ("the same operation", "new", "Widget", json!({"retention": script}), true),
        ("another operation", "new", "Widget", json!({"replicaResource": script}), false),
        ("dependencies", "new", "Widget", json!({"dependencyInterpretation": script}), false),
        ("another kind", "new", "Gadget", json!({"retention": script}), false),
        ("itself", "there", "Widget", json!({"retention": script}), false),
    ];
    for (name, own_name, kind, scripts, is_refused) in cases {
        let result = refuse_conflicts(&customization(own_name, kind, scripts), [&there]);
        assert_eq!(result.is_err(), is_refused, "{name}");
        if let Err(status) = result {
            assert_eq!(
                status.message,
                "admission webhook \"resourceinterpretercustomization.karmada.io\" denied the request: conflicting \
                 with InterpreterOperation(Retain) of existing ResourceInterpreterCustomization(there)"
            );
        }
    }
}
