//! What a policy waits for: objects that it names, and that must exist before it places anything.

use super::chosen::Chosen;
use super::facts::Facts;
use crate::propagation::snapshot::Override;

/// An object that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unmet {
    /// Named in `spec.dependentOverrides`, as `namespace/name`.
    Override(String),
    /// Named in `spec.schedulePriority`.
    PriorityClass(String),
}

impl Unmet {
    /// What is the case, after the name of the policy.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Override(name) => format!("waits for OverridePolicy {name}, which does not exist"),
            Self::PriorityClass(name) => format!("waits for PriorityClass {name}, which does not exist"),
        }
    }

    /// What to do.
    pub(super) fn cure(&self) -> String {
        match self {
            Self::Override(name) => {
                format!("create OverridePolicy {name}, or remove it from spec.dependentOverrides")
            }
            Self::PriorityClass(name) => {
                format!(
                    "create PriorityClass {name} on the control plane, or change spec.schedulePriority of the policy"
                )
            }
        }
    }
}

/// The first object that a policy waits for. `None` also if overrides and classes were not read.
pub(super) fn unmet(facts: &Facts, chosen: Chosen<'_>) -> Option<Unmet> {
    missing_override(facts, chosen).or_else(|| missing_class(facts, chosen))
}

fn missing_override(facts: &Facts, chosen: Chosen<'_>) -> Option<Unmet> {
    let overrides = facts.overrides.as_ref().ok()?;
    let namespace = &chosen.metadata.namespace;
    let is_there =
        |one: &Override, name: &String| one.metadata.name == *name && one.metadata.namespace == *namespace;
    let mut wanted = chosen.spec.dependent_overrides.iter();
    let missing = wanted.find(|name| !overrides.iter().any(|one| is_there(one, name)))?;
    Some(Unmet::Override(match namespace.as_str() {
        "" => missing.clone(),
        namespace => format!("{namespace}/{missing}"),
    }))
}

fn missing_class(facts: &Facts, chosen: Chosen<'_>) -> Option<Unmet> {
    let classes = facts.priority_classes.as_ref().ok()?;
    let wanted = &chosen.spec.schedule_priority.as_ref()?.priority_class_name;
    (!classes.contains(wanted)).then(|| Unmet::PriorityClass(wanted.clone()))
}
