//! `portolan why KIND/NAME`: explains the path of one object.

use anyhow::{Context, Result, bail};
use portolan_api::cluster::Cluster;
use portolan_controllers::explain::{OriginError, Question, facts, origin};
use portolan_net::Clock;
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::ReadError;
use portolan_plan::explain::{Diagnosis, Read, diagnose};
use portolan_runtime::client::Discovery;
use portolan_runtime::{Client, ClientError};

use super::arguments::WhyObject;
use super::render::render;
use crate::hub_access::kinds_of_hub;
use crate::kinds::named;
use crate::output::causes;
use crate::servers::{member_with_credential, no_cluster};

/// Prints the path of an object; fails if a step is broken.
pub(super) async fn run(arguments: &WhyObject) -> Result<()> {
    let hub = arguments.hub.hub().await?;
    let namespace = hub.namespace_or(arguments.namespace.as_deref());
    let diagnosis = explain(&hub.client, arguments, namespace).await?;
    match arguments.output {
        Some(_) => {
            let mut document = serde_json::json!(diagnosis);
            document["headline"] = diagnosis.headline().into();
            anstream::println!("{}", serde_json::to_string_pretty(&document).context("cannot print JSON")?);
        }
        None => anstream::print!("{}", render(&diagnosis, Clock::system().now())),
    }
    match diagnosis.broken() {
        Some(step) => bail!("{} is broken at {}", diagnosis.subject, step.hop.name()),
        None => Ok(()),
    }
}

async fn explain(hub: &Client, arguments: &WhyObject, namespace: &str) -> Result<Diagnosis> {
    let discovery = kinds_of_hub(hub).await?;
    let question = match &arguments.cluster {
        Some(cluster) => question_in(hub, &discovery, arguments, (namespace, cluster)).await?,
        None => question(&discovery, arguments, namespace)?,
    };
    let facts = facts(hub, question, async |cluster: &Cluster| connect_member(hub, cluster).await).await;
    Ok(diagnose(&facts))
}

/// A client of a member.
pub(crate) async fn connect_member(hub: &Client, cluster: &Cluster) -> Read<Client> {
    member_with_credential(hub, cluster).await.map_err(|error| ReadError(causes(&error)))
}

fn question(discovery: &Discovery, arguments: &WhyObject, namespace: &str) -> Result<Question> {
    let (kind, name) = parts(&arguments.object)?;
    let Some(found) = named(discovery, kind) else {
        bail!("the control plane has no kind called {kind:?}: kubectl api-resources lists its kinds");
    };
    let namespace = if found.resource.namespaced { namespace } else { "" };
    let key = ObjectKey::namespaced(namespace, name);
    Ok(Question { found: found.clone(), key, only: arguments.cluster.clone() })
}

/// The question about an object in a cluster: its template, if it came from one.
async fn question_in(
    hub: &Client,
    discovery: &Discovery,
    arguments: &WhyObject,
    (namespace, cluster): (&str, &str),
) -> Result<Question> {
    let cluster = match hub.kind::<Cluster>().get(&ObjectKey::cluster(cluster)).await {
        Ok(cluster) => cluster,
        Err(ClientError::NotFound(status)) => return Err(no_cluster(hub, cluster, &status)),
        Err(error) => return Err(error).with_context(|| format!("cannot read cluster {cluster}")),
    };
    let client = match member_with_credential(hub, &cluster).await {
        Ok(client) => client,
        // The path on the hub is explained without the member.
        Err(_) => return question(discovery, arguments, namespace),
    };
    let Ok(served) = client.discover().await else { return question(discovery, arguments, namespace) };
    let (kind, name) = parts(&arguments.object)?;
    let Some(found) = named(&served, kind) else { return question(discovery, arguments, namespace) };
    let key = ObjectKey::namespaced(if found.resource.namespaced { namespace } else { "" }, name);
    let origin = match origin(hub, &cluster, &client, &served, &found.resource, &key).await {
        Ok(Some(origin)) => origin,
        Ok(None) => return question(discovery, arguments, namespace),
        // An object that is in the way of a template of the same name.
        Err(OriginError::NotManaged { .. }) if is_on_hub(hub, discovery, kind, &key).await => {
            return question(discovery, arguments, namespace);
        }
        Err(error) => return Err(error.into()),
    };
    if arguments.output.is_none() {
        anstream::println!("{}", origin.path);
    }
    let Some(found) = discovery.find(&origin.kind.group, &origin.kind.kind) else {
        bail!("the control plane does not serve {}", origin.kind.group_kind());
    };
    Ok(Question { found: found.clone(), key: origin.key, only: arguments.cluster.clone() })
}

async fn is_on_hub(hub: &Client, discovery: &Discovery, kind: &str, key: &ObjectKey) -> bool {
    let Some(found) = named(discovery, kind) else { return false };
    hub.resource::<Object>(&found.resource).get(key).await.is_ok()
}

/// `KIND/NAME` or `KIND NAME`.
pub(crate) fn parts(object: &[String]) -> Result<(&str, &str)> {
    let parts = match object {
        [one] => one.split_once('/'),
        [kind, name] => Some((kind.as_str(), name.as_str())),
        _ => None,
    };
    match parts {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() => Ok((kind, name)),
        _ => bail!("name the object as KIND/NAME, such as deployment/web"),
    }
}
