//! Which objects a quota with scopes is about.

use serde_json::Value;

use super::counter::{Counter, CounterKind, is_terminating};
use crate::kinds::core::pod;
use crate::tree;

/// Whether an object is in all scopes of a quota. Quotas with scopes are about pods and claims only.
pub(crate) fn contains(quota: &Value, counter: &Counter, object: &Value) -> bool {
    let named = tree::strings_at(quota, "/spec/scopes");
    let mut named = named.map(|scope| Requirement { scope, operator: "Exists", values: &[] });
    let expressions = tree::list(quota, "/spec/scopeSelector/matchExpressions").iter();
    let mut selected = expressions.map(|expression| Requirement {
        scope: tree::str_at(expression, "/scopeName"),
        operator: tree::str_at(expression, "/operator"),
        values: tree::list(expression, "/values"),
    });
    named.all(|requirement| requirement.holds(counter, object))
        && selected.all(|requirement| requirement.holds(counter, object))
}

/// Whether a quota has scopes.
pub(crate) fn are_in(quota: &Value) -> bool {
    !tree::list(quota, "/spec/scopes").is_empty()
        || !tree::list(quota, "/spec/scopeSelector/matchExpressions").is_empty()
}

struct Requirement<'a> {
    scope: &'a str,
    operator: &'a str,
    values: &'a [Value],
}

impl Requirement<'_> {
    fn holds(&self, counter: &Counter, object: &Value) -> bool {
        match (counter.kind, self.scope) {
            (CounterKind::Pods, "Terminating") => is_terminating(object),
            (CounterKind::Pods, "NotTerminating") => !is_terminating(object),
            (CounterKind::Pods, "BestEffort") => is_best_effort(object),
            (CounterKind::Pods, "NotBestEffort") => !is_best_effort(object),
            (CounterKind::Pods, "PriorityClass") => {
                self.selects(&present([tree::str_at(object, "/spec/priorityClassName")]))
            }
            (CounterKind::Pods, "CrossNamespacePodAffinity") => looks_into_other_namespaces(object),
            (CounterKind::Claims, "VolumeAttributesClass") => self.selects(&present([
                tree::str_at(object, "/spec/volumeAttributesClassName"),
                tree::str_at(object, "/status/currentVolumeAttributesClassName"),
                tree::str_at(object, "/status/modifyVolumeStatus/targetVolumeAttributesClassName"),
            ])),
            _ => false,
        }
    }

    /// Whether one of the names meets the operator. Without a name, `NotIn` and `DoesNotExist` hold.
    fn selects(&self, names: &[&str]) -> bool {
        let is_listed = |name: &&str| self.values.iter().any(|value| value == name);
        match self.operator {
            "In" => names.iter().any(is_listed),
            "NotIn" => names.is_empty() || !names.iter().all(is_listed),
            "Exists" => !names.is_empty(),
            "DoesNotExist" => names.is_empty(),
            _ => false,
        }
    }
}

fn present<const N: usize>(names: [&str; N]) -> Vec<&str> {
    names.into_iter().filter(|name| !name.is_empty()).collect()
}

fn is_best_effort(pod: &Value) -> bool {
    pod::quality_of_service(pod) == "BestEffort"
}

/// Whether a term of a pod's affinity names other namespaces.
fn looks_into_other_namespaces(pod: &Value) -> bool {
    let crosses = |term: &Value| {
        !tree::list(term, "/namespaces").is_empty() || tree::present(term, "/namespaceSelector").is_some()
    };
    ["podAffinity", "podAntiAffinity"].into_iter().any(|affinity| {
        let terms = |moment: &str| tree::list(pod, &format!("/spec/affinity/{affinity}/{moment}"));
        let preferred = terms("preferredDuringSchedulingIgnoredDuringExecution").iter();
        terms("requiredDuringSchedulingIgnoredDuringExecution").iter().any(crosses)
            || preferred.filter_map(|weighted| weighted.get("podAffinityTerm")).any(crosses)
    })
}
