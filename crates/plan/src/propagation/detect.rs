//! Decides about one template: which policy claims it, or whether it is released (karmada pkg/detector/detector.go,
//! pkg/detector/claim.go).

use portolan_api::labels;
use portolan_api::meta::ObjectMeta;
use portolan_api::policy::PropagationSpec;
use portolan_object::{GroupVersionKind, Object};
use serde_json::Value;

use super::claim::Claim;
use super::matching::{best_rank, choose};

/// The parts of a policy of either type that decide.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its metadata; a namespace makes it a PropagationPolicy.
    pub metadata: &'a ObjectMeta,
    /// Its spec.
    pub spec: &'a PropagationSpec,
}

/// The decision about a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision<'a> {
    /// This policy claims it: keep its binding up to date.
    Follow(&'a ObjectMeta, &'a PropagationSpec),
    /// This policy takes it: write the claim, then as [`Decision::Follow`].
    Take(&'a ObjectMeta, &'a PropagationSpec, Claim),
    /// Its policy is deleted or no longer selects it: remove the claim from its binding and then from itself. The objects
    /// in members stay.
    Release(Claim),
    /// Its policy is being deleted, and its controller removes the claim.
    Wait,
    /// No policy selects it.
    Nothing,
}

/// API groups with objects that are never templates: Portolan's and Karmada's own, events and leases.
const SKIPPED_GROUPS: &[&str] = &[
    "cluster.karmada.io",
    "policy.karmada.io",
    "work.karmada.io",
    "config.karmada.io",
    "networking.karmada.io",
    "autoscaling.karmada.io",
    "remedy.karmada.io",
    "apps.karmada.io",
    "events.k8s.io",
    "coordination.k8s.io",
];

/// Whether objects of a kind can be propagated (karmada pkg/util/apigroups.go, skipped resources).
pub fn is_propagatable(kind: &GroupVersionKind) -> bool {
    let is_event = kind.group.is_empty() && kind.kind == "Event";
    !is_event && !SKIPPED_GROUPS.contains(&kind.group.as_str())
}

/// Whether an object can be propagated: not in a system namespace, and not claimed by another controller.
pub fn is_template(object: &Object) -> bool {
    let namespace = object.namespace();
    let is_system = namespace.starts_with("kube-") || portolan_api::names::is_reserved_namespace(namespace);
    !is_system && object.label(labels::template::CLAIMED_BY).is_none()
}

/// Whether a change of a template can change its binding or its Works: more than status and bookkeeping differs.
pub fn is_relevant(old: &Object, new: &Object) -> bool {
    differs(&old.0, &new.0, &["status", "metadata"])
        || differs(
            field(&old.0, "metadata"),
            field(&new.0, "metadata"),
            &["managedFields", "resourceVersion"],
        )
}

fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

/// Whether two objects differ in any field but the `ignored` ones. Copies nothing.
fn differs(old: &Value, new: &Value, ignored: &[&str]) -> bool {
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return old != new };
    let counts = |name: &String| !ignored.contains(&name.as_str());
    new.keys().any(|name| counts(name) && !old.contains_key(name))
        || old.iter().any(|(name, value)| counts(name) && new.get(name) != Some(value))
}

/// The claim that a policy makes. A policy without a permanent id yet gets its uid as one, so that the id can be
/// written onto the policy and onto templates in any order.
pub fn claim_of(policy: &ObjectMeta) -> Claim {
    Claim::by(policy).unwrap_or_else(|| {
        let mut identified = policy.clone();
        let label = permanent_id_label(policy);
        identified.labels.insert(label.to_owned(), policy.uid.clone());
        Claim::by(&identified).expect("the line above set the id")
    })
}

/// The label that holds a policy's permanent id.
pub fn permanent_id_label(policy: &ObjectMeta) -> &'static str {
    if policy.namespace.is_empty() {
        labels::cluster_propagation_policy::PERMANENT_ID
    } else {
        labels::propagation_policy::PERMANENT_ID
    }
}

/// Decides about a template; `namespaced` are the policies of its namespace, `cluster` the cluster-wide ones.
pub fn decide<'a>(
    template: &Object,
    namespaced: &[Candidate<'a>],
    cluster: &[Candidate<'a>],
) -> Decision<'a> {
    if let Some(claim) = Claim::on(template) {
        return held(template, claim, namespaced, cluster);
    }
    for candidates in [namespaced, cluster] {
        let policies = candidates.iter().map(|candidate| (candidate.metadata, candidate.spec));
        if let Some(chosen) = choose(policies, template) {
            let spec = candidates.iter().find(|candidate| std::ptr::eq(candidate.metadata, chosen));
            let spec = spec.expect("the choice is one of the candidates").spec;
            return Decision::Take(chosen, spec, claim_of(chosen));
        }
    }
    Decision::Nothing
}

