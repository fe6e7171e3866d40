use serde_json::{Value, json};

use super::*;
use crate::schema::{Codec, ListKind, Node, Shape};

fn kind(api_version: &str, kind: &str) -> Schema<'static> {
    let group_version: GroupVersion = api_version.parse().expect("a group version");
    schema(&group_version.kind(kind)).unwrap_or_else(|| panic!("{api_version} {kind} is built in"))
}

/// The node at a path of properties; `[]` stands for the elements of a list.
fn node(api_version: &str, name: &str, path: &str) -> &'static Node {
    let step = |at: Schema<'static>, part| if part == "[]" { at.items() } else { at.property(part) };
    let found = path.split('.').try_fold(kind(api_version, name), step);
    found.unwrap_or_else(|| panic!("{name} has {path}")).node()
}

/// Kind, path, strategic merge (strategy and key), server-side apply keys.
const MERGE_KEYS: &[(&str, &str, &str, &str, &str)] = &[
    ("v1", "Pod", "metadata.ownerReferences", "merge uid", "map uid"),
    ("v1", "Pod", "metadata.finalizers", "merge", "set"),
    ("v1", "Pod", "spec.containers", "merge name", "map name"),
    ("v1", "Pod", "spec.initContainers", "merge name", "map name"),
    ("v1", "Pod", "spec.ephemeralContainers", "merge name", "map name"),
    ("v1", "Pod", "spec.imagePullSecrets", "merge name", "map name"),
    ("v1", "Pod", "spec.schedulingGates", "merge name", "map name"),
    ("v1", "Pod", "spec.volumes", "merge retainKeys name", "map name"),
    ("v1", "Pod", "spec.resourceClaims", "merge retainKeys name", "map name"),
    ("v1", "Pod", "status.resourceClaimStatuses", "merge retainKeys name", "map name"),
    ("v1", "Pod", "spec.hostAliases", "merge ip", "map ip"),
    ("v1", "Pod", "spec.topologySpreadConstraints", "merge topologyKey", "map topologyKey,whenUnsatisfiable"),
    ("v1", "Pod", "spec.nodeSelector", "", "atomic"),
    ("v1", "Pod", "spec.tolerations", "", "atomic"),
    ("v1", "Pod", "spec.containers.[].env", "merge name", "map name"),
    ("v1", "Pod", "spec.containers.[].ports", "merge containerPort", "map containerPort,protocol"),
    ("v1", "Pod", "spec.containers.[].volumeMounts", "merge mountPath", "map mountPath"),
    ("v1", "Pod", "spec.containers.[].volumeDevices", "merge devicePath", "map devicePath"),
    ("v1", "Pod", "spec.containers.[].resources.claims", "", "map name"),
    ("v1", "Pod", "spec.containers.[].args", "", "atomic"),
    ("v1", "Pod", "spec.containers.[].env.[].valueFrom.configMapKeyRef", "", "atomic"),
    ("v1", "Pod", "status.podIPs", "merge ip", "map ip"),
    ("v1", "Pod", "status.hostIPs", "merge ip", "atomic"),
    ("v1", "Pod", "status.conditions", "merge type", "map type"),
    ("v1", "Service", "spec.ports", "merge port", "map port,protocol"),
    ("v1", "Service", "spec.selector", "", "atomic"),
    ("v1", "ReplicationController", "spec.selector", "", "atomic"),
    ("v1", "ServiceAccount", "secrets", "merge name", "map name"),
    ("v1", "ServiceAccount", "imagePullSecrets", "", "atomic"),
    ("v1", "Node", "status.addresses", "merge type", "map type"),
    ("v1", "Node", "status.conditions", "merge type", "map type"),
    ("v1", "Node", "spec.podCIDRs", "merge", "set"),
    ("v1", "Node", "spec.taints", "", "atomic"),
    ("v1", "Endpoints", "subsets", "", "atomic"),
    ("apps/v1", "Deployment", "spec.selector", "", "atomic"),
    ("apps/v1", "Deployment", "spec.strategy", "retainKeys", "granular"),
    ("batch/v1", "Job", "status.conditions", "merge type", "atomic"),
    ("policy/v1", "PodDisruptionBudget", "spec.selector", "", "atomic"),
    ("certificates.k8s.io/v1", "CertificateSigningRequest", "status.conditions", "", "map type"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "status.conditions", "", "map type"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "webhooks", "merge name", "map name"),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
        "spec.variables",
        "merge name",
        "map name",
    ),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
        "spec.matchConditions",
        "merge name",
        "map name",
    ),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpoints", "", "atomic"),
    ("discovery.k8s.io/v1", "EndpointSlice", "ports", "", "atomic"),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpoints.[].addresses", "", "set"),
    ("networking.k8s.io/v1", "Ingress", "spec.rules", "", "atomic"),
    ("networking.k8s.io/v1", "NetworkPolicy", "spec.ingress", "", "atomic"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "spec.metrics", "", "atomic"),
    ("rbac.authorization.k8s.io/v1", "Role", "rules", "", "atomic"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "subjects", "", "atomic"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "spec.versions", "", "atomic"),
    (
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "spec.versions.[].schema.openAPIV3Schema.x-kubernetes-validations",
        "merge rule",
        "map rule",
    ),
];

