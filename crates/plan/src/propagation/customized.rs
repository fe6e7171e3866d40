//! Customised interpreters: which script or webhook answers an operation on a kind.
//!
//! Scripts come before webhooks, and both before the built-in rules (karmada pkg/resourceinterpreter/interpreter.go). Of
//! several customizations with a script for one operation on one kind, the first by name has it; the others are reported
//! as overruled. Dependencies are an exception: the results of all scripts count.

use std::collections::HashMap;
use std::sync::Arc;

use portolan_api::config::{
    InterpreterOperation, InterpreterWebhook, ResourceInterpreterCustomization,
    ResourceInterpreterWebhookConfiguration,
};
use portolan_object::{GroupVersion, GroupVersionKind};

/// A script for one operation on one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Name of the ResourceInterpreterCustomization.
    pub customization: String,
    /// The operation.
    pub operation: InterpreterOperation,
    /// The source.
    pub source: Arc<str>,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Name of the ResourceInterpreterWebhookConfiguration.
    pub configuration: String,
    /// Address and rules.
    pub webhook: InterpreterWebhook,
}

/// A customization that has no effect for an operation, because another one has a script for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overruled {
    /// Name of the customization without effect.
    pub customization: String,
    /// The operation.
    pub operation: InterpreterOperation,
    /// Name of the customization that has the operation.
    pub by: String,
}

/// Who answers an operation on a kind.
#[derive(Debug, Clone)]
pub enum Provider {
    /// Scripts: one, or several for dependencies.
    Scripts(Vec<Arc<Script>>),
    /// A webhook.
    Webhook(Arc<Webhook>),
}

/// All customised interpreters.
#[derive(Debug, Clone, Default)]
pub struct Customized {
    scripts: HashMap<GroupVersionKind, HashMap<InterpreterOperation, Vec<Arc<Script>>>>,
    webhooks: Vec<Arc<Webhook>>,
    /// Customizations without effect.
    pub overruled: Vec<Overruled>,
}

impl Customized {
    /// Reads all customizations and webhooks. Their order does not matter.
    pub fn new<'a>(
        customizations: impl IntoIterator<Item = &'a ResourceInterpreterCustomization>,
        configurations: impl IntoIterator<Item = &'a ResourceInterpreterWebhookConfiguration>,
    ) -> Self {
        let mut found = Self::default();
        let mut customizations: Vec<_> = customizations.into_iter().collect();
        customizations.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        for customization in customizations {
            found.add(customization);
        }
        let mut configurations: Vec<_> = configurations.into_iter().collect();
        configurations.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
        for configuration in configurations {
            let name = &configuration.metadata.name;
            let webhook = |webhook: &InterpreterWebhook| {
                Arc::new(Webhook { configuration: name.clone(), webhook: webhook.clone() })
            };
            found.webhooks.extend(configuration.webhooks.iter().map(webhook));
        }
        found
    }

    fn add(&mut self, customization: &ResourceInterpreterCustomization) {
        let Some(kind) = target(customization) else { return };
        let name = &customization.metadata.name;
        for operation in InterpreterOperation::ALL {
            let Some(source) = customization.spec.customizations.script(operation) else { continue };
            let of_kind = self.scripts.entry(kind.clone()).or_default().entry(operation).or_default();
            match of_kind.first() {
                Some(first) if operation != InterpreterOperation::InterpretDependency => {
                    let by = first.customization.clone();
                    self.overruled.push(Overruled { customization: name.clone(), operation, by });
                }
                _ => of_kind.push(Arc::new(Script {
                    customization: name.clone(),
                    operation,
                    source: source.into(),
                })),
            }
        }
    }

    /// Whether there is none, so that the built-in rules answer everything.
    pub fn is_empty(&self) -> bool {
        self.scripts.is_empty() && self.webhooks.is_empty()
    }

    /// Who answers an operation on a kind; `None` for the built-in rules.
    pub fn provider(&self, kind: &GroupVersionKind, operation: InterpreterOperation) -> Option<Provider> {
        if let Some(scripts) = self.scripts.get(kind).and_then(|of_kind| of_kind.get(&operation)) {
            return Some(Provider::Scripts(scripts.clone()));
        }
        let is_asked =
            |found: &&Arc<Webhook>| found.webhook.rules.iter().any(|rule| rule.matches(kind, operation));
        self.webhooks.iter().find(is_asked).cloned().map(Provider::Webhook)
    }
}

