//! `portolan get`: resources of the control plane and of its members in one table or list.

mod query;

use anyhow::{Context, Result, anyhow, bail};
use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::DELETIONS_HELD;
use portolan_api::meta::condition;
use portolan_api::{Kind as _, resources};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::{
    Client, Discovered, Discovery, KubeconfigContext, KubeconfigFiles, Selection, Table,
};
use portolan_runtime::members::{EndpointError, endpoint};
use portolan_runtime::{ClientError, Resource};
use serde_json::json;

use crate::arguments::{ClusterAccess, Get, Output};
use crate::hub_access::HubAccess;
use crate::output::causes;
use crate::output::table::{CONTROL_PLANE, Columns, Federated};
use query::{Query, queries, selection};

/// Annotation with the name of the cluster on printed objects of members, as karmada's search has it.
const FROM_CLUSTER: &str = "resource.karmada.io/cached-from-cluster";

/// Prints the objects. A member that does not answer is reported on standard error; the others are printed anyway.
pub(crate) async fn run(arguments: Get) -> Result<()> {
    let queries = queries(&arguments)?;
    let hub = connect(&arguments.hub).await?;
    let mut servers = Vec::new();
    if arguments.operation_scope.has_hub() && arguments.clusters.is_empty() {
        servers.push((None, Ok(hub.clone())));
    }
    if arguments.operation_scope.has_members() || !arguments.clusters.is_empty() {
        let members = members(&hub, &arguments.clusters).await?;
        servers.extend(members.into_iter().map(|(name, member)| (Some(name), member)));
    }
    let failures = match arguments.output {
        None | Some(Output::Wide) => print_tables(&arguments, &queries, &servers).await?,
        Some(format) => print_objects(&arguments, &queries, &servers, format).await?,
    };
    for failure in failures.into_iter().chain(held_deletions(&hub, &arguments).await) {
        anstream::eprintln!("{failure}");
    }
    Ok(())
}

/// An API server: the control plane, or the member of this name, or the reason why it has no client.
type Server = (Option<String>, Result<Client>);

/// Prints one table for each kind, with the rows of all clusters.
async fn print_tables(arguments: &Get, queries: &[Query], servers: &[Server]) -> Result<Vec<String>> {
    let columns =
        Columns { wide: arguments.output == Some(Output::Wide), namespaces: arguments.all_namespaces };
    let (mut failures, mut is_first) = (Vec::new(), true);
    for query in queries {
        let mut table = Federated::new(columns);
        for (cluster, server) in servers {
            match tables(server, arguments, query).await {
                Ok(found) => {
                    let cluster = cluster.as_deref().unwrap_or(CONTROL_PLANE);
                    found.iter().for_each(|found| table.add(cluster, found));
                }
                Err(error) => fail(cluster.as_deref(), error, &mut failures)?,
            }
        }
        if table.is_empty() {
            continue;
        }
        if !is_first {
            anstream::println!();
        }
        is_first = false;
        anstream::print!("{}", table.render(!arguments.no_headers));
    }
    if is_first && failures.is_empty() {
        anstream::eprintln!("No resources found.");
    }
    Ok(failures)
}

async fn tables(server: &Result<Client>, arguments: &Get, query: &Query) -> Result<Vec<Table>> {
    let client = server.as_ref().map_err(|error| anyhow!("{}", causes(error)))?;
    let resource = find(client, &query.kind).await?;
    let selection = selection(arguments, resource.namespaced);
    if query.names.is_empty() {
        return Ok(vec![client.table(&resource, &selection, None).await?]);
    }
    let mut tables = Vec::new();
    for name in &query.names {
        tables.push(client.table(&resource, &selection, Some(name)).await?);
    }
    Ok(tables)
}

/// Prints the objects of all clusters as one list.
async fn print_objects(
    arguments: &Get,
    queries: &[Query],
    servers: &[Server],
    format: Output,
) -> Result<Vec<String>> {
    let (mut failures, mut items) = (Vec::new(), Vec::new());
    for (cluster, server) in servers {
        for query in queries {
            match objects(server, arguments, query).await {
                Ok(found) => items.extend(found.into_iter().map(|mut object| {
                    if let Some(cluster) = cluster {
                        object.set_annotation(FROM_CLUSTER, cluster.as_str());
                    }
                    object
                })),
                Err(error) => fail(cluster.as_deref(), error, &mut failures)?,
            }
        }
    }
    if format == Output::Name {
        for object in &items {
            let kind = object.group_version_kind();
            let group = if kind.group.is_empty() { String::new() } else { format!(".{}", kind.group) };
            anstream::println!("{}{group}/{}", kind.kind.to_lowercase(), object.name());
        }
        return Ok(failures);
    }
    let items: Vec<_> = items.into_iter().map(|object| object.0).collect();
    let list =
        json!({ "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": "" }, "items": items });
    match format {
        Output::Yaml => anstream::print!("{}", serde_saphyr::to_string(&list)?),
        _ => anstream::println!("{}", serde_json::to_string_pretty(&list)?),
    }
    Ok(failures)
}

async fn objects(server: &Result<Client>, arguments: &Get, query: &Query) -> Result<Vec<Object>> {
    let client = server.as_ref().map_err(|error| anyhow!("{}", causes(error)))?;
    let resource = find(client, &query.kind).await?;
    let (api, selection) = (client.resource::<Object>(&resource), selection(arguments, resource.namespaced));
    if query.names.is_empty() {
        return Ok(api.list(&selection).await?.items.into_iter().map(|seen| seen.object).collect());
    }
    let mut objects = Vec::new();
    for name in &query.names {
        objects.push(api.get(&ObjectKey::namespaced(&*selection.namespace, &**name)).await?);
    }
    Ok(objects)
}

