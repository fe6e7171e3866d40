//! Removing a cluster from the federation.

use std::time::Duration;

use portolan_api::cluster::{Cluster, SyncMode};
use portolan_api::names;
use portolan_api::work::Work;
use portolan_object::ObjectKey;
use portolan_plan::clusters::leaving::{Wish, left_by, preserved, waits_for};
use portolan_plan::clusters::ownership::{Holder, lease_key};
use portolan_runtime::client::{Delete, Selection};
use portolan_runtime::{Client, ClientError};
use tokio::time::Instant;

use super::account::Account;
use super::agent_objects;
use super::{JoinError, Notices, clean, control_plane_id, identity};
use crate::clusters::ownership;
use crate::missing::ignore_missing;

/// Time for the member to answer the first request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// Time that leaving takes without a notice of what is waited for.
const SILENCE: Duration = Duration::from_secs(1);
/// Time between two looks at a cluster that leaves.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How a member is reached when it leaves.
#[derive(Debug)]
pub enum Access<'a> {
    /// As an administrator, with a kubeconfig of the member.
    Administrator(&'a Client),
    /// With the account that `join` made there.
    Account(&'a Client),
    /// Not at all, for this reason.
    None(String),
}

/// The cluster to remove.
#[derive(Debug)]
pub struct UnjoinRequest<'a> {
    /// Its name in the federation.
    pub name: &'a str,
    /// How it is reached.
    pub access: Access<'a>,
    /// Go on although the cluster does not answer.
    pub force: bool,
    /// Longest time to wait until it has left.
    pub patience: Duration,
    /// Is told what is waited for.
    pub notices: Notices,
}

/// A cluster that has left.
#[derive(Debug, Default)]
#[must_use]
pub struct Left {
    /// Another control plane that holds the cluster, so that everything there stays.
    pub held_by: Option<Holder>,
    /// Why nothing was removed in the cluster by this command.
    pub unreached: Option<String>,
    /// What stays in a cluster in which nothing was removed.
    pub remains: Vec<String>,
    /// What is deleted in the cluster, and still there because of its finalizers.
    pub held: Vec<String>,
}

/// What leaving would do.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Leaving {
    /// Another control plane that holds the cluster, so that everything there stays.
    pub held_by: Option<Holder>,
    /// Why the cluster does not answer, so that everything there stays.
    pub unreachable: Option<String>,
    /// Objects in the cluster that would be deleted.
    pub deleted: Vec<String>,
    /// Objects in the cluster that would stay.
    pub kept: Vec<String>,
    /// Kinds that the account may not list, so that nothing is known of their objects.
    pub hidden: Vec<String>,
}

/// Finds out what [`unjoin`] would do. Writes nothing.
///
/// # Errors
/// When the control plane does not know the cluster, or a request fails.
pub async fn dry_run(hub: &Client, request: &UnjoinRequest<'_>) -> Result<Leaving, JoinError> {
    let name = request.name;
    let on_hub = |step| move |source| JoinError::Hub { step, source };
    let cluster = hub.kind::<Cluster>().get(&ObjectKey::cluster(name)).await.map_err(on_hub("cluster"))?;
    let is_pulled = cluster.spec.sync_mode == SyncMode::Pull;
    let selection = Selection::namespace(names::execution_namespace(name));
    let works = hub.kind::<Work>().list(&selection).await.map_err(on_hub("works"))?;
    let works = || works.items.iter().map(|seen| &seen.object);
    let unreachable =
        |cause| Leaving { unreachable: Some(cause), kept: left_by(&cluster, works()), ..Leaving::default() };
    let member = match &request.access {
        Access::Administrator(member) | Access::Account(member) => *member,
        Access::None(reason) => return Ok(unreachable(reason.clone())),
    };
    if let Err(error) = identity(&member.clone().with_timeout(ANSWER_TIMEOUT), name).await {
        return Ok(unreachable(error.to_string()));
    }
    let (own, account) = (control_plane_id(hub).await?, Account { member, cluster: name });
    let lease = ignore_missing(ownership::leases(member).get(&lease_key()).await);
    let holder = lease.map_err(account.failed("lease"))?.as_ref().and_then(Holder::of);
    if let Some(other) = holder.filter(|holder| holder.control_plane.id != own) {
        return Ok(Leaving { held_by: Some(other), ..Leaving::default() });
    }
    let mut leaving = clean::survey(member, name, &own, &preserved(works())).await?;
    if is_pulled {
        let of_agent = agent_objects::listed(member, name).await;
        leaving.deleted.extend(of_agent.map_err(account.failed("agent"))?);
    }
    Ok(leaving)
}

