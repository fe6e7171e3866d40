//! Removing a control plane's objects from a member without the control plane, which is gone or has forgotten the cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use portolan_api::{labels, names, resources};
use portolan_net::Clock;
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::leaving::{Fate, Wish, described, fate, held};
use portolan_plan::clusters::ownership::{ControlPlane, Holder, lease_key};
use portolan_runtime::client::{Delete, Selection};
use portolan_runtime::{Client, ClientError, Resource};
use tokio::time::Instant;

use super::account::Account;
use super::{JoinError, Leaving, Notices, agent_objects};
use crate::clusters::ownership;
use crate::clusters::ownership::take::{TakeError, observe};
use crate::missing::ignore_missing;

/// Kinds that are listed at the same time.
const MAX_CONCURRENT: usize = 8;
/// Time in which an API server notices that an admission policy is deleted.
const ADMISSION_TIMEOUT: Duration = Duration::from_secs(15);
/// Time between two attempts to delete a protected object.
const RETRY: Duration = Duration::from_millis(250);

/// What was removed from a member, and what stays.
#[derive(Debug)]
#[must_use]
pub struct Cleaned {
    /// The control plane that put the objects there.
    pub control_plane: ControlPlane,
    /// Deleted objects.
    pub deleted: Vec<String>,
    /// Objects that stay, because the wish does not include them.
    pub kept: Vec<String>,
}

/// Removes the objects of the control plane that holds `member`, and the account of cluster `name`. `notices` are told what
/// is waited for.
///
/// # Errors
/// [`JoinError::Held`] if the control plane still renews its Lease in the cluster, [`JoinError::NotJoined`] if the cluster
/// has no account of a control plane.
pub async fn clean(member: &Client, name: &str, wish: Wish, notices: &Notices) -> Result<Cleaned, JoinError> {
    let account = Account { member, cluster: name };
    let control_plane = holder(member, name, notices).await?;
    let Removed { deleted, kept } = remove(member, name, &control_plane.id, wish, &BTreeSet::new()).await?;
    ownership::delete_lease(member, &control_plane.id).await.map_err(account.failed("lease"))?;
    agent_objects::remove(member, name).await.map_err(account.failed("agent"))?;
    account.remove().await?;
    Ok(Cleaned { control_plane, deleted, kept })
}

/// Objects of a control plane, each described.
pub(super) struct Removed {
    pub(super) deleted: Vec<String>,
    pub(super) kept: Vec<String>,
}

/// Deletes the objects of control plane `id`, except for its account, what the wish does not include, and `preserved`.
pub(super) async fn remove(
    member: &Client,
    name: &str,
    id: &str,
    wish: Wish,
    preserved: &BTreeSet<String>,
) -> Result<Removed, JoinError> {
    let account = Account { member, cluster: name };
    let Owned { objects: mut found, hidden } =
        owned(member, id).await.map_err(account.failed("discovery"))?;
    if let Some((_, refusal)) = hidden.into_iter().next() {
        return Err(account.failed("discovery")(refusal));
    }
    // Policies of admission protect others.
    found.sort_by_key(|(resource, _)| resource.gvk.group != "admissionregistration.k8s.io");
    let mut removed = Removed { deleted: Vec::new(), kept: Vec::new() };
    for (resource, object) in found {
        let description = described(&object);
        match fate(&object, wish) {
            Fate::Delete if !preserved.contains(&description) => {
                delete(member, &resource, &object).await.map_err(account.failed("delete"))?;
                removed.deleted.push(description);
            }
            Fate::Delete | Fate::Keep => removed.kept.push(description),
            Fate::Account => {}
        }
    }
    Ok(removed)
}

/// The objects of control plane `id` that are deleted and that finalizers hold, described.
pub(super) async fn held_objects(member: &Client, name: &str, id: &str) -> Result<Vec<String>, JoinError> {
    let account = Account { member, cluster: name };
    let found = owned(member, id).await.map_err(account.failed("discovery"))?;
    Ok(found.objects.iter().filter_map(|(_, object)| held(object)).collect())
}

/// The objects of control plane `id` that go and those that stay when the cluster leaves it, described.
pub(super) async fn survey(
    member: &Client,
    name: &str,
    id: &str,
    preserved: &BTreeSet<String>,
) -> Result<Leaving, JoinError> {
    let account = Account { member, cluster: name };
    let wish = Wish { propagated: true, definitions: false };
    let found = owned(member, id).await.map_err(account.failed("discovery"))?;
    let goes = |object: &Object| fate(object, wish) != Fate::Keep && !preserved.contains(&described(object));
    let (deleted, kept): (Vec<_>, Vec<_>) =
        found.objects.into_iter().map(|(_, object)| object).partition(|object| goes(object));
    let hidden = found.hidden.into_iter().map(|(resource, _)| resource.to_string()).collect();
    let texts = |objects: Vec<Object>| {
        let mut texts: Vec<String> = objects.iter().map(described).collect();
        texts.sort();
        texts
    };
    Ok(Leaving { deleted: texts(deleted), kept: texts(kept), hidden, ..Leaving::default() })
}