#[test]
fn merge_keys_are_those_of_the_published_schema() {
    for (api_version, kind, path, strategic, applied) in MERGE_KEYS {
        let node = node(api_version, kind, path);
        let strategy = [("merge", node.patch_merge), ("retainKeys", node.patch_retain_keys)];
        let strategy = strategy.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name);
        let found: Vec<&str> = strategy.chain(node.patch_merge_key.as_deref()).collect();
        assert_eq!(found.join(" "), *strategic, "strategic merge of {kind} {path}");
        let found = match (&node.shape, &node.list) {
            (Shape::Array(_), ListKind::Map(keys)) => format!("map {}", keys.join(",")),
            (Shape::Array(_), ListKind::Set) => "set".to_owned(),
            (Shape::Array(_), ListKind::Atomic) => "atomic".to_owned(),
            _ if node.atomic => "atomic".to_owned(),
            _ => "granular".to_owned(),
        };
        assert_eq!(found, *applied, "server-side apply of {kind} {path}");
    }
}

#[test]
fn fields_have_their_types_and_defaults() {
    let port = node("v1", "Service", "spec.ports.[].protocol");
    assert_eq!(port.default, Some(json!("TCP")));
    assert_eq!(node("apps/v1", "Deployment", "spec.strategy").default, Some(json!({})));
    let cases = [
        ("v1", "Pod", "spec.containers.[].resources.limits", Codec::Map, "v1.ResourceList"),
        (
            "v1",
            "Pod",
            "spec.containers.[].livenessProbe.httpGet.port",
            Codec::IntOrString,
            "intstr.IntOrString",
        ),
        ("v1", "Pod", "spec.volumes.[].hostPath", Codec::Struct, "v1.HostPathVolumeSource"),
        ("v1", "Pod", "spec.containers", Codec::List, "[]v1.Container"),
        ("v1", "Pod", "metadata.creationTimestamp", Codec::Time, "v1.Time"),
        ("v1", "Secret", "data", Codec::Map, "map[string][]uint8"),
        ("v1", "Pod", "kind", Codec::String, "string"),
        ("apps/v1", "Deployment", "spec.replicas", Codec::Int32, "int32"),
        ("coordination.k8s.io/v1", "Lease", "spec.renewTime", Codec::MicroTime, "v1.MicroTime"),
    ];
    for (api_version, kind, path, codec, go_type) in cases {
        let native = node(api_version, kind, path).native.as_ref().expect("built-in");
        assert_eq!((native.codec, &*native.go_type), (codec, go_type), "{kind} {path}");
    }
}

#[test]
fn inlined_structs_are_flat_and_remembered() {
    let volume = node("v1", "Pod", "spec.volumes.[]");
    assert_eq!(volume.native.as_ref().expect("built-in").embedded["hostPath"].as_ref(), "VolumeSource");
    assert_eq!(*volume.required, ["name".into()]);
}

#[test]
fn a_json_schema_contains_itself() {
    let path = "spec.versions.[].schema.openAPIV3Schema.properties.x.properties.y.not.type";
    assert_eq!(node("apiextensions.k8s.io/v1", "CustomResourceDefinition", path).shape, Shape::String);
}

#[test]
fn kinds_of_subresources_and_options_are_known() {
    let cases = [
        ("autoscaling/v1", "Scale"),
        ("policy/v1", "Eviction"),
        ("authentication.k8s.io/v1", "TokenRequest"),
        ("authorization.k8s.io/v1", "SelfSubjectAccessReview"),
        ("v1", "Binding"),
        ("v1", "DeleteOptions"),
        ("apps/v1", "DeleteOptions"),
        ("meta.k8s.io/v1", "PartialObjectMetadata"),
    ];
    for (api_version, name) in cases {
        assert!(kind(api_version, name).property("apiVersion").is_some(), "{name}");
    }
    assert!(schema(&GroupVersionKind::new("apps", "v1", "Widget")).is_none());
    assert!(object_meta().property("managedFields").is_some());
}

#[test]
fn every_group_version_has_a_document_that_kubectl_can_use() {
    for group_version in group_versions() {
        let document: Value =
            serde_json::from_slice(&openapi(&group_version).expect("a document")).expect("JSON");
        for (_, name, _) in TABLE.kinds.iter().filter(|(version, _, _)| *version == group_version.to_string())
        {
            let schemas = document["components"]["schemas"].as_object().expect("schemas");
            let declares = schemas.values().any(|schema| {
                let kinds = schema["x-kubernetes-group-version-kind"].as_array();
                kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"] == *name))
            });
            // The kinds of subresources may stand in the document of the group that has the subresource.
            assert!(
                declares || ["Scale", "Eviction", "TokenRequest"].contains(name),
                "{group_version} {name}"
            );
        }
    }
    let core: GroupVersion = "v1".parse().expect("a group version");
    let document: Value = serde_json::from_slice(&openapi(&core).expect("a document")).expect("JSON");
    let patch = &document["paths"]["/api/v1/namespaces/{name}"]["patch"];
    assert_eq!(
        patch["x-kubernetes-group-version-kind"],
        json!({"group": "", "kind": "Namespace", "version": "v1"})
    );
    let names: Vec<&Value> =
        patch["parameters"].as_array().expect("parameters").iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["dryRun", "fieldManager", "fieldValidation", "force"]);
}
