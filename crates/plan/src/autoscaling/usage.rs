//! The replicas that one metric asks for (kubernetes pkg/controller/podautoscaler/replica_calculator.go).

use std::collections::BTreeMap;

use super::sample::{Observed, PodId, PodSample, group};
use super::settings::Settings;

/// What one metric is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// Percents of the requests.
    Utilization(i32),
    /// Thousandths of units per pod.
    AverageValue(i64),
}

/// A resource of the pods, or of one container of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured<'a> {
    /// Name of the resource.
    pub(super) resource: &'a str,
    /// The container.
    pub(super) container: Option<&'a str>,
    /// The target.
    pub(super) target: Target,
}

/// Replicas that a metric asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proposal {
    /// Replicas of the template.
    pub(super) replicas: i32,
    /// Percents of the requests, for a target of utilization.
    pub(super) utilization: Option<i32>,
    /// Thousandths of units per pod.
    pub(super) average: i64,
}

/// Why a metric asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UsageError {
    #[error("no metrics returned from resource metrics API: {0}")]
    NoMetrics(String),
    #[error("no pods returned by selector while calculating replica count")]
    NoPods,
    #[error("did not receive metrics for any ready pods")]
    NoReadyPods,
    #[error("missing request for {resource} in container {container} of Pod {pod}")]
    NoRequest { resource: String, container: String, pod: String },
    #[error("no metrics returned matched known pods")]
    NothingRequested,
}

/// The ratio of present to desired use.
struct Ratio {
    ratio: f64,
    utilization: Option<i32>,
    average: i64,
}

/// The replicas that a metric asks for.
///
/// Pods without metrics count as idle when the rest asks for more, and as using all that they request when it asks for less.
/// Starting pods count as idle when the rest asks for more. The present number stays if the difference is small, or if these
/// assumptions turn the direction around.
pub(super) fn propose(
    observed: &Observed<'_>,
    measured: Measured<'_>,
    settings: &Settings,
) -> Result<Proposal, UsageError> {
    if observed.usage.is_empty() {
        let failures = observed.metric_failures.join("; ");
        return Err(UsageError::NoMetrics(failures));
    }
    if observed.pods.is_empty() {
        return Err(UsageError::NoPods);
    }
    let mut values: BTreeMap<PodId, i64> = BTreeMap::new();
    for (id, usage) in observed.usage {
        values.extend(usage.of(measured.resource, measured.container).map(|value| (id.clone(), value)));
    }
    let groups = group(observed.pods, observed.usage, &values, measured.resource, settings);
    values.retain(|id, _| !groups.ignored.contains(id) && !groups.unready.contains(id));
    let requests = requests(observed.pods, measured)?;
    if values.is_empty() {
        return Err(UsageError::NoReadyPods);
    }
    let first = ratio(&values, &requests, measured.target)?;
    let current = observed.template_replicas;
    let result =
        |replicas: i32| Proposal { replicas, utilization: first.utilization, average: first.average };
    let is_small = |ratio: f64| (1.0 - ratio).abs() <= settings.tolerance;
    let counts_unready = !groups.unready.is_empty() && first.ratio > 1.0;
    if !counts_unready && groups.missing.is_empty() {
        let replicas =
            if is_small(first.ratio) { current } else { scaled(first.ratio, groups.ready, observed) };
        return Ok(result(replicas));
    }
    for id in &groups.missing {
        let value = if first.ratio < 1.0 { assumed(&requests, id, measured.target) } else { 0 };
        if first.ratio != 1.0 {
            values.insert(id.clone(), value);
        }
    }
    if counts_unready {
        values.extend(groups.unready.iter().map(|id| (id.clone(), 0)));
    }
    let second = ratio(&values, &requests, measured.target)?.ratio;
    let turns = (first.ratio < 1.0 && second > 1.0) || (first.ratio > 1.0 && second < 1.0);
    if is_small(second) || turns {
        return Ok(result(current));
    }
    let replicas = scaled(second, values.len(), observed);
    let turns = (second < 1.0 && replicas > current) || (second > 1.0 && replicas < current);
    Ok(result(if turns { current } else { replicas }))
}

