//! `portolan join`: lets a cluster join the federation.

use anyhow::{Context, Result};
use portolan_controllers::clusters::join::{JoinRequest, join};
use portolan_net::Kubeconfig;
use portolan_runtime::client::Client;

use crate::arguments::Join;
use crate::get::connect;

/// Joins and says so; the output is karmadactl's.
pub(crate) async fn run(arguments: Join) -> Result<()> {
    let hub = connect(&arguments.hub).await?;
    let (path, context) = (&arguments.cluster_kubeconfig, arguments.cluster_context.as_deref());
    let member =
        Client::from_kubeconfig(path, context).await.context("cannot use the cluster's kubeconfig")?;
    let connection = Kubeconfig::read(path)
        .and_then(|kubeconfig| kubeconfig.connection(context))
        .context("cannot use the cluster's kubeconfig")?;
    let request = JoinRequest {
        name: arguments.name.clone(),
        url: connection.server,
        ca_pem: connection.authorities_pem.unwrap_or_default().into_bytes(),
        provider: arguments.cluster_provider,
        region: arguments.cluster_region,
        zones: arguments.cluster_zones,
        ..JoinRequest::default()
    };
    join(&hub, &member, &request).await.with_context(|| format!("cluster {} cannot join", arguments.name))?;
    anstream::println!("cluster({}) is joined successfully", arguments.name);
    Ok(())
}
