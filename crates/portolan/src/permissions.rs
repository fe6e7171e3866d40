//! `portolan cluster permissions`: the rights of the control plane's account in a cluster.

use anyhow::{Context, Result, ensure};
use portolan_api::cluster::{Cluster, SyncMode};
use portolan_api::names;
use portolan_controllers::clusters::permissions::{grant, placed};
use portolan_object::ObjectKey;
use portolan_plan::clusters::permissions::{everything, needed};
use serde_json::json;

use crate::arguments::Permissions;
use crate::servers::{administrator, connect, member};

/// Prints the rights that are needed, or grants them.
pub(crate) async fn run(arguments: Permissions) -> Result<()> {
    let hub = connect(&arguments.hub).await?;
    let name = &arguments.cluster;
    let cluster = hub.kind::<Cluster>().get(&ObjectKey::cluster(&**name)).await;
    let cluster = cluster.with_context(|| format!("cluster {name} cannot be read"))?;
    ensure!(
        cluster.spec.sync_mode == SyncMode::Push,
        "cluster {name} is in pull mode: its agent writes there with its own account, and the account of the control plane has \
         only the rights of a cluster in which nothing is placed"
    );
    let client = match administrator(&arguments.access).await? {
        Some(client) => client,
        None => member(&hub, &cluster).await?,
    };
    let rules = match arguments.all {
        true => everything(),
        false => needed(name, &placed(&hub, &client, name).await?),
    };
    if !arguments.apply {
        let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": { "name": names::cluster_role(name) }, "rules": rules });
        anstream::print!("{}", serde_saphyr::to_string(&role)?);
        return Ok(());
    }
    let granted = grant(&client, name, &rules).await;
    granted.with_context(|| {
        format!(
            "the rights in cluster {name} are as before; the control plane's own account can only give rights up, so that \
             new ones need --cluster-kubeconfig"
        )
    })?;
    anstream::println!("cluster({name}): the account of the control plane has {} rules", rules.len());
    Ok(())
}
