//! What a federated object changes in the manifest of one cluster (kubefed pkg/controller/util/overrides.go,
//! pkg/controller/sync/resource.go).

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::kubefed::{ClusterOverride, FederatedSpec, MANAGED};
use portolan_api::labels;
use portolan_object::Object;

use super::patch::{self, PatchFault};

/// Fields that identify the object; no override may be about one of them.
const IDENTITY: [&str; 4] = ["/metadata/namespace", "/metadata/name", "/metadata/generateName", "/kind"];
/// The field that [`FederatedSpec::retain_replicas`] is about.
const REPLICAS: &str = "/spec/replicas";

/// The overrides of a federated object cannot be applied in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// A cluster is listed twice, which counts for every cluster.
    #[error("spec.overrides has the cluster {0} twice: put its overrides into one entry")]
    ClusterTwice(String),
    /// A cluster has two overrides of one path, which counts for every cluster.
    #[error("spec.overrides has {path} twice for the cluster {cluster}: keep one of them")]
    PathTwice {
        /// The cluster.
        cluster: String,
        /// The path.
        path: String,
    },
    /// One override.
    #[error("the override of {path} for cluster {cluster} cannot be applied: {fault}")]
    Override {
        /// The cluster.
        cluster: String,
        /// The path.
        path: String,
        /// Why.
        fault: PatchFault,
    },
    /// Together they make it another object.
    #[error("the overrides for cluster {cluster} change the name, namespace, kind or group of the object")]
    OtherObject {
        /// The cluster.
        cluster: String,
    },
}

/// What a federated object changes in the manifests of its clusters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes<'a> {
    overrides: BTreeMap<&'a str, &'a [ClusterOverride]>,
    fault: Option<ChangeError>,
    retain_replicas: bool,
}

impl<'a> Changes<'a> {
    /// The changes of a federated object. A list with duplicates fails for every cluster when it is applied.
    pub fn of(spec: &'a FederatedSpec) -> Self {
        let mut changes = Self { retain_replicas: spec.retain_replicas, ..Self::default() };
        for entry in &spec.overrides {
            let cluster = entry.cluster_name.as_str();
            if changes.overrides.insert(cluster, &entry.cluster_overrides).is_some() {
                changes.fault = Some(ChangeError::ClusterTwice(cluster.to_owned()));
            }
            let mut paths = BTreeSet::new();
            if let Some(twice) = entry.cluster_overrides.iter().find(|one| !paths.insert(&one.path)) {
                let (cluster, path) = (cluster.to_owned(), twice.path.clone());
                changes.fault = Some(ChangeError::PathTwice { cluster, path });
            }
        }
        changes
    }

    /// Makes the changes for one cluster in the manifest.
    ///
    /// # Errors
    /// When an override cannot be applied; `manifest` is unspecified then.
    pub fn apply(&self, manifest: &mut Object, cluster: &str) -> Result<(), ChangeError> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let overrides = self.overrides.get(cluster).copied().unwrap_or_default();
        let before = identity(manifest);
        for change in overrides {
            apply_one(manifest, change).map_err(|fault| ChangeError::Override {
                cluster: cluster.to_owned(),
                path: change.path.clone(),
                fault,
            })?;
        }
        if identity(manifest) != before || !manifest.0["metadata"].is_object() {
            return Err(ChangeError::OtherObject { cluster: cluster.to_owned() });
        }
        if self.retain_replicas && !overrides.iter().any(|change| change.path == REPLICAS) {
            manifest.set_label(labels::template::RETAIN_REPLICAS, labels::TRUE);
        }
        manifest.set_label(MANAGED, labels::TRUE);
        Ok(())
    }
}

fn apply_one(manifest: &mut Object, change: &ClusterOverride) -> Result<(), PatchFault> {
    if IDENTITY.contains(&change.path.as_str()) {
        return Err(PatchFault::Identity);
    }
    let operation = change.operation().ok_or_else(|| PatchFault::Operation(change.op.clone()))?;
    patch::apply(&mut manifest.0, operation, &change.path, change.value.as_ref())
}

