//! `portolan services migrate`: lets the cluster set keep imports that another implementation of the Multi-Cluster Services API, or
//! a user, has made. Names and addresses stay.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use portolan_api::clusterset::{ID_PROPERTY, SET_PROPERTY};
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::migration::{
    Marks, MemberObjects, Migration, Origin, Step, migrations, missing_sources, sources,
};
use portolan_runtime::client::{Delete, Patch, Selection};
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::{Value, json};

use crate::arguments::MigrateServices;
use crate::servers::members_with_credentials;
use crate::survey::{GROUP, list, lost, property, read_all};

/// Time for the set to write its EndpointSlices before those of the other implementation are deleted.
const SLICES_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// What was read of one member.
struct Read {
    objects: MemberObjects,
    exports: BTreeSet<ObjectKey>,
}

/// Prints what would be done, and does it with `--apply`.
pub(super) async fn run(arguments: MigrateServices) -> Result<()> {
    let hub = arguments.hub.hub().await?;
    let namespace = arguments.namespaces.chosen(&hub);
    let connected = members_with_credentials(&hub.client, &[]).await?;
    let clients: BTreeMap<String, Client> = connected
        .iter()
        .filter_map(|(name, client)| Some((name.clone(), client.as_ref().ok()?.clone())))
        .collect();
    let mut members: Vec<(String, Read)> = Vec::new();
    for (name, answer) in read_all(connected, |client| read(client, namespace.clone())).await {
        match answer {
            Ok(read) => members.push((name, read)),
            Err(error) => {
                bail!("cluster {name} was not read, and what it exports is not known: {}", lost(&error))
            }
        }
    }
    let mut count = 0;
    for (cluster, member) in &members {
        let set = member.objects.set.as_deref();
        let exported = exported(&members, set);
        for migration in
            migrations(&member.objects, &exported).iter().filter(|one| is_wanted(&arguments.names, one))
        {
            count += 1;
            anstream::print!("{}", text(cluster, migration));
            if let (true, Ok(steps), Some(client)) = (arguments.apply, &migration.steps, clients.get(cluster))
            {
                let read = members.iter().map(|(_, other)| (&other.objects, &other.exports));
                take(client, &migration.import, steps, &sources(&migration.import, set, read))
                    .await
                    .with_context(|| format!("in cluster {cluster}"))?;
            }
        }
    }
    match (count, arguments.apply) {
        (0, _) => anstream::eprintln!("No import found that a cluster set does not keep already."),
        (_, false) => anstream::eprintln!(
            "Nothing was changed. Stop the other implementation in all clusters, and repeat with --apply."
        ),
        _ => {}
    }
    Ok(())
}

fn is_wanted(names: &[String], migration: &Migration) -> bool {
    names.is_empty() || names.iter().any(|name| *name == *migration.import.name)
}

/// The services that the members of a set export.
fn exported(members: &[(String, Read)], set: Option<&str>) -> BTreeSet<ObjectKey> {
    let of_set = members.iter().filter(|(_, member)| member.objects.set.as_deref() == set);
    of_set.flat_map(|(_, member)| member.exports.iter().cloned()).collect()
}

async fn read(client: Client, namespace: String) -> Result<Read, ClientError> {
    let discovery = client.discover().await?;
    let selection = Selection::namespace(namespace);
    let (set, id, imports, exports, services, slices) = futures::try_join!(
        property(&client, &discovery, SET_PROPERTY),
        property(&client, &discovery, ID_PROPERTY),
        list(&client, &discovery, (GROUP, "ServiceImport"), &selection),
        list(&client, &discovery, (GROUP, "ServiceExport"), &selection),
        list(&client, &discovery, ("", "Service"), &selection),
        list(&client, &discovery, ("discovery.k8s.io", "EndpointSlice"), &selection),
    )?;
    let exports = exports.iter().filter(|export| !export.is_deleting()).map(Object::key).collect();
    Ok(Read { objects: MemberObjects { set, id, imports, services, slices }, exports })
}