/// The kind of a customization; `None` if its `apiVersion` is malformed.
pub fn target(customization: &ResourceInterpreterCustomization) -> Option<GroupVersionKind> {
    let target = &customization.spec.target;
    let version: GroupVersion = target.api_version.parse().ok()?;
    Some(version.kind(&*target.kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_api::Kind;
    use portolan_object::Object;
    use serde_json::{Value, json};

    use InterpreterOperation::{InterpretDependency, InterpretHealth, InterpretReplica, Retain};

    fn customization(name: &str, kind: &str, scripts: Value) -> ResourceInterpreterCustomization {
        let object = json!({"apiVersion": "config.karmada.io/v1alpha1", "kind": "ResourceInterpreterCustomization",
            "metadata": {"name": name},
            "spec": {"target": {"apiVersion": "example.io/v1", "kind": kind}, "customizations": scripts}});
        ResourceInterpreterCustomization::from_object(&Object(object)).unwrap()
    }

    fn configuration(rules: Value) -> ResourceInterpreterWebhookConfiguration {
        let object = json!({"apiVersion": "config.karmada.io/v1alpha1",
            "kind": "ResourceInterpreterWebhookConfiguration", "metadata": {"name": "hooks"},
            "webhooks": [{"name": "a.example.io", "clientConfig": {"url": "https://a"}, "rules": rules,
                          "interpreterContextVersions": ["v1alpha1"]}]});
        ResourceInterpreterWebhookConfiguration::from_object(&Object(object)).unwrap()
    }

    fn names(provider: Option<Provider>) -> Vec<String> {
        match provider {
            None => Vec::new(),
            Some(Provider::Scripts(scripts)) => scripts.iter().map(|one| one.customization.clone()).collect(),
            Some(Provider::Webhook(webhook)) => vec![webhook.webhook.name.clone()],
        }
    }

    #[test]
    fn scripts_come_before_webhooks() {
        let script = json!({"retention": {"luaScript": "x"}});
        let rules = json!([{"operations": ["*"], "apiGroups": ["example.io"], "apiVersions": ["*"], "kinds": ["Widget"]}]);
        let customized = Customized::new(&[customization("c", "Widget", script)], &[configuration(rules)]);
        let kind = |kind: &str| GroupVersionKind::new("example.io", "v1", kind);
        let cases = [
            ("a script", kind("Widget"), Retain, vec!["c"]),
            ("the webhook has the rest", kind("Widget"), InterpretHealth, vec!["a.example.io"]),
            ("another kind", kind("Gadget"), Retain, vec![]),
            (
                "another version has no script",
                GroupVersionKind::new("example.io", "v2", "Widget"),
                Retain,
                vec!["a.example.io"],
            ),
        ];
        for (name, kind, operation, want) in cases {
            assert_eq!(names(customized.provider(&kind, operation)), want, "{name}");
        }
        assert!(Customized::default().is_empty() && !customized.is_empty());
    }

    #[test]
    fn the_first_customization_by_name_has_an_operation() {
        let scripts =
            json!({"replicaResource": {"luaScript": "x"}, "dependencyInterpretation": {"luaScript": "y"}});
        let all = [customization("b", "Widget", scripts.clone()), customization("a", "Widget", scripts)];
        let customized = Customized::new(&all, &[]);
        let kind = GroupVersionKind::new("example.io", "v1", "Widget");
        assert_eq!(names(customized.provider(&kind, InterpretReplica)), ["a"]);
        assert_eq!(names(customized.provider(&kind, InterpretDependency)), ["a", "b"]);
        let overruled =
            Overruled { customization: "b".to_owned(), operation: InterpretReplica, by: "a".to_owned() };
        assert_eq!(customized.overruled, [overruled]);
    }

    #[test]
    fn an_empty_script_is_none() {
        let all = [customization("a", "Widget", json!({"retention": {"luaScript": ""}}))];
        let kind = GroupVersionKind::new("example.io", "v1", "Widget");
        assert!(Customized::new(&all, &[]).provider(&kind, Retain).is_none());
    }
}
