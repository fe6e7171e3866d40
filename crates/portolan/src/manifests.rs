//! Applies objects to the control plane, like `kubectl apply --server-side`.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use portolan_object::Object;
use portolan_runtime::client::{Apply, Client};
use portolan_runtime::{ClientError, Resource};
use serde_json::Value;

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
    let mut api = client.resource::<Object>(&resource).with_managed_fields();
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
        Some(before) => match is_same(&before, &after, object) {
            true => Applied::Unchanged,
            false => Applied::Configured,
        },
    })
}

/// Whether an apply changed nothing: the fields of the manifest have the values that they had, and are owned as they were. Other
/// fields may have been written by others meanwhile.
fn is_same(before: &Object, after: &Object, manifest: &Object) -> bool {
    agrees(&before.0, &after.0, &manifest.0) && owned_fields(before) == owned_fields(after)
}

/// Whether two values agree in the fields that `manifest` has.
fn agrees(before: &Value, after: &Value, manifest: &Value) -> bool {
    match (before, after, manifest) {
        (Value::Object(before), Value::Object(after), Value::Object(manifest)) => {
            manifest.iter().all(|(name, wanted)| match (before.get(name), after.get(name)) {
                (Some(before), Some(after)) => agrees(before, after, wanted),
                (before, after) => before == after,
            })
        }
        _ => before == after,
    }
}

/// The fields that earlier applies of this program own.
fn owned_fields(object: &Object) -> Option<&Value> {
    let entries = object.at(&["metadata", "managedFields"])?.as_array()?;
    let is_ours = |entry: &&Value| entry["manager"] == MANAGER && entry["operation"] == "Apply";
    entries.iter().find(is_ours).map(|entry| &entry["fieldsV1"])
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
    fn what_others_write_meanwhile_is_no_change() {
        let stored = |replicas: i64, labels: Value, owned: Value| {
            Object(json!({ "metadata": { "labels": labels, "resourceVersion": "7", "managedFields": [
                { "manager": "portolan", "operation": "Apply", "fieldsV1": owned }] },
                "spec": { "replicas": replicas, "paused": false }, "status": { "replicas": replicas } }))
        };
        let manifest = Object(json!({ "spec": { "replicas": 2 } }));
        let owned = json!({ "f:spec": { "f:replicas": {} } });
        let before = stored(2, json!({}), owned.clone());
        let cases = [
            ("nothing", stored(2, json!({}), owned.clone()), true),
            ("a label by another", stored(2, json!({ "a": "b" }), owned.clone()), true),
            ("a value", stored(3, json!({}), owned), false),
            ("a field that the manifest does not have any more", stored(2, json!({}), json!({})), false),
        ];
        for (case, after, want) in cases {
            assert_eq!(is_same(&before, &after, &manifest), want, "{case}");
        }
    }
}
