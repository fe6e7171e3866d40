//! The estimate by the ResourceQuotas of the namespace in the member.

use super::pod_group::{Assumed, PodSet};
use crate::capacity::{Amounts, MemberQuota};

/// How many of these sets the quotas of their namespace allow; `None` if no quota limits them.
///
/// `assumed` are pods in the cluster, of any namespace.
pub fn by_quotas<'a>(
    pods: &PodSet,
    quotas: impl IntoIterator<Item = &'a MemberQuota>,
    assumed: &[Assumed],
) -> Option<i64> {
    let allowed = quotas.into_iter().filter_map(|quota| by_quota(pods, quota, assumed));
    allowed.min()
}

fn by_quota(pods: &PodSet, quota: &MemberQuota, assumed: &[Assumed]) -> Option<i64> {
    let request = pods.request_of(|group| quota.concerns(&group.priority_class));
    // Resources that the quota does not mention are not limited by it.
    let limited = request.iter().filter(|(name, number)| *number > 0 && quota.free.get(name).is_some());
    let limited = limited.fold(Amounts::default(), |sum, (name, number)| sum.with(name.clone(), number));
    if limited.is_empty() {
        return None;
    }
    let mut free = quota.free.clone();
    for one in assumed.iter().filter(|one| one.pods.namespace == pods.namespace) {
        free.subtract(&one.pods.request_of(|group| quota.concerns(&group.priority_class)), one.sets);
    }
    Some(free.holds(&limited))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::PodGroup;
    use super::*;
    use crate::capacity::ResourceName;

    fn quota(spec: Value) -> MemberQuota {
        serde_json::from_value(json!({ "spec": spec })).expect("a quota")
    }

    fn pods(request: Value, priority_class: &str) -> PodSet {
        let request: Amounts = serde_json::from_value(request).expect("amounts");
        let request = request.with(ResourceName::Pods, 1);
        let group = PodGroup {
            replicas: 1,
            request,
            priority_class: priority_class.to_owned(),
            ..PodGroup::default()
        };
        PodSet { namespace: "shop".to_owned(), groups: vec![group] }
    }

    #[test]
    fn the_narrowest_quota_counts() {
        let ten_milli = pods(json!({ "cpu": "10m" }), "");
        let high = json!({ "hard": { "cpu": "10m" }, "scopes": ["PriorityClass"] });
        for (name, quotas, want) in [
            ("none", vec![], None),
            ("requests of CPU", vec![quota(json!({ "hard": { "requests.cpu": "0.03" } }))], Some(3)),
            ("another resource", vec![quota(json!({ "hard": { "requests.memory": "1Gi" } }))], None),
            ("limits", vec![quota(json!({ "hard": { "limits.cpu": "1m" } }))], None),
            (
                "two",
                vec![quota(json!({ "hard": { "cpu": "1" } })), quota(json!({ "hard": { "pods": "7" } }))],
                Some(7),
            ),
            ("of a priority class", vec![quota(high)], None),
        ] {
            assert_eq!(by_quotas(&ten_milli, &quotas, &[]), want, "{name}");
        }
    }

    #[test]
    fn assumed_pods_of_the_namespace_use_the_quota() {
        let set = pods(json!({ "cpu": "150m" }), "");
        let elsewhere = PodSet { namespace: "other".to_owned(), ..set.clone() };
        let quota = [quota(json!({ "hard": { "cpu": "1" } }))];
        let assumed = |pods: &PodSet, sets| [Assumed { pods: pods.clone(), sets }];
        assert_eq!(by_quotas(&set, &quota, &assumed(&set, 5)), Some(1));
        assert_eq!(by_quotas(&set, &quota, &assumed(&set, 6)), Some(0));
        assert_eq!(by_quotas(&set, &quota, &assumed(&set, 60)), Some(0));
        assert_eq!(by_quotas(&set, &quota, &assumed(&elsewhere, 6)), Some(6));
    }
}
