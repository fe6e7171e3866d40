//! References: which other objects a template needs wherever it runs.

use portolan_api::config::DependentObjectReference;
use portolan_api::kubernetes::ViewError;
use portolan_object::Object;

use super::interpreter::interpreter;

/// The objects that a template refers to, by the built-in rules; by kind and then by name.
///
/// # Errors
/// When a field of the template cannot be read.
pub fn dependencies(template: &Object) -> Result<Vec<DependentObjectReference>, ViewError> {
    let hook = interpreter(&template.group_version_kind()).and_then(|found| found.dependencies.custom());
    hook.map_or_else(|| Ok(Vec::new()), |dependencies| dependencies(template))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Kind and name of each reference.
    fn found(object: Value) -> Vec<String> {
        let references = dependencies(&Object(object)).expect("readable");
        references.iter().map(|one| format!("{}/{}", one.kind, one.name)).collect()
    }

    fn pod_spec() -> Value {
        json!({
            "serviceAccountName": "robot",
            "imagePullSecrets": [{"name": "registry"}],
            "initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "init"}}]}],
            "containers": [{"name": "c",
                "envFrom": [{"configMapRef": {"name": "from"}}, {"secretRef": {"name": "from"}}],
                "env": [
                    {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "key", "key": "k"}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}},
                    {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {"name": "D", "value": "plain"},
                ]}],
            "volumes": [
                {"name": "a", "configMap": {"name": "mounted"}},
                {"name": "b", "secret": {"secretName": "mounted"}},
                {"name": "c", "projected": {"sources": [
                    {"configMap": {"name": "projected"}}, {"secret": {"name": "projected"}},
                    {"serviceAccountToken": {"path": "token"}}]}},
                {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "e", "csi": {"driver": "x", "nodePublishSecretRef": {"name": "csi"}}},
                {"name": "f", "azureFile": {"secretName": "azure", "shareName": "s"}},
                {"name": "g", "iscsi": {"secretRef": {"name": "iscsi"}, "targetPortal": "p", "iqn": "i", "lun": 0}},
                {"name": "h", "emptyDir": {}},
            ],
        })
    }

    const ALL: &[&str] = &[
        "ConfigMap/from",
        "ConfigMap/key",
        "ConfigMap/mounted",
        "ConfigMap/projected",
        "Secret/azure",
        "Secret/csi",
        "Secret/from",
        "Secret/init",
        "Secret/iscsi",
        "Secret/key",
        "Secret/mounted",
        "Secret/projected",
        "Secret/registry",
        "ServiceAccount/robot",
        "PersistentVolumeClaim/data",
    ];

    #[test]
    fn every_workload_names_what_its_pods_refer_to() {
        let template = json!({"template": {"spec": pod_spec()}});
        let cases = [
            ("apps/v1", "Deployment", template.clone()),
            ("apps/v1", "ReplicaSet", template.clone()),
            ("apps/v1", "DaemonSet", template.clone()),
            ("apps/v1", "StatefulSet", template.clone()),
            ("batch/v1", "Job", template.clone()),
            ("batch/v1", "CronJob", json!({"jobTemplate": {"spec": template}})),
            ("v1", "Pod", pod_spec()),
        ];
        for (version, kind, spec) in cases {
            let object = json!({"apiVersion": version, "kind": kind, "spec": spec,
                                "metadata": {"name": "x", "namespace": "shop"}});
            assert_eq!(found(object), ALL, "{kind}");
        }
    }

    #[test]
    fn references_are_in_the_namespace_of_the_template() {
        let object =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop"}, "spec": pod_spec()});
        assert!(dependencies(&Object(object)).unwrap().iter().all(|one| one.namespace == "shop"));
    }

    #[test]
    fn some_references_are_no_dependencies() {
        let own_claims = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {
            "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
            "template": {"spec": {"volumes": [
                {"name": "a", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "b", "persistentVolumeClaim": {"claimName": "shared"}}]}}}});
        let cases = [
            ("claims that a StatefulSet makes itself", own_claims, vec!["PersistentVolumeClaim/shared"]),
            (
                "the account that every namespace has",
                json!({"apiVersion": "v1", "kind": "Pod", "spec": {"serviceAccountName": "default"}}),
                vec![],
            ),
            (
                "the Secrets of an Ingress, once each",
                json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {"tls": [
                    {"secretName": "b"}, {"secretName": "a"}, {"secretName": "a"}, {"hosts": ["x"]}]}}),
                vec!["Secret/a", "Secret/b"],
            ),
            ("other kinds", json!({"apiVersion": "v1", "kind": "ConfigMap"}), vec![]),
            (
                "a workload without pods",
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {}}),
                vec![],
            ),
        ];
        for (name, object, want) in cases {
            assert_eq!(found(object), want, "{name}");
        }
    }

    #[test]
    fn an_import_refers_to_its_derived_service_and_slices() {
        let import = json!({"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceImport",
                            "metadata": {"name": "serve", "namespace": "shop"}});
        let references = dependencies(&Object(import)).unwrap();
        assert_eq!(
            json!(references),
            json!([
                {"apiVersion": "v1", "kind": "Service", "namespace": "shop", "name": "derived-serve"},
                {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "namespace": "shop",
                 "labelSelector": {"matchLabels": {"kubernetes.io/service-name": "derived-serve"}}},
            ])
        );
    }

    #[test]
    fn an_unreadable_template_is_an_error_that_names_the_field() {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"volumes": "none"}});
        let error = dependencies(&Object(object)).unwrap_err().to_string();
        assert!(error.contains("volumes"), "{error}");
    }
}
