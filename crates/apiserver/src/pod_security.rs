//! Pod Security: what the labels `pod-security.kubernetes.io/…` of a namespace allow its pods.
//!
//! ```text
//! labels ─► Policy (enforce, audit, warn: level and version) ─► checks of the level ─► Violations
//! ```
//!
//! | module | |
//! | --- | --- |
//! | `levels` | the labels |
//! | `checks` | which checks a level and version have |
//! | `baseline`, `restricted` | the checks |
//! | `offenders` | which containers of a pod break a rule |
//! | `existing` | the pods that a namespace has when its level is raised |
//!
//! Pure rules; `write/pod_security.rs` reads the namespace and answers.
//!
//! # Source
//! kubernetes staging/src/k8s.io/pod-security-admission.

mod baseline;
mod checks;
mod existing;
mod levels;
mod offenders;
mod restricted;

#[cfg(test)]
mod tests;

pub(crate) use checks::violations;
pub(crate) use existing::{MAX_PODS, warnings};
pub(crate) use levels::{LabelError, Level, Policy};

use serde_json::Value;

use crate::tree;

/// Where the pods of a kind are described; `None` for kinds without pods.
pub(crate) fn pod_in<'a>(group: &str, plural: &str, object: &'a Value) -> Option<&'a Value> {
    let pointer = match (group, plural) {
        ("", "pods") => "",
        ("", "podtemplates") => "/template",
        ("", "replicationcontrollers")
        | ("apps", "replicasets" | "deployments" | "statefulsets" | "daemonsets")
        | ("batch", "jobs") => "/spec/template",
        ("batch", "cronjobs") => "/spec/jobTemplate/spec/template",
        _ => return None,
    };
    tree::present(object, pointer)
}

/// Whether a change of a pod is one that the checks look at: an image, or another container.
pub(crate) fn is_significant(new: &Value, old: &Value) -> bool {
    let is_changed = |list: &str| {
        let [new, old] = [new, old].map(|pod| tree::list(pod, list));
        new.len() != old.len() || new.iter().zip(old).any(|(new, old)| new["image"] != old["image"])
    };
    let own = tree::list(old, "/spec/ephemeralContainers");
    is_changed("/spec/containers")
        || is_changed("/spec/initContainers")
        || tree::list(new, "/spec/ephemeralContainers").iter().any(|new| {
            let before = own.iter().find(|old| old["name"] == new["name"]);
            before.is_none_or(|old| old["image"] != new["image"])
        })
}

/// What a pod breaks, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The rule, in a few words.
    pub(crate) reason: &'static str,
    /// The containers and values.
    pub(crate) detail: String,
}

/// The violations of one pod as a text; `with_details` names the containers.
pub(crate) fn described(violations: &[Violation], with_details: bool) -> String {
    let texts =
        violations.iter().map(|Violation { reason, detail }| match with_details && !detail.is_empty() {
            true => format!("{reason} ({detail})"),
            false => (*reason).to_owned(),
        });
    texts.collect::<Vec<_>>().join(", ")
}