/// Replicas of the template for `pods` pods of the members that are used `ratio` times as much as they should be.
fn scaled(ratio: f64, pods: usize, observed: &Observed<'_>) -> i32 {
    let calibration = f64::from(observed.member_replicas) / f64::from(observed.template_replicas.max(1));
    // A float is converted to the nearest number of the type.
    (ratio * pods as f64 / calibration).ceil() as i32
}

/// What a pod without metrics is assumed to use when the others ask for fewer replicas.
fn assumed(requests: &BTreeMap<PodId, i64>, id: &PodId, target: Target) -> i64 {
    match target {
        Target::Utilization(percent) => {
            requests.get(id).copied().unwrap_or_default().saturating_mul(i64::from(percent.max(100))) / 100
        }
        Target::AverageValue(value) => value,
    }
}

/// Requests of each pod; not needed for a target without utilization.
fn requests(pods: &[PodSample], measured: Measured<'_>) -> Result<BTreeMap<PodId, i64>, UsageError> {
    if matches!(measured.target, Target::AverageValue(_)) {
        return Ok(BTreeMap::new());
    }
    let mut requests = BTreeMap::new();
    for pod in pods {
        let mut sum = 0_i64;
        for container in &pod.containers {
            if measured.container.is_some_and(|name| name != container.name) {
                continue;
            }
            let Some(request) = container.requests.get(measured.resource) else {
                return Err(UsageError::NoRequest {
                    resource: measured.resource.to_owned(),
                    container: container.name.clone(),
                    pod: format!("{}/{}", pod.id.cluster, pod.id.name),
                });
            };
            sum = sum.saturating_add(*request);
        }
        requests.insert(pod.id.clone(), sum);
    }
    Ok(requests)
}

