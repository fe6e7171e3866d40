//! `portolan cluster permissions`: the rights of the control plane, or of the agent in pull mode, in a cluster.

use anyhow::{Context, Result};
use portolan_api::cluster::{Cluster, SyncMode};
use portolan_api::names;
use portolan_controllers::clusters::permissions::{grant, placed};
use portolan_object::ObjectKey;
use portolan_plan::clusters::permissions::{Placeable, everything, needed, needed_by_agent};
use portolan_runtime::Client;
use serde_json::{Value, json};

use crate::arguments::Permissions;
use crate::servers::{administrator, connect, member_with_credential};

/// Prints the rights that are needed, or grants them.
pub(crate) async fn run(arguments: Permissions) -> Result<()> {
    let hub = connect(&arguments.hub).await?;
    let name = &arguments.cluster;
    let cluster = hub.kind::<Cluster>().get(&ObjectKey::cluster(&**name)).await;
    let cluster = cluster.with_context(|| format!("cluster {name} cannot be read"))?;
    let is_pull = cluster.spec.sync_mode == SyncMode::Pull;
    let member = match administrator(&arguments.access).await? {
        Some(client) => Some(client),
        // Without its agent, nothing reaches a cluster in pull mode.
        None if is_pull && !arguments.apply => None,
        None => Some(member_with_credential(&hub, &cluster).await?),
    };
    let rules = rules(&hub, member.as_ref(), &arguments, is_pull).await?;
    let (account, role) = match is_pull {
        true => ("the agent", names::AGENT_ROLE.to_owned()),
        false => ("the account of the control plane", names::cluster_role(name)),
    };
    let Some(member) = member.filter(|_| arguments.apply) else {
        let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": { "name": role }, "rules": rules });
        anstream::print!("{}", serde_saphyr::to_string(&role)?);
        return Ok(());
    };
    let granted = grant(&member, &role, &rules).await;
    granted.with_context(|| {
        format!(
            "the rights in cluster {name} are as before; the control plane's own account can only give its own rights up, so \
             that others need --cluster-kubeconfig"
        )
    })?;
    anstream::println!("cluster({name}): {account} has {} rules", rules.len());
    Ok(())
}

async fn rules(
    hub: &Client,
    member: Option<&Client>,
    arguments: &Permissions,
    is_pull: bool,
) -> Result<Vec<Value>> {
    if arguments.all {
        return Ok(everything());
    }
    let placed = placed(hub, member, &arguments.cluster).await;
    let placed = placed.context("cannot read what is placed in the cluster")?;
    Ok(match is_pull {
        true => needed_by_agent(&Placeable::Only(placed)),
        false => needed(&arguments.cluster, &placed),
    })
}
