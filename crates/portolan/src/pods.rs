//! Finds the pods that a command is about: by name, by a workload or Service that selects them, or by labels.

use anyhow::{Result, anyhow, bail, ensure};
use clap::Args;
use clap_complete::engine::ArgValueCompleter;
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::{Discovery, Selection};
use portolan_runtime::{Client, ClientError};
use serde_json::Value;

use crate::completion::candidates::namespaces;
use crate::hub_access::{Hub, HubAccess};
use crate::kinds::named;
use crate::output::causes;
use crate::servers::scope::{ClusterScope, Scope};
use crate::servers::{Server, servers};

/// The annotation with the container that commands use by default.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// Where pods are looked for.
#[derive(Debug, Args)]
pub(crate) struct PodAccess {
    #[command(flatten)]
    pub(crate) hub: HubAccess,
    /// Namespace [default: that of the context, or `default`]
    #[arg(short, long, add = ArgValueCompleter::new(namespaces))]
    pub(crate) namespace: Option<String>,
    #[command(flatten)]
    pub(crate) scope: ClusterScope,
}

impl PodAccess {
    /// Connects, and finds the namespace and the servers; without flags, all members.
    pub(crate) async fn connect(&mut self) -> Result<(Hub, Vec<Server>)> {
        self.scope.check()?;
        // Pods of the control plane are templates: they run in the members.
        self.scope.operation_scope.get_or_insert(Scope::Members);
        let mut hub = self.hub.hub().await?;
        if let Some(namespace) = &self.namespace {
            hub.namespace.clone_from(namespace);
        }
        let servers = servers(&hub, &self.scope).await?;
        ensure!(!servers.is_empty(), "no cluster has joined this federation: `portolan join` adds one");
        Ok((hub, servers))
    }
}

/// A pod, and the server that has it.
#[derive(Debug)]
pub(crate) struct Located {
    /// Name of the member, or of the control plane.
    pub(crate) cluster: String,
    pub(crate) client: Client,
    pub(crate) pod: Object,
}

