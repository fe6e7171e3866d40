//! `portolan register`: registers a cluster in pull mode.

use anyhow::{Context, Result};
use portolan_controllers::clusters::join::{JoinRequest, RegisterRequest, register};
use portolan_plan::clusters::permissions::Placeable;

use crate::arguments::Register;
use crate::join::{check_address, notices};

/// Registers the cluster; the last line is karmadactl's.
pub(crate) async fn run(arguments: Register) -> Result<()> {
    let context = arguments.member.loaded().await?;
    check_address(&context).context("cannot use the member's kubeconfig")?;
    let member = context.client().context("cannot use the member's kubeconfig")?;
    let name = arguments.cluster_name;
    let request = RegisterRequest {
        hub: arguments.address.clone(),
        token: arguments.token,
        key_hashes: arguments.discovery_token_ca_cert_hash,
        lifetime: arguments.certificate_lifetime,
        namespace: arguments.namespace.clone(),
        placeable: arguments.place.into_iter().collect(),
        cluster: JoinRequest {
            name: name.clone(),
            url: context.server().to_owned(),
            ca_pem: context.ca_pem().unwrap_or_default().into_bytes(),
            insecure_skip_verify: context.skips_tls_verification(),
            provider: arguments.cluster_provider,
            region: arguments.cluster_region,
            zones: arguments.cluster_zones,
            take_over: arguments.take_over,
            control_plane: arguments.address,
            notices: notices(),
            ..JoinRequest::default()
        },
    };
    register(&member, &request).await.with_context(|| format!("cluster {name} cannot register"))?;
    anstream::println!("cluster({name}) is joined successfully");
    match &request.placeable {
        Placeable::Everything => anstream::println!("its agent has all rights in the cluster"),
        Placeable::Only(placed) => {
            let placed: Vec<String> = placed.iter().map(ToString::to_string).collect();
            let placed = if placed.is_empty() { "nothing yet".to_owned() } else { placed.join(", ") };
            anstream::println!(
                "its agent may place {placed}; when policies name other kinds, `portolan cluster permissions {name} --apply \
                 --cluster-kubeconfig FILE` grants the rights, with the kubeconfigs of the control plane and of the cluster"
            );
        }
    }
    anstream::println!(
        "its agent is not started by this command: run `portolan agent --pull` in the cluster, with the service account \
         karmada-agent-sa of namespace {} (deploy/agent/pull.yaml)",
        arguments.namespace
    );
    Ok(())
}
