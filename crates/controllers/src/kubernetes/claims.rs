//! Finding the objects of a workload, and adopting and releasing them. `plan::kubernetes::claim` decides.

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::kubernetes::controller;
use portolan_object::{Object, ObjectKey};
use portolan_plan::kubernetes::claim::{claim, selector};
use portolan_runtime::client::Patch;
use portolan_runtime::{Api, Cache, ClientError, Queue};

use super::controller::controller_of_kind;
use crate::missing::ignore_missing;

/// Index of a cache of owned objects: by the uid of the controller.
pub(super) const BY_CONTROLLER: &str = "controller";
/// Index of such a cache: objects without a controller, by namespace.
const ORPHANS: &str = "orphans";

/// Adds the indices that [`owned`] reads.
pub(super) fn index(objects: &Cache<Object>) {
    objects.add_index(BY_CONTROLLER, |_, object| {
        controller(object).map(|owner| owner.uid.to_owned()).into_iter().collect()
    });
    objects.add_index(ORPHANS, |_, object| {
        let is_orphan = controller(object).is_none();
        is_orphan.then(|| object.namespace().to_owned()).into_iter().collect()
    });
}

/// Queues the owners of a kind whenever an object of theirs changes, or an orphan that they select appears.
pub(super) fn observe(
    objects: &Cache<Object>,
    owners: &Cache<Object>,
    kind: &'static str,
    queue: &Queue<ObjectKey>,
) {
    let adder = queue.clone();
    objects.observe(move |change| {
        let versions = change.old.iter().chain(&change.new);
        versions.filter_map(|object| controller_of_kind(object, kind)).for_each(|owner| adder.add(owner));
    });
    observe_orphans(objects, owners, queue);
}

/// Queues the owners that select an orphan whenever one appears or changes.
pub(super) fn observe_orphans(objects: &Cache<Object>, owners: &Cache<Object>, queue: &Queue<ObjectKey>) {
    let (adder, owners) = (queue.clone(), owners.clone());
    objects.observe(move |change| {
        if let Some(orphan) = change.new.as_ref().filter(|object| controller(object).is_none()) {
            let candidates = owners.list_namespace(orphan.namespace());
            let selecting = candidates.iter().filter(|owner| selector(owner).matches_object(orphan));
            selecting.for_each(|owner| adder.add(owner.key()));
        }
    });
}

/// The objects that `owner` has. Changes of owners are written first; `None` says that there were some, and that their
/// events lead to another pass.
pub(super) async fn owned(
    owner: &Object,
    owners: &Api<Object>,
    objects: &Cache<Object>,
    api: &Api<Object>,
) -> Result<Option<Vec<Arc<Object>>>, ClientError> {
    owned_with(owner, owners, objects, api, |_| true).await
}

/// The same, with orphans that `accept` likes only.
pub(super) async fn owned_with(
    owner: &Object,
    owners: &Api<Object>,
    objects: &Cache<Object>,
    api: &Api<Object>,
    accept: impl Fn(&Object) -> bool,
) -> Result<Option<Vec<Arc<Object>>>, ClientError> {
    let orphans = objects.by_index(ORPHANS, owner.namespace());
    let candidates: Vec<Arc<Object>> = objects
        .by_index(BY_CONTROLLER, owner.uid())
        .into_iter()
        .chain(orphans.into_iter().filter(|orphan| accept(orphan)))
        .collect();
    let claims = claim(owner, &selector(owner), candidates.iter().map(|object| &**object));
    if claims.changes.is_empty() {
        let keys: BTreeSet<ObjectKey> = claims.owned.iter().map(|object| object.key()).collect();
        return Ok(Some(candidates.into_iter().filter(|object| keys.contains(&object.key())).collect()));
    }
    if claims.changes.iter().any(|change| change.is_adoption) {
        // The cache may be behind: what a deleted owner adopts is collected as garbage.
        let present = ignore_missing(owners.get(&owner.key()).await)?;
        if !present.is_some_and(|present| present.uid() == owner.uid() && !present.is_deleting()) {
            return Ok(None);
        }
    }
    for change in claims.changes {
        match api.patch(&change.key, &Patch::Strategic(change.patch)).await {
            // Another object has the name, or another controller was faster: its event tells.
            Err(ClientError::Conflict(_) | ClientError::Invalid(_) | ClientError::NotFound(_)) => {}
            changed => drop(changed?),
        }
    }
    Ok(None)
}
