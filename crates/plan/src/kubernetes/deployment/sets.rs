//! The ReplicaSets of a Deployment: which one is current, their revisions and sizes, and the changes that are planned.
//!
//! A set keeps in annotations for which size of the Deployment it was made: proportional scaling compares them.

use std::collections::BTreeMap;

use portolan_api::kubernetes::{Condition, DeploymentSpec, ReplicaSet, ReplicaSetStatus, View, condition};
use portolan_object::{Object, ObjectKey};
use serde_json::json;

use super::super::replica_set::desired_replicas;
use super::{DeploymentAction, Wanted, template};

/// The revision of a template, on its ReplicaSet and on the Deployment.
pub const REVISION: &str = "deployment.kubernetes.io/revision";
/// Earlier revisions of a template that became current again.
const HISTORY: &str = "deployment.kubernetes.io/revision-history";
/// `spec.replicas` of the Deployment when the set was sized.
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
/// The most pods of all sets when the set was sized.
const MOST: &str = "deployment.kubernetes.io/max-replicas";
/// Annotations of a Deployment that its sets do not have.
const OWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MOST,
    "deprecated.deployment.rollback.to",
];
/// Longest list of earlier revisions, in bytes.
const MAX_HISTORY: usize = 2000;
/// Old ReplicaSets that are kept, unless the Deployment says otherwise.
const DEFAULT_HISTORY_LIMIT: u32 = 10;

/// A ReplicaSet, with the changes that are planned for it.
#[derive(Debug, Clone)]
pub(super) struct Set<'a> {
    object: &'a Object,
    pub(super) status: ReplicaSetStatus,
    /// The planned size.
    pub(super) replicas: i64,
    before: i64,
    annotations: BTreeMap<String, String>,
    min_ready_seconds: Option<i64>,
}

impl<'a> Set<'a> {
    fn of(object: &'a Object) -> Self {
        let ReplicaSet { spec, status } = ReplicaSet::read(object).unwrap_or_default();
        let replicas = desired_replicas(spec.replicas);
        let annotations = BTreeMap::new();
        Self { object, status, replicas, before: replicas, annotations, min_ready_seconds: None }
    }

    pub(super) fn name(&self) -> &'a str {
        self.object.name()
    }

    pub(super) fn created(&self) -> &'a str {
        self.object.creation_timestamp()
    }

    pub(super) fn condition(&self, kind: &str) -> Option<Condition<'a>> {
        condition(self.object, kind)
    }

    pub(super) fn desired(&self) -> Option<i64> {
        self.number(DESIRED)
    }

    pub(super) fn most(&self) -> Option<i64> {
        self.number(MOST)
    }

    fn number(&self, annotation: &str) -> Option<i64> {
        self.annotation(annotation)?.parse().ok()
    }

    /// An annotation as planned.
    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str).or_else(|| self.object.annotation(key))
    }

    fn annotate(&mut self, key: &str, value: String) {
        if self.annotation(key) != Some(&value) {
            self.annotations.insert(key.to_owned(), value);
        }
    }

    fn revision(&self) -> i64 {
        self.number(REVISION).unwrap_or_default()
    }

    /// Plans another size within what the Deployment wants.
    pub(super) fn resize(&mut self, replicas: i64, wanted: Wanted) {
        self.replicas = replicas;
        for (key, value) in sizes(wanted) {
            self.annotate(key, value);
        }
    }

    fn action(&self) -> Option<DeploymentAction> {
        let mut patch = json!({});
        if !self.annotations.is_empty() {
            patch["metadata"] = json!({ "annotations": self.annotations });
        }
        if let Some(seconds) = self.min_ready_seconds {
            patch["spec"]["minReadySeconds"] = json!(seconds);
        }
        let size = (self.replicas != self.before).then_some((self.before, self.replicas));
        if let Some((_, replicas)) = size {
            patch["spec"]["replicas"] = json!(replicas);
        }
        let is_changed = patch.as_object().is_some_and(|patch| !patch.is_empty());
        is_changed.then(|| DeploymentAction::Update { set: self.object.key(), patch, size })
    }
}

fn sizes(wanted: Wanted) -> [(&'static str, String); 2] {
    [(DESIRED, wanted.replicas.to_string()), (MOST, wanted.most().to_string())]
}

/// All ReplicaSets that a Deployment controls.
#[derive(Debug)]
pub(super) struct Sets<'a> {
    /// The one of the present template.
    pub(super) current: Option<Set<'a>>,
    /// The others, the oldest first.
    pub(super) old: Vec<Set<'a>>,
}

