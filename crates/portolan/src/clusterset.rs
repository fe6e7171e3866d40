//! `portolan clusterset`: creates, changes and lists cluster sets.
//!
//! The commands write ClusterSet objects in the control plane and wait for their status, which its controllers write. A
//! change that the controllers would refuse is refused before it is written.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use portolan_api::Kind;
use portolan_api::cluster::Cluster;
use portolan_api::clusterset::{ClusterSet, ClusterSetMember, MemberPhase, MemberStatus};
use portolan_object::ObjectKey;
use portolan_plan::cluster_sets::membership::memberships;
use portolan_runtime::client::{Client, Delete, Selection};
use portolan_runtime::{Api, ClientError};

use crate::arguments::{ClusterSet as Arguments, ClusterSetCommand};
use crate::output::table::align;
use crate::servers::connect;

/// Time between two reads of the status.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Attempts to write a set that other clients change at the same time.
const MAX_ATTEMPTS: usize = 10;

pub(crate) async fn run(arguments: Arguments) -> Result<()> {
    match arguments.command {
        ClusterSetCommand::Create { hub, name } => create(&connect(&hub).await?, &name).await,
        ClusterSetCommand::Add { hub, name, clusters, id, wait } => {
            add(&connect(&hub).await?, &name, &clusters, id, wait).await
        }
        ClusterSetCommand::Remove { hub, name, clusters, wait } => {
            remove(&connect(&hub).await?, &name, &clusters, wait).await
        }
        ClusterSetCommand::Delete { hub, name } => delete(&connect(&hub).await?, &name).await,
        ClusterSetCommand::List { hub, name } => list(&connect(&hub).await?, name.as_deref()).await,
    }
}

async fn create(hub: &Client, name: &str) -> Result<()> {
    let mut set = ClusterSet::default();
    set.metadata.name = name.to_owned();
    match hub.kind::<ClusterSet>().create(&set).await {
        Ok(_) => {
            anstream::println!(
                "clusterset({name}) created; `portolan clusterset add {name} CLUSTER` adds members"
            );
            Ok(())
        }
        Err(ClientError::AlreadyExists(_)) => bail!("cluster set {name} exists already"),
        Err(error) => Err(explain(error)),
    }
}

/// Adds the next step if the control plane has no ClusterSet kind: it is older, or its definitions are not installed.
fn explain(error: ClientError) -> anyhow::Error {
    match error {
        error @ ClientError::NotFound(_) => anyhow::Error::new(error).context(
            "the control plane has no clustersets resource: install the manifests of deploy/crds, or use a Portolan control plane",
        ),
        error => error.into(),
    }
}

async fn read(hub: &Client, name: &str) -> Result<ClusterSet> {
    match hub.kind::<ClusterSet>().get(&ObjectKey::cluster(name)).await {
        Err(ClientError::NotFound(_)) => {
            bail!("there is no cluster set {name}: `portolan clusterset create {name}` makes it")
        }
        result => result.with_context(|| format!("cannot read cluster set {name}")),
    }
}

async fn add(hub: &Client, name: &str, clusters: &[String], id: Option<String>, wait: u64) -> Result<()> {
    if id.is_some() && clusters.len() > 1 {
        bail!("--id is for one cluster at a time: ids are unique in a set");
    }
    change(hub, name, async |set| {
        for cluster in clusters {
            let id = id.clone().unwrap_or_default();
            match set.spec.members.iter().find(|member| member.cluster == *cluster) {
                Some(member) if id.is_empty() || member.id() == id => {}
                Some(member) => bail!(
                    "cluster {cluster} is in set {name} as {:?} already: remove it from the set and add it again to change its id",
                    member.id()
                ),
                None => set.spec.members.push(ClusterSetMember { cluster: cluster.clone(), id }),
            }
        }
        check_membership(hub, set, clusters).await
    })
    .await?;
    let joined =
        |status: Option<&MemberStatus>| status.is_some_and(|status| status.phase == MemberPhase::Joined);
    for cluster in clusters {
        wait_for(hub, name, cluster, wait, "joined", joined).await?;
        anstream::println!("cluster({cluster}) is a member of clusterset({name})");
    }
    Ok(())
}

