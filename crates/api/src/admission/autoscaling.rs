//! Admission of FederatedHPAs (karmada pkg/webhook/federatedhpa; kubernetes pkg/apis/autoscaling/validation).

use portolan_object::{FieldError, Status};
use serde_json::{Value, json};

use super::{deny_for, typed};
use crate::autoscaling::{
    FederatedHPA, FederatedHpaSpec, MetricSpec, MetricTarget, ResourceMetric, ScaleTargetReference,
    ScalingPolicy, ScalingRules,
};

const WEBHOOK: &str = "federatedhpa.karmada.io";
/// Utilization of CPU that is the target of an autoscaler without metrics, in percent.
const DEFAULT_UTILIZATION: i32 = 80;
/// Longest period of a policy, in seconds.
const MAX_PERIOD: i32 = 1800;
/// Longest stabilization window, in seconds.
const MAX_WINDOW: i32 = 3600;
const SOURCES: [&str; 4] = ["ContainerResource", "Object", "Pods", "Resource"];

/// Completes and validates an autoscaler. The texts returned are warnings.
pub(super) fn admit(object: &mut Value) -> Result<Vec<String>, Status> {
    let Some(mut autoscaler) = typed::<FederatedHPA>(object) else { return Ok(Vec::new()) };
    complete(&mut autoscaler.spec);
    let mut errors = Vec::new();
    check(&autoscaler.spec, &mut errors);
    deny_for(WEBHOOK, &errors)?;
    object["spec"] = json!(autoscaler.spec);
    Ok(warnings(&autoscaler.spec))
}

fn complete(spec: &mut FederatedHpaSpec) {
    spec.min_replicas.get_or_insert(1);
    if spec.metrics.is_empty() {
        let kind = "Utilization".to_owned();
        let target =
            MetricTarget { kind, average_utilization: Some(DEFAULT_UTILIZATION), ..MetricTarget::default() };
        let resource = Some(ResourceMetric { name: "cpu".to_owned(), target });
        spec.metrics = vec![MetricSpec { kind: "Resource".to_owned(), resource, ..MetricSpec::default() }];
    }
    spec.behavior = spec.behavior.take().map(crate::autoscaling::Behavior::completed);
}

/// Metrics that are accepted, as in Karmada, and not read.
fn warnings(spec: &FederatedHpaSpec) -> Vec<String> {
    let is_unread = |metric: &MetricSpec| matches!(metric.kind.as_str(), "Pods" | "Object");
    let unread = spec.metrics.iter().enumerate().filter(|(_, metric)| is_unread(metric));
    let warning = |(index, metric): (usize, &MetricSpec)| {
        format!(
            "spec.metrics[{index}]: metrics of type {} are not read; use Resource or ContainerResource",
            metric.kind
        )
    };
    unread.map(warning).collect()
}

fn check(spec: &FederatedHpaSpec, errors: &mut Vec<FieldError>) {
    let (min, max) = (spec.min_replicas.unwrap_or(1), spec.max_replicas);
    if min < 1 {
        let detail = "must be greater than or equal to 1";
        errors.push(FieldError::invalid("spec.minReplicas", &json!(min), detail));
    }
    if max < 1 {
        errors.push(FieldError::invalid("spec.maxReplicas", &json!(max), "must be greater than 0"));
    }
    if max < min {
        let detail = "must be greater than or equal to `minReplicas`";
        errors.push(FieldError::invalid("spec.maxReplicas", &json!(max), detail));
    }
    check_target(&spec.scale_target_ref, "spec.scaleTargetRef", errors);
    for (index, metric) in spec.metrics.iter().enumerate() {
        check_metric(metric, &format!("spec.metrics[{index}]"), errors);
    }
    if let Some(behavior) = &spec.behavior {
        let rules = [("scaleUp", &behavior.scale_up), ("scaleDown", &behavior.scale_down)];
        for (name, rules) in rules {
            let path = format!("spec.behavior.{name}");
            rules.iter().for_each(|rules| check_rules(rules, &path, errors));
        }
    }
}

/// Kind and name must be there, and be parts of a path.
pub(super) fn check_target(target: &ScaleTargetReference, path: &str, errors: &mut Vec<FieldError>) {
    for (field, value) in [("kind", &target.kind), ("name", &target.name)] {
        let field = format!("{path}.{field}");
        if value.is_empty() {
            errors.push(FieldError::required(field, ""));
        } else if matches!(value.as_str(), "." | "..") || value.contains(['/', '%']) {
            let detail = "must be a name: not `.` or `..`, and without `/` and `%`";
            errors.push(FieldError::invalid(field, &json!(value), detail));
        }
    }
}