/// The control plane of a member: the holder of the Lease, which must not renew it, or the one that made the namespace.
async fn holder(member: &Client, name: &str, notices: &Notices) -> Result<ControlPlane, JoinError> {
    let failed = |source| JoinError::Member { cluster: name.to_owned(), step: "lease", source };
    let lease = ignore_missing(ownership::leases(member).get(&lease_key()).await).map_err(failed)?;
    if let Some(holder) = lease.as_ref().and_then(Holder::of) {
        if !holder.cluster.is_empty() && holder.cluster != name {
            return Err(JoinError::Held(TakeError::OtherName { holder: Box::new(holder) }));
        }
        return match observe(member, &holder, &Clock::system(), notices).await.map_err(failed)? {
            Some(renewed) => Err(JoinError::Held(TakeError::Alive { holder: Box::new(renewed) })),
            None => Ok(holder.control_plane),
        };
    }
    let namespaces = member.resource::<Object>(&resources::NAMESPACE.into());
    let namespace = namespaces.get(&ObjectKey::cluster(names::CLUSTER_NAMESPACE)).await;
    let namespace = ignore_missing(namespace).map_err(failed)?;
    let id = match namespace.as_ref().and_then(|namespace| namespace.label(labels::CONTROL_PLANE)) {
        Some(id) => id.to_owned(),
        None => only_owner(member, name).await?,
    };
    Ok(ControlPlane { id, name: String::new() })
}

/// The control plane of which objects are left in a member without its Lease and its namespace, as after an earlier cleaning
/// with fewer wishes.
async fn only_owner(member: &Client, name: &str) -> Result<String, JoinError> {
    let failed = |source| JoinError::Member { cluster: name.to_owned(), step: "discovery", source };
    let found = labelled(member, labels::CONTROL_PLANE).await.map_err(failed)?;
    let owner = |object: &Object| object.label(labels::CONTROL_PLANE).map(str::to_owned);
    let owners: BTreeSet<String> = found.objects.iter().filter_map(|(_, object)| owner(object)).collect();
    match Vec::from_iter(owners).as_slice() {
        [] => Err(JoinError::NotJoined { cluster: name.to_owned() }),
        [id] => Ok(id.clone()),
        several => Err(JoinError::SeveralOwners { cluster: name.to_owned(), owners: several.to_vec() }),
    }
}

/// Objects with the label of a control plane.
struct Owned {
    objects: Vec<(Resource, Object)>,
    /// Kinds that the account may not list, with the refusals.
    hidden: Vec<(Resource, ClientError)>,
}

/// The objects of one control plane.
async fn owned(member: &Client, id: &str) -> Result<Owned, ClientError> {
    labelled(member, &format!("{}={id}", labels::CONTROL_PLANE)).await
}

async fn labelled(member: &Client, selector: &str) -> Result<Owned, ClientError> {
    let discovery = member.discover().await?;
    let kinds = discovery.resources.into_iter().filter(|found| found.allows(&["list", "delete"]));
    let kinds = kinds.filter(|found| found.preferred).map(|found| found.resource);
    let listed = stream::iter(kinds).map(|resource| async move {
        let selection = Selection::labels(selector);
        let listed = ignore_missing(member.resource::<Object>(&resource).list(&selection).await);
        (resource, listed)
    });
    let mut owned = Owned { objects: Vec::new(), hidden: Vec::new() };
    let mut listed = std::pin::pin!(listed.buffered(MAX_CONCURRENT));
    while let Some((resource, listed)) = listed.next().await {
        match listed {
            Ok(list) => {
                let items = list.map(|list| list.items).unwrap_or_default();
                owned.objects.extend(items.into_iter().map(|seen| (resource.clone(), seen.object)));
            }
            Err(refusal @ ClientError::Forbidden(_)) => owned.hidden.push((resource, refusal)),
            Err(error) => return Err(error),
        }
    }
    Ok(owned)
}

/// Deletes an object; again for a while if it is refused, because the policy that protected it has just been deleted.
async fn delete(member: &Client, resource: &Resource, object: &Object) -> Result<(), ClientError> {
    let (api, start) = (member.resource::<Object>(resource), Instant::now());
    loop {
        let deleted = api.delete(&object.key(), &Delete::background().uid(object.uid())).await;
        match ignore_missing(deleted) {
            Err(ClientError::Invalid(_) | ClientError::Forbidden(_))
                if start.elapsed() < ADMISSION_TIMEOUT =>
            {
                tokio::time::sleep(RETRY).await;
            }
            result => return result.map(drop),
        }
    }
}
