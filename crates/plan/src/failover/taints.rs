//! For how long a placement tolerates the NoExecute taints of a cluster (karmada pkg/util/helper/taint.go).

use std::time::Duration;

use jiff::Timestamp;
use portolan_api::meta::{Taint, Toleration};
use portolan_object::time::age;

const NO_EXECUTE: &str = "NoExecute";

/// For how long an object may stay in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tolerance {
    /// No NoExecute taint is untolerated, or limited in time.
    Forever,
    /// For this time.
    For(Duration),
    /// No longer, because of this taint.
    Over(Taint),
}

/// The tolerance of `tolerations` for the NoExecute taints among `taints`.
///
/// Of several taints the one that is tolerated for the shortest time decides. Of several tolerations of one taint the first
/// applies. Without `timeAdded` the time has just begun; [`set_times`] completes such taints.
pub(super) fn tolerance(taints: &[Taint], tolerations: &[Toleration], now: Timestamp) -> Tolerance {
    let mut least: Option<Duration> = None;
    for taint in taints.iter().filter(|taint| taint.effect == NO_EXECUTE) {
        let Some(toleration) = tolerations.iter().find(|toleration| toleration.tolerates(taint)) else {
            return Tolerance::Over(taint.clone());
        };
        let Some(seconds) = toleration.toleration_seconds else { continue };
        // Zero and negative values evict at once, as for pods.
        let limit = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
        let lasted = taint.time_added.as_deref().and_then(|time| age(time, now)).unwrap_or_default();
        let left = limit.saturating_sub(lasted);
        if left.is_zero() {
            return Tolerance::Over(taint.clone());
        }
        least = Some(least.map_or(left, |known| known.min(left)));
    }
    least.map_or(Tolerance::Forever, Tolerance::For)
}

/// The taints with `timeAdded` on every NoExecute taint, from which `tolerationSeconds` count; `None` if nothing lacks
/// (karmada pkg/apis/cluster/mutation/mutation.go).
pub fn set_times(taints: &[Taint], now: &str) -> Option<Vec<Taint>> {
    let lacks_time = |taint: &Taint| taint.effect == NO_EXECUTE && taint.time_added.is_none();
    if !taints.iter().any(lacks_time) {
        return None;
    }
    let mut taints = taints.to_vec();
    taints.iter_mut().filter(|taint| lacks_time(taint)).for_each(|taint| {
        taint.time_added = Some(now.to_owned());
    });
    Some(taints)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(key: &str, effect: &str, added: Option<&str>) -> Taint {
        let (key, effect) = (key.to_owned(), effect.to_owned());
        Taint { key, effect, time_added: added.map(str::to_owned), ..Taint::default() }
    }

    fn toleration(key: &str, seconds: Option<i64>) -> Toleration {
        let (key, operator) = (key.to_owned(), "Exists".to_owned());
        Toleration { key, operator, toleration_seconds: seconds, ..Toleration::default() }
    }

    #[test]
    fn the_taint_that_is_tolerated_for_the_shortest_time_decides() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().expect("a time");
        let minute_ago = Some("2026-01-01T00:00:00Z");
        let (lost, slow) = (taint("lost", "NoExecute", minute_ago), taint("slow", "NoExecute", minute_ago));
        let over = |taint: &Taint| Tolerance::Over(taint.clone());
        let seconds = |count| Tolerance::For(Duration::from_secs(count));
        let both = [lost.clone(), slow.clone()];
        let cases = [
            ("no taint", vec![], vec![], Tolerance::Forever),
            (
                "other effects evict nothing",
                vec![taint("lost", "NoSchedule", None)],
                vec![],
                Tolerance::Forever,
            ),
            ("not tolerated", vec![lost.clone()], vec![], over(&lost)),
            ("tolerated", vec![lost.clone()], vec![toleration("lost", None)], Tolerance::Forever),
            ("time left", vec![lost.clone()], vec![toleration("lost", Some(90))], seconds(30)),
            ("time is over", vec![lost.clone()], vec![toleration("lost", Some(60))], over(&lost)),
            ("at once", vec![lost.clone()], vec![toleration("lost", Some(0))], over(&lost)),
            ("a negative time", vec![lost.clone()], vec![toleration("lost", Some(-5))], over(&lost)),
            (
                "the first toleration of a taint applies",
                vec![lost.clone()],
                vec![toleration("lost", Some(90)), toleration("", None)],
                seconds(30),
            ),
            ("one of two is not tolerated", both.to_vec(), vec![toleration("lost", None)], over(&slow)),
            (
                "the shortest of two",
                both.to_vec(),
                vec![toleration("lost", Some(120)), toleration("slow", Some(90))],
                seconds(30),
            ),
            (
                "without timeAdded it has just begun",
                vec![taint("lost", "NoExecute", None)],
                vec![toleration("lost", Some(30))],
                seconds(30),
            ),
            (
                "a clock that went back",
                vec![taint("lost", "NoExecute", Some("2026-01-01T01:00:00Z"))],
                vec![toleration("lost", Some(30))],
                seconds(30),
            ),
        ];
        for (name, taints, tolerations, want) in cases {
            assert_eq!(tolerance(&taints, &tolerations, now), want, "{name}");
        }
    }

    #[test]
    fn taints_that_evict_have_a_time() {
        let taints = [
            taint("a", "NoExecute", None),
            taint("b", "NoSchedule", None),
            taint("c", "NoExecute", Some("before")),
        ];
        let times = |taints: Vec<Taint>| -> Vec<Option<String>> {
            taints.into_iter().map(|taint| taint.time_added).collect()
        };
        let set = set_times(&taints, "now").expect("a change");
        assert_eq!(set_times(&set, "later"), None);
        assert_eq!(times(set), [Some("now".to_owned()), None, Some("before".to_owned())]);
    }
}
