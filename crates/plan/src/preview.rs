//! What would change in every member if manifests were applied to the hub: `portolan plan`.
//!
//! The hub is taken twice, as it is and as it would be, and the functions of the controllers make the Works of both.
//! The difference of their manifests is the plan. What these functions do not see is told in a note: capacities of
//! clusters, and the uid of a template that does not exist yet.

pub mod apply;
mod outcome;

use std::collections::{BTreeMap, BTreeSet};

use portolan_api::cluster::Cluster;
use portolan_api::names;
use portolan_api::work::Work;
use portolan_object::{GroupKind, Object, ObjectKey};
use serde::Serialize;

use crate::field_changes::{FieldChange, manifest_changes};
use crate::propagation::snapshot::{Binding, Override, Policy};
use outcome::Outcome;

/// The hub's objects that decide, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Hub {
    /// The clusters.
    pub clusters: Vec<Cluster>,
    /// All propagation policies.
    pub policies: Vec<Policy>,
    /// All override policies.
    pub overrides: Vec<Override>,
    /// The objects that may be concerned, Namespaces among them.
    pub templates: BTreeMap<(GroupKind, ObjectKey), Object>,
    /// The bindings of these objects.
    pub bindings: BTreeMap<ObjectKey, Binding>,
    /// The Works of these objects.
    pub works: BTreeMap<ObjectKey, Work>,
}

impl Hub {
    /// The binding of a template.
    pub fn binding(&self, template: &Object) -> Option<&Binding> {
        let name = names::binding(template.kind(), template.name());
        self.bindings.get(&ObjectKey::namespaced(template.namespace(), name))
    }
}

/// What happens to an object in a member. Deletions come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// It is deleted.
    Delete,
    /// Some fields change.
    Update,
    /// It is created.
    Create,
}

/// A change of one object in one member.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The cluster.
    pub cluster: String,
    /// What happens.
    pub action: Action,
    /// Its kind.
    pub kind: String,
    /// Its namespace and name.
    pub object: ObjectKey,
    /// The fields that change, for an update.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// The changes of all members.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preview {
    /// By cluster; deletions, then updates, then creations.
    pub changes: Vec<Change>,
    /// What would be broken after the change: an override or a placement that cannot be applied.
    pub problems: Vec<String>,
    /// What the plan cannot know.
    pub notes: Vec<String>,
}

/// Compares the outcome of two states of the hub.
pub fn preview(before: &Hub, after: &Hub) -> Preview {
    let mut preview = Preview::default();
    let (mut problems, mut notes) = (BTreeSet::new(), BTreeSet::new());
    let keys: BTreeSet<_> = before.templates.keys().chain(after.templates.keys()).collect();
    for key in keys {
        let old = outcome::of(before, key);
        let new = outcome::of(after, key);
        if old == new && before.templates.get(key) == after.templates.get(key) {
            continue;
        }
        problems.extend(new.problems.difference(&old.problems).cloned());
        notes.extend(new.notes.iter().cloned());
        notes.extend(new.suspended.iter().map(|(object, cluster)| {
            format!("{object} is suspended in {cluster}: changes are not sent there")
        }));
        notes.extend(old.suspended.difference(&new.suspended).map(|(object, cluster)| {
            format!("{object} is resumed in {cluster}: changes that were held back are sent too, and are not in this plan")
        }));
        compare(&old, &new, &mut preview.changes);
    }
    let order =
        |change: &Change| (change.cluster.clone(), change.action, change.kind.clone(), change.object.clone());
    preview.changes.sort_by_cached_key(order);
    preview.problems = problems.into_iter().collect();
    preview.notes = notes.into_iter().collect();
    preview
}

/// The changes of one template.
fn compare(old: &Outcome, new: &Outcome, changes: &mut Vec<Change>) {
    let clusters: BTreeSet<&String> = old.manifests.keys().chain(new.manifests.keys()).collect();
    for cluster in clusters.into_iter().filter(|cluster| !new.stays.contains(*cluster)) {
        let (before, after) = (old.manifests.get(cluster), new.manifests.get(cluster));
        let (action, object, fields) = match (before, after) {
            (Some(_), None) if new.keeps_withdrawn => continue,
            (Some(before), None) => (Action::Delete, before, Vec::new()),
            (None, Some(after)) => (Action::Create, after, Vec::new()),
            (Some(before), Some(after)) => {
                let fields = manifest_changes(before, after);
                if fields.is_empty() {
                    continue;
                }
                (Action::Update, after, fields)
            }
            (None, None) => continue,
        };
        changes.push(Change {
            cluster: cluster.clone(),
            action,
            kind: object.kind().to_owned(),
            object: object.key(),
            fields,
        });
    }
}

#[cfg(test)]
mod tests;
