//! Applies manifests that are part of this binary, like `kubectl apply --server-side`.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use portolan_object::{Object, yaml};
use portolan_runtime::client::{Apply, Client};
use portolan_runtime::{ClientError, Resource};

/// Namespace of objects without one, as in kubectl.
const NAMESPACE: &str = "default";
const MANAGER: &str = "portolan";
/// Time for a kind to be served after its definition was applied; it takes milliseconds.
const KIND_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two reads of discovery.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Applies every document of `text` and returns them as `kind.group/name`.
pub(crate) async fn apply(client: &Client, text: &str) -> Result<Vec<String>> {
    let documents = yaml::parse_documents(text).context("the manifest is not YAML")?;
    let mut applied = Vec::new();
    for document in documents {
        let object = Object(document);
        let name = describe(&object);
        apply_one(client, object).await.with_context(|| format!("cannot apply {name}"))?;
        applied.push(name);
    }
    Ok(applied)
}

async fn apply_one(client: &Client, mut object: Object) -> Result<()> {
    let resource = find(client, &object).await?;
    if resource.namespaced && object.namespace().is_empty() {
        object.metadata_mut().insert("namespace".to_owned(), NAMESPACE.into());
    }
    let options = Apply { manager: MANAGER.to_owned(), force: true };
    client.resource::<Object>(&resource).apply(&object, &options).await?;
    Ok(())
}

async fn find(client: &Client, object: &Object) -> Result<Resource> {
    let kind = object.group_version_kind();
    let search = async {
        loop {
            let discovery = client.discover().await?;
            if let Some(found) = discovery.resources.iter().find(|found| found.resource.gvk == kind) {
                return Ok::<_, ClientError>(found.resource.clone());
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    match tokio::time::timeout(KIND_TIMEOUT, search).await {
        Ok(found) => Ok(found?),
        Err(_) => bail!("the control plane has no kind {kind}"),
    }
}

/// `deployment.apps/serve`, as kubectl prints it.
fn describe(object: &Object) -> String {
    let kind = object.group_version_kind();
    let name = kind.kind.to_lowercase();
    match kind.group.as_str() {
        "" => format!("{name}/{}", object.name()),
        group => format!("{name}.{group}/{}", object.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_named_as_kubectl_names_them() {
        let object = |api_version: &str, kind: &str| {
            Object(json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "serve"}}))
        };
        assert_eq!(describe(&object("v1", "Service")), "service/serve");
        assert_eq!(describe(&object("apps/v1", "Deployment")), "deployment.apps/serve");
    }
}
