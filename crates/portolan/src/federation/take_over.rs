//! `portolan federation take-over`: the clusters and federated objects of a KubeFed host, in place.
//!
//! The host is only read. The control plane gets its objects, joins its clusters with the tokens that KubeFed has, and adopts what
//! members have. Every step can be repeated: what is there stays as it is.

mod control_plane;
mod host;
mod members;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use portolan_plan::kubefed::take_over::{TakeOver, take_over};
use portolan_runtime::Client;

use super::arguments::TakeOverArguments;
use crate::manifests::describe;
use crate::servers::connect;
use control_plane::ControlPlane;
use members::Members;

/// Takes a host over, or with `--dry-run` says what that would do.
pub(super) async fn run(arguments: &TakeOverArguments) -> Result<()> {
    let hub = connect(&arguments.hub).await?;
    let client = Client::from_kubeconfig(&arguments.from_kubefed, arguments.host_context.as_deref()).await;
    let client = client.context("cannot use the kubeconfig of the host")?;
    if let Some(running) = host::running_controllers(&client).await? {
        let stop = format!(
            "stop it, so that the members have one control plane: kubectl scale deployment -n {} {} --replicas=0",
            running.namespace, running.name
        );
        if !arguments.dry_run {
            bail!("KubeFed runs on the host: {stop}");
        }
        anstream::eprintln!("warning: KubeFed runs on the host; before the take-over, {stop}");
    }
    let host = host::read(&client).await?;
    let plan = take_over(&host);
    for left_out in &plan.left_out {
        anstream::eprintln!("left out: {left_out}");
    }
    let members = Members::connect(&host, &plan).await;
    let before = members.objects().await;
    let changes = members.changes(&before).await;
    anstream::print!("{}", before.render(&changes));
    if arguments.dry_run {
        let objects = [&plan.foundation, &plan.clusters, &plan.federated, &plan.others];
        for object in objects.into_iter().flatten() {
            anstream::println!("{} would be created, unless it exists", describe(object));
        }
        return Ok(());
    }
    if changes.is_harmful() && !arguments.accept_changes {
        bail!(
            "objects in members would change, or it is not known whether they would: mend what is listed above, or go on with \
             --accept-changes; nothing was written"
        );
    }
    let timeout = Duration::from_secs(arguments.timeout);
    create(ControlPlane::read(hub).await?, &plan, timeout).await?;
    let after = members.objects().await.complete();
    let after = after.context("the objects are taken over, but it is not known whether members changed")?;
    let differences = before.differences(&after);
    if differences.is_empty() {
        anstream::println!(
            "{} objects in {} clusters are taken over; none was made again, and none has another spec",
            before.count(),
            members.count()
        );
        return Ok(());
    }
    differences.iter().for_each(|difference| anstream::println!("{difference}"));
    if changes.is_harmful() { Ok(()) } else { bail!("objects in members changed, as listed above") }
}

/// Creates the objects in their order. What divides replicas comes when every cluster is ready and every object taken over.
async fn create(mut hub: ControlPlane, plan: &TakeOver, timeout: Duration) -> Result<()> {
    hub.create(&plan.foundation).await?;
    hub.create(&plan.clusters).await?;
    let clusters = hub.when_ready(&plan.clusters, timeout).await?;
    hub.create(&plan.federated).await?;
    let objects = hub.when_propagated(&plan.federated, timeout).await?;
    let open: Vec<String> = clusters.into_iter().chain(objects).collect();
    if open.is_empty() {
        return hub.create(&plan.others).await;
    }
    open.iter().for_each(|problem| anstream::eprintln!("{problem}"));
    if !plan.others.is_empty() {
        let names: Vec<String> = plan.others.iter().map(describe).collect();
        anstream::eprintln!("not created yet, because replicas would move: {}", names.join(", "));
    }
    bail!("the take-over is not complete: mend what is listed above, and run the command again")
}
