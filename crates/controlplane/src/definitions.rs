//! Installing the federation's kinds in the API server of a control plane.

use std::time::Duration;

use futures::future::try_join_all;
use portolan_api::{crd, names, resources};
use portolan_object::{Object, ObjectKey, Status};
use portolan_runtime::client::Apply;
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::{Value, json};

/// Time for all kinds to be served; it takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(30);

/// ConfigMap of an API server in another process that says which definitions were applied there last.
const MARKER: &str = "portolan-definitions";
/// Its key with the hash of all definitions.
const HASH: &str = "hash";

/// How fast definitions are applied.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// Requests at a time.
    parallel: usize,
    /// An API server serves a new kind a moment after it has stored the definition.
    poll: Duration,
    timeout: Duration,
}

/// In this process.
const EMBEDDED: Pace = Pace { parallel: usize::MAX, poll: Duration::from_millis(2), timeout: TIMEOUT };
/// In another process, which answers other clients meanwhile, such as the renewal of a Lease.
const REMOTE: Pace = Pace { parallel: 2, poll: Duration::from_millis(250), timeout: TIMEOUT };

/// Why the federation's kinds are not served.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The API server refuses a request.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The API server took the definitions and does not serve their kinds.
    #[error(
        "{} not served {TIMEOUT:?} after the definitions were applied; remove the CustomResourceDefinition that has the same names",
        .0.join(", ")
    )]
    NotServed(Vec<String>),
    /// The kinds are missing, and the user of the kubeconfig may not install them.
    #[error(
        "{} not served, and the definitions may not be applied: {status}; apply deploy/crds as an administrator",
        missing.join(", ")
    )]
    NotAllowed {
        /// The definitions.
        missing: Vec<String>,
        /// The refusal of the API server.
        status: Status,
    },
}

/// Applies every CustomResourceDefinition; an unchanged one is not written. Waits until their kinds are served, so that
/// the requests that follow do not get a 404.
///
/// # Errors
/// [`InstallError`] naming the definitions that have no effect, with the reason that the API server gives.
pub(crate) async fn install(client: &Client) -> Result<(), InstallError> {
    install_all(client, &all(), EMBEDDED).await
}

fn all() -> Vec<Object> {
    crd::all().into_iter().map(Object).collect()
}