/// Which pods are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// `NAME` of a pod, or `KIND/NAME` of an object that selects pods.
    Object(&'a str),
    /// A label selector.
    Labels(&'a str),
}

/// The pods in all servers. A server that fails is a note for standard error.
///
/// # Errors
/// If no server has such a pod.
pub(crate) async fn locate(
    servers: Vec<Server>,
    namespace: &str,
    wanted: Wanted<'_>,
) -> Result<(Vec<Located>, Vec<String>)> {
    let (mut located, mut notes, mut missing) = (Vec::new(), Vec::new(), None);
    let asked = servers.len();
    let searches = servers.into_iter().map(|server| async move {
        let found = match &server.client {
            Ok(client) => find(client, namespace, wanted).await,
            Err(error) => Err(anyhow!("{}", causes(error))),
        };
        (server, found)
    });
    for (server, found) in futures::future::join_all(searches).await {
        match (found, server.client) {
            (Ok(pods), Ok(client)) => {
                let cluster = server.name;
                located.extend(pods.into_iter().map(|pod| Located {
                    cluster: cluster.clone(),
                    client: client.clone(),
                    pod,
                }));
            }
            (Err(error), _) if is_not_found(&error) => missing = Some(error),
            (Err(error), _) => notes.push(format!("cluster({}): {}", server.name, causes(&error))),
            (Ok(_), Err(_)) => {}
        }
    }
    if located.is_empty() {
        notes.iter().for_each(|note| anstream::eprintln!("{note}"));
        let what = missing.map_or_else(|| nothing_found(namespace, wanted), |error| error.to_string());
        return Err(match notes.len() {
            0 => anyhow!("{what}"),
            unread if unread == asked => anyhow!("no cluster could be read"),
            _ => anyhow!("{what} in the clusters that could be read"),
        });
    }
    Ok((located, notes))
}

fn nothing_found(namespace: &str, wanted: Wanted<'_>) -> String {
    match wanted {
        Wanted::Labels(selector) => format!("no pod in namespace {namespace} has the labels {selector}"),
        Wanted::Object(object) => format!("no pod of {object} in namespace {namespace}"),
    }
}

fn is_not_found(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ClientError>().is_some_and(ClientError::is_not_found)
}

async fn find(client: &Client, namespace: &str, wanted: Wanted<'_>) -> Result<Vec<Object>> {
    let pods = client.resource::<Object>(&resources::POD.into());
    let labels = match wanted {
        Wanted::Labels(selector) => selector.to_owned(),
        Wanted::Object(text) => {
            let (kind, name) = text.split_once('/').unwrap_or(("pods", text));
            if ["pod", "pods", "po"].contains(&kind) {
                return Ok(vec![pods.get(&ObjectKey::namespaced(namespace, name)).await?]);
            }
            let owner = owner(client, &client.discover().await?, namespace, kind, name).await?;
            selector(&owner).ok_or_else(|| anyhow!("{text} selects no pods"))?
        }
    };
    let selection = Selection { namespace: namespace.to_owned(), labels, fields: String::new() };
    let list = pods.list(&selection).await?;
    let mut found: Vec<Object> = list.items.into_iter().map(|seen| seen.object).collect();
    found.sort_by_key(|pod| pod.str_at(&["status", "phase"]) != "Running");
    Ok(found)
}

async fn owner(
    client: &Client,
    discovery: &Discovery,
    namespace: &str,
    kind: &str,
    name: &str,
) -> Result<Object> {
    let Some(found) = named(discovery, kind) else {
        bail!("the server doesn't have a resource type \"{kind}\"");
    };
    Ok(client.resource::<Object>(&found.resource).get(&ObjectKey::namespaced(namespace, name)).await?)
}

/// The label selector of a workload, or of a Service or ReplicationController, which have a plain map.
fn selector(owner: &Object) -> Option<String> {
    let selector = owner.at(&["spec", "selector"])?;
    let Some(labels) =
        selector.get("matchLabels").or_else(|| selector.get("matchExpressions").map(|_| &Value::Null))
    else {
        return pairs(selector);
    };
    let mut terms: Vec<String> = pairs(labels).into_iter().collect();
    for term in selector["matchExpressions"].as_array().into_iter().flatten() {
        terms.push(expression(term)?);
    }
    (!terms.is_empty()).then(|| terms.join(","))
}

fn pairs(labels: &Value) -> Option<String> {
    let labels = labels.as_object().filter(|labels| !labels.is_empty())?;
    let pairs = labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    Some(pairs.collect::<Vec<_>>().join(","))
}

fn expression(term: &Value) -> Option<String> {
    let key = term["key"].as_str()?;
    let values = term["values"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let values = values.collect::<Vec<_>>().join(",");
    match term["operator"].as_str()? {
        "In" => Some(format!("{key} in ({values})")),
        "NotIn" => Some(format!("{key} notin ({values})")),
        "Exists" => Some(key.to_owned()),
        "DoesNotExist" => Some(format!("!{key}")),
        _ => None,
    }
}

/// Names of the containers of a pod; with init and ephemeral containers first if `all`.
pub(crate) fn containers(pod: &Object, all: bool) -> Vec<&str> {
    let lists: &[&str] =
        if all { &["initContainers", "containers", "ephemeralContainers"] } else { &["containers"] };
    let lists = lists.iter().filter_map(|list| pod.at(&["spec", list])?.as_array());
    lists.flatten().filter_map(|container| container["name"].as_str()).collect()
}

/// The container that is meant if none is named: that of the annotation, or the first.
pub(crate) fn default_container(pod: &Object) -> Option<&str> {
    let annotated = pod.annotation(DEFAULT_CONTAINER).filter(|name| containers(pod, true).contains(name));
    annotated.or_else(|| containers(pod, false).first().copied())
}

/// The container to use, and the note that kubectl prints if it was chosen among several.
///
/// # Errors
/// If the pod has no such container.
pub(crate) fn container(pod: &Object, asked: Option<&str>) -> Result<(String, Option<String>)> {
    let all = containers(pod, true);
    if let Some(asked) = asked {
        ensure!(
            all.contains(&asked),
            "container {asked} is not valid for pod {}: it has {}",
            pod.name(),
            all.join(", ")
        );
        return Ok((asked.to_owned(), None));
    }
    let Some(chosen) = default_container(pod) else { bail!("pod {} has no container", pod.name()) };
    let is_noted = all.len() > 1 && pod.annotation(DEFAULT_CONTAINER).is_none();
    let note = is_noted.then(|| format!("Defaulted container \"{chosen}\" out of: {}", all.join(", ")));
    Ok((chosen.to_owned(), note))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_of_workloads_and_services() {
        let cases = [
            (json!({ "matchLabels": { "app": "web", "tier": "front" } }), Some("app=web,tier=front")),
            (json!({ "app": "web" }), Some("app=web")),
            (
                json!({ "matchLabels": { "app": "web" }, "matchExpressions": [
                    { "key": "tier", "operator": "In", "values": ["a", "b"] },
                    { "key": "old", "operator": "DoesNotExist" }] }),
                Some("app=web,tier in (a,b),!old"),
            ),
            (json!({ "matchExpressions": [{ "key": "app", "operator": "Exists" }] }), Some("app")),
            (json!({}), None),
            (json!({ "matchExpressions": [{ "key": "app", "operator": "Later" }] }), None),
        ];
        for (selector_of_owner, want) in cases {
            let owner = Object(json!({ "spec": { "selector": selector_of_owner } }));
            assert_eq!(selector(&owner).as_deref(), want, "{selector_of_owner}");
        }
        assert_eq!(selector(&Object(json!({ "spec": {} }))), None);
    }

    #[test]
    fn the_container_is_chosen_as_kubectl_does() {
        let pod = |annotations: Value, containers: &[&str]| {
            let containers: Vec<Value> = containers.iter().map(|name| json!({ "name": name })).collect();
            Object(json!({ "metadata": { "name": "p", "annotations": annotations },
                "spec": { "initContainers": [{ "name": "i" }], "containers": containers } }))
        };
        let two = pod(json!({}), &["a", "b"]);
        let note = Some("Defaulted container \"a\" out of: i, a, b".to_owned());
        assert_eq!(container(&two, None).ok(), Some(("a".to_owned(), note)));
        assert_eq!(container(&two, Some("i")).ok(), Some(("i".to_owned(), None)));
        let annotated = pod(json!({ (DEFAULT_CONTAINER): "b" }), &["a", "b"]);
        assert_eq!(container(&annotated, None).ok(), Some(("b".to_owned(), None)));
        let error = container(&two, Some("c")).expect_err("no such container").to_string();
        assert_eq!(error, "container c is not valid for pod p: it has i, a, b");
    }
}
