//! Applies objects to the control plane, like `kubectl apply --server-side`.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use portolan_object::Object;
use portolan_runtime::client::{Apply, Client};
use portolan_runtime::{ClientError, Resource};

use crate::kinds::prefix;

/// The field manager.
pub(crate) const MANAGER: &str = "portolan";
/// Time for a kind to be served after its definition was applied; it takes milliseconds.
const KIND_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two reads of discovery.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// What an apply did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    Created,
    Configured,
    Unchanged,
}

impl Applied {
    /// kubectl's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        }
    }
}

/// How objects are applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options<'a> {
    /// Namespace of objects without one.
    pub(crate) namespace: &'a str,
    /// Take over fields of other managers.
    pub(crate) force: bool,
    /// Check only.
    pub(crate) is_dry_run: bool,
}

/// Applies every document of `text` by force and returns them as `kind.group/name`.
#[cfg(feature = "playground")]
pub(crate) async fn apply_text(client: &Client, text: &str) -> Result<Vec<String>> {
    let documents = portolan_object::yaml::parse_documents(text).context("the manifest is not YAML")?;
    let options = Options { namespace: "default", force: true, is_dry_run: false };
    let mut applied = Vec::new();
    for document in documents {
        let mut object = Object(document);
        apply(client, &mut object, options).await?;
        applied.push(describe(&object));
    }
    Ok(applied)
}

/// Applies one object; gives it a namespace if it needs one.
///
/// # Errors
/// If the control plane does not serve the kind or refuses the object.
pub(crate) async fn apply(client: &Client, object: &mut Object, options: Options<'_>) -> Result<Applied> {
    let name = describe(object);
    let cannot = || format!("cannot apply {name}");
    let resource = find(client, object).await.with_context(cannot)?;
    if resource.namespaced && object.namespace().is_empty() {
        object.metadata_mut().insert("namespace".to_owned(), options.namespace.into());
    }
    let mut api = client.resource::<Object>(&resource);
    if options.is_dry_run {
        api = api.dry_run();
    }
    let before = match api.get(&object.key()).await {
        Ok(before) => Some(before),
        Err(ClientError::NotFound(_)) => None,
        Err(error) => return Err(error).with_context(cannot),
    };
    let how = Apply { manager: MANAGER.to_owned(), force: options.force };
    let after = match api.apply(object, &how).await {
        Err(error @ ClientError::Conflict(_)) if !options.force => {
            return Err(error).context("--force-conflicts takes the fields over").with_context(cannot);
        }
        after => after.with_context(cannot)?,
    };
    Ok(match before {
        None => Applied::Created,
        Some(before) => match is_same(before, after) {
            true => Applied::Unchanged,
            false => Applied::Configured,
        },
    })
}

/// Whether an object is as before, apart from what the server writes at each apply.
fn is_same(mut before: Object, mut after: Object) -> bool {
    for object in [&mut before, &mut after] {
        let metadata = object.metadata_mut();
        for field in ["managedFields", "resourceVersion", "generation"] {
            metadata.remove(field);
        }
    }
    before == after
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
pub(crate) fn describe(object: &Object) -> String {
    let kind = object.group_version_kind();
    format!("{}/{}", prefix(&kind.kind, &kind.group), object.name())
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

    #[test]
    fn an_apply_without_a_change_is_unchanged() {
        let object = |version: &str, replicas: u32| {
            Object(
                json!({ "metadata": { "name": "web", "resourceVersion": version, "managedFields": [version] },
                "spec": { "replicas": replicas } }),
            )
        };
        assert!(is_same(object("1", 2), object("2", 2)));
        assert!(!is_same(object("1", 2), object("2", 3)));
    }
}