/// One migration as lines.
fn text(cluster: &str, migration: &Migration) -> String {
    let origin = match migration.origin {
        Origin::Explicit => "made by a user, served in the explicit form",
        Origin::Submariner => "of Submariner",
        Origin::DerivingService => "of another implementation, with a derived Service",
        Origin::Other => "of another implementation",
    };
    let mut text = format!("cluster/{cluster} serviceimport/{}: {origin}\n", migration.import);
    let steps = match &migration.steps {
        Ok(steps) => steps,
        Err(obstacle) => return format!("{text}  cannot be migrated: {obstacle}\n"),
    };
    for step in steps {
        text.push_str(&match step {
            Step::MarkService(key, _) => {
                format!(
                    "  keep Service {key} with {} as its derived Service\n",
                    migration.addresses.join(" and ")
                )
            }
            Step::MarkImport(key, _) => format!("  let the cluster set keep ServiceImport {key}\n"),
            Step::DeleteSlice(key) => {
                format!("  delete EndpointSlice {key}, once those of the set are there\n")
            }
        });
    }
    text
}

/// Takes the steps. Slices are deleted once those of each source are there.
async fn take(client: &Client, import: &ObjectKey, steps: &[Step], sources: &BTreeSet<String>) -> Result<()> {
    let mut has_slices = false;
    for step in steps {
        match step {
            Step::MarkService(key, marks) => {
                let mut patch = patch(marks);
                // The set keeps the Service also when the import is deleted.
                patch["metadata"]["ownerReferences"] = Value::Null;
                let written = mark(client, &resources::SERVICE.into(), key, patch).await;
                written.with_context(|| format!("cannot label Service {key}"))?;
            }
            Step::MarkImport(key, marks) => {
                let discovery = client.discover().await.context("cannot read what the API server serves")?;
                let found =
                    discovery.find(GROUP, "ServiceImport").context("ServiceImports are not served")?;
                let written = mark(client, &found.resource, key, patch(marks)).await;
                written.with_context(|| format!("cannot label ServiceImport {key}"))?;
            }
            Step::DeleteSlice(key) => {
                if !has_slices {
                    wait_for_slices(client, import, sources).await?;
                    has_slices = true;
                }
                let slices = client.resource::<Object>(&resources::ENDPOINT_SLICE.into());
                match slices.delete(key, &Delete::background()).await {
                    Ok(()) | Err(ClientError::NotFound(_)) => {}
                    Err(error) => {
                        return Err(error).with_context(|| format!("cannot delete EndpointSlice {key}"));
                    }
                }
            }
        }
    }
    Ok(())
}

fn patch(marks: &Marks) -> Value {
    json!({ "metadata": { "labels": marks.labels, "annotations": marks.annotations } })
}

async fn mark(
    client: &Client,
    resource: &Resource,
    key: &ObjectKey,
    patch: Value,
) -> Result<(), ClientError> {
    client.resource::<Object>(resource).patch(key, &Patch::Merge(patch)).await.map(drop)
}

/// Waits until the set has written an EndpointSlice of the import for each source.
async fn wait_for_slices(client: &Client, import: &ObjectKey, sources: &BTreeSet<String>) -> Result<()> {
    let api = client.resource::<Object>(&resources::ENDPOINT_SLICE.into());
    let selection = Selection::namespace(import.namespace.clone());
    let end = Instant::now() + SLICES_TIMEOUT;
    loop {
        let listed = api.list(&selection).await.context("cannot list EndpointSlices")?;
        let missing = missing_sources(import, listed.items.iter().map(|seen| &seen.object), sources);
        if missing.is_empty() {
            return Ok(());
        }
        if Instant::now() >= end {
            bail!(
                "the set has not written the EndpointSlices of {import} from {} within {} s: the old ones stay; `portolan why \
                 service {import}` says why",
                missing.into_iter().collect::<Vec<_>>().join(", "),
                SLICES_TIMEOUT.as_secs()
            );
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
