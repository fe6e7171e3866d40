use serde_json::json;

use super::*;
use crate::builtin;
use crate::key::GroupVersion;

fn decoded(api_version: &str, kind: &str, mut value: Value, source: Source) -> Result<Value, String> {
    let group_version: GroupVersion = api_version.parse().expect("a group version");
    let schema = builtin::schema(&group_version.kind(kind)).expect("built in");
    decode(&mut value, schema, source).map(|()| value).map_err(|error| error.0)
}

#[test]
fn wrong_types_are_worded_as_in_go() {
    let cases = [
        (
            "string map",
            ("v1", "ConfigMap", json!({"data": {"a": 1}})),
            "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
        ),
        (
            "number",
            ("apps/v1", "Deployment", json!({"spec": {"replicas": "x"}})),
            "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "fraction",
            ("apps/v1", "Deployment", json!({"spec": {"replicas": 1.0}})),
            "json: cannot unmarshal number 1.0 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "too large for 32 bits",
            ("apps/v1", "Deployment", json!({"spec": {"replicas": 4_294_967_296_i64}})),
            "json: cannot unmarshal number 4294967296 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            "struct in a list",
            ("v1", "Pod", json!({"spec": {"containers": [{"name": "a"}, {"name": true}]}})),
            "json: cannot unmarshal bool into Go struct field Container.spec.containers.name of type string",
        ),
        (
            "list",
            ("v1", "Pod", json!({"spec": {"containers": {}}})),
            "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            "named string",
            ("v1", "Service", json!({"spec": {"type": 1}})),
            "json: cannot unmarshal number into Go struct field ServiceSpec.spec.type of type v1.ServiceType",
        ),
        (
            "inlined struct",
            ("v1", "Pod", json!({"spec": {"volumes": [{"hostPath": []}]}})),
            "json: cannot unmarshal array into Go struct field Volume.spec.volumes.VolumeSource.hostPath of type v1.HostPathVolumeSource",
        ),
        (
            "int or string",
            ("v1", "Service", json!({"spec": {"ports": [{"targetPort": true}]}})),
            "json: cannot unmarshal bool into Go struct field ServicePort.spec.ports.targetPort of type int32",
        ),
        (
            "time",
            ("v1", "ConfigMap", json!({"metadata": {"creationTimestamp": 5}})),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
        ),
        (
            "root",
            ("v1", "ConfigMap", json!([])),
            "json: cannot unmarshal array into Go value of type v1.ConfigMap",
        ),
        ("base64", ("v1", "Secret", json!({"data": {"a": "YWJ*"}})), "illegal base64 data at input byte 3"),
    ];
    for (name, (api_version, kind, value), want) in cases {
        assert_eq!(decoded(api_version, kind, value, Source::Json), Err(want.to_owned()), "{name}");
    }
}

#[test]
fn a_type_that_decodes_itself_is_reported_first() {
    let value =
        json!({"apiVersion": 1, "spec": {"containers": [{"resources": {"limits": {"cpu": "much"}}}]}});
    let error = decoded("v1", "Pod", value, Source::Json).expect_err("no quantity");
    assert!(error.starts_with("quantities must match"), "{error}");
}

#[test]
fn trees_have_the_texts_of_the_converter() {
    let cases = [
        (json!({"spec": {"replicas": "x"}}), "unrecognized type: int32"),
        (json!({"spec": []}), "cannot restore struct from: slice"),
        (json!({"metadata": {"labels": "x"}}), "cannot restore map from string"),
        (json!({"spec": {"template": {"spec": {"containers": {}}}}}), "cannot restore slice from map"),
    ];
    for (value, want) in cases {
        assert_eq!(decoded("apps/v1", "Deployment", value, Source::Tree), Err(want.to_owned()));
    }
}

#[test]
fn values_are_normalised() {
    let value = json!({
        "metadata": {"creationTimestamp": null, "name": "p", "nonsense": {}, "labels": {"a": null}},
        "spec": {
            "containers": [{"resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}, "ports": null}],
            "tolerations": [null],
        },
    });
    let want = json!({
        "metadata": {"name": "p", "labels": {"a": ""}},
        "spec": {"containers": [{"resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}], "tolerations": [{}]},
    });
    assert_eq!(decoded("v1", "Pod", value, Source::Json), Ok(want));
    let value = json!({"spec": {"renewTime": "2026-01-02T03:04:05.000001+01:00"}});
    let want = json!({"spec": {"renewTime": "2026-01-02T02:04:05.000001Z"}});
    assert_eq!(decoded("coordination.k8s.io/v1", "Lease", value, Source::Json), Ok(want));
}

/// What `kubectl create` of the same YAML leaves in etcd: Go decodes into a struct and encodes that again.
#[test]
fn zeros_are_left_out_as_go_leaves_them_out() {
    let cases = [
        (
            "omitempty scalars",
            ("apps/v1", "Deployment", json!({"spec": {"paused": false, "minReadySeconds": 0}})),
            json!({"spec": {}}),
        ),
        (
            "a pointer to a zero stays",
            ("apps/v1", "Deployment", json!({"spec": {"replicas": 0, "revisionHistoryLimit": 0}})),
            json!({"spec": {"replicas": 0, "revisionHistoryLimit": 0}}),
        ),
        (
            "pods",
            (
                "v1",
                "Pod",
                json!({"spec": {"hostNetwork": false, "nodeName": "", "containers": [{"name": "c", "stdin": false,
                    "args": [], "securityContext": {"privileged": false},
                    "volumeMounts": [{"name": "v", "mountPath": "/v", "readOnly": false, "subPath": ""}]}]}}),
            ),
            json!({"spec": {"containers": [{"name": "c", "securityContext": {"privileged": false},
                "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}}),
        ),
        (
            "empty lists and maps",
            (
                "v1",
                "ConfigMap",
                json!({"metadata": {"name": "c", "labels": {}, "annotations": {"a": ""}, "finalizers": []},
                    "data": {}}),
            ),
            json!({"metadata": {"name": "c", "annotations": {"a": ""}}}),
        ),
        (
            "a field without omitempty, and a pointer to an empty struct",
            (
                "v1",
                "Pod",
                json!({"spec": {"containers": [], "securityContext": {}, "volumes": [{"emptyDir": {}}]}}),
            ),
            json!({"spec": {"containers": [], "securityContext": {}, "volumes": [{"emptyDir": {}}]}}),
        ),
        (
            "omitempty has no effect on a struct",
            (
                "v1",
                "Service",
                json!({"spec": {"ports": [{"port": 80, "targetPort": 0, "nodePort": 0}]}, "status": {}}),
            ),
            json!({"spec": {"ports": [{"port": 80, "targetPort": 0}]}, "status": {}}),
        ),
    ];
    for (name, (api_version, kind, value), want) in cases {
        for source in [Source::Json, Source::Tree] {
            assert_eq!(decoded(api_version, kind, value.clone(), source), Ok(want.clone()), "{name}");
        }
    }
}