/// Ends the command with an error of the control plane; keeps that of a member.
fn fail(cluster: Option<&str>, error: anyhow::Error, failures: &mut Vec<String>) -> Result<()> {
    let Some(cluster) = cluster else { return Err(error) };
    failures.push(format!("cluster({cluster}): {}", causes(&error)));
    Ok(())
}

/// When clusters are printed: those in which deletions are held, with what to do. A failure has been reported before.
async fn held_deletions(hub: &Client, arguments: &Get) -> Vec<String> {
    let is_table = matches!(arguments.output, None | Some(Output::Wide));
    let is_of_clusters = find(hub, &arguments.resource).await.is_ok_and(|found| found.gvk == Cluster::gvk());
    if !is_table || !is_of_clusters || !arguments.operation_scope.has_hub() {
        return Vec::new();
    }
    let clusters =
        hub.kind::<Cluster>().list(&Selection::all()).await.map(|list| list.items).unwrap_or_default();
    let held = clusters.iter().filter_map(|item| {
        let held = condition(&item.object.status.conditions, DELETIONS_HELD)?;
        held.is_true().then(|| format!("cluster({}): {}", item.object.metadata.name, held.message))
    });
    held.collect()
}

/// Connects to the control plane.
pub(crate) async fn connect(access: &HubAccess) -> Result<Client> {
    let files = KubeconfigFiles::find(access.kubeconfig.as_deref());
    let context = KubeconfigContext::load(&files, access.context.as_deref()).await;
    context.and_then(|context| context.client()).context("cannot use the control plane's kubeconfig")
}

/// Finds a resource by kind, plural, singular or short name, with or without its group.
async fn find(client: &Client, asked: &str) -> Result<Resource> {
    let discovery = client.discover().await?;
    match named(&discovery, asked) {
        Some(found) => Ok(found.resource.clone()),
        None => bail!("the server doesn't have a resource type \"{asked}\""),
    }
}

/// The resource of a kind by any of its names, with or without its group.
pub(crate) fn named<'a>(discovery: &'a Discovery, asked: &str) -> Option<&'a Discovered> {
    let asked = asked.to_lowercase();
    let mut served = discovery.resources.iter();
    served.find(|found| found.preferred && found.allows(&["list"]) && is_called(found, &asked))
}

fn is_called(found: &Discovered, asked: &str) -> bool {
    let resource = &found.resource;
    let (name, group) = asked.split_once('.').unwrap_or((asked, &resource.gvk.group));
    let names = [resource.plural.as_str()].into_iter().chain(found.aliases.iter().map(String::as_str));
    group == resource.gvk.group
        && (names.into_iter().any(|own| own == name) || resource.gvk.kind.to_lowercase() == name)
}

/// Name of a member, and a client of it or the reason why it has no client.
pub(crate) type Connected = (String, Result<Client>);

/// The members named in `only`, or all members.
pub(crate) async fn members(hub: &Client, only: &[String]) -> Result<Vec<Connected>> {
    let clusters = match hub.kind::<Cluster>().list(&Selection::all()).await {
        Ok(clusters) => clusters,
        Err(ClientError::NotFound(_)) => {
            bail!(
                "the control plane has no clusters resource: is this kubeconfig that of a Portolan control plane?"
            )
        }
        Err(error) => return Err(error).context("cannot list the clusters"),
    };
    let clusters: Vec<Cluster> = clusters.items.into_iter().map(|seen| seen.object).collect();
    for name in only {
        if !clusters.iter().any(|cluster| cluster.metadata.name == *name) {
            bail!(
                "cluster {name} has not joined this federation: `portolan get clusters` lists those that have"
            );
        }
    }
    let mut connected = Vec::new();
    for cluster in
        clusters.into_iter().filter(|cluster| only.is_empty() || only.contains(&cluster.metadata.name))
    {
        let client = member(hub, &cluster).await;
        connected.push((cluster.metadata.name, client));
    }
    Ok(connected)
}

/// A client of a member with the kubeconfig that the user named; `None` without one.
pub(crate) async fn administrator(access: &ClusterAccess) -> Result<Option<Client>> {
    let Some(path) = &access.cluster_kubeconfig else { return Ok(None) };
    let client = Client::from_kubeconfig(path, access.cluster_context.as_deref()).await;
    client.map(Some).context("cannot use the cluster's kubeconfig")
}

/// A client of a member, with the credential in the hub.
pub(crate) async fn member(hub: &Client, cluster: &Cluster) -> Result<Client> {
    let reference = cluster.spec.secret_ref.as_ref().ok_or(EndpointError::NoSecret)?;
    let secrets = hub.resource::<Object>(&resources::SECRET.into());
    let key = ObjectKey::namespaced(&*reference.namespace, &*reference.name);
    let secret = match secrets.get(&key).await {
        Err(ClientError::NotFound(_)) => return Err(EndpointError::SecretGone(key).into()),
        found => found?,
    };
    let (endpoint, _) = endpoint(cluster, &secret)?;
    Ok(Client::connect(endpoint)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_are_found_by_every_name() {
        let found = Discovered {
            resource: Resource::cluster(
                "policy.karmada.io",
                "v1alpha1",
                "ClusterPropagationPolicy",
                "clusterpropagationpolicies",
            ),
            verbs: Vec::new(),
            preferred: true,
            aliases: vec!["clusterpropagationpolicy".to_owned(), "cpp".to_owned()],
        };
        for name in ["cpp", "clusterpropagationpolicy", "clusterpropagationpolicies", "cpp.policy.karmada.io"]
        {
            assert!(is_called(&found, name), "{name}");
        }
        for name in ["pp", "cpp.apps", ""] {
            assert!(!is_called(&found, name), "{name}");
        }
    }
}