fn check_metric(metric: &MetricSpec, path: &str, errors: &mut Vec<FieldError>) {
    if !SOURCES.contains(&metric.kind.as_str()) {
        errors.push(FieldError::not_supported(format!("{path}.type"), &json!(metric.kind), &SOURCES));
        return;
    }
    let present = [
        ("ContainerResource", "containerResource", metric.container_resource.is_some()),
        ("Object", "object", metric.object.is_some()),
        ("Pods", "pods", metric.pods.is_some()),
        ("Resource", "resource", metric.resource.is_some()),
        ("External", "external", metric.external.is_some()),
    ];
    for (kind, field, is_set) in present {
        let field = format!("{path}.{field}");
        if kind == metric.kind && !is_set {
            errors.push(FieldError::required(field, "must populate information for the given metric source"));
        } else if kind != metric.kind && is_set {
            errors.push(FieldError::forbidden(field, "must populate the given metric source only"));
        }
    }
    if let Some(resource) = &metric.resource {
        check_resource(&resource.name, &resource.target, &format!("{path}.resource"), errors);
    }
    if let Some(resource) = &metric.container_resource {
        let path = format!("{path}.containerResource");
        if resource.container.is_empty() {
            errors.push(FieldError::required(format!("{path}.container"), "must specify a container"));
        }
        check_resource(&resource.name, &resource.target, &path, errors);
    }
    if let Some(pods) = &metric.pods
        && pods.target.average_value.is_none()
    {
        let field = format!("{path}.pods.target.averageValue");
        errors.push(FieldError::required(field, "must specify a positive target averageValue"));
    }
    if let Some(object) = &metric.object {
        check_target(&object.described_object, &format!("{path}.object.describedObject"), errors);
    }
}

fn check_resource(name: &str, target: &MetricTarget, path: &str, errors: &mut Vec<FieldError>) {
    if name.is_empty() {
        errors.push(FieldError::required(format!("{path}.name"), "must specify a resource name"));
    }
    let path = format!("{path}.target");
    if !matches!(target.kind.as_str(), "Utilization" | "Value" | "AverageValue") {
        let allowed = ["AverageValue", "Utilization", "Value"];
        errors.push(FieldError::not_supported(format!("{path}.type"), &json!(target.kind), &allowed));
    }
    match (target.average_utilization, &target.average_value) {
        (None, None) => {
            let detail = "must set either a target raw value or a target utilization";
            errors.push(FieldError::required(format!("{path}.averageUtilization"), detail));
        }
        (Some(_), Some(_)) => {
            let detail = "may not set both a target raw value and a target utilization";
            errors.push(FieldError::forbidden(format!("{path}.averageValue"), detail));
        }
        (Some(percent), None) if percent < 1 => {
            let field = format!("{path}.averageUtilization");
            errors.push(FieldError::invalid(field, &json!(percent), "must be greater than 0"));
        }
        _ => {}
    }
}

fn check_rules(rules: &ScalingRules, path: &str, errors: &mut Vec<FieldError>) {
    if let Some(window) = rules.stabilization_window_seconds
        && !(0..=MAX_WINDOW).contains(&window)
    {
        let detail = format!("must be at least 0 and at most {MAX_WINDOW}");
        errors.push(FieldError::invalid(
            format!("{path}.stabilizationWindowSeconds"),
            &json!(window),
            detail,
        ));
    }
    if let Some(select) = &rules.select_policy
        && !matches!(select.as_str(), "Max" | "Min" | "Disabled")
    {
        let field = format!("{path}.selectPolicy");
        errors.push(FieldError::not_supported(field, &json!(select), &["Disabled", "Max", "Min"]));
    }
    let policies = rules.policies.as_deref().unwrap_or_default();
    if policies.is_empty() {
        let field = format!("{path}.policies");
        errors.push(FieldError::required(field, "must specify at least one Policy"));
    }
    for (index, policy) in policies.iter().enumerate() {
        check_policy(policy, &format!("{path}.policies[{index}]"), errors);
    }
}

fn check_policy(policy: &ScalingPolicy, path: &str, errors: &mut Vec<FieldError>) {
    if !matches!(policy.kind.as_str(), "Pods" | "Percent") {
        let field = format!("{path}.type");
        errors.push(FieldError::not_supported(field, &json!(policy.kind), &["Percent", "Pods"]));
    }
    if policy.value <= 0 {
        let field = format!("{path}.value");
        errors.push(FieldError::invalid(field, &json!(policy.value), "must be greater than zero"));
    }
    if !(1..=MAX_PERIOD).contains(&policy.period_seconds) {
        let detail = format!("must be greater than zero and at most {MAX_PERIOD}");
        let field = format!("{path}.periodSeconds");
        errors.push(FieldError::invalid(field, &json!(policy.period_seconds), detail));
    }
}
