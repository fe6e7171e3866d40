//! Selectors of objects, as typed fields.

use std::collections::BTreeMap;

use portolan_object::selector;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::is_default;

/// `metav1.LabelSelector`: all entries must hold; without any entry it selects everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct LabelSelector {
    /// Labels that must have exactly these values.
    #[serde(skip_serializing_if = "is_default")]
    pub match_labels: BTreeMap<String, String>,
    /// Requirements on labels; all must hold.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub match_expressions: Vec<SelectorRequirement>,
}

impl LabelSelector {
    /// Whether the labels that `label` finds are selected. A malformed selector selects nothing.
    ///
    /// Reads the selector as it is, so that matching many objects compiles nothing. `portolan_object::selector` has the
    /// same rules for selectors in requests.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.match_labels.iter().all(|(key, value)| label(key) == Some(value))
            && self.match_expressions.iter().all(|one| one.matches(label(&one.key)))
    }
}

impl SelectorRequirement {
    /// Whether the value of the label `key` meets the requirement. A malformed one is never met.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let is_listed = || value.is_some_and(|value| self.values.iter().any(|listed| listed == value));
        match (self.operator.as_str(), self.values.is_empty()) {
            ("In", false) => is_listed() && self.is_well_formed(),
            ("NotIn", false) => !is_listed() && self.is_well_formed(),
            ("Exists", true) => value.is_some(),
            ("DoesNotExist", true) => value.is_none() && self.is_well_formed(),
            _ => false,
        }
    }

    /// Whether key and values have the syntax of labels.
    fn is_well_formed(&self) -> bool {
        selector::label_key_errors(&self.key).is_empty()
            && self.values.iter().all(|value| selector::label_value_errors(value).is_empty())
    }
}

/// One requirement on a label, a node field or a cluster field.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SelectorRequirement {
    /// The label or field.
    pub key: String,
    /// How values are compared: In, NotIn, Exists, DoesNotExist; node selectors also know Gt and Lt.
    pub operator: String,
    /// The values to compare with; empty for Exists and DoesNotExist.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub values: Vec<String>,
}

/// `corev1.NodeSelector`: one of the terms must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct NodeSelector {
    /// Alternatives.
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

/// One alternative of a node selector; a term without requirements selects nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct NodeSelectorTerm {
    /// Requirements on node labels.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub match_expressions: Vec<SelectorRequirement>,
    /// Requirements on node fields.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub match_fields: Vec<SelectorRequirement>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn matching_agrees_with_selectors_in_requests() {
        let labels =
            BTreeMap::from([("app".to_owned(), "web".to_owned()), ("tier".to_owned(), String::new())]);
        let selectors = [
            json!({}),
            json!({"matchLabels": {"app": "web"}}),
            json!({"matchLabels": {"app": "web", "tier": ""}}),
            json!({"matchLabels": {"app": "db"}}),
            json!({"matchLabels": {"other": ""}}),
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["db", "web"]}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["db"]}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": []}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}),
            json!({"matchExpressions": [{"key": "other", "operator": "NotIn", "values": ["web"]}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "NotIn"}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "Exists", "values": ["web"]}]}),
            json!({"matchExpressions": [{"key": "other", "operator": "Exists"}]}),
            json!({"matchExpressions": [{"key": "other", "operator": "DoesNotExist"}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "not a value"]}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["not a value"]}]}),
            json!({"matchExpressions": [{"key": "not a key", "operator": "DoesNotExist"}]}),
            json!({"matchExpressions": [{"key": "app", "operator": "Near", "values": ["web"]}]}),
            json!({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}),
        ];
        for value in selectors {
            let compiled = selector::LabelSelector::from_value(&value);
            let want = compiled.is_ok_and(|compiled| compiled.matches(&labels));
            let typed: LabelSelector = serde_json::from_value(value.clone()).expect("a selector");
            assert_eq!(typed.matches(|key| labels.get(key).map(String::as_str)), want, "{value}");
        }
    }
}
