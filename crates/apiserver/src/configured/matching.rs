//! Whether a request is one that a configuration asks for. Pure, apart from the labels of the namespace, which the caller
//! reads (kubernetes staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/predicates).

use std::sync::Arc;

use portolan_object::selector::LabelSelector;
use serde_json::{Value, json};

use super::types::{MatchPolicy, MatchResources, Rule};
use crate::admission::Operation;
use crate::call::Call;
use crate::resources::{Resource, Snapshot};

/// A write that is to be admitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// What the write does.
    pub(crate) operation: Operation,
    /// Name of the object.
    pub(crate) name: &'a str,
    /// The write is not stored.
    pub(crate) is_dry_run: bool,
}

impl Operation {
    /// As reviews and rules write it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// A request as rules and selectors see it.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) resource: &'a Arc<Resource>,
    pub(super) subresource: &'a str,
    /// Empty for cluster-scoped objects.
    pub(super) namespace: &'a str,
    pub(super) asked: Asked<'a>,
    /// Labels of the namespace of the object; `None` for cluster-scoped objects other than namespaces.
    pub(super) namespace_labels: Option<Value>,
    pub(super) objects: [Option<&'a Value>; 2],
}

impl<'a> Facts<'a> {
    /// The facts of a call; `new` is `None` for a deletion.
    pub(super) fn of(
        call: &'a Call,
        asked: &Asked<'a>,
        new: Option<&'a Value>,
        old: Option<&'a Value>,
    ) -> Self {
        let is_namespace = call.resource.is("", "namespaces");
        let namespace = if call.resource.is_namespaced { call.info.namespace.as_str() } else { "" };
        let labels = |object: &Value| object["metadata"].get("labels").cloned().unwrap_or(Value::Null);
        let namespace_labels = match (is_namespace, namespace) {
            (true, _) => new.or(old).map(labels),
            (false, "") => None,
            (false, name) => {
                let stored = call.server.store.get(&format!("core/namespaces/{name}"));
                Some(stored.map_or(Value::Null, |item| labels(&item.value.value())))
            }
        };
        Self {
            snapshot: &call.snapshot,
            resource: &call.resource,
            subresource: &call.info.subresource,
            namespace,
            asked: *asked,
            namespace_labels,
            objects: [new, old],
        }
    }

    /// The resource in the version that matches one of the rules.
    pub(super) fn version_for(&self, rules: &[Rule], policy: MatchPolicy) -> Option<Arc<Resource>> {
        let exact = rules.iter().any(|rule| self.is_ruled(rule, self.resource));
        if exact {
            return Some(Arc::clone(self.resource));
        }
        if policy == MatchPolicy::Exact {
            return None;
        }
        let kind = &self.resource.kind;
        rules.iter().find_map(|rule| {
            let versions = rule.api_versions.iter();
            let served = versions
                .filter_map(|version| self.snapshot.find(&kind.group, version, &self.resource.plural));
            served.into_iter().find(|other| self.is_ruled(rule, other)).cloned()
        })
    }

    /// The resource in the version that a policy or binding asks for.
    pub(super) fn version_for_resources(&self, resources: &MatchResources) -> Option<Arc<Resource>> {
        let excluded = self.version_for(&resources.exclude_resource_rules, resources.match_policy).is_some();
        let is_selected = self.is_selected(&resources.namespace_selector, &resources.object_selector);
        if excluded || !is_selected {
            return None;
        }
        if resources.resource_rules.is_empty() {
            return Some(Arc::clone(self.resource));
        }
        self.version_for(&resources.resource_rules, resources.match_policy)
    }

    /// Whether the selectors select the request.
    pub(super) fn is_selected(&self, namespace_selector: &Value, object_selector: &Value) -> bool {
        let in_namespace =
            self.namespace_labels.as_ref().is_none_or(|labels| selects(namespace_selector, labels));
        let objects = self.objects.iter().flatten();
        in_namespace
            && objects.into_iter().any(|object| selects(object_selector, &object["metadata"]["labels"]))
    }

    fn is_ruled(&self, rule: &Rule, resource: &Resource) -> bool {
        let contains = |list: &[String], word: &str| list.iter().any(|item| item == "*" || item == word);
        let is_within_namespace = !self.namespace.is_empty();
        let in_scope = match rule.scope.as_str() {
            "Namespaced" => is_within_namespace,
            "Cluster" => !is_within_namespace,
            _ => true,
        };
        let is_named =
            rule.resource_names.is_empty() || rule.resource_names.iter().any(|name| name == self.asked.name);
        let is_covered = rule.resources.iter().any(|pattern| {
            let (plural, subresource) = pattern.split_once('/').unwrap_or((pattern, ""));
            (plural == "*" || plural == resource.plural)
                && (subresource == "*" || subresource == self.subresource)
        });
        in_scope
            && is_named
            && is_covered
            && contains(&rule.operations, self.asked.operation.word())
            && contains(&rule.api_groups, &resource.kind.group)
            && contains(&rule.api_versions, &resource.kind.version)
    }
}

/// Whether a `metav1.LabelSelector` selects labels; one that is null or empty selects everything.
pub(super) fn selects(selector: &Value, labels: &Value) -> bool {
    if selector.is_null() {
        return true;
    }
    // Validation refuses others.
    let Ok(selector) = LabelSelector::from_value(selector) else { return false };
    selector.matches_with(|key| labels.get(key)?.as_str())
}

/// An object in another version of its resource.
pub(super) fn converted(object: &Value, from: &Resource, to: &Resource) -> Value {
    if from.kind == to.kind {
        return object.clone();
    }
    let mut stored = from.stored(object).into_owned();
    to.strategy().convert_from_stored(&mut stored, portolan_store::Revision::default());
    stored["apiVersion"] = json!(to.kind.api_version());
    stored
}
