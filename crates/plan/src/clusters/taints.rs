//! Taints of a cluster by its conditions (karmada pkg/controllers/cluster/cluster_controller.go).

use portolan_api::conditions::cluster::{READY, TAINT_NOT_READY, TAINT_UNREACHABLE};
use portolan_api::meta::{Condition, ConditionStatus, Taint, condition};

const NO_SCHEDULE: &str = "NoSchedule";

/// The taints of the cluster by its conditions; `None` if they are unchanged.
///
/// Not ready, and never heard of, take `not-ready`; unknown takes `unreachable`; ready takes neither. Taints that
/// people or other controllers set stay, and so does their order.
pub fn health_taints(taints: &[Taint], conditions: &[Condition], now: &str) -> Option<Vec<Taint>> {
    let wanted = match condition(conditions, READY).map(|ready| ready.status) {
        Some(ConditionStatus::True) => None,
        Some(ConditionStatus::Unknown) => Some(TAINT_UNREACHABLE),
        Some(ConditionStatus::False) | None => Some(TAINT_NOT_READY),
    };
    let is_ours = |taint: &Taint| {
        taint.effect == NO_SCHEDULE && [TAINT_NOT_READY, TAINT_UNREACHABLE].contains(&taint.key.as_str())
    };
    let is_kept = |taint: &&Taint| !is_ours(taint) || Some(taint.key.as_str()) == wanted;
    let mut result: Vec<Taint> = taints.iter().filter(is_kept).cloned().collect();
    if let Some(key) = wanted
        && !result.iter().any(is_ours)
    {
        let (key, effect, time_added) = (key.to_owned(), NO_SCHEDULE.to_owned(), Some(now.to_owned()));
        result.push(Taint { key, effect, time_added, ..Taint::default() });
    }
    (result != taints).then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints_follow_health() {
        let taint = |key: &str| Taint {
            key: key.to_owned(),
            effect: NO_SCHEDULE.to_owned(),
            time_added: Some("t".to_owned()),
            ..Taint::default()
        };
        let ready = |status: ConditionStatus| vec![Condition::new(READY, status, "R", "", "t")];
        let (own, lost, sight) = (taint("dedicated"), taint(TAINT_NOT_READY), taint(TAINT_UNREACHABLE));
        let cases = [
            ("new cluster", vec![], vec![], Some(vec![lost.clone()])),
            ("ready", vec![own.clone(), lost.clone()], ready(ConditionStatus::True), Some(vec![own.clone()])),
            ("still ready", vec![own.clone()], ready(ConditionStatus::True), None),
            ("lost", vec![own.clone()], ready(ConditionStatus::False), Some(vec![own.clone(), lost.clone()])),
            ("still lost", vec![own.clone(), lost.clone()], ready(ConditionStatus::False), None),
            ("unknown replaces lost", vec![lost], ready(ConditionStatus::Unknown), Some(vec![sight])),
        ];
        for (name, taints, conditions, want) in cases {
            assert_eq!(health_taints(&taints, &conditions, "t"), want, "{name}");
        }
    }
}