impl<'a> Sets<'a> {
    pub(super) fn of(deployment: &Object, sets: &[&'a Object]) -> Self {
        let mut all = sets.to_vec();
        all.sort_by_key(|set| (set.creation_timestamp(), set.name()));
        let current = all.iter().position(|set| template::equals(deployment, set)).map(|at| all.remove(at));
        Self { current: current.map(Set::of), old: all.into_iter().map(Set::of).collect() }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Set<'a>> {
        self.old.iter().chain(&self.current)
    }

    /// Pods that all sets are planned to have.
    pub(super) fn replicas(&self) -> i64 {
        self.all().map(|set| set.replicas).sum()
    }

    /// Whether the Deployment got another size since its sets were sized.
    pub(super) fn were_scaled(&self, replicas: i64) -> bool {
        let mut active = self.all().filter(|set| set.replicas > 0);
        active.any(|set| set.desired().is_some_and(|desired| desired != replicas))
    }

    /// Gives the current set the highest revision, and what it takes over from the Deployment.
    pub(super) fn sync_current(&mut self, deployment: &Object, spec: &DeploymentSpec<'_>) {
        let next = self.next_revision();
        let Some(current) = &mut self.current else { return };
        for (key, value) in inherited(deployment) {
            current.annotate(&key, value);
        }
        let before = current.annotation(REVISION).map(str::to_owned);
        if current.revision() < next {
            if let Some(before) = before {
                let history = with_revision(current.annotation(HISTORY).unwrap_or_default(), &before);
                current.annotate(HISTORY, history);
            }
            current.annotate(REVISION, next.to_string());
        }
        let present = ReplicaSet::read(current.object).unwrap_or_default().spec.min_ready_seconds;
        current.min_ready_seconds = (present != spec.min_ready_seconds).then_some(spec.min_ready_seconds);
    }

    fn next_revision(&self) -> i64 {
        self.old.iter().map(Set::revision).max().unwrap_or_default() + 1
    }

    /// The current set, to be created with this size.
    pub(super) fn created(
        &self,
        deployment: &Object,
        spec: &DeploymentSpec<'_>,
        replicas: i64,
        wanted: Wanted,
    ) -> Object {
        let mut set = template::new_set(deployment, spec.min_ready_seconds);
        set.0["spec"]["replicas"] = json!(replicas);
        let annotations = inherited(deployment)
            .chain([(REVISION.to_owned(), self.next_revision().to_string())])
            .chain(sizes(wanted).map(|(key, value)| (key.to_owned(), value)));
        for (key, value) in annotations {
            set.set_annotation(&key, value);
        }
        set
    }

    /// The revision of the current set as planned.
    pub(super) fn current_revision(&self) -> Option<&str> {
        self.current.as_ref()?.annotation(REVISION)
    }

    /// The planned changes.
    pub(super) fn actions(&self) -> Vec<DeploymentAction> {
        self.all().filter_map(Set::action).collect()
    }

    /// Empty old sets above the limit, those of the lowest revisions.
    pub(super) fn beyond_history(&self, limit: Option<u32>) -> impl Iterator<Item = ObjectKey> {
        let limit = usize::try_from(limit.unwrap_or(DEFAULT_HISTORY_LIMIT)).unwrap_or(usize::MAX);
        let mut alive: Vec<&Set<'_>> = self.old.iter().filter(|set| !set.object.is_deleting()).collect();
        alive.sort_by_key(|set| set.revision());
        let surplus = alive.len().saturating_sub(limit);
        let is_empty = |set: &&Set<'_>| {
            set.before == 0
                && set.replicas == 0
                && set.status.replicas == 0
                && set.status.observed_generation >= set.object.generation()
        };
        alive
            .into_iter()
            .take(surplus)
            .filter(is_empty)
            .map(|set| set.object.key())
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// The annotations of a Deployment that its current set has too.
fn inherited(deployment: &Object) -> impl Iterator<Item = (String, String)> {
    deployment.annotations().into_iter().filter(|(key, _)| !OWN.contains(&key.as_str()))
}

/// A list of revisions with one more; the first ones are dropped when it gets too long.
fn with_revision(history: &str, revision: &str) -> String {
    let mut revisions: Vec<&str> = history.split(',').filter(|text| !text.is_empty()).collect();
    revisions.push(revision);
    let mut text = revisions.join(",");
    while text.len() > MAX_HISTORY && revisions.len() > 1 {
        revisions.remove(0);
        text = revisions.join(",");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_revisions_is_bounded() {
        assert_eq!(with_revision("", "1"), "1");
        assert_eq!(with_revision("1,3", "5"), "1,3,5");
        let long = vec!["1234"; 400].join(",");
        let longer = with_revision(&long, "5");
        assert!(longer.len() <= MAX_HISTORY && longer.ends_with(",5"), "{}", longer.len());
    }
}
