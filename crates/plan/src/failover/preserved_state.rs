//! Fields of the old status that the new copy gets as labels (karmada pkg/util/helper/failover.go).

use std::collections::BTreeMap;

use portolan_api::policy::StatePreservation;
use portolan_api::work::AggregatedStatusItem;
use portolan_object::jsonpath::{JsonPathError, MissingKeys, Template};
use portolan_object::selector::label_value_errors;

/// The state of a workload cannot be preserved, so it stays where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// There is no status to read.
    #[error("cluster {0} has not reported the status from which statePreservation takes the labels")]
    NotReported(String),
    /// A path finds nothing.
    #[error("statePreservation: {path} in the status from cluster {cluster}: {error}")]
    Path {
        /// The path.
        path: String,
        /// The cluster.
        cluster: String,
        /// Why.
        error: JsonPathError,
    },
    /// A value is no label.
    #[error(
        "statePreservation: {path} in the status from cluster {cluster} is {value:?}, which label {label} cannot have: \
         {fault}"
    )]
    Value {
        /// The path.
        path: String,
        /// The cluster.
        cluster: String,
        /// The label.
        label: String,
        /// What the path found.
        value: String,
        /// Why it is no value of a label.
        fault: String,
    },
}

/// The labels with the state of a workload in a cluster; none if the policy preserves nothing.
///
/// # Errors
/// When a rule cannot be followed.
pub(super) fn preserve(
    preservation: Option<&StatePreservation>,
    items: &[AggregatedStatusItem],
    cluster: &str,
) -> Result<BTreeMap<String, String>, StateError> {
    let rules = preservation.map(|preservation| preservation.rules.as_slice()).unwrap_or_default();
    if rules.is_empty() {
        return Ok(BTreeMap::new());
    }
    let item = items.iter().find(|item| item.cluster_name == cluster);
    let status = item.and_then(|item| item.status.as_ref());
    let status = status.ok_or_else(|| StateError::NotReported(cluster.to_owned()))?;
    let mut labels = BTreeMap::new();
    for rule in rules {
        let (path, cluster) = (rule.json_path.clone(), cluster.to_owned());
        let rendered = Template::parse(&path).and_then(|path| path.render(status, MissingKeys::Fail));
        let value = match rendered {
            Ok(value) => value,
            Err(error) => return Err(StateError::Path { path, cluster, error }),
        };
        if let Some(fault) = label_value_errors(&value).into_iter().next() {
            let label = rule.alias_label_name.clone();
            return Err(StateError::Value { path, cluster, label, value, fault });
        }
        labels.insert(rule.alias_label_name.clone(), value);
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use portolan_api::policy::StatePreservationRule;
    use serde_json::json;

    use super::*;

    fn rule(label: &str, path: &str) -> StatePreservationRule {
        StatePreservationRule { alias_label_name: label.to_owned(), json_path: path.to_owned() }
    }

    #[test]
    fn paths_in_the_status_become_labels() {
        let item = AggregatedStatusItem {
            cluster_name: "eu".to_owned(),
            status: Some(json!({ "job": { "id": "a-7" }, "replicas": 2, "text": "no label!" })),
            ..AggregatedStatusItem::default()
        };
        let of = |cluster: &str, rules: Vec<StatePreservationRule>| {
            let preservation = StatePreservation { rules };
            let labels = preserve(Some(&preservation), std::slice::from_ref(&item), cluster);
            labels.map_err(|error| error.to_string())
        };
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(preserve(None, &[], "eu"), Ok(BTreeMap::new()));
        assert_eq!(of("us", vec![]), Ok(BTreeMap::new()));
        let both = vec![rule("id", "{.job.id}"), rule("count", "{ .replicas }")];
        assert_eq!(of("eu", both), Ok(BTreeMap::from([label("id", "a-7"), label("count", "2")])));

        let unreported = of("us", vec![rule("id", "{.job.id}")]).expect_err("no status");
        assert!(unreported.contains("cluster us has not reported"), "{unreported}");
        let missing = of("eu", vec![rule("id", "{.job.name}")]).expect_err("nothing there");
        assert!(missing.contains("{.job.name}") && missing.contains("is not found"), "{missing}");
        let faulty = of("eu", vec![rule("id", "{.text}")]).expect_err("no value of a label");
        assert!(faulty.contains("no label!"), "{faulty}");
    }
}
