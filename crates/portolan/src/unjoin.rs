//! `portolan unjoin`: removes a cluster from the federation.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use portolan_api::cluster::{Cluster, SyncMode};
use portolan_controllers::clusters::join::{Access, Leaving, UnjoinRequest, clean, unjoin, unjoin_dry_run};
use portolan_object::ObjectKey;
use portolan_plan::clusters::leaving::Wish;
use portolan_runtime::client::Client;

use crate::arguments::Unjoin;
use crate::join::notices;
use crate::output::causes;
use crate::servers::{administrator, connect, member};

/// Removes the cluster; the output is karmadactl's.
pub(crate) async fn run(arguments: Unjoin) -> Result<()> {
    let kubeconfig = administrator(&arguments.cluster).await?;
    if arguments.only_cluster {
        let Some(client) = &kubeconfig else { bail!("--only-cluster needs --cluster-kubeconfig") };
        return clean_only(client, &arguments).await;
    }
    let hub = connect(&arguments.hub).await?;
    let name = &arguments.name;
    let account = match &kubeconfig {
        Some(_) => None,
        None => Some(own_access(&hub, name).await?),
    };
    let access = match (&kubeconfig, &account) {
        (Some(client), _) => Access::Administrator(client),
        (None, Some(Ok(client))) => Access::Account(client),
        (None, Some(Err(error))) => Access::None(causes(error)),
        (None, None) => Access::None("there is no kubeconfig".to_owned()),
    };
    let patience = Duration::from_secs(arguments.wait);
    let request = UnjoinRequest { name, access, force: arguments.force, patience, notices: notices() };
    if arguments.dry_run {
        let leaving = unjoin_dry_run(&hub, &request).await;
        print_leaving(name, leaving.with_context(|| format!("cluster {name} cannot leave"))?);
        return Ok(());
    }
    let left = unjoin(&hub, &request).await.with_context(|| format!("cluster {name} cannot leave"))?;
    if let Some(holder) = left.held_by {
        anstream::println!("cluster({name}) is unjoined successfully");
        anstream::println!("everything in the cluster stays as it is: it is held by {holder}");
    } else if left.remains.is_empty() {
        anstream::println!("cluster({name}) is unjoined successfully");
    } else {
        let cause = left.unreached.unwrap_or_default();
        anstream::println!(
            "cluster({name}) is unjoined; this command removed nothing there ({cause}), and this stays:"
        );
        left.remains.iter().for_each(|object| anstream::println!("  {object}"));
        anstream::println!(
            "and what cluster sets put there. When it can be reached, `portolan unjoin {name} --only-cluster \
             --cluster-kubeconfig FILE` removes all of it except for what policies placed (--propagated)"
        );
    }
    if !left.held.is_empty() {
        anstream::println!("deleted in the cluster, and there until their finalizers are removed:");
        left.held.iter().for_each(|object| anstream::println!("  {object}"));
    }
    Ok(())
}

/// Prints what unjoining would do.
fn print_leaving(name: &str, leaving: Leaving) {
    anstream::println!("cluster({name}) would be unjoined (dry run)");
    if let Some(holder) = leaving.held_by {
        anstream::println!("everything in the cluster would stay as it is: it is held by {holder}");
    }
    if let Some(cause) = &leaving.unreachable {
        anstream::println!("it is not reached ({cause}), so that --force is needed");
    }
    if !leaving.hidden.is_empty() {
        let kinds = leaving.hidden.join(", ");
        anstream::println!(
            "not looked at, because the account of the control plane may not list them (--cluster-kubeconfig shows them): \
             {kinds}"
        );
    }
    for (what, objects) in [("deleted", leaving.deleted), ("kept", leaving.kept)] {
        if !objects.is_empty() {
            anstream::println!("{what} in the cluster:");
            objects.iter().for_each(|object| anstream::println!("  {object}"));
        }
    }
}

/// A client with the account that `join` made in the cluster. The inner error says why the account cannot be used.
async fn own_access(hub: &Client, name: &str) -> Result<Result<Client>> {
    let cluster = hub.kind::<Cluster>().get(&ObjectKey::cluster(name)).await;
    let cluster = cluster.with_context(|| format!("cluster {name} cannot leave"))?;
    if cluster.spec.sync_mode == SyncMode::Pull {
        return Ok(Err(anyhow::anyhow!("nothing dials a cluster in pull mode: give --cluster-kubeconfig")));
    }
    Ok(member(hub, &cluster).await)
}

/// Removes what a control plane that is gone put into the cluster.
async fn clean_only(client: &Client, arguments: &Unjoin) -> Result<()> {
    let name = &arguments.name;
    let wish = Wish { propagated: arguments.propagated, definitions: arguments.definitions };
    let cleaned = clean(client, name, wish, &notices())
        .await
        .with_context(|| format!("cluster {name} cannot be cleaned"))?;
    let id = &cleaned.control_plane.id;
    cleaned.deleted.iter().for_each(|object| anstream::println!("{object} deleted"));
    anstream::println!("the account of control plane {id} in cluster({name}) is removed");
    if !cleaned.kept.is_empty() {
        let number = cleaned.kept.len();
        anstream::println!(
            "{number} objects stay, which --propagated and --definitions would delete: {}",
            cleaned.kept.join(", ")
        );
    }
    Ok(())
}