fn ratio(
    values: &BTreeMap<PodId, i64>,
    requests: &BTreeMap<PodId, i64>,
    target: Target,
) -> Result<Ratio, UsageError> {
    match target {
        Target::AverageValue(target) => {
            let total = values.values().fold(0_i64, |sum, value| sum.saturating_add(*value));
            let average = total / i64::try_from(values.len()).unwrap_or(i64::MAX).max(1);
            Ok(Ratio { ratio: average as f64 / target.max(1) as f64, utilization: None, average })
        }
        Target::Utilization(percent) => {
            let known = || values.iter().filter_map(|(id, value)| Some((*value, *requests.get(id)?)));
            let used = known().fold(0_i64, |sum, (value, _)| sum.saturating_add(value));
            let requested = known().fold(0_i64, |sum, (_, request)| sum.saturating_add(request));
            if requested == 0 {
                return Err(UsageError::NothingRequested);
            }
            let utilization = i32::try_from(used.saturating_mul(100) / requested).unwrap_or(i32::MAX);
            let average = used / i64::try_from(known().count()).unwrap_or(i64::MAX);
            let ratio = f64::from(utilization) / f64::from(percent.max(1));
            Ok(Ratio { ratio, utilization: Some(utilization), average })
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::autoscaling::{ContainerRequests, Usage};

    fn now() -> Timestamp {
        "2026-01-01T12:00:00Z".parse().expect("a time")
    }

    /// A pod that has been ready for an hour and requests 1000m of CPU.
    fn pod(name: &str) -> PodSample {
        let hour_ago = now() - SignedDuration::from_hours(1);
        PodSample {
            id: PodId { cluster: "eu".to_owned(), name: name.to_owned() },
            phase: "Running".to_owned(),
            is_deleting: false,
            started: Some(hour_ago),
            ready: Some((true, hour_ago)),
            containers: vec![ContainerRequests {
                name: "c".to_owned(),
                requests: BTreeMap::from([("cpu".to_owned(), 1000)]),
            }],
        }
    }

    fn starting(name: &str) -> PodSample {
        let just_now = now() - SignedDuration::from_secs(10);
        PodSample { started: Some(just_now), ready: Some((false, just_now)), ..pod(name) }
    }

    fn pending(name: &str) -> PodSample {
        PodSample { phase: "Pending".to_owned(), ready: None, started: None, ..pod(name) }
    }

    fn usage(millis: i64) -> Usage {
        Usage {
            time: now(),
            window: SignedDuration::from_secs(30),
            containers: BTreeMap::from([("c".to_owned(), BTreeMap::from([("cpu".to_owned(), millis)]))]),
        }
    }

    /// Replicas for pods with what they use; the members have as many replicas as there are pods.
    fn replicas(
        template: i32,
        pods: Vec<(PodSample, Option<i64>)>,
        target: Target,
    ) -> Result<i32, UsageError> {
        let used: BTreeMap<PodId, Usage> =
            pods.iter().filter_map(|(pod, used)| Some((pod.id.clone(), usage((*used)?)))).collect();
        let pods: Vec<PodSample> = pods.into_iter().map(|(pod, _)| pod).collect();
        let observed = Observed {
            template_replicas: template,
            member_replicas: i32::try_from(pods.len()).expect("few pods"),
            pods: &pods,
            usage: &used,
            metric_failures: &[],
        };
        let measured = Measured { resource: "cpu", container: None, target };
        propose(&observed, measured, &Settings::at(now())).map(|proposal| proposal.replicas)
    }

    #[test]
    fn replicas_follow_the_use() {
        let all = |used: &[i64]| -> Vec<(PodSample, Option<i64>)> {
            used.iter().enumerate().map(|(index, used)| (pod(&format!("p{index}")), Some(*used))).collect()
        };
        let half = Target::Utilization(50);
        let cases = [
            ("at the target", 3, all(&[500, 500, 500]), half, 3),
            ("within the tolerance", 3, all(&[540, 540, 540]), half, 3),
            ("twice the target", 3, all(&[1000, 1000, 1000]), half, 6),
            ("half the target", 4, all(&[250, 250, 250, 250]), half, 2),
            ("a raw value", 3, all(&[300, 500, 700]), Target::AverageValue(100), 15),
            ("every member has all replicas", 1, all(&[1000, 1000, 1000]), half, 2),
            (
                "a starting pod counts as idle on the way up",
                3,
                vec![(pod("a"), Some(900)), (pod("b"), Some(900)), (starting("c"), Some(900))],
                half,
                4,
            ),
            (
                "a pending pod counts as idle on the way up",
                3,
                vec![(pod("a"), Some(600)), (pod("b"), Some(600)), (pending("c"), None)],
                half,
                3,
            ),
            (
                "a starting pod does not count on the way down",
                3,
                vec![(pod("a"), Some(100)), (pod("b"), Some(100)), (starting("c"), Some(900))],
                half,
                1,
            ),
            (
                "a missing pod counts as busy on the way down",
                4,
                vec![(pod("a"), Some(100)), (pod("b"), Some(100)), (pod("c"), Some(100)), (pod("d"), None)],
                half,
                3,
            ),
            (
                "a missing pod counts as idle on the way up",
                2,
                vec![(pod("a"), Some(2000)), (pod("b"), None)],
                half,
                4,
            ),
            (
                "assumptions do not turn the direction",
                2,
                vec![(pod("a"), Some(400)), (pod("b"), None)],
                half,
                2,
            ),
        ];
        for (name, template, pods, target, want) in cases {
            assert_eq!(replicas(template, pods, target), Ok(want), "{name}");
        }
    }

    #[test]
    fn pods_on_their_way_out_do_not_count() {
        let failed = PodSample { phase: "Failed".to_owned(), ..pod("b") };
        let leaving = PodSample { is_deleting: true, ..pod("c") };
        let pods = vec![(pod("a"), Some(1000)), (failed, Some(0)), (leaving, Some(0))];
        assert_eq!(replicas(3, pods, Target::Utilization(50)), Ok(2));
    }

    #[test]
    fn what_cannot_be_compared_is_an_error() {
        let mut unlimited = pod("a");
        unlimited.containers[0].requests.clear();
        let half = Target::Utilization(50);
        assert_eq!(replicas(1, vec![(pod("a"), None)], half), Err(UsageError::NoMetrics(String::new())));
        assert_eq!(replicas(1, vec![(starting("a"), Some(1))], half), Err(UsageError::NoReadyPods));
        let error = replicas(1, vec![(unlimited, Some(1))], half).expect_err("no request");
        assert_eq!(error.to_string(), "missing request for cpu in container c of Pod eu/a");
    }
}