/// What makes an object the one that it is; its version may change.
fn identity(object: &Object) -> (String, String, portolan_object::ObjectKey) {
    let kind = object.group_version_kind();
    (kind.group, kind.kind, object.key())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(overrides: Value) -> FederatedSpec {
        serde_json::from_value(json!({ "overrides": overrides })).expect("a spec")
    }

    fn deployment() -> Object {
        Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "replicas": 3 },
            "metadata": { "name": "web", "namespace": "shop" } }))
    }

    fn error_of(overrides: Value, cluster: &str) -> String {
        let spec = spec(overrides);
        Changes::of(&spec).apply(&mut deployment(), cluster).expect_err("an error").to_string()
    }

    #[test]
    fn overrides_are_those_of_the_cluster_in_their_order() {
        let spec = spec(json!([{ "clusterName": "c1", "clusterOverrides": [
            { "path": "/metadata/annotations", "op": "add", "value": { "foo": "bar" } },
            { "path": "/metadata/annotations/foo", "op": "remove" },
            { "path": "/apiVersion", "value": "apps/v1beta2" },
        ] }, { "clusterName": "elsewhere", "clusterOverrides": [{ "path": "/no/such/path" }] }]));
        let mut manifest = deployment();
        Changes::of(&spec).apply(&mut manifest, "c1").expect("they fit");
        assert_eq!(manifest.0["metadata"]["annotations"], json!({}));
        assert_eq!(manifest.api_version(), "apps/v1beta2", "another version of the group is allowed");
        assert_eq!(manifest.label("kubefed.io/managed"), Some("true"));
        let mut other = deployment();
        Changes::of(&spec).apply(&mut other, "c2").expect("nothing to do");
        assert_eq!(other.0["spec"], json!({ "replicas": 3 }));
    }

    #[test]
    fn bad_overrides_say_what_is_wrong() {
        let one = |change: Value| json!([{ "clusterName": "c1", "clusterOverrides": [change] }]);
        let cases = [
            (one(json!({ "path": "/metadata/name", "value": "x" })), "identifies the object"),
            (one(json!({ "path": "/kind", "value": "x" })), "identifies the object"),
            (
                one(json!({ "path": "/metadata", "value": { "name": "x" } })),
                "change the name, namespace, kind or group",
            ),
            (one(json!({ "path": "/metadata", "value": 1 })), "change the name, namespace, kind or group"),
            (
                one(json!({ "path": "/apiVersion", "value": "v1" })),
                "change the name, namespace, kind or group",
            ),
            (one(json!({ "path": "spec/replicas", "value": 1 })), "has to begin with a slash"),
            (one(json!({ "path": "/spec/replicas", "op": "test" })), "use add, remove or replace"),
            (one(json!({ "path": "/spec/a/b", "value": 1 })), "there is no /spec/a in the template"),
        ];
        for (overrides, want) in cases {
            let error = error_of(overrides, "c1");
            assert!(error.contains(want), "{error}");
        }
    }

    #[test]
    fn duplicates_are_an_error_for_every_cluster() {
        let clusters = json!([{ "clusterName": "c1" }, { "clusterName": "c1" }]);
        let paths = json!([{ "clusterName": "c1", "clusterOverrides": [
            { "path": "/spec/replicas", "value": 1 }, { "path": "/spec/replicas", "value": 2 } ] }]);
        assert!(error_of(clusters, "c2").contains("the cluster c1 twice"));
        assert!(error_of(paths, "c2").contains("/spec/replicas twice for the cluster c1"));
    }

    #[test]
    fn an_override_of_replicas_is_stronger_than_retained_ones() {
        let mut spec = spec(
            json!([{ "clusterName": "c1", "clusterOverrides": [{ "path": "/spec/replicas", "value": 5 }] }]),
        );
        spec.retain_replicas = true;
        let retains = |cluster: &str| {
            let mut manifest = deployment();
            Changes::of(&spec).apply(&mut manifest, cluster).expect("it fits");
            manifest.label("resourcetemplate.karmada.io/retain-replicas") == Some("true")
        };
        assert!(!retains("c1"));
        assert!(retains("c2"));
    }
}