/// Removes a cluster from the federation and waits for it. What the control plane put into the member is removed, and its
/// account there, unless another control plane holds the member.
///
/// # Errors
/// [`JoinError::Unreachable`] before anything is changed, if the member does not answer and the request does not force it;
/// [`JoinError::StillLeaving`] if Works are still being removed; their removal continues.
pub async fn unjoin(hub: &Client, request: &UnjoinRequest<'_>) -> Result<Left, JoinError> {
    let name = request.name;
    let on_hub = |step| move |source| JoinError::Hub { step, source };
    let (clusters, key) = (hub.kind::<Cluster>(), ObjectKey::cluster(name));
    let cluster = clusters.get(&key).await.map_err(on_hub("cluster"))?;
    let is_pulled = cluster.spec.sync_mode == SyncMode::Pull;
    let unreachable = match &request.access {
        Access::Administrator(member) | Access::Account(member) => {
            let member = (*member).clone().with_timeout(ANSWER_TIMEOUT);
            identity(&member, name).await.err().map(|error| error.to_string())
        }
        Access::None(reason) => Some(reason.clone()),
    };
    let selection = Selection::namespace(names::execution_namespace(name));
    let works = hub.kind::<Work>().list(&selection).await.map_err(on_hub("works"))?;
    let works = || works.items.iter().map(|seen| &seen.object);
    if let Some(cause) = unreachable.clone().filter(|_| !request.force) {
        let (remains, cluster) = (left_by(&cluster, works()), name.to_owned());
        return Err(match (&request.access, is_pulled) {
            (Access::None(_), true) => JoinError::NotDialled { cluster, remains },
            _ => JoinError::Unreachable { cluster, cause, remains },
        });
    }
    clusters.delete(&key, &Delete::default()).await.map_err(on_hub("cluster"))?;
    wait_until_gone(hub, request).await?;
    let (member, is_administrator) = match &request.access {
        Access::Administrator(member) if unreachable.is_none() => (*member, true),
        Access::Account(member) if unreachable.is_none() => (*member, false),
        _ => {
            return Ok(Left {
                unreached: unreachable,
                remains: left_by(&cluster, works()),
                ..Left::default()
            });
        }
    };
    let (own, account) = (control_plane_id(hub).await?, Account { member, cluster: name });
    let lease = ignore_missing(ownership::leases(member).get(&lease_key()).await);
    let holder = lease.map_err(account.failed("lease"))?.as_ref().and_then(Holder::of);
    if let Some(other) = holder.filter(|holder| holder.control_plane.id != own) {
        return Ok(Left { held_by: Some(other), ..Left::default() });
    }
    ownership::delete_lease(member, &own).await.map_err(account.failed("lease"))?;
    if is_administrator && is_pulled {
        // First its account, so that an agent without the control plane writes nothing again. One that did not run has left
        // everything there.
        agent_objects::remove(member, name).await.map_err(account.failed("agent"))?;
        let wish = Wish { propagated: true, definitions: false };
        let _removed = clean::remove(member, name, &own, wish, &preserved(works())).await?;
    }
    // A kind that cannot be listed, such as one of an aggregated API that is down, keeps no cluster.
    let held = clean::held_objects(member, name, &own).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "it is not known what finalizers hold in the cluster");
        Vec::new()
    });
    match is_administrator {
        true => account.remove().await?,
        false => account.remove_itself().await?,
    }
    Ok(Left { held, ..Left::default() })
}

/// Waits until the Cluster object is gone. Says what is waited for when that takes longer than usual, and when it changes.
async fn wait_until_gone(hub: &Client, request: &UnjoinRequest<'_>) -> Result<(), JoinError> {
    let UnjoinRequest { name, patience, notices, .. } = request;
    let on_hub = |step| move |source| JoinError::Hub { step, source };
    let (clusters, works, key) = (hub.kind::<Cluster>(), hub.kind::<Work>(), ObjectKey::cluster(*name));
    let selection = Selection::namespace(names::execution_namespace(name));
    let (start, mut told) = (Instant::now(), String::new());
    loop {
        match clusters.get(&key).await {
            Err(ClientError::NotFound(_)) => return Ok(()),
            Err(source) => return Err(JoinError::Hub { step: "cluster", source }),
            Ok(_) => {}
        }
        let waited = start.elapsed();
        if waited > SILENCE {
            let left = works.list(&selection).await.map_err(on_hub("works"))?;
            let cause = waits_for(left.items.iter().map(|seen| &seen.object));
            let cause = cause.unwrap_or_else(|| "the control plane to let it go".to_owned());
            if waited >= *patience {
                return Err(JoinError::StillLeaving { cluster: (*name).to_owned(), waited, cause });
            }
            if cause != told {
                let patience = patience.as_secs();
                notices
                    .tell(&format!("cluster({name}) is leaving, at most {patience} s; it waits for {cause}"));
                told = cause;
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
