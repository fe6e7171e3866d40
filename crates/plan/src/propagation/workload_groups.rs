//! Affinity groups: workloads that share clusters, and workloads that do not.

use portolan_api::policy::{Placement, WorkloadAffinityTerm};
use portolan_api::work::WorkloadAffinityGroups;
use portolan_object::Object;

/// The groups of a template, as `key=value` of the labels that its policy names (karmada pkg/detector/detector.go).
///
/// Only namespaced templates have groups. Without the label a template is in no group.
pub fn groups(template: &Object, placement: &Placement) -> Option<WorkloadAffinityGroups> {
    let affinity = placement.workload_affinity.as_ref().filter(|_| !template.namespace().is_empty())?;
    let group = |term: &Option<WorkloadAffinityTerm>| {
        let key = &term.as_ref()?.group_by_label_key;
        Some(format!("{key}={}", template.label(key)?))
    };
    let groups = WorkloadAffinityGroups {
        affinity_group: group(&affinity.affinity).unwrap_or_default(),
        anti_affinity_group: group(&affinity.anti_affinity).unwrap_or_default(),
    };
    (groups != WorkloadAffinityGroups::default()).then_some(groups)
}

/// A sentence for a term of the placement without an effect, because the template has no label for it.
pub fn note(placement: &Placement, groups: Option<&WorkloadAffinityGroups>) -> Option<String> {
    let affinity = placement.workload_affinity.as_ref()?;
    let without = |term: &Option<WorkloadAffinityTerm>, group: Option<&String>| {
        let key = &term.as_ref()?.group_by_label_key;
        group.is_none_or(String::is_empty).then(|| key.clone())
    };
    let missing = without(&affinity.affinity, groups.map(|groups| &groups.affinity_group))
        .or_else(|| without(&affinity.anti_affinity, groups.map(|groups| &groups.anti_affinity_group)))?;
    Some(format!(
        "workloadAffinity has no effect: only namespaced templates with the label {missing} are in a group."
    ))
}

#[cfg(test)]
mod tests {
    use portolan_api::policy::WorkloadAffinity;
    use serde_json::json;

    use super::*;

    fn template(namespace: &str, labels: serde_json::Value) -> Object {
        Object(json!({ "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": namespace, "labels": labels } }))
    }

    #[test]
    fn labels_name_the_groups() {
        let term = |key: &str| Some(WorkloadAffinityTerm { group_by_label_key: key.to_owned() });
        let both = WorkloadAffinity { affinity: term("team"), anti_affinity: term("app") };
        let placement = Placement { workload_affinity: Some(both), ..Placement::default() };
        let found = |template: &Object| {
            groups(template, &placement).map(|groups| (groups.affinity_group, groups.anti_affinity_group))
        };
        let of = |affinity: &str, anti: &str| Some((affinity.to_owned(), anti.to_owned()));
        assert_eq!(found(&template("shop", json!({ "team": "a", "app": "web" }))), of("team=a", "app=web"));
        assert_eq!(found(&template("shop", json!({ "app": "web" }))), of("", "app=web"));
        assert_eq!(found(&template("shop", json!({}))), None);
        assert_eq!(found(&template("", json!({ "team": "a" }))), None);
        let partly = groups(&template("shop", json!({ "app": "web" })), &placement);
        let text = note(&placement, partly.as_ref()).unwrap_or_default();
        assert!(text.contains("label team"), "{text}");
        let full = groups(&template("shop", json!({ "team": "a", "app": "web" })), &placement);
        assert_eq!(note(&placement, full.as_ref()), None);
        assert_eq!(note(&Placement::default(), None), None);
    }
}
