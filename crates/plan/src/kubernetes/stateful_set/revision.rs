//! The two templates that a StatefulSet works with: the current one and the update.

use std::collections::BTreeSet;

use portolan_api::kubernetes::StatefulSet;
use portolan_api::names;
use portolan_object::Object;
use serde_json::Value;

use super::StatefulSetAction;
pub use crate::kubernetes::history::REVISION_LABEL;
use crate::kubernetes::history::{self, RevisionStep, template_of};
use crate::kubernetes::pods;

/// The current and the new template, and the changes to the ControllerRevisions.
pub(super) struct Templates<'a> {
    current: (String, Value),
    update: (String, Value),
    record: Option<RevisionStep>,
    revisions: Vec<&'a Object>,
    history_limit: Option<u32>,
}

impl<'a> Templates<'a> {
    /// Finds the update revision by the set's template, and the current one by the set's status.
    pub(super) fn of(set: &Object, view: &StatefulSet<'_>, revisions: &[&'a Object]) -> Self {
        let template = pods::template(set);
        let hash = names::short_hash(&template.to_string());
        let update = history::name(set, &hash);
        let name = view.status.current_revision;
        let current = revisions.iter().find(|revision| !name.is_empty() && revision.name() == name);
        let current = match current {
            Some(revision) => (name.to_owned(), template_of(revision)),
            None => (update.clone(), template.clone()),
        };
        Self {
            current,
            update: (update, template),
            record: history::record(set, &hash, revisions),
            revisions: revisions.to_vec(),
            history_limit: view.spec.revision_history_limit,
        }
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
        let forgotten = history::forget(&self.revisions, &live, self.history_limit);
        self.record.clone().into_iter().chain(forgotten).map(StatefulSetAction::Revision).collect()
    }
}
