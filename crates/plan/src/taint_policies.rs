//! Taints of a cluster by ClusterTaintPolicies (karmada pkg/controllers/taint).

use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::{NOT_SEEN_SINCE_START, READY};
use portolan_api::meta::{Condition, Taint, condition};
use portolan_api::policy::{ClusterTaintPolicy, MatchCondition, PolicyTaint};

use crate::propagation::affinity;

/// The taints of a cluster by the policies; `None` if they are unchanged.
///
/// The oldest policy is first. A policy adds before it removes, so one whose rules both hold removes. Taints that no
/// policy names stay. A deleted policy leaves its taints.
pub fn taints<'a>(
    cluster: &Cluster,
    policies: impl IntoIterator<Item = &'a ClusterTaintPolicy>,
    now: &str,
) -> Option<Vec<Taint>> {
    let mut policies: Vec<&ClusterTaintPolicy> = policies.into_iter().collect();
    policies.sort_by(|one, other| {
        let (one, other) = (&one.metadata, &other.metadata);
        (&one.creation_timestamp, &one.name).cmp(&(&other.creation_timestamp, &other.name))
    });
    let mut taints = cluster.spec.taints.clone();
    let conditions = &cluster.status.conditions;
    for policy in policies.into_iter().filter(|policy| !policy.metadata.is_deleting()) {
        let targets = policy.spec.target_clusters.as_ref();
        if targets.is_some_and(|targets| !affinity::matches(targets, cluster)) {
            continue;
        }
        if all_hold(&policy.spec.add_on_conditions, conditions) {
            add(&mut taints, &policy.spec.taints, now);
        }
        if all_hold(&policy.spec.remove_on_conditions, conditions) {
            taints.retain(|taint| !policy.spec.taints.iter().any(|wanted| is_same(taint, wanted)));
        }
    }
    (taints != cluster.spec.taints).then_some(taints)
}

/// Whether all requirements hold; an empty list never does.
fn all_hold(requirements: &[MatchCondition], conditions: &[Condition]) -> bool {
    !requirements.is_empty() && requirements.iter().all(|requirement| holds(requirement, conditions))
}

/// A condition that the cluster does not have matches no operator. Neither does that of a cluster that a control plane has not
/// seen since its start: a restart adds no taint, and removes none.
fn holds(requirement: &MatchCondition, conditions: &[Condition]) -> bool {
    let Some(condition) = condition(conditions, &requirement.condition_type) else { return false };
    if condition.kind == READY && condition.reason == NOT_SEEN_SINCE_START {
        return false;
    }
    let is_listed = requirement.status_values.iter().any(|value| value == condition.status.as_str());
    match requirement.operator.as_str() {
        "In" => is_listed,
        "NotIn" => !is_listed,
        _ => false,
    }
}

/// Taints are the same by key and effect.
fn is_same(taint: &Taint, wanted: &PolicyTaint) -> bool {
    taint.key == wanted.key && taint.effect == wanted.effect
}

fn add(taints: &mut Vec<Taint>, wanted: &[PolicyTaint], now: &str) {
    for wanted in wanted {
        if !taints.iter().any(|taint| is_same(taint, wanted)) {
            taints.push(Taint {
                key: wanted.key.clone(),
                value: wanted.value.clone(),
                effect: wanted.effect.clone(),
                time_added: Some(now.to_owned()),
            });
        }
    }
}

/// The message of the event about changed taints, as Karmada writes it (karmada pkg/util/helper/taint.go).
pub fn message(cluster: &str, taints: &[Taint]) -> String {
    let text = |taint: &Taint| match taint.value.as_str() {
        "" => format!("{{Key:{},Effect:{}}}", taint.key, taint.effect),
        value => format!("{{Key:{},Value:{value},Effect:{}}}", taint.key, taint.effect),
    };
    let list = match taints {
        [] => "cluster now does not have taints".to_owned(),
        taints => taints.iter().map(text).collect::<Vec<_>>().join(","),
    };
    format!("Update Cluster({cluster}) with taints({list}) succeed")
}

#[cfg(test)]
mod tests {
    use portolan_api::meta::{ConditionStatus, ObjectMeta};
    use portolan_api::policy::ClusterAffinity;

    use super::*;

    fn requirement(kind: &str, operator: &str, values: &[&str]) -> MatchCondition {
        MatchCondition {
            condition_type: kind.to_owned(),
            operator: operator.to_owned(),
            status_values: values.iter().map(|&value| value.to_owned()).collect(),
        }
    }

    fn policy(
        name: &str,
        add: Vec<MatchCondition>,
        remove: Vec<MatchCondition>,
        keys: &[&str],
    ) -> ClusterTaintPolicy {
        let mut policy = ClusterTaintPolicy { metadata: ObjectMeta::cluster(name), ..Default::default() };
        policy.spec.add_on_conditions = add;
        policy.spec.remove_on_conditions = remove;
        let taint = |key: &&str| PolicyTaint {
            key: (*key).to_owned(),
            effect: "NoSchedule".to_owned(),
            value: String::new(),
        };
        policy.spec.taints = keys.iter().map(taint).collect();
        policy
    }

    fn cluster(conditions: &[(&str, ConditionStatus)], taints: &[&str]) -> Cluster {
        let mut cluster = Cluster { metadata: ObjectMeta::cluster("eu"), ..Cluster::default() };
        let made = conditions.iter().map(|&(kind, status)| Condition::new(kind, status, "", "", "t"));
        cluster.status.conditions = made.collect();
        let taint = |key: &&str| Taint {
            key: (*key).to_owned(),
            effect: "NoSchedule".to_owned(),
            ..Taint::default()
        };
        cluster.spec.taints = taints.iter().map(taint).collect();
        cluster
    }

