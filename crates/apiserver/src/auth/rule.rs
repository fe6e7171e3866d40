//! [`Rule`]: one RBAC rule, the requests it allows, and the rules it implies.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AccessTarget, Attributes};
use crate::tree;

/// `PolicyRule` of `rbac.authorization.k8s.io/v1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// Verbs; `*` stands for all.
    pub verbs: Vec<String>,
    /// API groups, empty text for the core group; `*` stands for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// `pods`, `pods/log`, `*/log` or `*`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Names of objects; empty means all objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_names: Vec<String>,
    /// Paths that are not resources; a trailing `*` matches any suffix.
    #[serde(rename = "nonResourceURLs", skip_serializing_if = "Vec::is_empty")]
    pub non_resource_urls: Vec<String>,
}

impl Rule {
    /// The rules at `pointer`. Malformed ones allow nothing and are skipped.
    pub fn list(object: &Value, pointer: &str) -> Vec<Self> {
        tree::list(object, pointer).iter().filter_map(|rule| Self::deserialize(rule).ok()).collect()
    }

    /// Whether the rule allows a request.
    pub fn allows(&self, attributes: &Attributes<'_>) -> bool {
        if !has(&self.verbs, attributes.verb) {
            return false;
        }
        match attributes.target {
            AccessTarget::Resource(target) => {
                has(&self.api_groups, target.group)
                    && self.has_resource(target.resource, target.subresource)
                    && (self.resource_names.is_empty() || contains(&self.resource_names, target.name))
            }
            AccessTarget::Path(path) => self.non_resource_urls.iter().any(|url| covers_path(url, path)),
        }
    }

    fn has_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|own| match own.split_once('/') {
            None => own == "*" || (subresource.is_empty() && own == resource),
            Some((own, part)) => {
                !subresource.is_empty() && part == subresource && (own == "*" || own == resource)
            }
        })
    }

    /// The number of [`Rule::pieces`].
    pub(super) fn piece_count(&self) -> usize {
        let product = |parts: &[usize]| parts.iter().fold(1, |all: usize, part| all.saturating_mul(*part));
        let paths = product(&[self.verbs.len(), self.non_resource_urls.len()]);
        let names = self.resource_names.len().max(1);
        let resources = product(&[self.api_groups.len(), self.resources.len(), self.verbs.len(), names]);
        paths.saturating_add(resources)
    }

    /// Splits the rule into rules with one group, resource, verb and name each, so that another rule implies each of
    /// them completely or not at all.
    pub(super) fn pieces(&self) -> Vec<Self> {
        let mut pieces = Vec::new();
        for verb in &self.verbs {
            for url in &self.non_resource_urls {
                let non_resource_urls = vec![url.clone()];
                pieces.push(Self { verbs: vec![verb.clone()], non_resource_urls, ..Self::default() });
            }
        }
        for group in &self.api_groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    let piece = Self {
                        verbs: vec![verb.clone()],
                        api_groups: vec![group.clone()],
                        resources: vec![resource.clone()],
                        ..Self::default()
                    };
                    if self.resource_names.is_empty() {
                        pieces.push(piece);
                        continue;
                    }
                    let named = |name: &String| Self { resource_names: vec![name.clone()], ..piece.clone() };
                    pieces.extend(self.resource_names.iter().map(named));
                }
            }
        }
        pieces
    }

    /// Whether this rule implies `piece`.
    pub(super) fn covers(&self, piece: &Self) -> bool {
        let all = |own: &[String], wanted: &[String]| wanted.iter().all(|word| has(own, word));
        let names = match piece.resource_names.as_slice() {
            [] => self.resource_names.is_empty(),
            wanted => {
                self.resource_names.is_empty()
                    || wanted.iter().all(|name| contains(&self.resource_names, name))
            }
        };
        let resources = piece.resources.iter().all(|wanted| {
            let any_parent = wanted.split_once('/').map(|(_, part)| format!("*/{part}"));
            has(&self.resources, wanted) || any_parent.is_some_and(|any| contains(&self.resources, &any))
        });
        let mut paths = piece.non_resource_urls.iter();
        names
            && resources
            && all(&self.verbs, &piece.verbs)
            && all(&self.api_groups, &piece.api_groups)
            && paths.all(|wanted| self.non_resource_urls.iter().any(|own| covers_path(own, wanted)))
    }

    /// The rule on one line, for error texts.
    pub(super) fn describe(&self) -> String {
        let parts = [
            ("APIGroups", &self.api_groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.non_resource_urls),
            ("ResourceNames", &self.resource_names),
            ("Verbs", &self.verbs),
        ];
        let filled = parts.into_iter().filter(|(_, words)| !words.is_empty());
        let texts: Vec<String> = filled.map(|(name, words)| format!("{name}:{}", quoted(words))).collect();
        format!("{{{}}}", texts.join(", "))
    }
}

/// `["a" "b"]`.
pub(super) fn quoted(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(" "))
}

fn contains(words: &[String], wanted: &str) -> bool {
    words.iter().any(|word| word == wanted)
}

/// Whether the words contain `wanted` or `*`.
fn has(words: &[String], wanted: &str) -> bool {
    words.iter().any(|word| word == "*" || word == wanted)
}

fn covers_path(own: &str, path: &str) -> bool {
    own == path || (own.ends_with('*') && path.starts_with(own.trim_end_matches('*')))
}