/// Fails if the controllers would refuse a cluster of the changed set; asks the same function as they do.
async fn check_membership(hub: &Client, set: &ClusterSet, clusters: &[String]) -> Result<()> {
    let known = hub.kind::<Cluster>().list(&Selection::all()).await.context("cannot list the clusters")?;
    let sets =
        hub.kind::<ClusterSet>().list(&Selection::all()).await.context("cannot list the cluster sets")?;
    let known: Vec<Cluster> = known.items.into_iter().map(|seen| seen.object).collect();
    let mut sets: Vec<ClusterSet> = sets.items.into_iter().map(|seen| seen.object).collect();
    sets.retain(|other| other.metadata.name != set.metadata.name);
    sets.push(set.clone());
    let decided = memberships(&sets, &known);
    match clusters.iter().find_map(|cluster| decided.refusal(&set.metadata.name, cluster)) {
        Some(refusal) => bail!("{refusal}"),
        None => Ok(()),
    }
}

async fn remove(hub: &Client, name: &str, clusters: &[String], wait: u64) -> Result<()> {
    change(hub, name, async |set| {
        for cluster in clusters {
            let before = set.spec.members.len();
            set.spec.members.retain(|member| member.cluster != *cluster);
            if set.spec.members.len() == before && !set.status.members.iter().any(|left| left.cluster == *cluster) {
                bail!("cluster {cluster} is not in cluster set {name}: `portolan clusterset list {name}` lists the members");
            }
        }
        Ok(())
    })
    .await?;
    for cluster in clusters {
        wait_for(hub, name, cluster, wait, "left", |status| status.is_none()).await?;
        anstream::println!("cluster({cluster}) has left clusterset({name})");
    }
    Ok(())
}

async fn delete(hub: &Client, name: &str) -> Result<()> {
    let set = read(hub, name).await?;
    if !set.spec.members.is_empty() || !set.status.members.is_empty() {
        bail!("cluster set {name} has members: `portolan clusterset remove {name} CLUSTER` them first");
    }
    let options = Delete { resource_version: Some(set.metadata.resource_version), ..Delete::default() };
    hub.kind::<ClusterSet>().delete(&ObjectKey::cluster(name), &options).await?;
    anstream::println!("clusterset({name}) deleted");
    Ok(())
}

/// Reads, edits and writes a set; repeats that if another client wrote it meanwhile.
async fn change(hub: &Client, name: &str, edit: impl AsyncFn(&mut ClusterSet) -> Result<()>) -> Result<()> {
    let api: Api<ClusterSet> = hub.kind();
    for _ in 0..MAX_ATTEMPTS {
        let mut set = read(hub, name).await?;
        let before = set.spec.clone();
        edit(&mut set).await?;
        if set.spec == before {
            return Ok(());
        }
        match api.replace(&set).await {
            Err(error) if error.is_race() => {}
            result => {
                return result.map(drop).with_context(|| format!("cannot write {} {name}", ClusterSet::KIND));
            }
        }
    }
    bail!("cluster set {name} is changed by other clients all the time; try again")
}

