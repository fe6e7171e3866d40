//! A ResourceQuota of a member, with the fields that limit new pods.

use portolan_api::meta::SelectorRequirement;
use serde::{Deserialize, Serialize};

use super::amounts::{Amounts, ResourceName};

const REQUESTS: &str = "requests.";

/// A ResourceQuota. It is read from the whole object, and written, to estimate its size, as what is kept of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Source")]
pub struct MemberQuota {
    /// What further pods may ask for, by the plain name of the resource. Limits and counts of other objects are left out.
    pub free: Amounts,
    /// The pods that it concerns; empty is all. One of these must match.
    pub scopes: Vec<QuotaScope>,
}

/// A selector of pods by a scope.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuotaScope {
    /// Name of the scope, such as `PriorityClass`.
    pub scope_name: String,
    /// In, NotIn, Exists or DoesNotExist.
    pub operator: String,
    /// Values to compare with.
    pub values: Vec<String>,
}

impl MemberQuota {
    /// Whether it limits pods with this priority class. Of the scopes, only `PriorityClass` can be decided from the
    /// requirements of a workload; a quota with other scopes does not count.
    pub fn concerns(&self, priority_class: &str) -> bool {
        self.scopes.is_empty() || self.scopes.iter().any(|scope| scope.matches(priority_class))
    }
}

impl QuotaScope {
    fn matches(&self, priority_class: &str) -> bool {
        if self.scope_name != "PriorityClass" {
            return false;
        }
        let requirement = SelectorRequirement {
            key: self.scope_name.clone(),
            operator: self.operator.clone(),
            values: self.values.clone(),
        };
        requirement.matches((!priority_class.is_empty()).then_some(priority_class))
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Source {
    spec: SourceSpec,
    status: SourceStatus,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SourceSpec {
    hard: Amounts,
    scopes: Vec<String>,
    scope_selector: SourceSelector,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct SourceSelector {
    match_expressions: Vec<QuotaScope>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct SourceStatus {
    hard: Amounts,
    used: Amounts,
}

impl From<Source> for MemberQuota {
    fn from(source: Source) -> Self {
        let Source { spec, status } = source;
        // Until the quota controller of the member has seen the quota, its spec is what will count.
        let hard = if status.hard.is_empty() { spec.hard } else { status.hard };
        let mut free = Amounts::default();
        for (name, limit) in hard.iter() {
            let Some((resource, limit, used)) = plain(name, limit, status.used.get(name).unwrap_or_default())
            else {
                continue;
            };
            let left = limit.saturating_sub(used);
            // `cpu` and `requests.cpu` limit the same.
            let left = free.get(&resource).map_or(left, |other| other.min(left));
            free = free.with(resource, left);
        }
        let exists =
            |scope_name| QuotaScope { scope_name, operator: "Exists".to_owned(), values: Vec::new() };
        let scopes = spec.scopes.into_iter().map(exists).chain(spec.scope_selector.match_expressions);
        Self { free, scopes: scopes.collect() }
    }
}

/// The resource of pods that an entry limits, with its numbers in the unit of that resource.
fn plain(name: &ResourceName, limit: i64, used: i64) -> Option<(ResourceName, i64, i64)> {
    match name {
        ResourceName::Cpu | ResourceName::Memory | ResourceName::EphemeralStorage | ResourceName::Pods => {
            Some((name.clone(), limit, used))
        }
        ResourceName::Other(text) if &**text == "count/pods" => Some((ResourceName::Pods, limit, used)),
        ResourceName::Other(text) => {
            let resource = text.strip_prefix(REQUESTS)?;
            // The storage of volume claims is not a request of pods.
            let is_request = resource != "storage";
            is_request.then(|| (ResourceName::of(resource), limit, used))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn quota(value: Value) -> MemberQuota {
        serde_json::from_value(value).expect("a quota")
    }

    #[test]
    fn what_is_left_for_pods() {
        let quota = quota(json!({
            "spec": { "hard": { "cpu": "9" } },
            "status": {
                "hard": { "requests.cpu": "0.03", "cpu": "1", "memory": "1Gi", "limits.cpu": "4", "pods": "5",
                          "secrets": "3", "requests.storage": "1Gi", "requests.nvidia.com/gpu": "2" },
                "used": { "requests.cpu": "10m", "cpu": "10m", "memory": "256Mi", "pods": "2" }
            }
        }));
        let left = serde_json::to_value(quota.free.to_list()).expect("JSON");
        assert_eq!(left, json!({ "cpu": "20m", "memory": "768Mi", "pods": "3", "nvidia.com/gpu": "2" }));
    }

    #[test]
    fn a_quota_that_no_controller_has_seen_counts_by_its_spec() {
        let quota = quota(json!({ "spec": { "hard": { "requests.cpu": "30m" } } }));
        assert_eq!(quota.free.get(&ResourceName::Cpu), Some(30));
    }

    #[test]
    fn scopes_by_priority_class() {
        let selector = |operator: &str, values: &[&str]| {
            json!({ "scopeSelector": { "matchExpressions": [
                { "scopeName": "PriorityClass", "operator": operator, "values": values }] } })
        };
        for (spec, class, want) in [
            (json!({}), "", true),
            (json!({ "scopes": ["BestEffort"] }), "high", false),
            (json!({ "scopes": ["PriorityClass"] }), "high", true),
            (json!({ "scopes": ["PriorityClass"] }), "", false),
            (selector("In", &["high"]), "high", true),
            (selector("In", &["high"]), "low", false),
            (selector("NotIn", &["high"]), "low", true),
            (selector("DoesNotExist", &[]), "", true),
        ] {
            let quota = quota(json!({ "spec": spec }));
            assert_eq!(quota.concerns(class), want, "{spec} {class}");
        }
    }
}
