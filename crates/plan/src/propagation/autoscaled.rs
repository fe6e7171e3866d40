//! Templates that are scaled by autoscalers of the members: the members keep their own replicas (karmada
//! pkg/controllers/hpascaletargetmarker).
//!
//! A propagated HorizontalPodAutoscaler scales its target in each member. Without the label
//! `resourcetemplate.karmada.io/retain-replicas` the control plane would put the replicas of the template back.

use portolan_api::{annotations, labels, resources};
use portolan_object::{GroupVersion, GroupVersionKind, Object, ObjectKey};

use super::claim::Claim;

/// A change of the label of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marking {
    /// Set it, and note that it was set here.
    Set,
    /// Remove it: it was set here, and no autoscaler is left.
    Remove,
}

/// The target of a HorizontalPodAutoscaler, propagated or not.
pub fn target(autoscaler: &Object) -> Option<(GroupVersionKind, ObjectKey)> {
    if !resources::HORIZONTAL_POD_AUTOSCALER.is_kind_of(autoscaler) {
        return None;
    }
    let field = |name: &str| autoscaler.str_at(&["spec", "scaleTargetRef", name]);
    let version: GroupVersion = field("apiVersion").parse().ok()?;
    Some((version.kind(field("kind")), ObjectKey::namespaced(autoscaler.namespace(), field("name"))))
}

/// Index values of objects: the target of an autoscaler that a policy propagates; nothing for all others.
pub fn index_values(object: &Object) -> Vec<String> {
    let target = target(object).filter(|_| Claim::on(object).is_some() && !object.is_deleting());
    target.map(|(kind, key)| index_value(&kind, &key)).into_iter().collect()
}

/// The index value of a target.
pub fn index_value(kind: &GroupVersionKind, key: &ObjectKey) -> String {
    format!("{} {key}", kind.group_kind())
}

/// Whether the label of a template must change. A label that a user has set stays as it is.
pub fn marking(template: &Object, is_autoscaled: bool) -> Option<Marking> {
    let is_set_here = template.annotation(annotations::template::AUTOSCALED).is_some();
    let is_labelled = template.label(labels::template::RETAIN_REPLICAS).is_some();
    let keeps_replicas =
        resources::DEPLOYMENT.is_kind_of(template) || resources::STATEFUL_SET.is_kind_of(template);
    match is_autoscaled && keeps_replicas {
        true => (!is_labelled).then_some(Marking::Set),
        false => is_set_here.then_some(Marking::Remove),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_label_follows_the_autoscaler_and_is_left_to_the_user() {
        let template = |kind: &str, label: Option<&str>, is_ours: bool| {
            let mut template = Object(json!({ "apiVersion": "apps/v1", "kind": kind, "metadata": {} }));
            if let Some(value) = label {
                template.set_label(labels::template::RETAIN_REPLICAS, value);
            }
            if is_ours {
                template.set_annotation(annotations::template::AUTOSCALED, "true");
            }
            template
        };
        let cases = [
            ("a new autoscaler", template("Deployment", None, false), true, Some(Marking::Set)),
            ("of a set", template("StatefulSet", None, false), true, Some(Marking::Set)),
            ("of a kind whose replicas are not kept", template("Rollout", None, false), true, None),
            ("done before", template("Deployment", Some("true"), true), true, None),
            ("refused by the user", template("Deployment", Some("false"), false), true, None),
            (
                "the autoscaler is gone",
                template("Deployment", Some("true"), true),
                false,
                Some(Marking::Remove),
            ),
            ("set by the user", template("Deployment", Some("true"), false), false, None),
            ("no autoscaler", template("Deployment", None, false), false, None),
        ];
        for (name, template, is_autoscaled, want) in cases {
            assert_eq!(marking(&template, is_autoscaled), want, "{name}");
        }
    }

    #[test]
    fn only_propagated_autoscalers_count() {
        let mut autoscaler = Object(
            json!({ "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": { "namespace": "shop", "name": "web" },
            "spec": { "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "web" } } }),
        );
        assert!(index_values(&autoscaler).is_empty());
        let claim = Claim::Cluster { policy: "all".to_owned(), id: "1".to_owned() };
        claim.labels().into_iter().for_each(|(key, value)| autoscaler.set_label(&key, value));
        claim.annotations().into_iter().for_each(|(key, value)| autoscaler.set_annotation(&key, value));
        let kind = GroupVersionKind::new("apps", "v1", "Deployment");
        let key = ObjectKey::namespaced("shop", "web");
        assert_eq!(index_values(&autoscaler), [index_value(&kind, &key)]);
    }
}
