//! Installing the federation's kinds in the API server of a control plane.

use std::time::Duration;

use futures::future::try_join_all;
use portolan_api::{crd, resources};
use portolan_object::{Object, ObjectKey, Status};
use portolan_runtime::client::Apply;
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::Value;

/// An API server serves a new kind a moment after it has stored the definition.
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// Time for all kinds to be served; it takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(30);

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
    let definitions: Vec<Object> = crd::all().into_iter().map(Object).collect();
    install_all(client, &definitions, TIMEOUT).await
}

/// The same with a user who need not be allowed to write definitions, if another one has applied them.
///
/// # Errors
/// [`InstallError`] with the definitions that are missing.
pub(crate) async fn ensure(client: &Client) -> Result<(), InstallError> {
    match install(client).await {
        Err(InstallError::Client(ClientError::Forbidden(status))) => {
            let definitions: Vec<Object> = crd::all().into_iter().map(Object).collect();
            let missing = unserved(client, &definitions).await?;
            if missing.is_empty() {
                tracing::info!(
                    "the federation's kinds are served; this user may not renew their definitions"
                );
                return Ok(());
            }
            let missing = missing.iter().map(|definition| definition.name().to_owned()).collect();
            Err(InstallError::NotAllowed { missing, status })
        }
        installed => installed,
    }
}

async fn install_all(client: &Client, definitions: &[Object], timeout: Duration) -> Result<(), InstallError> {
    let api = client.resource::<Object>(&resource());
    let options = Apply { manager: portolan_controllers::MANAGER.to_owned(), force: true };
    try_join_all(definitions.iter().map(|definition| api.apply(definition, &options))).await?;
    let wait = async {
        while !unserved(client, definitions).await?.is_empty() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    };
    if let Ok(served) = tokio::time::timeout(timeout, wait).await {
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
    use serde_json::json;

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

        let waited = Duration::from_millis(200);
        install_all(&client, &[definition("boats")], waited).await.expect("served");
        let error = install_all(&client, &[definition("ships")], waited).await.expect_err("Boat is taken");
        let error = error.to_string();
        assert!(error.starts_with("ships.example.org (") && error.contains("already in use"), "{error}");
        server.stop(Duration::from_secs(1)).await.expect("stopped");
    }
}
