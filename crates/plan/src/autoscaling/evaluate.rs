//! One look at a FederatedHPA.

use portolan_api::Quantity;
use portolan_api::autoscaling::{
    AutoscalerCondition, ContainerResourceStatus, FederatedHpaSpec, MetricSpec, MetricStatus, MetricTarget,
    MetricValue, ResourceStatus,
};
use portolan_object::quantity;
use serde_json::json;

use super::pace::{History, Range, pace};
use super::sample::Observed;
use super::settings::Settings;
use super::usage::{Measured, Proposal, Target, propose};

/// The result of a look.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Replicas that the template should have.
    pub replicas: i32,
    /// Why they differ from the present ones.
    pub reason: String,
    /// The conditions `AbleToScale`, `ScalingActive` and `ScalingLimited`, as far as they were decided.
    pub conditions: Vec<AutoscalerCondition>,
    /// The metrics, in the order of the spec.
    pub metrics: Vec<MetricStatus>,
    /// Why metrics could not be used.
    pub failure: Option<String>,
}

/// A condition without its time.
pub fn condition_of(
    kind: &str,
    holds: bool,
    reason: &str,
    message: impl Into<String>,
) -> AutoscalerCondition {
    AutoscalerCondition {
        kind: kind.to_owned(),
        status: holds.into(),
        last_transition_time: None,
        reason: reason.to_owned(),
        message: message.into(),
    }
}

/// Decides about the replicas of a template.
pub fn evaluate(
    spec: &FederatedHpaSpec,
    observed: &Observed<'_>,
    history: &mut History,
    settings: &Settings,
) -> Decision {
    let current = observed.template_replicas;
    let range = Range { min: spec.min_replicas.unwrap_or(1), max: spec.max_replicas };
    history.begin(current, settings.now);
    let unchanged = |conditions: Vec<AutoscalerCondition>| Decision {
        replicas: current,
        reason: String::new(),
        conditions,
        metrics: Vec::new(),
        failure: None,
    };
    if current == 0 && range.min != 0 {
        let message = "scaling is disabled since the replica count of the target is zero";
        return unchanged(vec![condition_of("ScalingActive", false, "ScalingDisabled", message)]);
    }
    if current > range.max || current < range.min {
        let (replicas, reason) = if current > range.max {
            (range.max, "Current number of replicas above Spec.MaxReplicas")
        } else {
            (range.min, "Current number of replicas below Spec.MinReplicas")
        };
        return Decision { replicas, reason: reason.to_owned(), ..unchanged(Vec::new()) };
    }
    let computed = match compute(spec, observed, settings) {
        Ok(computed) => computed,
        Err(failed) => {
            let condition = condition_of("ScalingActive", false, failed.reason, &*failed.message);
            return Decision {
                metrics: failed.metrics,
                failure: Some(failed.message),
                ..unchanged(vec![condition])
            };
        }
    };
    let reason = match computed.replicas {
        wanted if wanted > current => format!("{} above target", computed.metric),
        wanted if wanted < current => "All metrics below target".to_owned(),
        _ => String::new(),
    };
    let change = (current, computed.replicas);
    let paced = pace(history, spec.behavior.as_ref(), change, range, settings.now);
    let message =
        format!("the HPA was able to successfully calculate a replica count from {}", computed.metric);
    Decision {
        replicas: paced.replicas,
        reason,
        conditions: vec![
            condition_of("AbleToScale", true, paced.able.0, paced.able.1),
            condition_of("ScalingActive", true, "ValidMetricFound", message),
            condition_of("ScalingLimited", paced.is_limited, paced.limited.0, paced.limited.1),
        ],
        metrics: computed.metrics,
        failure: computed.failure,
    }
}

/// The metric that asks for the most replicas.
struct Computed {
    replicas: i32,
    metric: String,
    metrics: Vec<MetricStatus>,
    failure: Option<String>,
}

