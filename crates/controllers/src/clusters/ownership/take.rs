//! Getting a member for a control plane, for `portolan join`: the Lease, the labels of the control plane's identity, and
//! with `--take-over` the membership in a cluster set that the member records.

use std::time::Duration;

use portolan_api::about::ClusterProperty;
use portolan_api::clusterset::{ClusterSet, ClusterSetMember, ID_PROPERTY, SET_PROPERTY};
use portolan_api::{Kind, labels, names, resources};
use portolan_net::Clock;
use portolan_object::time::age;
use portolan_object::{Object, ObjectKey};
use portolan_plan::cluster_sets::properties;
use portolan_plan::clusters::ownership::{
    ControlPlane, Holder, LeaseStep, held_lease, lease_key, observation, plan,
};
use portolan_runtime::client::Patch;
use portolan_runtime::{Client, ClientError};
use serde_json::json;

use super::{Leasing, create_namespace, leases, now};
use crate::clusters::notices::Notices;
use crate::missing::ignore_missing;

/// Attempts to write an object that other clients change at the same time.
const MAX_ATTEMPTS: usize = 10;
/// Time between two reads of another control plane's Lease.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// A member cannot be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeError {
    /// Another control plane holds the member, and it is running.
    #[error(
        "the cluster is held by {holder}, which is running: it renewed its lease at {}. A cluster belongs to one control \
         plane: `portolan unjoin` it there first; it cannot be taken over from a control plane that is running",
        holder.renewed
    )]
    Alive {
        /// The other control plane.
        holder: Box<Holder>,
    },
    /// Another control plane holds the member, and it does not renew its Lease.
    #[error(
        "the cluster is held by {holder}, last seen {}, which is not running now. If it is only stopped or cut off, start \
         it or `portolan unjoin` the cluster there; if it is gone for good, join with --take-over: everything in the \
         cluster stays as it is",
        holder.renewed
    )]
    Gone {
        /// The other control plane.
        holder: Box<Holder>,
    },
    /// The member has another name in the control plane that held it.
    #[error(
        "the cluster is {:?} in {holder}: take it over under this name, which the objects in the cluster record",
        holder.cluster
    )]
    OtherName {
        /// The other control plane.
        holder: Box<Holder>,
    },
    /// The Lease was changed by other clients in every attempt.
    #[error("the lease {} is changed by other clients all the time; try again", lease_key())]
    Contended,
    /// A request failed.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// How a member is taken.
#[derive(Debug, Clone, Copy)]
pub(in crate::clusters) struct Wish<'a> {
    /// Take it from another control plane that is gone.
    pub(in crate::clusters) take_over: bool,
    /// Is told what is waited for.
    pub(in crate::clusters) notices: &'a Notices,
}

