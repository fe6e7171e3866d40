//! `portolan describe`: all fields of objects, and their events, on the control plane and in members.

pub(crate) mod arguments;
mod render;

use anyhow::{Result, anyhow, bail, ensure};
use jiff::Timestamp;
use portolan_api::resources;
use portolan_net::Clock;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::Selection;
use portolan_runtime::{Client, ClientError, Resource};

use crate::kinds::resolve;
use crate::output::{causes, print};
use crate::servers::{Server, servers};
use arguments::Describe;
use render::{Described, render};

/// Objects of one name that are described at most, from all clusters.
const MAX_OBJECTS: usize = 1000;

/// Prints the objects one after the other. A member that fails is named on standard error.
pub(crate) async fn run(arguments: Describe) -> Result<()> {
    arguments.scope.check()?;
    let hub = arguments.hub.hub().await?;
    let namespace = arguments.objects.namespace(&hub.namespace);
    let servers = servers(&hub, &arguments.scope).await?;
    ensure!(!servers.is_empty(), "no cluster has joined this federation: `portolan join` adds one");
    let ask = Ask::new(&arguments, &namespace)?;
    let ask = &ask;
    let reading = servers.iter().map(|server| async move { (server, ask.read(server).await) });
    let (mut described, mut missing, mut failures) = (Vec::new(), None, Vec::new());
    for (server, answer) in futures::future::join_all(reading).await {
        match answer {
            Ok(found) => described.extend(found),
            Err(error) if error.downcast_ref::<ClientError>().is_some_and(ClientError::is_not_found) => {
                missing = Some(error);
            }
            Err(error) if !server.is_member => return Err(error),
            Err(error) => failures.push(format!("cluster({}): {}", server.name, causes(&error))),
        }
    }
    failures.iter().for_each(|failure| anstream::eprintln!("{failure}"));
    if described.is_empty() {
        ensure!(failures.len() < servers.len(), "no cluster could be read");
        let nothing = || anyhow!("No resources found in {namespace} namespace.");
        return Err(anyhow!("{}{}", missing.unwrap_or_else(nothing), arguments.scope.elsewhere()));
    }
    ensure!(described.len() <= MAX_OBJECTS, "{} objects: name fewer", described.len());
    let now: Timestamp = Clock::system().now();
    let texts: Vec<String> = described.iter().map(|one| render(one, now)).collect();
    print(&texts.join("\n\n"))
}

/// What is asked of each server.
struct Ask<'a> {
    arguments: &'a Describe,
    kind: &'a str,
    names: Vec<&'a str>,
    namespace: &'a str,
}

impl<'a> Ask<'a> {
    fn new(arguments: &'a Describe, namespace: &'a str) -> Result<Self> {
        let names: Vec<&str> = arguments.names.iter().map(String::as_str).collect();
        let (kind, names) = match arguments.kind.split_once('/') {
            Some(_) if !names.is_empty() => bail!("write KIND/NAME, or KIND and names"),
            Some((kind, name)) => (kind, vec![name]),
            None => (arguments.kind.as_str(), names),
        };
        ensure!(
            names.is_empty() || arguments.objects.selector.is_empty() && !arguments.objects.all_namespaces,
            "a name cannot be given together with a selector or --all-namespaces"
        );
        Ok(Self { arguments, kind, names, namespace })
    }

    async fn read(&self, server: &Server) -> Result<Vec<Described>> {
        let client = server.client.as_ref().map_err(|error| anyhow!("{}", causes(error)))?;
        let discovery = client.discover().await?;
        let mut described = Vec::new();
        for resource in resolve(&discovery, self.kind)? {
            for object in self.objects(client, &resource).await? {
                let events = match self.arguments.show_events {
                    true => events(client, &object).await,
                    false => Some(Vec::new()),
                };
                described.push(Described { cluster: server.name.clone(), object, events });
            }
        }
        Ok(described)
    }

    async fn objects(&self, client: &Client, resource: &Resource) -> Result<Vec<Object>> {
        let api = client.resource::<Object>(resource);
        let selection = self.arguments.objects.selection(self.namespace, resource.namespaced, "");
        if self.names.is_empty() {
            let list = api.list(&selection).await?;
            return Ok(list.items.into_iter().map(|seen| seen.object).collect());
        }
        let mut objects = Vec::new();
        for name in &self.names {
            objects.push(api.get(&ObjectKey::namespaced(&*selection.namespace, *name)).await?);
        }
        Ok(objects)
    }
}

/// The events of an object, the oldest first; `None` if they cannot be read.
async fn events(client: &Client, object: &Object) -> Option<Vec<Object>> {
    // Events of cluster-scoped objects are in the namespace `default`.
    let namespace = if object.namespace().is_empty() { "default" } else { object.namespace() };
    let fields = format!("involvedObject.uid={}", object.uid());
    let selection = Selection { namespace: namespace.to_owned(), labels: String::new(), fields };
    let list = client.resource::<Object>(&resources::EVENT.into()).list(&selection).await.ok()?;
    let mut events: Vec<Object> = list.items.into_iter().map(|seen| seen.object).collect();
    events.sort_by_key(|event| render::event_time(event).map(str::to_owned));
    Some(events)
}
