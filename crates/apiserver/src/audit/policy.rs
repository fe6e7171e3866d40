//! The policy: which requests are recorded, and how much of them (`audit.k8s.io/v1`, kind `Policy`).

use portolan_object::yaml;
use serde::Deserialize;
use serde_json::Value;

use crate::auth::User;
use crate::request::RequestInfo;

/// Why a policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is not YAML.
    #[error("it is not YAML: {0}")]
    Yaml(String),
    /// It is no `Policy` of `audit.k8s.io/v1`.
    #[error("it is no Policy of audit.k8s.io/v1: {0}")]
    Form(String),
    /// A rule contradicts itself.
    #[error("rules[{index}]: {problem}")]
    Rule {
        /// Place of the rule.
        index: usize,
        /// What is wrong.
        problem: &'static str,
    },
}

/// How much of a request is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) enum Level {
    None,
    Metadata,
    Request,
    RequestResponse,
}

impl Level {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Metadata => "Metadata",
            Self::Request => "Request",
            Self::RequestResponse => "RequestResponse",
        }
    }
}

/// A moment at which an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Stage {
    RequestReceived,
    ResponseStarted,
    ResponseComplete,
    Panic,
}

impl Stage {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::RequestReceived => "RequestReceived",
            Self::ResponseStarted => "ResponseStarted",
            Self::ResponseComplete => "ResponseComplete",
            Self::Panic => "Panic",
        }
    }
}

/// An audit policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    api_version: String,
    kind: String,
    #[serde(default, rename = "metadata")]
    _metadata: Value,
    rules: Vec<Rule>,
    #[serde(default)]
    omit_stages: Vec<Stage>,
    #[serde(default)]
    omit_managed_fields: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    level: Level,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    user_groups: Vec<String>,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    resources: Vec<GroupResources>,
    #[serde(default)]
    namespaces: Vec<String>,
    #[serde(default, rename = "nonResourceURLs")]
    paths: Vec<String>,
    #[serde(default)]
    omit_stages: Vec<Stage>,
    omit_managed_fields: Option<bool>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GroupResources {
    #[serde(default)]
    group: String,
    #[serde(default)]
    resources: Vec<String>,
    #[serde(default)]
    resource_names: Vec<String>,
}

/// What is recorded of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(super) level: Level,
    pub(super) omit_stages: Vec<Stage>,
    pub(super) omit_managed_fields: bool,
}

impl Policy {
    /// Reads a policy in YAML or JSON.
    ///
    /// # Errors
    /// [`PolicyError`]; an unknown field is one.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let document = yaml::read_document(text).map_err(|error| PolicyError::Yaml(error.to_string()))?;
        let policy: Self =
            serde_json::from_value(document.value).map_err(|error| PolicyError::Form(error.to_string()))?;
        if (policy.api_version.as_str(), policy.kind.as_str()) != ("audit.k8s.io/v1", "Policy") {
            return Err(PolicyError::Form(format!("got {}, {}", policy.api_version, policy.kind)));
        }
        for (index, rule) in policy.rules.iter().enumerate() {
            if let Some(problem) = rule.problem() {
                return Err(PolicyError::Rule { index, problem });
            }
        }
        Ok(policy)
    }

    /// What the first matching rule says; nothing is recorded if none matches.
    pub(super) fn decide(&self, info: &RequestInfo, path: &str, user: Option<&User>) -> Decision {
        let rule = self.rules.iter().find(|rule| rule.matches(info, path, user));
        let Some(rule) = rule else {
            return Decision { level: Level::None, omit_stages: Vec::new(), omit_managed_fields: false };
        };
        Decision {
            level: rule.level,
            omit_stages: [&*self.omit_stages, &*rule.omit_stages].concat(),
            omit_managed_fields: rule.omit_managed_fields.unwrap_or(self.omit_managed_fields),
        }
    }
}

impl Rule {
    fn problem(&self) -> Option<&'static str> {
        let is_path = |path: &String| {
            path == "*" || (path.starts_with('/') && !path.trim_end_matches('*').contains('*'))
        };
        let is_of_resources = !self.resources.is_empty() || !self.namespaces.is_empty();
        if !self.paths.is_empty() && is_of_resources {
            return Some("rules cannot apply to both regular resources and non-resource URLs");
        }
        (!self.paths.iter().all(is_path))
            .then_some("nonResourceURLs begin with a slash and have a * only at their end")
    }

    fn matches(&self, info: &RequestInfo, path: &str, user: Option<&User>) -> bool {
        let has = |list: &[String], text: &str| list.iter().any(|item| item == text);
        let is_by_user = self.users.is_empty() || user.is_some_and(|user| has(&self.users, &user.name));
        let is_by_group = self.user_groups.is_empty()
            || user.is_some_and(|user| user.groups.iter().any(|group| has(&self.user_groups, group)));
        let is_verb = self.verbs.is_empty() || has(&self.verbs, info.verb);
        is_by_user && is_by_group && is_verb && self.matches_target(info, path)
    }

    fn matches_target(&self, info: &RequestInfo, path: &str) -> bool {
        if !self.namespaces.is_empty() || !self.resources.is_empty() {
            let is_within = self.namespaces.is_empty() || self.namespaces.contains(&info.namespace);
            return info.is_resource
                && is_within
                && (self.resources.is_empty() || self.resources.iter().any(|entry| entry.matches(info)));
        }
        let is_path = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => path == pattern,
        };
        self.paths.is_empty() || (!info.is_resource && self.paths.iter().any(is_path))
    }
}

impl GroupResources {
    fn matches(&self, info: &RequestInfo) -> bool {
        let is_named = self.resource_names.is_empty() || self.resource_names.contains(&info.name);
        let path = info.resource_path();
        let is_resource = |pattern: &String| match pattern.split_once('/') {
            None => pattern == "*" || *pattern == path,
            Some(("*", subresource)) => subresource == info.subresource,
            Some((resource, "*")) => resource == info.resource,
            Some(_) => *pattern == path,
        };
        self.group == info.group
            && (self.resources.is_empty() || (is_named && self.resources.iter().any(is_resource)))
    }
}
