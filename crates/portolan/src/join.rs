//! `portolan join`: joins a cluster to the federation.

use anyhow::{Context, Result, ensure};
use portolan_controllers::clusters::join::{JoinRequest, Notices, Planned, dry_run, join};
use portolan_object::time::format_time;
use portolan_runtime::client::{KubeconfigContext, KubeconfigFiles};

use crate::arguments::Join;
use crate::servers::connect;

/// Joins the cluster; the output is karmadactl's.
pub(crate) async fn run(arguments: Join) -> Result<()> {
    let hub = connect(&arguments.hub).await?;
    let files = KubeconfigFiles::Named(arguments.cluster_kubeconfig);
    let unusable = "cannot use the cluster's kubeconfig";
    let context =
        KubeconfigContext::load(&files, arguments.cluster_context.as_deref()).await.context(unusable)?;
    let member = context.client().context(unusable)?;
    check_address(&context).context(unusable)?;
    let request = JoinRequest {
        name: arguments.name.clone(),
        url: context.server().to_owned(),
        ca_pem: context.ca_pem().unwrap_or_default().into_bytes(),
        insecure_skip_verify: context.skips_tls_verification(),
        provider: arguments.cluster_provider,
        region: arguments.cluster_region,
        zones: arguments.cluster_zones,
        take_over: arguments.take_over,
        control_plane: hub.server().to_owned(),
        replace_address: arguments.replace_address,
        notices: notices(),
        ..JoinRequest::default()
    };
    let name = &arguments.name;
    if arguments.dry_run {
        let planned = dry_run(&hub, &member, &request).await;
        return print_planned(name, planned.with_context(|| format!("cluster {name} cannot join"))?);
    }
    let joined =
        join(&hub, &member, &request).await.with_context(|| format!("cluster {name} cannot join"))?;
    if let Some(before) = &joined.taken_from {
        anstream::println!("cluster({name}) is taken over from {before}, last seen {}", before.renewed);
    }
    anstream::println!("cluster({name}) is joined successfully");
    if let Some(life) = &joined.capped {
        anstream::println!(
            "the cluster grants tokens for {} s at most: this one ends at {} and is renewed before, while the control \
             plane runs and reaches the cluster",
            life.duration().as_secs(),
            format_time(life.expires)
        );
    }
    if let Some(membership) = &joined.membership {
        anstream::println!(
            "cluster({name}) is listed in clusterset({}) as {:?}",
            membership.set,
            membership.id
        );
    }
    Ok(())
}

/// Prints on standard error what a command waits for, so that its output stays as it is.
pub(crate) fn notices() -> Notices {
    Notices::new(|notice| anstream::eprintln!("{notice}"))
}

/// Prints the objects as YAML documents, each after a comment with its place.
fn print_planned(name: &str, planned: Planned) -> Result<()> {
    let in_cluster = planned.in_cluster.iter().map(|object| (format!("in cluster {name}"), object));
    let in_hub = planned.in_control_plane.iter().map(|object| ("in the control plane".to_owned(), object));
    for (place, object) in in_cluster.chain(in_hub) {
        anstream::print!("---\n# {place}\n{}", serde_saphyr::to_string(&object.0)?);
    }
    Ok(())
}

/// Refuses a kubeconfig that this command could use and the control plane could not: a Cluster object holds a URL, a CA
/// bundle and `insecureSkipTLSVerification`, nothing else.
pub(crate) fn check_address(context: &KubeconfigContext) -> Result<()> {
    if let Some(name) = context.tls_server_name() {
        ensure!(
            context.skips_tls_verification(),
            "tls-server-name {name:?} cannot be kept in a Cluster object: use a server with a certificate that has the \
             host of {}",
            context.server()
        );
    }
    ensure!(
        context.ca_pem().is_some()
            || context.skips_tls_verification()
            || !context.server().starts_with("https:"),
        "it has no certificate-authority for {}: add the CA that signed the server's certificate",
        context.server()
    );
    Ok(())
}