/// The same in an API server that runs in another process, with a user who need not be allowed to write definitions if
/// another one has applied them. Writes nothing if these definitions were applied last and their kinds are served.
///
/// # Errors
/// [`InstallError`] with the definitions that are missing.
pub(crate) async fn ensure(client: &Client) -> Result<(), InstallError> {
    let definitions = all();
    let hash = hash(&definitions);
    if is_marked(client, &hash).await? && unserved(client, &definitions).await?.is_empty() {
        return Ok(());
    }
    match install_all(client, &definitions, REMOTE).await {
        Ok(()) => mark(client, &hash).await,
        Err(InstallError::Client(ClientError::Forbidden(status))) => {
            let missing = unserved(client, &definitions).await?;
            if !missing.is_empty() {
                let missing = missing.iter().map(|definition| definition.name().to_owned()).collect();
                return Err(InstallError::NotAllowed { missing, status });
            }
            tracing::info!("the federation's kinds are served; this user may not renew their definitions");
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn hash(definitions: &[Object]) -> String {
    let text: String = definitions.iter().map(|definition| definition.0.to_string()).collect();
    names::short_hash(&text)
}

/// Whether the definitions with this hash were applied last.
async fn is_marked(client: &Client, hash: &str) -> Result<bool, ClientError> {
    let key = ObjectKey::namespaced(names::SYSTEM_NAMESPACE, MARKER);
    match client.resource::<Object>(&resources::CONFIG_MAP.into()).get(&key).await {
        Ok(marker) => Ok(marker.str_at(&["data", HASH]) == hash),
        Err(ClientError::NotFound(_) | ClientError::Forbidden(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Notes which definitions were applied. Without the note, the next start applies them again.
async fn mark(client: &Client, hash: &str) {
    let marker = json!({ "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": MARKER, "namespace": names::SYSTEM_NAMESPACE }, "data": { HASH: hash } });
    let options = Apply { manager: portolan_controllers::MANAGER.to_owned(), force: true };
    let maps = client.resource::<Object>(&resources::CONFIG_MAP.into());
    if let Err(error) = maps.apply(&Object(marker), &options).await {
        tracing::debug!(%error, "the definitions that were applied are not noted");
    }
}

async fn install_all(client: &Client, definitions: &[Object], pace: Pace) -> Result<(), InstallError> {
    let api = client.resource::<Object>(&resource());
    let options = Apply { manager: portolan_controllers::MANAGER.to_owned(), force: true };
    for some in definitions.chunks(pace.parallel) {
        try_join_all(some.iter().map(|definition| api.apply(definition, &options))).await?;
    }
    let wait = async {
        while !unserved(client, definitions).await?.is_empty() {
            tokio::time::sleep(pace.poll).await;
        }
        Ok(())
    };
    if let Ok(served) = tokio::time::timeout(pace.timeout, wait).await {
        return served;
    }
    let mut reasons = Vec::new();
    for definition in unserved(client, definitions).await? {
        let stored = api.get(&ObjectKey::cluster(definition.name())).await?;
        reasons.push(format!("{} ({})", definition.name(), reason(&stored)));
    }
    if reasons.is_empty() { Ok(()) } else { Err(InstallError::NotServed(reasons)) }
}

fn resource() -> Resource {
    Resource::from(resources::CUSTOM_RESOURCE_DEFINITION)
}

/// The definitions with a resource that is missing in the API server's discovery.
async fn unserved<'a>(client: &Client, definitions: &'a [Object]) -> Result<Vec<&'a Object>, ClientError> {
    let discovery = client.discover().await?;
    let is_served = |definition: &Object| {
        let group = definition.str_at(&["spec", "group"]);
        let plural = definition.str_at(&["spec", "names", "plural"]);
        let mut resources = discovery.resources.iter().map(|found| &found.resource);
        resources.any(|resource| resource.gvk.group == group && resource.plural == plural)
    };
    Ok(definitions.iter().filter(|definition| !is_served(definition)).collect())
}

/// The message of the first condition of a definition that is false.
fn reason(definition: &Object) -> String {
    let conditions = definition.at(&["status", "conditions"]).and_then(Value::as_array);
    let refused = conditions.into_iter().flatten().find(|condition| condition["status"] == "False");
    let message = refused.and_then(|condition| condition["message"].as_str());
    message.unwrap_or("the API server gives no reason").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portolan_apiserver::auth::User;
    use portolan_apiserver::{ApiServer, Config};
    use portolan_store::Store;

    /// A definition of the kind Boat.
    fn definition(plural: &str) -> Object {
        Object(json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("{plural}.example.org") },
            "spec": {
                "group": "example.org",
                "scope": "Namespaced",
                "names": { "plural": plural, "singular": "boat", "kind": "Boat" },
                "versions": [{
                    "name": "v1", "served": true, "storage": true,
                    "schema": { "openAPIV3Schema": { "type": "object" } },
                }],
            },
        }))
    }

    #[tokio::test]
    async fn definitions_without_effect_are_an_error_with_the_reason() {
        let server = ApiServer::start(Config::default(), Store::in_memory()).await.expect("started");
        let client = Client::in_process(server.local(User::new("admin", ["system:masters"])));
        install(&client).await.expect("the kinds of the federation are served");

        let waited = Pace { timeout: Duration::from_millis(200), ..EMBEDDED };
        install_all(&client, &[definition("boats")], waited).await.expect("served");
        let error = install_all(&client, &[definition("ships")], waited).await.expect_err("Boat is taken");
        let error = error.to_string();
        assert!(error.starts_with("ships.example.org (") && error.contains("already in use"), "{error}");
        server.stop(Duration::from_secs(1)).await.expect("stopped");
    }

    #[tokio::test]
    async fn definitions_that_were_applied_are_not_applied_again() {
        let server = ApiServer::start(Config::default(), Store::in_memory()).await.expect("started");
        let client = Client::in_process(server.local(User::new("admin", ["system:masters"])));
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": names::SYSTEM_NAMESPACE } });
        let namespaces = client.resource::<Object>(&resources::NAMESPACE.into());
        namespaces.create(&Object(namespace)).await.expect("created");
        ensure(&client).await.expect("installed");
        let name = ObjectKey::cluster(all()[0].name());
        let definitions = client.resource::<Object>(&resource());
        let changed = json!({ "metadata": { "labels": { "edited": "yes" } } });
        definitions.patch(&name, &portolan_runtime::client::Patch::Merge(changed)).await.expect("changed");
        let version = definitions.get(&name).await.expect("there").resource_version().to_owned();
        ensure(&client).await.expect("installed");
        assert_eq!(definitions.get(&name).await.expect("there").resource_version(), version);
        server.stop(Duration::from_secs(1)).await.expect("stopped");
    }
}