fn held<'a>(
    template: &Object,
    claim: Claim,
    namespaced: &[Candidate<'a>],
    cluster: &[Candidate<'a>],
) -> Decision<'a> {
    let holder = match &claim {
        Claim::Namespaced { policy, .. } => namespaced
            .iter()
            .find(|one| one.metadata.name == policy.name && one.metadata.namespace == policy.namespace),
        Claim::Cluster { policy, .. } => cluster.iter().find(|one| one.metadata.name == *policy),
    };
    let Some(holder) = holder else { return Decision::Release(claim) };
    if holder.metadata.is_deleting() {
        return Decision::Wait;
    }
    if best_rank(&holder.spec.resource_selectors, template).is_none() {
        return Decision::Release(claim);
    }
    match claim_of(holder.metadata) {
        current if current == claim => Decision::Follow(holder.metadata, holder.spec),
        // The policy was deleted and created again.
        current => Decision::Take(holder.metadata, holder.spec, current),
    }
}

#[cfg(test)]
mod tests {
    use portolan_api::policy::ResourceSelector;
    use serde_json::json;

    use super::*;

    fn policy(namespace: &str, name: &str, kind: &str) -> (ObjectMeta, PropagationSpec) {
        let selector = ResourceSelector {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            ..ResourceSelector::default()
        };
        let mut metadata = ObjectMeta::namespaced(namespace, name);
        metadata.uid = format!("uid-{name}");
        (metadata, PropagationSpec { resource_selectors: vec![selector], ..PropagationSpec::default() })
    }

    fn template(claim: Option<&Claim>) -> Object {
        let (labels, annotations) =
            claim.map(|claim| (claim.labels(), claim.annotations())).unwrap_or_default();
        Object(json!({ "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "namespace": "shop", "name": "web", "labels": labels, "annotations": annotations } }))
    }

    fn text(decision: &Decision<'_>) -> String {
        match decision {
            Decision::Follow(policy, _) => format!("follow {}", policy.name),
            Decision::Take(policy, ..) => format!("take {}", policy.name),
            Decision::Release(_) => "release".to_owned(),
            Decision::Wait => "wait".to_owned(),
            Decision::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn decisions() {
        let (ours, wide) = (policy("shop", "ours", "ConfigMap"), policy("", "wide", "ConfigMap"));
        let moved_on = policy("shop", "ours", "Secret");
        let mut leaving = ours.clone();
        leaving.0.deletion_timestamp = Some("t".to_owned());
        let mut recreated = ours.clone();
        recreated.0.uid = "other".to_owned();
        let (by_ours, by_wide) = (claim_of(&ours.0), claim_of(&wide.0));
        let cases = [
            ("no policy", None, vec![], vec![], "nothing"),
            ("a policy of the namespace first", None, vec![&ours], vec![&wide], "take ours"),
            ("then a cluster-wide one", None, vec![&moved_on], vec![&wide], "take wide"),
            ("held", Some(&by_ours), vec![&ours], vec![], "follow ours"),
            (
                "held by a cluster-wide one, in spite of another policy",
                Some(&by_wide),
                vec![&ours],
                vec![&wide],
                "follow wide",
            ),
            ("holder gone", Some(&by_ours), vec![], vec![&wide], "release"),
            ("holder selects something else now", Some(&by_ours), vec![&moved_on], vec![], "release"),
            ("holder is being deleted", Some(&by_ours), vec![&leaving], vec![], "wait"),
            ("holder was created again", Some(&by_ours), vec![&recreated], vec![], "take ours"),
        ];
        for (name, claim, namespaced, cluster, want) in cases {
            let namespaced: Vec<Candidate<'_>> = namespaced
                .iter()
                .map(|policy| (&policy.0, &policy.1))
                .map(|(metadata, spec)| Candidate { metadata, spec })
                .collect();
            let cluster: Vec<Candidate<'_>> = cluster
                .iter()
                .map(|policy| (&policy.0, &policy.1))
                .map(|(metadata, spec)| Candidate { metadata, spec })
                .collect();
            assert_eq!(text(&decide(&template(claim), &namespaced, &cluster)), want, "{name}");
        }
    }

    #[test]
    fn what_can_be_a_template() {
        let object = |namespace: &str, labels: serde_json::Value| {
            Object(json!({ "metadata": { "namespace": namespace, "name": "x", "labels": labels } }))
        };
        assert!(is_template(&object("shop", json!({}))));
        assert!(is_template(&object("", json!({}))));
        assert!(!is_template(&object("kube-system", json!({}))));
        assert!(!is_template(&object("karmada-es-eu", json!({}))));
        assert!(!is_template(&object("shop", json!({ "resourcetemplate.karmada.io/claimed-by": "x" }))));
        assert!(is_propagatable(&GroupVersionKind::new("apps", "v1", "Deployment")));
        assert!(!is_propagatable(&GroupVersionKind::new("", "v1", "Event")));
        assert!(!is_propagatable(&GroupVersionKind::new("work.karmada.io", "v1alpha1", "Work")));
    }

    #[test]
    fn status_and_bookkeeping_do_not_matter() {
        let object = |version: &str, replicas: i64, data: &str| {
            Object(json!({ "metadata": { "resourceVersion": version, "managedFields": [version] },
                "status": { "replicas": replicas }, "data": data }))
        };
        assert!(!is_relevant(&object("1", 1, "a"), &object("2", 2, "a")));
        assert!(is_relevant(&object("1", 1, "a"), &object("2", 1, "b")));
    }
}
