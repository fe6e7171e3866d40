//! `metadata.generation`: its first value, and the changes that increment it.

use serde_json::Value;

use crate::kinds::Generation;
use crate::resources::{Resource, Source};

/// The generation of a new object; `None` for kinds without generation.
pub(super) fn first(resource: &Resource) -> Option<i64> {
    (resource.rules.generation != Generation::None).then_some(1)
}

/// The generation after a change; `None` for kinds without generation.
pub(super) fn next(resource: &Resource, old: &Value, new: &Value) -> Option<i64> {
    let current = old["metadata"]["generation"].as_i64().unwrap_or(0);
    let spec = || old["spec"] != new["spec"];
    let metadata = |field: &str| old["metadata"][field] != new["metadata"][field];
    let grows = match (&resource.source, resource.rules.generation) {
        (_, Generation::None) => return (current > 0).then_some(current),
        (Source::Custom(_), _) => differs_outside(old, new, resource.has_status()),
        (_, Generation::Spec) => spec(),
        (_, Generation::SpecAndAnnotations) => spec() || metadata("annotations"),
        (_, Generation::Content) => differs_outside(old, new, true),
        (_, Generation::ContentAndLabels) => differs_outside(old, new, true) || metadata("labels"),
    };
    Some(if grows { current + 1 } else { current.max(1) })
}

/// Whether any field differs other than metadata, the type, and status where it is a subresource.
fn differs_outside(old: &Value, new: &Value, has_status: bool) -> bool {
    let counts = |name: &&String| match name.as_str() {
        "metadata" | "apiVersion" | "kind" => false,
        "status" => !has_status,
        _ => true,
    };
    let fields = |object| Value::as_object(object).into_iter().flat_map(|map| map.keys()).filter(counts);
    fields(old).chain(fields(new)).any(|name| old.get(name) != new.get(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds;

    fn resource(group: &str, plural: &str) -> Resource {
        Resource::builtin(kinds::find(group, "v1", plural).unwrap())
    }

    #[test]
    fn generation_grows_by_the_rule_of_the_kind() {
        let old = json!({ "metadata": { "generation": 3, "labels": { "a": "b" } }, "spec": { "x": 1 }, "status": 1 });
        let with = |pointer: &str, value: Value| {
            let mut new = old.clone();
            *new.pointer_mut(pointer).unwrap() = value;
            new
        };
        let annotated = with("/metadata", json!({ "generation": 3, "annotations": { "a": "b" } }));
        let (spec, status) = (with("/spec", json!({ "x": 2 })), with("/status", json!(2)));
        let labels = with("/metadata/labels", json!({}));
        let cases = [
            ("deployment spec", "apps", "deployments", &spec, Some(4)),
            ("deployment annotations", "apps", "deployments", &annotated, Some(4)),
            ("deployment labels", "apps", "deployments", &labels, Some(3)),
            ("deployment status", "apps", "deployments", &status, Some(3)),
            ("replica set annotations", "apps", "replicasets", &annotated, Some(3)),
            ("endpoint slice labels", "discovery.k8s.io", "endpointslices", &labels, Some(4)),
            ("endpoint slice status", "discovery.k8s.io", "endpointslices", &status, Some(3)),
            ("service", "", "services", &spec, Some(3)),
        ];
        for (name, group, plural, new, want) in cases {
            assert_eq!(next(&resource(group, plural), &old, new), want, "{name}");
        }
        assert_eq!(next(&resource("", "configmaps"), &json!({ "metadata": {} }), &spec), None);
        assert_eq!(first(&resource("", "configmaps")), None);
        assert_eq!(first(&resource("apps", "deployments")), Some(1));
    }
}
