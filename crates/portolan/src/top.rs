//! `portolan top`: what pods and nodes of the members use, from their metrics API (metrics.k8s.io).

pub(crate) mod arguments;
mod usage;

use anyhow::{Result, anyhow, bail};
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::Selection;
use portolan_runtime::{Client, ClientError, Resource};

use crate::output::{causes, print};
use crate::servers::scope::{ClusterScope, Scope};
use crate::servers::{Server, servers};
use arguments::{Top, TopNodes, TopPods};
use usage::{Measured, nodes_table, pods_table};

const GROUP: &str = "metrics.k8s.io";
const VERSION: &str = "v1beta1";

/// Prints usage. A member without metrics is named on standard error; the others are printed anyway.
pub(crate) async fn run(arguments: Top) -> Result<()> {
    match arguments {
        Top::Pods(arguments) => pods(*arguments).await,
        Top::Nodes(arguments) => nodes(*arguments).await,
    }
}

async fn pods(mut arguments: TopPods) -> Result<()> {
    let objects = &arguments.objects;
    let has_selector = !objects.selector.is_empty() || !arguments.field_selector.is_empty();
    if arguments.name.is_some() && (has_selector || objects.all_namespaces) {
        bail!("only one of a name, a selector or --all-namespaces can be given");
    }
    let hub = arguments.hub.hub().await?;
    let namespace = objects.namespace(&hub.namespace);
    let servers = servers(&hub, members(&mut arguments.scope)?).await?;
    let resource = Resource::namespaced(GROUP, VERSION, "PodMetrics", "pods");
    let selection = objects.selection(&namespace, true, &arguments.field_selector);
    let name = arguments.name.as_deref();
    let read = async |client: &Client| read(client, &resource, &selection, name).await;
    let measured = read_all(&servers, read).await?;
    if measured.is_empty() {
        let place =
            if objects.all_namespaces { String::new() } else { format!(" in {namespace} namespace.") };
        anstream::eprintln!("No resources found{place}");
        return Ok(());
    }
    print(&pods_table(&measured, &arguments))
}

async fn nodes(mut arguments: TopNodes) -> Result<()> {
    if arguments.name.is_some() && !arguments.selector.is_empty() {
        bail!("only one of a name or a selector can be given");
    }
    let hub = arguments.hub.hub().await?;
    let servers = servers(&hub, members(&mut arguments.scope)?).await?;
    let metrics = Resource::cluster(GROUP, VERSION, "NodeMetrics", "nodes");
    let selection = Selection::labels(&*arguments.selector);
    let name = arguments.name.as_deref();
    let read = async |client: &Client| {
        let usage = read(client, &metrics, &selection, name).await?;
        let nodes = self::read(client, &resources::NODE.into(), &selection, name).await?;
        Ok(usage::with_capacity(usage, nodes))
    };
    let measured = read_all(&servers, read).await?;
    if measured.is_empty() {
        anstream::eprintln!("No resources found");
        return Ok(());
    }
    print(&nodes_table(&measured, &arguments))
}

/// Usage is that of members.
fn members(scope: &mut ClusterScope) -> Result<&ClusterScope> {
    if scope.operation_scope.get_or_insert(Scope::Members) != &Scope::Members {
        bail!("pods and nodes are in the members: leave out --operation-scope");
    }
    Ok(scope)
}

/// The answers of all members, with their names. Failures go to standard error.
async fn read_all(
    servers: &[Server],
    read: impl AsyncFn(&Client) -> Result<Vec<Object>, ClientError>,
) -> Result<Vec<Measured>> {
    if servers.is_empty() {
        bail!("no cluster has joined this federation: `portolan join` adds one");
    }
    let read = &read;
    let answers = servers.iter().map(|server| async move {
        let found = match &server.client {
            Ok(client) => read(client).await.map_err(|error| anyhow!("{}", explain(&error))),
            Err(error) => Err(anyhow!("{}", causes(error))),
        };
        (&server.name, found)
    });
    let (mut measured, mut failures) = (Vec::new(), 0);
    for (cluster, answer) in futures::future::join_all(answers).await {
        match answer {
            Ok(objects) => {
                measured
                    .extend(objects.into_iter().map(|object| Measured { cluster: cluster.clone(), object }));
            }
            Err(error) => {
                failures += 1;
                anstream::eprintln!("cluster({cluster}): {error}");
            }
        }
    }
    if failures == servers.len() {
        bail!("no cluster has metrics for this");
    }
    Ok(measured)
}

/// A server without the metrics API answers 404 for its path.
fn explain(error: &ClientError) -> String {
    let is_unserved = error.status().is_some_and(|status| {
        status.code == 404 && status.details.as_ref().is_none_or(|details| details.name.is_empty())
    });
    match is_unserved {
        true => format!("it serves no {GROUP}/{VERSION}: install metrics-server there"),
        false => error.to_string(),
    }
}

async fn read(
    client: &Client,
    resource: &Resource,
    selection: &Selection,
    name: Option<&str>,
) -> Result<Vec<Object>, ClientError> {
    let api = client.resource::<Object>(resource);
    match name {
        Some(name) => Ok(vec![api.get(&ObjectKey::namespaced(&*selection.namespace, name)).await?]),
        None => Ok(api.list(selection).await?.items.into_iter().map(|seen| seen.object).collect()),
    }
}
