//! When the task of an eviction ends, and with it the stay of the old copy (karmada
//! pkg/controllers/gracefuleviction/evictiontask.go).

use std::time::Duration;

use jiff::Timestamp;
use portolan_api::work::{AggregatedStatusItem, GracefulEvictionTask, ResourceHealth, TargetCluster};
use portolan_object::time::{age, format_time};

/// Times in objects have whole seconds, so that a task may look older than it is by this time.
const ROUNDING: Duration = Duration::from_secs(1);

/// What is known of the copies of one object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copies<'a> {
    /// The targets.
    pub(super) targets: &'a [TargetCluster],
    /// Reports of the clusters.
    pub(super) items: &'a [AggregatedStatusItem],
    /// Whether the targets were chosen for the present spec of the binding.
    pub(super) are_scheduled: bool,
    /// Targets that have reported on the manifest as it is now.
    pub(super) current: &'a [&'a str],
}

impl Copies<'_> {
    /// Whether the object is healthy in every target, and there is one.
    fn are_healthy(&self) -> bool {
        let is_healthy = |target: &TargetCluster| {
            let item = self.items.iter().find(|item| item.cluster_name == target.name);
            item.is_some_and(|item| item.health == Some(ResourceHealth::Healthy))
                && self.current.contains(&target.name.as_str())
        };
        self.are_scheduled && !self.targets.is_empty() && self.targets.iter().all(is_healthy)
    }
}

/// The tasks of a binding after a look at them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Assessment {
    /// The tasks that stay. New ones have a `creationTimestamp`.
    pub(super) tasks: Vec<GracefulEvictionTask>,
    /// Clusters with ended tasks.
    pub(super) ended: Vec<String>,
    /// Time until the next task ends without a change.
    pub(super) next: Option<Duration>,
}

/// Assesses the tasks at the time `now`; `timeout` is that of tasks without `gracePeriodSeconds`.
///
/// With `suppressDeletion` a task stays for as long as that is true, and ends when it is set to false. The others end when
/// the object is healthy in all targets, and after their time.
pub(super) fn assess(
    tasks: &[GracefulEvictionTask],
    copies: Copies<'_>,
    timeout: Duration,
    now: Timestamp,
) -> Assessment {
    let mut assessment = Assessment::default();
    for task in tasks {
        let mut task = task.clone();
        let is_new = task.creation_timestamp.is_none();
        let created = task.creation_timestamp.get_or_insert_with(|| format_time(now));
        let lasted = age(created, now).unwrap_or_default();
        let grace = task.grace_period_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let left = (grace.map_or(timeout, Duration::from_secs) + ROUNDING).saturating_sub(lasted);
        let has_ended = match task.suppress_deletion {
            Some(is_suppressed) => !is_suppressed,
            // The health may be from before the eviction.
            None => !is_new && (left.is_zero() || copies.are_healthy()),
        };
        if has_ended {
            assessment.ended.push(task.from_cluster);
            continue;
        }
        if task.suppress_deletion.is_none() {
            assessment.next = Some(assessment.next.map_or(left, |known| known.min(left)));
        }
        assessment.tasks.push(task);
    }
    assessment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(created: Option<&str>) -> GracefulEvictionTask {
        GracefulEvictionTask {
            from_cluster: "eu".to_owned(),
            creation_timestamp: created.map(str::to_owned),
            ..GracefulEvictionTask::default()
        }
    }

    fn targets(names: &[&str]) -> Vec<TargetCluster> {
        names
            .iter()
            .map(|name| TargetCluster { name: (*name).to_owned(), ..TargetCluster::default() })
            .collect()
    }

    fn items(health: ResourceHealth) -> Vec<AggregatedStatusItem> {
        vec![AggregatedStatusItem {
            cluster_name: "us".to_owned(),
            health: Some(health),
            ..AggregatedStatusItem::default()
        }]
    }

    #[test]
    fn tasks_end_when_the_object_is_healthy_elsewhere() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().expect("a time");
        let minute_ago = Some("2026-01-01T00:00:00Z");
        let (well, ill) = (items(ResourceHealth::Healthy), items(ResourceHealth::Unhealthy));
        let (one, two, none) = (targets(&["us"]), targets(&["us", "ap"]), targets(&[]));
        let healthy = Copies { targets: &one, items: &well, are_scheduled: true, current: &["us"] };
        let with_grace =
            |seconds| GracefulEvictionTask { grace_period_seconds: Some(seconds), ..task(minute_ago) };
        let suppressed = |is| GracefulEvictionTask { suppress_deletion: Some(is), ..task(minute_ago) };
        let ends = |task: GracefulEvictionTask, copies: Copies<'_>| {
            !assess(&[task], copies, Duration::from_secs(600), now).ended.is_empty()
        };
        let unhealthy = Copies { items: &ill, ..healthy };
        let cases = [
            ("healthy elsewhere", task(minute_ago), healthy, true),
            ("a new task is assessed later", task(None), healthy, false),
            ("not healthy yet", task(minute_ago), unhealthy, false),
            ("nothing reported", task(minute_ago), Copies { items: &[], ..healthy }, false),
            ("not healthy in every target", task(minute_ago), Copies { targets: &two, ..healthy }, false),
            ("not scheduled yet", task(minute_ago), Copies { are_scheduled: false, ..healthy }, false),
            ("no other cluster fits", task(minute_ago), Copies { targets: &none, ..healthy }, false),
            (
                "the report is older than the manifest",
                task(minute_ago),
                Copies { current: &[], ..healthy },
                false,
            ),
            ("its time is over", with_grace(59), unhealthy, true),
            ("its time has just not passed", with_grace(60), unhealthy, false),
            ("suppressed", suppressed(true), healthy, false),
            ("released by the user", suppressed(false), unhealthy, true),
        ];
        for (name, task, copies, want) in cases {
            assert_eq!(ends(task, copies), want, "{name}");
        }
    }

    #[test]
    fn the_next_look_is_when_a_task_ends() {
        let now: Timestamp = "2026-01-01T00:01:00Z".parse().expect("a time");
        let copies = Copies { targets: &[], items: &[], are_scheduled: false, current: &[] };
        let tasks = [
            GracefulEvictionTask { suppress_deletion: Some(true), ..task(Some("2026-01-01T00:00:00Z")) },
            task(None),
            GracefulEvictionTask { grace_period_seconds: Some(90), ..task(Some("2026-01-01T00:00:00Z")) },
            task(Some("2027-01-01T00:00:00Z")),
        ];
        let assessment = assess(&tasks, copies, Duration::from_secs(600), now);
        assert_eq!(assessment.next, Some(Duration::from_secs(31)));
        assert_eq!(assessment.tasks.len(), 4);
        assert_eq!(assessment.tasks[1].creation_timestamp.as_deref(), Some("2026-01-01T00:01:00Z"));
        let suppressed = assess(&tasks[..1], copies, Duration::from_secs(600), now);
        assert_eq!(suppressed.next, None, "only the user ends it");
    }
}
