//! The templates that a StatefulSet had, kept as ControllerRevisions: the current one and the update.
//!
//! The form of their data is that of Kubernetes, so that `kubectl rollout history` and `undo` work on them.

use std::collections::BTreeSet;

use portolan_api::kubernetes::{ControllerRevision, StatefulSet, View};
use portolan_api::names;
use portolan_object::{Object, ObjectKey};
use serde_json::{Value, json};

use super::StatefulSetAction;
use crate::kubernetes::pods::{self, controller_reference};

/// The name of the ControllerRevision that a pod was made from.
pub const REVISION_LABEL: &str = "controller-revision-hash";
/// The hash on the ControllerRevision itself.
const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// The current and the new template, and the changes to the ControllerRevisions.
pub(super) struct Templates {
    current: (String, Value),
    update: (String, Value),
    record: Option<StatefulSetAction>,
    /// Every revision by number, oldest first, and how many old ones may stay.
    known: Vec<(ObjectKey, i64)>,
    history_limit: usize,
}

impl Templates {
    /// Finds the update revision by the set's template, and the current one by the set's status.
    pub(super) fn of(set: &Object, view: &StatefulSet<'_>, revisions: &[&Object]) -> Self {
        let template = pods::template(set);
        let update = format!("{}-{}", set.name(), names::short_hash(&template.to_string()));
        let newest = revisions.iter().map(|revision| number(revision)).max().unwrap_or_default();
        let record = match revisions.iter().find(|revision| revision.name() == update) {
            None => {
                Some(StatefulSetAction::CreateRevision(new_revision(set, &update, &template, newest + 1)))
            }
            Some(known) if number(known) < newest => {
                Some(StatefulSetAction::RenumberRevision(known.key(), newest + 1))
            }
            Some(_) => None,
        };
        let name = view.status.current_revision;
        let current = revisions.iter().find(|revision| !name.is_empty() && revision.name() == name);
        let current = match current {
            Some(revision) => (name.to_owned(), template_of(revision)),
            None => (update.clone(), template.clone()),
        };
        let mut known: Vec<(ObjectKey, i64)> =
            revisions.iter().map(|revision| (revision.key(), number(revision))).collect();
        known.sort_by_key(|(_, number)| *number);
        let limit = view.spec.revision_history_limit.unwrap_or(10);
        let history_limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { current, update: (update, template), record, known, history_limit }
    }

    /// The revision of the set's template.
    pub(super) fn update(&self) -> &str {
        &self.update.0
    }

    /// The revision that the set had when it was last complete.
    pub(super) fn current(&self) -> &str {
        &self.current.0
    }

    /// The revision and template for a new pod.
    pub(super) fn choose(&self, keeps_current: bool) -> (&str, &Value) {
        let (revision, template) = if keeps_current { &self.current } else { &self.update };
        (revision, template)
    }

    /// Records the current template and deletes revisions beyond the limit that no pod has.
    pub(super) fn steps(&self, pods: &[&Object]) -> Vec<StatefulSetAction> {
        let mut live: BTreeSet<&str> = pods.iter().filter_map(|pod| pod.label(REVISION_LABEL)).collect();
        live.extend([self.current(), self.update()]);
        let old: Vec<&ObjectKey> =
            self.known.iter().map(|(key, _)| key).filter(|key| !live.contains(key.name.as_str())).collect();
        let surplus = old.len().saturating_sub(self.history_limit);
        let forgotten = old.into_iter().take(surplus).cloned().map(StatefulSetAction::DeleteRevision);
        self.record.clone().into_iter().chain(forgotten).collect()
    }
}

fn number(revision: &Object) -> i64 {
    ControllerRevision::read(revision).unwrap_or_default().revision
}

/// The template without the directive that tells a strategic merge patch to replace it.
fn template_of(revision: &Object) -> Value {
    let mut template = revision.at(&["data", "spec", "template"]).cloned().unwrap_or_default();
    if let Some(template) = template.as_object_mut() {
        template.remove("$patch");
    }
    template
}

fn new_revision(set: &Object, name: &str, template: &Value, number: i64) -> Object {
    let mut data = template.clone();
    data["$patch"] = json!("replace");
    let mut labels =
        set.at(&["spec", "template", "metadata", "labels"]).cloned().unwrap_or_else(|| json!({}));
    labels[HASH_LABEL] = json!(name.rsplit('-').next().unwrap_or_default());
    Object(json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision",
        "metadata": {
            "name": name, "namespace": set.namespace(), "labels": labels,
            "ownerReferences": [controller_reference(set)],
        },
        "data": { "spec": { "template": data } },
        "revision": number,
    }))
}
