//! A migration that was interrupted goes on: what an earlier run made is brought up to date, and nothing of others is touched.

use portolan_api::Kind;
use portolan_api::annotations::policy::MIGRATED_FROM;
use portolan_api::meta::ObjectMeta;
use portolan_api::policy::{ClusterOverridePolicy, OverridePolicy};
use portolan_object::Object;
use serde_json::json;

use super::Migrated;

/// What the control plane has of the objects that take the place of a federated object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Existing {
    /// The override policy.
    pub overrides: Option<Object>,
    /// The propagation policy.
    pub policy: Option<Object>,
    /// The template.
    pub template: Option<Object>,
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Create the object.
    Create(Object),
    /// Replace the one of an earlier run, which has the resource version in the object.
    Replace(Object),
    /// Delete the one of an earlier run: the federated object has no overrides any more.
    Delete(Object),
}

/// An object of this kind and name exists that no earlier run made.
#[derive(Debug, Clone, PartialEq)]
pub struct Exists(pub Object);

/// The writes that come before the federated object is deleted, the policies first: a template without its policy would be in
/// no cluster.
///
/// # Errors
/// The object of another writer. Nothing must be written then.
pub fn steps(federated: &Object, migrated: &Migrated, existing: &Existing) -> Result<Vec<Step>, Exists> {
    let is_ours = |found: &Object| found.annotation(MIGRATED_FROM) == Some(federated.uid());
    // The template has no mark, which members would get. A run makes it after the policy, and not where there is one already.
    let has_policy = existing.policy.as_ref().is_some_and(is_ours);
    let step = |wanted: &Object, found: &Option<Object>, is_ours: bool| match found {
        None => Ok(Step::Create(wanted.clone())),
        Some(found) if is_ours => Ok(Step::Replace(replacement(wanted, found))),
        Some(found) => Err(Exists(found.clone())),
    };
    let mut steps = Vec::new();
    let has_overrides = existing.overrides.as_ref().is_some_and(is_ours);
    match (&migrated.overrides, &existing.overrides) {
        (Some(overrides), found) => steps.push(step(overrides, found, has_overrides)?),
        (None, Some(found)) if has_overrides => steps.push(Step::Delete(found.clone())),
        (None, _) => {}
    }
    steps.push(step(&migrated.policy, &existing.policy, has_policy)?);
    steps.push(step(&migrated.template, &existing.template, has_policy)?);
    Ok(steps)
}

/// Kind and key of the override policy that an earlier run may have made beside a policy.
pub fn overrides_beside(policy: &Object) -> Object {
    let name = policy.name();
    match policy.namespace() {
        "" => ClusterOverridePolicy { metadata: ObjectMeta::cluster(name), ..Default::default() }.to_object(),
        namespace => {
            let metadata = ObjectMeta::namespaced(namespace, name);
            OverridePolicy { metadata, ..Default::default() }.to_object()
        }
    }
}

/// The wanted object over the one that exists, with the labels and annotations that the control plane gave that.
fn replacement(wanted: &Object, found: &Object) -> Object {
    let mut replacement = wanted.clone();
    for (label, value) in found.labels() {
        if wanted.label(&label).is_none() {
            replacement.set_label(&label, value);
        }
    }
    for (annotation, value) in found.annotations() {
        if wanted.annotation(&annotation).is_none() {
            replacement.set_annotation(&annotation, value);
        }
    }
    replacement.metadata_mut().insert("resourceVersion".to_owned(), json!(found.resource_version()));
    replacement
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn object(kind: &str, from: &str, labels: Value) -> Object {
        let mut object = Object(json!({ "kind": kind, "metadata": { "namespace": "shop", "name": "web",
            "resourceVersion": "7", "labels": labels } }));
        if !from.is_empty() {
            object.set_annotation(MIGRATED_FROM, from);
        }
        object
    }

    #[test]
    fn an_interrupted_migration_goes_on_and_objects_of_others_stop_it() {
        let federated = Object(json!({ "metadata": { "uid": "u" } }));
        let wanted = |kind: &str, from: &str| {
            let mut object = object(kind, from, json!({ "app": "web" }));
            object.metadata_mut().remove("resourceVersion");
            object
        };
        let migrated = Migrated {
            template: wanted("Deployment", ""),
            policy: wanted("PropagationPolicy", "u"),
            overrides: Some(wanted("OverridePolicy", "u")),
        };
        let found = |kind: &str, from: &str| Some(object(kind, from, json!({ "claim": "kept" })));
        for (case, overrides, policy, template, want) in [
            ("the first run", None, None, None, "create create create"),
            ("it ended after the override policy", Some("u"), None, None, "replace create create"),
            ("after the policy", Some("u"), Some("u"), None, "replace replace create"),
            ("after the template", Some("u"), Some("u"), Some(""), "replace replace replace"),
            ("a template of the user", None, None, Some(""), "Deployment"),
            ("a template of the user, after the override policy", Some("u"), None, Some(""), "Deployment"),
            ("a policy of the user", None, Some(""), None, "PropagationPolicy"),
            ("a policy of another migration", None, Some("other"), None, "PropagationPolicy"),
            ("an override policy of the user", Some(""), None, None, "OverridePolicy"),
        ] {
            let existing = Existing {
                overrides: overrides.and_then(|from| found("OverridePolicy", from)),
                policy: policy.and_then(|from| found("PropagationPolicy", from)),
                template: template.and_then(|from| found("Deployment", from)),
            };
            let said = match steps(&federated, &migrated, &existing) {
                Err(Exists(object)) => object.kind().to_owned(),
                Ok(steps) => {
                    let names = steps.iter().map(|step| match step {
                        Step::Create(_) => "create",
                        Step::Replace(object) => {
                            assert_eq!(object.resource_version(), "7", "{case}");
                            assert_eq!(object.label("claim"), Some("kept"), "{case}");
                            assert_eq!(object.label("app"), Some("web"), "{case}");
                            "replace"
                        }
                        Step::Delete(_) => "delete",
                    });
                    names.collect::<Vec<_>>().join(" ")
                }
            };
            assert_eq!(said, want, "{case}");
        }
    }

    #[test]
    fn overrides_of_an_earlier_run_go_with_those_of_the_federated_object() {
        let federated = Object(json!({ "metadata": { "uid": "u" } }));
        let policy = object("PropagationPolicy", "u", json!({}));
        let beside = overrides_beside(&policy);
        assert_eq!((beside.kind(), beside.key()), ("OverridePolicy", policy.key()));
        let template = object("Deployment", "", json!({}));
        let migrated = Migrated { template, policy, overrides: None };
        for (from, want) in [("u", true), ("", false)] {
            let found = object("OverridePolicy", from, json!({}));
            let existing = Existing { overrides: Some(found.clone()), ..Existing::default() };
            let steps = steps(&federated, &migrated, &existing).expect("steps");
            assert_eq!(steps.contains(&Step::Delete(found)), want, "{from:?}");
        }
    }
}
