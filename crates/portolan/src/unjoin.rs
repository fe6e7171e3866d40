//! `portolan unjoin`: removes a cluster from the federation, even if it does not answer.

use std::time::Duration;

use anyhow::{Context, Result};
use portolan_controllers::clusters::join::unjoin;
use portolan_runtime::client::Client;

use crate::arguments::Unjoin;
use crate::get::connect;

/// Removes the cluster; the output is karmadactl's.
pub(crate) async fn run(arguments: Unjoin) -> Result<()> {
    let hub = connect(&arguments.hub).await?;
    let member = match &arguments.cluster_kubeconfig {
        Some(path) => {
            let member = Client::from_kubeconfig(path, arguments.cluster_context.as_deref()).await;
            Some(member.context("cannot use the cluster's kubeconfig")?)
        }
        None => None,
    };
    let timeout = Duration::from_secs(arguments.wait);
    let name = &arguments.name;
    let held = unjoin(&hub, member.as_ref(), name, timeout)
        .await
        .with_context(|| format!("cluster {name} cannot leave"))?;
    anstream::println!("cluster({name}) is unjoined successfully");
    if let Some(holder) = held {
        anstream::println!("everything in the cluster stays as it is: it is held by {holder}");
    }
    Ok(())
}