    #[test]
    fn taints_follow_conditions() {
        use ConditionStatus::{False, True, Unknown};
        let ready = |operator: &str, values: &[&str]| requirement("Ready", operator, values);
        let net = |operator: &str, values: &[&str]| requirement("Net", operator, values);
        let usual = policy("p", vec![ready("In", &["False"])], vec![ready("In", &["True"])], &["k"]);
        let both = policy(
            "p",
            vec![ready("In", &["False"]), net("In", &["False"])],
            vec![ready("In", &["True"]), net("In", &["True"])],
            &["k"],
        );
        let not_in = policy("p", vec![ready("NotIn", &["True"])], vec![], &["k"]);
        let typo = policy("p", vec![ready("Near", &["False"])], vec![], &["k"]);
        let empty = policy("p", vec![], vec![], &["k"]);
        let several = policy("p", vec![ready("In", &["False"])], vec![], &["k", "l"]);
        let contradictory = policy("p", vec![ready("In", &["False"])], vec![ready("In", &["False"])], &["k"]);
        let cases = [
            ("added", &usual, cluster(&[("Ready", False)], &["own"]), Some(vec!["own", "k"])),
            ("there already", &usual, cluster(&[("Ready", False)], &["k"]), None),
            ("neither", &usual, cluster(&[("Ready", Unknown)], &["k"]), None),
            ("removed", &usual, cluster(&[("Ready", True)], &["own", "k"]), Some(vec!["own"])),
            ("one of two", &both, cluster(&[("Ready", False), ("Net", True)], &[]), None),
            ("both", &both, cluster(&[("Ready", False), ("Net", False)], &[]), Some(vec!["k"])),
            ("one recovered", &both, cluster(&[("Ready", True), ("Net", False)], &["k"]), None),
            ("not in", &not_in, cluster(&[("Ready", Unknown)], &[]), Some(vec!["k"])),
            ("not in, without the condition", &not_in, cluster(&[], &[]), None),
            ("an unknown operator", &typo, cluster(&[("Ready", False)], &[]), None),
            ("no requirements", &empty, cluster(&[("Ready", False)], &["k"]), None),
            ("several", &several, cluster(&[("Ready", False)], &["l"]), Some(vec!["l", "k"])),
            ("add and remove", &contradictory, cluster(&[("Ready", False)], &["k"]), Some(vec![])),
        ];
        for (name, policy, cluster, want) in cases {
            let got = taints(&cluster, [policy], "t");
            let got = got.as_ref().map(|taints| taints.iter().map(|taint| taint.key.as_str()).collect());
            assert_eq!(got, want, "{name}");
        }
    }

    #[test]
    fn a_cluster_that_was_not_seen_since_the_start_keeps_its_taints() {
        let ready = |operator: &str| vec![requirement("Ready", operator, &["True"])];
        let policy = policy("p", ready("NotIn"), ready("In"), &["k"]);
        for before in [vec![], vec!["k"]] {
            let mut cluster = cluster(&[("Ready", ConditionStatus::Unknown)], &before);
            cluster.status.conditions[0].reason = NOT_SEEN_SINCE_START.to_owned();
            assert_eq!(taints(&cluster, [&policy], "t"), None, "{before:?}");
        }
    }

    #[test]
    fn only_target_clusters_are_tainted() {
        let mut policy = policy("p", vec![requirement("Ready", "In", &["False"])], vec![], &["k"]);
        let cluster = cluster(&[("Ready", ConditionStatus::False)], &[]);
        for (names, want) in [(vec![], true), (vec!["eu"], true), (vec!["us"], false)] {
            let cluster_names = names.iter().map(|&name| name.to_owned()).collect();
            policy.spec.target_clusters =
                Some(ClusterAffinity { cluster_names, ..ClusterAffinity::default() });
            assert_eq!(taints(&cluster, [&policy], "t").is_some(), want, "{names:?}");
        }
    }

    #[test]
    fn the_youngest_policy_decides() {
        let failing = || requirement("Ready", "In", &["False"]);
        let mut adds = policy("a", vec![failing()], vec![], &["k"]);
        let mut removes = policy("b", vec![], vec![failing()], &["k"]);
        let cluster = cluster(&[("Ready", ConditionStatus::False)], &[]);
        for (first, second, want) in [("t1", "t2", false), ("t2", "t1", true)] {
            adds.metadata.creation_timestamp = Some(first.to_owned());
            removes.metadata.creation_timestamp = Some(second.to_owned());
            assert_eq!(taints(&cluster, [&removes, &adds], "t").is_some(), want, "{first} {second}");
        }
    }

    #[test]
    fn events_list_the_taints() {
        let taint = |value: &str| Taint {
            key: "k".to_owned(),
            value: value.to_owned(),
            effect: "NoSchedule".to_owned(),
            time_added: None,
        };
        let none = "Update Cluster(eu) with taints(cluster now does not have taints) succeed";
        assert_eq!(message("eu", &[]), none);
        let two = "Update Cluster(eu) with taints({Key:k,Effect:NoSchedule},{Key:k,Value:v,Effect:NoSchedule}) succeed";
        assert_eq!(message("eu", &[taint(""), taint("v")]), two);
    }
}