async fn wait_for(
    hub: &Client,
    set: &str,
    cluster: &str,
    seconds: u64,
    what: &str,
    is_done: impl Fn(Option<&MemberStatus>) -> bool,
) -> Result<()> {
    let mut last = None;
    let done = async {
        loop {
            let found = read(hub, set).await?;
            let status = found.status.members.iter().find(|status| status.cluster == cluster);
            if is_done(status) {
                return Ok(());
            }
            last = status.cloned();
            if let Some(refused) = status.filter(|status| status.phase == MemberPhase::Refused) {
                bail!("{}", refused.message);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    match tokio::time::timeout(Duration::from_secs(seconds), done).await {
        Ok(result) => result,
        Err(_) => {
            let why = last.map(|status| status.message).filter(|message| !message.is_empty());
            let why = why.unwrap_or_else(|| {
                "the controllers of the control plane have not handled it yet; check that `portolan server` runs".to_owned()
            });
            bail!(
                "cluster {cluster} has not {what} after {seconds} s: {why}. The controllers continue; `portolan clusterset list {set}` shows the phase"
            )
        }
    }
}

async fn list(hub: &Client, only: Option<&str>) -> Result<()> {
    let sets = hub.kind::<ClusterSet>().list(&Selection::all()).await.map_err(explain)?;
    let sets: Vec<ClusterSet> = sets.items.into_iter().map(|seen| seen.object).collect();
    if let Some(name) = only.filter(|name| !sets.iter().any(|set| set.metadata.name == **name)) {
        bail!("there is no cluster set {name}: `portolan clusterset create {name}` makes it");
    }
    let shown = sets.iter().filter(|set| only.is_none_or(|name| set.metadata.name == name));
    let lines = lines(shown);
    if lines.len() == 1 {
        anstream::eprintln!("No cluster sets found.");
        return Ok(());
    }
    anstream::print!("{}", align(&lines.iter().collect::<Vec<_>>()));
    Ok(())
}

/// A heading, and a line for each member; a set without members has one as well.
fn lines<'a>(sets: impl Iterator<Item = &'a ClusterSet>) -> Vec<Vec<String>> {
    let heading = ["SET", "CLUSTER", "ID", "PHASE", "MESSAGE"].map(str::to_owned).to_vec();
    let mut lines = vec![heading];
    for set in sets {
        let name = &set.metadata.name;
        let status = |cluster: &str| set.status.members.iter().find(|status| status.cluster == cluster);
        for member in &set.spec.members {
            let status = status(&member.cluster).cloned().unwrap_or_default();
            lines.push(line(name, &member.cluster, member.id(), &status));
        }
        let is_listed = |cluster: &str| set.spec.members.iter().any(|member| member.cluster == cluster);
        for status in set.status.members.iter().filter(|status| !is_listed(&status.cluster)) {
            lines.push(line(name, &status.cluster, &status.id, status));
        }
        if set.spec.members.is_empty() && set.status.members.is_empty() {
            lines.push([name, "<none>", "", "", ""].map(str::to_owned).to_vec());
        }
    }
    lines
}

fn line(set: &str, cluster: &str, id: &str, status: &MemberStatus) -> Vec<String> {
    let phase = status.phase.as_str().to_owned();
    vec![set.to_owned(), cluster.to_owned(), id.to_owned(), phase, status.message.clone()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_members_are_listed() {
        let mut set = ClusterSet::default();
        set.metadata.name = "prod".to_owned();
        set.spec.members = vec![
            ClusterSetMember { cluster: "eu".to_owned(), id: String::new() },
            ClusterSetMember { cluster: "us".to_owned(), id: "us.east".to_owned() },
        ];
        set.status.members = vec![MemberStatus {
            cluster: "old".to_owned(),
            id: "old".to_owned(),
            phase: MemberPhase::Leaving,
            message: "going".to_owned(),
            ..MemberStatus::default()
        }];
        let mut empty = ClusterSet::default();
        empty.metadata.name = "dev".to_owned();
        let lines = lines([&set, &empty].into_iter());
        assert_eq!(
            align(&lines.iter().collect::<Vec<_>>()),
            "SET    CLUSTER   ID        PHASE     MESSAGE\n\
             prod   eu        eu        Pending   \n\
             prod   us        us.east   Pending   \n\
             prod   old       old       Leaving   going\n\
             dev    <none>                        \n"
        );
    }
}
