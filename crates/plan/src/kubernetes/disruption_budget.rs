//! The status of a PodDisruptionBudget: how many of its pods may be disrupted now (kubernetes pkg/controller/disruption).

use std::collections::BTreeMap;

use portolan_api::kubernetes::{IntOrString, View, controller};
use portolan_api::resources::{self, StaticResource};
use portolan_object::Object;
use portolan_object::selector::LabelSelector;
use serde::Deserialize;
use serde_json::{Value, json};

use super::pods::{is_active, is_ready};
use super::share::{Rounding, share};

/// A budget as its controller reads it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct BudgetView<'a> {
    #[serde(borrow)]
    spec: Spec<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec<'a> {
    #[serde(borrow)]
    min_available: Option<IntOrString<'a>>,
    #[serde(borrow)]
    max_unavailable: Option<IntOrString<'a>>,
    selector: Option<Value>,
}

impl<'a> View<'a> for BudgetView<'a> {
    const RESOURCE: StaticResource = resources::POD_DISRUPTION_BUDGET;
}

/// Whether a budget is about a pod.
pub fn covers(budget: &Object, pod: &Object) -> bool {
    let view = BudgetView::read(budget).unwrap_or_default();
    // A budget without a selector is about no pod.
    let selector = view.spec.selector.as_ref().and_then(|selector| LabelSelector::from_value(selector).ok());
    selector.is_some_and(|selector| selector.matches_object(pod))
}

/// The status of a budget with the pods that it is about. `replicas` answers how many pods the controller of a pod wants,
/// with the uid of that controller; `None` if it is not known. `now` is RFC 3339.
pub fn status(
    budget: &Object,
    pods: &[&Object],
    replicas: impl Fn(&Object) -> Option<(String, i64)>,
    now: &str,
) -> Value {
    let view = BudgetView::read(budget).unwrap_or_default();
    let counted: Vec<&Object> = pods.iter().copied().filter(|pod| is_active(pod)).collect();
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let present = number(counted.len());
    let scale = || scale_of(&counted, &replicas);
    let found = match (view.spec.min_available, view.spec.max_unavailable) {
        (_, Some(limit)) => scale().map(|total| (total, (total - share(limit, total, Rounding::Up)).max(0))),
        (Some(IntOrString::Int(least)), None) => Ok((present, least)),
        (Some(least), None) => scale().map(|total| (total, share(least, total, Rounding::Up))),
        (None, None) => Ok((present, 1)),
    };
    let healthy = number(counted.iter().filter(|pod| is_ready(pod)).count());
    let (expected, desired) = *found.as_ref().unwrap_or(&(0, 0));
    let allowed = if found.is_ok() && expected > 0 { (healthy - desired).max(0) } else { 0 };
    let (holds, reason, message) = match &found {
        Err(message) => ("False", "SyncFailed", message.as_str()),
        Ok(_) if allowed > 0 => ("True", "SufficientPods", ""),
        Ok(_) => ("False", "InsufficientPods", ""),
    };
    let condition = json!({ "type": "DisruptionAllowed", "status": holds, "reason": reason, "message": message,
        "observedGeneration": budget.generation(), "lastTransitionTime": since(budget, holds, now) });
    json!({
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": budget.generation(),
        "conditions": [condition],
    })
}

/// The sum of what the controllers of the pods want.
fn scale_of(pods: &[&Object], replicas: &impl Fn(&Object) -> Option<(String, i64)>) -> Result<i64, String> {
    let mut wanted = BTreeMap::new();
    for pod in pods {
        if controller(pod).is_none() {
            return Err(format!("found no controllers for pod {:?}", pod.name()));
        }
        let Some((uid, count)) = replicas(pod) else {
            return Err(format!("the controller of pod {:?} has no scale", pod.name()));
        };
        wanted.insert(uid, count);
    }
    Ok(wanted.values().sum())
}

/// When the condition got this status.
fn since(budget: &Object, status: &str, now: &str) -> String {
    let conditions = budget.at(&["status", "conditions"]).and_then(Value::as_array);
    let present = conditions.into_iter().flatten().find(|condition| condition["type"] == "DisruptionAllowed");
    let same = present.filter(|condition| condition["status"] == status);
    same.and_then(|condition| condition["lastTransitionTime"].as_str()).unwrap_or(now).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn budget(spec: Value) -> Object {
        let mut budget = json!({ "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": { "name": "web", "namespace": "shop", "generation": 1 }, "spec": spec });
        budget["spec"]["selector"] = json!({ "matchLabels": { "app": "web" } });
        Object(budget)
    }

    fn pod(name: &str, ready: bool, owned: bool) -> Object {
        let owners = json!([{ "kind": "ReplicaSet", "name": "web-1", "uid": "u", "controller": true }]);
        Object(json!({ "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": name, "labels": { "app": "web" }, "ownerReferences": if owned { owners } else { json!([]) } },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }] } }))
    }

    #[test]
    fn disruptions_that_are_allowed() {
        let (a, b, sick) = (pod("a", true, true), pod("b", true, true), pod("c", false, true));
        let bare = pod("d", true, false);
        for (name, spec, pods, want) in [
            (
                "half of three may go",
                json!({ "maxUnavailable": "50%" }),
                vec![&a, &b, &sick],
                (3, 1, 1, "True"),
            ),
            (
                "one that is sick has gone already",
                json!({ "maxUnavailable": 1 }),
                vec![&a, &b, &sick],
                (3, 2, 0, "False"),
            ),
            ("a least number", json!({ "minAvailable": 1 }), vec![&a, &b], (2, 1, 1, "True")),
            ("a least share", json!({ "minAvailable": "67%" }), vec![&a, &b, &sick], (3, 3, 0, "False")),
            ("no pods", json!({ "minAvailable": 1 }), vec![], (0, 1, 0, "False")),
            ("a pod without an owner", json!({ "maxUnavailable": 1 }), vec![&bare], (0, 0, 0, "False")),
        ] {
            let status = status(&budget(spec), &pods, |_| Some(("u".to_owned(), 3)), NOW);
            let number = |field: &str| status[field].as_i64().unwrap();
            let found = (
                number("expectedPods"),
                number("desiredHealthy"),
                number("disruptionsAllowed"),
                status["conditions"][0]["status"].as_str().unwrap(),
            );
            assert_eq!(found, want, "{name}");
        }
    }

    #[test]
    fn a_selector_decides_which_pods_count() {
        let web = pod("a", true, true);
        assert!(covers(&budget(json!({})), &web));
        let mut other = web.clone();
        other.0["metadata"]["labels"] = json!({ "app": "db" });
        assert!(!covers(&budget(json!({})), &other));
    }
}