/// No metric can be used, or the ones that can would take replicas away.
struct Failed {
    reason: &'static str,
    message: String,
    metrics: Vec<MetricStatus>,
}

fn compute(
    spec: &FederatedHpaSpec,
    observed: &Observed<'_>,
    settings: &Settings,
) -> Result<Computed, Failed> {
    let mut best: Option<(i32, String)> = None;
    let mut metrics = Vec::new();
    let mut first_failure: Option<(&'static str, String)> = None;
    let mut failures = 0;
    for metric in &spec.metrics {
        match compute_metric(metric, observed, settings) {
            Ok((replicas, name, status)) => {
                metrics.push(status);
                if best.as_ref().is_none_or(|(most, _)| replicas > *most) {
                    best = Some((replicas, name));
                }
            }
            Err((reason, message)) => {
                metrics.push(MetricStatus::default());
                failures += 1;
                first_failure.get_or_insert((reason, message));
            }
        }
    }
    let total = spec.metrics.len();
    let told = |message: &str| {
        format!("invalid metrics ({failures} invalid out of {total}), first error is: {message}")
    };
    match (best, first_failure) {
        (Some((replicas, metric)), None) => Ok(Computed { replicas, metric, metrics, failure: None }),
        (Some((replicas, metric)), Some((_, message))) if replicas >= observed.template_replicas => {
            Ok(Computed { replicas, metric, metrics, failure: Some(told(&message)) })
        }
        (_, Some((reason, message))) => {
            let message = format!("the HPA was unable to compute the replica count: {}", told(&message));
            Err(Failed { reason, message, metrics })
        }
        (None, None) => {
            let message = "the HPA was unable to compute the replica count: spec.metrics is empty".to_owned();
            Err(Failed { reason: "InvalidMetricSourceType", message, metrics })
        }
    }
}

/// Replicas, name and status of one metric; or reason and message.
fn compute_metric(
    metric: &MetricSpec,
    observed: &Observed<'_>,
    settings: &Settings,
) -> Result<(i32, String, MetricStatus), (&'static str, String)> {
    if let ("Resource", Some(source)) = (metric.kind.as_str(), &metric.resource) {
        const FAILED: &str = "FailedGetResourceMetric";
        let target = target(&source.target).map_err(|error| (FAILED, error))?;
        let measured = Measured { resource: &source.name, container: None, target };
        let proposal = propose(observed, measured, settings);
        let proposal = proposal.map_err(|error| (FAILED, of_resource(&source.name, &error)))?;
        let resource = Some(ResourceStatus { name: source.name.clone(), current: value(&proposal) });
        let status = MetricStatus { kind: metric.kind.clone(), resource, ..MetricStatus::default() };
        return Ok((proposal.replicas, name(&source.name, "", target), status));
    }
    if let ("ContainerResource", Some(source)) = (metric.kind.as_str(), &metric.container_resource) {
        const FAILED: &str = "FailedGetContainerResourceMetric";
        let target = target(&source.target).map_err(|error| (FAILED, error))?;
        let measured = Measured { resource: &source.name, container: Some(&source.container), target };
        let proposal = propose(observed, measured, settings);
        let proposal = proposal.map_err(|error| (FAILED, of_resource(&source.name, &error)))?;
        let container_resource = Some(ContainerResourceStatus {
            name: source.name.clone(),
            container: source.container.clone(),
            current: value(&proposal),
        });
        let status =
            MetricStatus { kind: metric.kind.clone(), container_resource, ..MetricStatus::default() };
        return Ok((proposal.replicas, name(&source.name, "container ", target), status));
    }
    let reason = match metric.kind.as_str() {
        "Pods" => "FailedGetPodsMetric",
        "Object" => "FailedGetObjectMetric",
        _ => "InvalidMetricSourceType",
    };
    Err((
        reason,
        format!("metrics of type {:?} are not read; use Resource or ContainerResource", metric.kind),
    ))
}

fn of_resource(resource: &str, error: &super::usage::UsageError) -> String {
    format!("failed to get {resource} utilization: {error}")
}

fn name(resource: &str, container: &str, target: Target) -> String {
    match target {
        Target::Utilization(_) => {
            format!("{resource} {container}resource utilization (percentage of request)")
        }
        Target::AverageValue(_) => format!("{resource} {container}resource"),
    }
}

fn value(proposal: &Proposal) -> MetricValue {
    let average = json!(quantity::Quantity::from_milli(proposal.average).to_string());
    MetricValue { average_utilization: proposal.utilization, average_value: Some(Quantity(average)) }
}

fn target(target: &MetricTarget) -> Result<Target, String> {
    if let Some(average) = &target.average_value {
        let text = average.0.as_str().map_or_else(|| average.0.to_string(), str::to_owned);
        let quantity =
            quantity::Quantity::parse(&text).map_err(|error| format!("averageValue {text}: {error}"))?;
        return Ok(Target::AverageValue(quantity.milli()));
    }
    let missing = "invalid resource metric source: neither an average utilization target nor an average value \
                   target was set";
    target.average_utilization.map(Target::Utilization).ok_or_else(|| missing.to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::{SignedDuration, Timestamp};
    use portolan_api::meta::ConditionStatus;
    use serde_json::Value;

    use super::*;
    use crate::autoscaling::{ContainerRequests, PodId, PodSample, Usage};

    fn now() -> Timestamp {
        "2026-01-01T12:00:00Z".parse().expect("a time")
    }

    fn spec(extra: Value) -> FederatedHpaSpec {
        let mut spec = json!({ "scaleTargetRef": { "kind": "Deployment", "name": "web" }, "maxReplicas": 10,
            "metrics": [{ "type": "Resource", "resource": { "name": "cpu",
                "target": { "type": "Utilization", "averageUtilization": 50 } } }] });
        spec.as_object_mut().expect("an object").extend(extra.as_object().cloned().unwrap_or_default());
        serde_json::from_value(spec).expect("a spec")
    }

    /// Looks at `count` pods of two members that use `millis` of 1000m CPU each.
    fn look(spec: &FederatedHpaSpec, template: i32, count: i32, millis: i64) -> Decision {
        let hour_ago = now() - SignedDuration::from_hours(1);
        let cpu = |amount: i64| BTreeMap::from([("cpu".to_owned(), amount)]);
        let pod = |index: i32| PodSample {
            id: PodId { cluster: format!("c{}", index % 2), name: format!("p{}", index / 2) },
            phase: "Running".to_owned(),
            is_deleting: false,
            started: Some(hour_ago),
            ready: Some((true, hour_ago)),
            containers: vec![ContainerRequests { name: "web".to_owned(), requests: cpu(1000) }],
        };
        let pods: Vec<PodSample> = (0..count).map(pod).collect();
        let used = |pod: &PodSample| {
            let containers = BTreeMap::from([("web".to_owned(), cpu(millis))]);
            (pod.id.clone(), Usage { time: now(), window: SignedDuration::from_secs(30), containers })
        };
        let usage = pods.iter().map(used).collect();
        let observed = Observed {
            template_replicas: template,
            member_replicas: count,
            pods: &pods,
            usage: &usage,
            metric_failures: &["cluster c1: no metrics API".to_owned()],
        };
        evaluate(spec, &observed, &mut History::default(), &Settings::at(now()))
    }

    fn reason(decision: &Decision, kind: &str) -> (bool, String) {
        let found = decision.conditions.iter().find(|condition| condition.kind == kind);
        let found = found.unwrap_or_else(|| panic!("no {kind}: {decision:?}"));
        (found.status == ConditionStatus::True, found.reason.clone())
    }

    #[test]
    fn replicas_of_the_template_follow_the_members() {
        let cases = [
            (
                "divided, too busy",
                4,
                4,
                1000,
                8,
                "cpu resource utilization (percentage of request) above target",
            ),
            ("divided, at the target", 4, 4, 500, 4, ""),
            (
                "duplicated in two members",
                2,
                4,
                1000,
                4,
                "cpu resource utilization (percentage of request) above target",
            ),
            ("above the maximum", 20, 20, 500, 10, "Current number of replicas above Spec.MaxReplicas"),
            ("switched off", 0, 0, 0, 0, ""),
        ];
        for (name, template, count, millis, want, reason) in cases {
            let decision = look(&spec(json!({})), template, count, millis);
            assert_eq!((decision.replicas, decision.reason.as_str()), (want, reason), "{name}");
        }
        let below = look(&spec(json!({ "minReplicas": 3 })), 1, 1, 500);
        assert_eq!(
            (below.replicas, below.reason.as_str()),
            (3, "Current number of replicas below Spec.MinReplicas")
        );
    }

    #[test]
    fn conditions_say_what_was_found() {
        let busy = look(&spec(json!({})), 4, 4, 1000);
        assert_eq!(reason(&busy, "ScalingActive"), (true, "ValidMetricFound".to_owned()));
        assert_eq!(reason(&busy, "ScalingLimited"), (false, "DesiredWithinRange".to_owned()));
        assert_eq!(
            serde_json::to_value(&busy.metrics).expect("JSON"),
            json!([{ "type": "Resource", "resource": { "name": "cpu",
                "current": { "averageUtilization": 100, "averageValue": "1" } } }])
        );
        let limited = look(&spec(json!({ "maxReplicas": 6 })), 4, 4, 1000);
        assert_eq!(limited.replicas, 6);
        assert_eq!(reason(&limited, "ScalingLimited"), (true, "TooManyReplicas".to_owned()));
        let off = look(&spec(json!({})), 0, 0, 0);
        assert_eq!(reason(&off, "ScalingActive"), (false, "ScalingDisabled".to_owned()));
    }

    #[test]
    fn without_metrics_nothing_changes_and_the_members_are_named() {
        let observed = Observed {
            template_replicas: 3,
            member_replicas: 3,
            pods: &[],
            usage: &BTreeMap::new(),
            metric_failures: &["cluster eu serves no metrics.k8s.io".to_owned()],
        };
        let decision = evaluate(&spec(json!({})), &observed, &mut History::default(), &Settings::at(now()));
        assert_eq!(decision.replicas, 3);
        assert_eq!(reason(&decision, "ScalingActive"), (false, "FailedGetResourceMetric".to_owned()));
        let message = decision.failure.expect("a failure");
        assert!(message.contains("cluster eu serves no metrics.k8s.io"), "{message}");
    }

    #[test]
    fn a_metric_that_cannot_be_read_only_prevents_fewer_replicas() {
        let pods = json!({ "type": "Pods", "pods": { "metric": { "name": "m" },
            "target": { "type": "AverageValue", "averageValue": "1" } } });
        let mut both = spec(json!({}));
        both.metrics.insert(0, serde_json::from_value(pods).expect("a metric"));
        let busy = look(&both, 4, 4, 1000);
        assert_eq!((busy.replicas, busy.failure.is_some()), (8, true));
        let idle = look(&both, 4, 4, 100);
        assert_eq!(idle.replicas, 4);
        assert_eq!(reason(&idle, "ScalingActive"), (false, "FailedGetPodsMetric".to_owned()));
    }

    #[test]
    fn a_raw_target_and_a_container_are_read() {
        let metrics = json!([{ "type": "ContainerResource", "containerResource": { "name": "cpu", "container": "web",
            "target": { "type": "AverageValue", "averageValue": "500m" } } }]);
        let decision = look(&spec(json!({ "metrics": metrics })), 4, 4, 1000);
        assert_eq!((decision.replicas, decision.reason.as_str()), (8, "cpu container resource above target"));
    }
}
