//! `portolan apply`: manifests for the control plane, with policies that place them if clusters are named.

pub(crate) mod arguments;

use anyhow::{Context, Result, bail, ensure};
use portolan_api::cluster::Cluster;
use portolan_object::Object;
use portolan_plan::adoption::{OnePolicy, policy_of_manifest};
use portolan_runtime::Client;
use portolan_runtime::client::Selection;

use crate::manifests::{Options, apply, describe};
use crate::plan::files;
use arguments::Apply;

/// Applies the manifests in their order, each followed by its policy.
pub(crate) async fn run(arguments: Apply) -> Result<()> {
    if let Some(folder) = &arguments.kustomize {
        bail!(
            "portolan runs no kustomize; pipe its output: kubectl kustomize {folder} | portolan apply -f -"
        );
    }
    let manifests = files::read(&arguments.files, arguments.recursive)?;
    ensure!(!manifests.is_empty(), "there is no manifest in {}", arguments.files.join(", "));
    let hub = arguments.hub.hub().await?;
    check_clusters(&hub.client, &arguments.clusters).await?;
    let namespace = arguments.namespace.as_deref().unwrap_or(&hub.namespace);
    let options = Options { namespace, force: arguments.force_conflicts, is_dry_run: arguments.dry_run };
    for mut manifest in manifests {
        apply_and_say(&hub.client, &mut manifest, options).await?;
        if arguments.all_clusters || !arguments.clusters.is_empty() {
            let mut policy = object(policy_of_manifest(&manifest, &arguments.clusters))?;
            apply_and_say(&hub.client, &mut policy, options).await?;
        }
    }
    Ok(())
}

async fn apply_and_say(hub: &Client, object: &mut Object, options: Options<'_>) -> Result<()> {
    let applied = apply(hub, object, options).await?;
    let dry_run = if options.is_dry_run { " (server dry run)" } else { "" };
    anstream::println!("{} {}{dry_run}", describe(object), applied.word());
    Ok(())
}

/// A policy as an object to write.
pub(crate) fn object(policy: OnePolicy) -> Result<Object> {
    let object = match policy {
        OnePolicy::Namespaced(policy) => Object::from_typed(&*policy),
        OnePolicy::Cluster(policy) => Object::from_typed(&*policy),
    };
    object.context("the policy cannot be written")
}

/// Refuses names of clusters that have not joined.
pub(crate) async fn check_clusters(hub: &Client, names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let clusters = hub.kind::<Cluster>().list(&Selection::all()).await.context("cannot list the clusters")?;
    for name in names {
        ensure!(clusters.items.iter().any(|item| item.key.name == *name), "cluster {name} does not exist");
    }
    Ok(())
}
