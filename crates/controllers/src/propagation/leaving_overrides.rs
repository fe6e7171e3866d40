//! Override policies that were deleted less than [`LEAVING`] ago. They stay in effect for that time, because a user may delete the
//! propagation policy with them: an object without a policy stays in the members as it is, with the overrides.
//!
//! Every pass over a binding in that time applies them, also one that a status or a change of the template has caused. If the
//! override was deleted while this process did not run, the Work still records it: that Work is not written for the same time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_api::meta::ObjectMeta;
use portolan_object::{Object, ObjectKey};
use portolan_plan::propagation::overrides::{recorded, selects};
use portolan_runtime::cache::Change;
use tokio::time::Instant;

use crate::propagation::Pipeline;
use crate::propagation::scoped::Override;

/// Time for which a deleted override stays in effect.
pub(super) const LEAVING: Duration = Duration::from_secs(2);
/// Time after which a deletion is forgotten.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// A deletion: when it was noticed, and what was deleted if that is known.
#[derive(Debug)]
struct Deletion {
    at: Instant,
    policy: Option<Arc<Override>>,
}

impl Deletion {
    /// The time for which the override stays in effect; `None` if it does not any more.
    fn remaining(&self) -> Option<Duration> {
        LEAVING.checked_sub(self.at.elapsed()).filter(|remaining| !remaining.is_zero())
    }
}

/// The overrides that were deleted a moment ago; clones share state.
#[derive(Debug, Clone, Default)]
pub(super) struct LeavingOverrides(Arc<Mutex<HashMap<ObjectKey, Deletion>>>);

impl LeavingOverrides {
    /// Notes a deletion; an override that is there again counts as it is.
    pub(super) fn changed(&self, change: &Change<Override>) {
        let mut deletions = self.0.lock();
        deletions.retain(|_, deletion| deletion.at.elapsed() < FORGOTTEN);
        match (&change.old, &change.new) {
            (Some(old), None) => {
                let deletion = Deletion { at: Instant::now(), policy: Some(old.clone()) };
                deletions.insert(change.key.clone(), deletion);
            }
            (_, Some(_)) => drop(deletions.remove(&change.key)),
            (None, None) => {}
        }
    }

    /// The deleted overrides of a namespace that are still in effect; the cluster-wide ones if it is empty.
    fn of_namespace(&self, namespace: &str) -> Vec<Arc<Override>> {
        let deletions = self.0.lock();
        let of_namespace = deletions
            .iter()
            .filter(|(key, deletion)| key.namespace == namespace && deletion.remaining().is_some());
        of_namespace.filter_map(|(_, deletion)| deletion.policy.clone()).collect()
    }

    /// The time until the first deleted override of a template is out of effect; `None` if it has no such override.
    pub(super) fn wait(&self, template: &Object) -> Option<Duration> {
        let deletions = self.0.lock();
        let concerns = |key: &ObjectKey, deletion: &Deletion| {
            let policy = deletion.policy.as_ref();
            (key.namespace.is_empty() || key.namespace == template.namespace())
                && policy.is_some_and(|policy| selects(&policy.spec, template))
        };
        let concerning = deletions.iter().filter(|(key, deletion)| concerns(key, deletion));
        concerning.filter_map(|(_, deletion)| deletion.remaining()).min()
    }

    /// The time for which a Work is not written: it records overrides that are not `in_effect`. Their deletion was not seen, or it
    /// was less than [`LEAVING`] ago.
    pub(super) fn hold(
        &self,
        work: &ObjectMeta,
        namespace: &str,
        in_effect: &[Arc<Override>],
    ) -> Option<Duration> {
        let is_in_effect = |key: &ObjectKey| in_effect.iter().any(|policy| policy.metadata.key() == *key);
        let absent: Vec<ObjectKey> =
            recorded(work, namespace).into_iter().filter(|key| !is_in_effect(key)).collect();
        if absent.is_empty() {
            return None;
        }
        let mut deletions = self.0.lock();
        let unseen = || Deletion { at: Instant::now(), policy: None };
        let remaining = absent.into_iter().map(|key| deletions.entry(key).or_insert_with(unseen).remaining());
        remaining.flatten().max()
    }
}

impl Pipeline {
    /// The override policies of a namespace that are in effect; the cluster-wide ones if it is empty.
    pub(super) fn overrides_in_effect(&self, namespace: &str) -> Vec<Arc<Override>> {
        let mut found = match namespace {
            "" => self.overrides.cluster.list(),
            namespace => self.overrides.namespaced.list_namespace(namespace),
        };
        let leaving = self.leaving_overrides.of_namespace(namespace);
        let is_there = |policy: &Override| found.iter().any(|one| one.metadata.name == policy.metadata.name);
        let leaving: Vec<_> = leaving.into_iter().filter(|policy| !is_there(policy)).collect();
        found.extend(leaving);
        found
    }
}

#[cfg(test)]
mod tests {
    use portolan_api::annotations::policy::APPLIED_OVERRIDES;

    use super::*;

    fn policy() -> Arc<Override> {
        let metadata = ObjectMeta::namespaced("default", "zero");
        Arc::new(Override { metadata, ..Override::default() })
    }

    fn key() -> ObjectKey {
        ObjectKey::namespaced("default", "zero")
    }

    fn change(old: Option<Arc<Override>>, new: Option<Arc<Override>>) -> Change<Override> {
        Change { key: key(), old, new, is_own: false }
    }

    fn template() -> Object {
        Object(serde_json::json!({ "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "namespace": "default", "name": "app" } }))
    }

    fn work() -> ObjectMeta {
        let mut metadata = ObjectMeta::namespaced("karmada-es-eu", "app");
        let record = r#"[{"policyName":"zero","overriders":{}}]"#;
        metadata.annotations.insert(APPLIED_OVERRIDES.to_owned(), record.to_owned());
        metadata
    }

    #[tokio::test(start_paused = true)]
    async fn a_deleted_override_stays_in_effect_for_a_moment() {
        let leaving = LeavingOverrides::default();
        leaving.changed(&change(Some(policy()), None));
        tokio::time::advance(Duration::from_millis(1500)).await;
        assert_eq!(leaving.of_namespace("default").len(), 1);
        assert_eq!(leaving.of_namespace("other").len(), 0);
        assert_eq!(leaving.wait(&template()), Some(Duration::from_millis(500)));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(leaving.of_namespace("default").len(), 0);
        assert_eq!(leaving.wait(&template()), None);
        assert_eq!(leaving.hold(&work(), "default", &[]), None, "its deletion was seen");
    }

    #[tokio::test(start_paused = true)]
    async fn an_override_that_is_there_again_counts_as_it_is() {
        let leaving = LeavingOverrides::default();
        leaving.changed(&change(Some(policy()), None));
        leaving.changed(&change(None, Some(policy())));
        assert_eq!(leaving.of_namespace("default").len(), 0);
        assert_eq!(leaving.wait(&template()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_work_with_an_override_whose_deletion_was_not_seen_is_left_alone_for_a_moment() {
        let leaving = LeavingOverrides::default();
        assert_eq!(leaving.hold(&work(), "default", &[policy()]), None, "it is in effect");
        assert_eq!(leaving.hold(&work(), "default", &[]), Some(LEAVING));
        tokio::time::advance(LEAVING).await;
        assert_eq!(leaving.hold(&work(), "default", &[]), None);
    }
}
