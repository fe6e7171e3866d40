//! `portolan get`: resources of the control plane and of its members in one table.

use anyhow::{Context, Result, bail};
use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster::DELETIONS_HELD;
use portolan_api::meta::condition;
use portolan_api::{Kind as _, resources};
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::{
    Client, Discovered, Discovery, KubeconfigContext, KubeconfigFiles, Selection, Table,
};
use portolan_runtime::members::endpoint;
use portolan_runtime::{ClientError, Resource};

use crate::arguments::Get;
use crate::hub_access::HubAccess;
use crate::output::causes;
use crate::output::table::{CONTROL_PLANE, Columns, Federated};

/// Prints the table. A member that does not answer is reported on standard error; the others are printed anyway.
pub(crate) async fn run(arguments: Get) -> Result<()> {
    let hub = connect(&arguments.hub).await?;
    let columns = Columns { wide: arguments.output.is_some(), namespaces: arguments.all_namespaces };
    let mut table = Federated::new(columns);
    let mut failures = Vec::new();
    if arguments.operation_scope.has_hub() && arguments.clusters.is_empty() {
        table.add(CONTROL_PLANE, &read(&hub, &arguments).await?);
    }
    if arguments.operation_scope.has_members() || !arguments.clusters.is_empty() {
        for (name, member) in members(&hub, &arguments.clusters).await? {
            let rows = match member {
                Ok(member) => read(&member, &arguments).await,
                Err(error) => Err(error),
            };
            match rows {
                Ok(rows) => table.add(&name, &rows),
                Err(error) => failures.push(format!("cluster({name}): {}", causes(&error))),
            }
        }
    }
    if table.is_empty() && failures.is_empty() {
        anstream::eprintln!("No resources found.");
    }
    anstream::print!("{}", table.render());
    for failure in failures.into_iter().chain(held_deletions(&hub, &arguments).await) {
        anstream::eprintln!("{failure}");
    }
    Ok(())
}

/// When clusters are printed: those in which deletions are held, with what to do. A failure has been reported before.
async fn held_deletions(hub: &Client, arguments: &Get) -> Vec<String> {
    let is_of_clusters = find(hub, &arguments.resource).await.is_ok_and(|found| found.gvk == Cluster::gvk());
    if !is_of_clusters || !arguments.operation_scope.has_hub() {
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

async fn read(client: &Client, arguments: &Get) -> Result<Table> {
    let resource = find(client, &arguments.resource).await?;
    let namespace = match arguments.all_namespaces {
        true => "",
        false => arguments.namespace.as_str(),
    };
    let namespace = if resource.namespaced { namespace } else { "" };
    Ok(client.table(&resource, namespace, arguments.name.as_deref()).await?)
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

/// A client of a member, with the credential in the hub.
pub(crate) async fn member(hub: &Client, cluster: &Cluster) -> Result<Client> {
    let reference = cluster.spec.secret_ref.as_ref().context("the Cluster object has no spec.secretRef")?;
    let secrets = hub.resource::<Object>(&resources::SECRET.into());
    let key = ObjectKey::namespaced(&*reference.namespace, &*reference.name);
    let secret = secrets.get(&key).await?;
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