/// Writes the Lease of a member with `own` as holder. Returns the holder from which it was taken over.
///
/// # Errors
/// [`TakeError`] if another control plane is the holder, unless it is gone and the wish is to take it over.
pub(in crate::clusters) async fn acquire(
    member: &Client,
    own: &ControlPlane,
    cluster: &str,
    wish: Wish<'_>,
) -> Result<Option<Holder>, TakeError> {
    let (api, clock) = (leases(member), Clock::system());
    for _ in 0..MAX_ATTEMPTS {
        let present = ignore_missing(api.get(&lease_key()).await)?;
        let other = other_holder(member, own, cluster, present.as_ref(), wish).await?;
        let duration = Leasing::default().duration;
        let lease = held_lease(own, cluster, present.as_ref(), duration, &now(&clock));
        let written = match present {
            Some(_) => api.replace(&lease).await,
            None => {
                create_namespace(member, &own.id).await?;
                api.create(&lease).await
            }
        };
        match written {
            Ok(_) => return Ok(other),
            // A renewal by the holder is a race too, so that a control plane that comes back meanwhile is noticed.
            Err(error) if error.is_race() || error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(TakeError::Contended)
}

/// The other control plane that holds the member by the Lease `present`, if there is one.
///
/// # Errors
/// [`TakeError`] unless the member can be taken over from it.
pub(in crate::clusters) async fn other_holder(
    member: &Client,
    own: &ControlPlane,
    cluster: &str,
    present: Option<&Object>,
    wish: Wish<'_>,
) -> Result<Option<Holder>, TakeError> {
    match plan(present, &own.id) {
        LeaseStep::Refuse(holder) => {
            check(member, &holder, cluster, wish, &Clock::system()).await?;
            Ok(Some(holder))
        }
        LeaseStep::Create | LeaseStep::Write => Ok(None),
    }
}

/// Fails unless the member can be taken over from `holder`.
async fn check(
    member: &Client,
    holder: &Holder,
    cluster: &str,
    wish: Wish<'_>,
    clock: &Clock,
) -> Result<(), TakeError> {
    if let Some(renewed) = observe(member, holder, clock, wish.notices).await? {
        return Err(TakeError::Alive { holder: Box::new(renewed) });
    }
    let holder = Box::new(holder.clone());
    if !wish.take_over {
        return Err(TakeError::Gone { holder });
    }
    if !holder.cluster.is_empty() && holder.cluster != cluster {
        return Err(TakeError::OtherName { holder });
    }
    Ok(())
}

/// Observes whether the holder renews its Lease; returns the renewal. Clocks of two machines differ, so that the time in
/// the Lease alone does not tell.
pub(in crate::clusters) async fn observe(
    member: &Client,
    holder: &Holder,
    clock: &Clock,
    notices: &Notices,
) -> Result<Option<Holder>, ClientError> {
    let patience = observation(holder, age(&holder.renewed, clock.now()));
    tracing::info!(%holder, ?patience, "observing whether the other control plane renews its lease");
    notices.tell(&format!(
        "the cluster is held by {holder}: waiting whether it renews its lease, at most {} s",
        patience.as_secs()
    ));
    let api = leases(member);
    let changed = async {
        loop {
            tokio::time::sleep(POLL_INTERVAL.min(patience / 4)).await;
            let Some(lease) = ignore_missing(api.get(&lease_key()).await)? else { return Ok(None) };
            match Holder::of(&lease) {
                Some(seen) if seen != *holder => return Ok(Some(seen)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    };
    tokio::time::timeout(patience, changed).await.unwrap_or(Ok(None))
}

/// Gives the objects by which a control plane acts in a member its label. Objects of an earlier control plane have the
/// same names.
pub(in crate::clusters) async fn stamp_identity(
    member: &Client,
    cluster: &str,
    own: &str,
) -> Result<(), ClientError> {
    let in_namespace = |name: &str| ObjectKey::namespaced(names::CLUSTER_NAMESPACE, name);
    let role = names::cluster_role(cluster);
    let patch = Patch::Merge(json!({ "metadata": { "labels": { labels::CONTROL_PLANE: own } } }));
    for (resource, key) in [
        (resources::NAMESPACE, ObjectKey::cluster(names::CLUSTER_NAMESPACE)),
        (resources::SERVICE_ACCOUNT, in_namespace(&names::service_account(cluster))),
        (resources::SERVICE_ACCOUNT, in_namespace(names::IMPERSONATOR)),
        (resources::CLUSTER_ROLE, ObjectKey::cluster(&*role)),
        (resources::CLUSTER_ROLE_BINDING, ObjectKey::cluster(&*role)),
    ] {
        ignore_missing(member.resource::<Object>(&resource.into()).patch(&key, &patch).await)?;
    }
    Ok(())
}

/// A membership in a cluster set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetMembership {
    /// Name of the set.
    pub set: String,
    /// Id of the cluster in the set.
    pub id: String,
}

/// The membership that the ClusterProperties of a member record, if another control plane than `own` has written them.
pub(in crate::clusters) async fn recorded_membership(
    member: &Client,
    own: &str,
) -> Result<Option<SetMembership>, ClientError> {
    let discovery = member.discover().await?;
    let Some(found) = discovery.find(ClusterProperty::GROUP, ClusterProperty::KIND) else {
        return Ok(None);
    };
    let api = member.resource::<Object>(&found.resource);
    let id = ignore_missing(api.get(&ObjectKey::cluster(ID_PROPERTY)).await)?;
    let set = ignore_missing(api.get(&ObjectKey::cluster(SET_PROPERTY)).await)?;
    let recorded = properties::recorded(id.as_ref(), set.as_ref(), own);
    Ok(recorded.map(|(set, id)| SetMembership { set, id }))
}

/// Lists a cluster in a set of the hub, and creates the set if the hub does not have it. An entry of the cluster stays as it
/// is.
pub(in crate::clusters) async fn restore_membership(
    hub: &Client,
    cluster: &str,
    recorded: &SetMembership,
) -> Result<(), ClientError> {
    let (api, key) = (hub.kind::<ClusterSet>(), ObjectKey::cluster(&*recorded.set));
    let id = Some(recorded.id.clone()).filter(|id| id != cluster).unwrap_or_default();
    let member = ClusterSetMember { cluster: cluster.to_owned(), id };
    let mut attempts = 0;
    loop {
        attempts += 1;
        let mut set = ignore_missing(api.get(&key).await)?.unwrap_or_default();
        if set.spec.members.iter().any(|member| member.cluster == cluster) {
            return Ok(());
        }
        set.spec.members.push(member.clone());
        let written = if set.metadata.name.is_empty() {
            set.metadata.name.clone_from(&recorded.set);
            api.create(&set).await
        } else {
            api.replace(&set).await
        };
        match written {
            Err(error) if error.is_race() && attempts < MAX_ATTEMPTS => {}
            result => return result.map(drop),
        }
    }
}
