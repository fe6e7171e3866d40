//! Manifests as the API server would store them.

use std::collections::BTreeSet;

use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::preview::apply::merge;
use portolan_runtime::client::{Discovered, Discovery};
use portolan_runtime::{Client, ClientError};
use serde::Serialize;
use serde_json::Value;

use super::{PlanError, title};
use crate::collections::template_api;

/// A namespace that every API server has, for the dry run of objects in a namespace that does not exist yet.
const EXISTING_NAMESPACE: &str = "default";

/// What happens to an object on the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Written {
    /// It is new.
    Created,
    /// It changes.
    Configured,
    /// It stays as it is.
    Unchanged,
}

/// An object as it would be on the hub.
#[derive(Debug, Clone)]
pub(super) struct Applied {
    pub(super) object: Object,
    /// The object as it is, unless it is new.
    pub(super) present: Option<Object>,
    pub(super) written: Written,
}

/// Applies all manifests in a dry run, in their order.
pub(super) async fn dry_run(
    hub: &Client,
    discovery: &Discovery,
    default_namespace: &str,
    manifests: Vec<Object>,
) -> Result<Vec<Applied>, PlanError> {
    let new_namespaces: BTreeSet<String> = manifests
        .iter()
        .filter(|manifest| resources::NAMESPACE.is_kind_of(manifest))
        .map(|manifest| manifest.name().to_owned())
        .collect();
    let mut applied = Vec::new();
    for mut manifest in manifests {
        let found = served(discovery, &manifest)?;
        if found.resource.namespaced && manifest.namespace().is_empty() {
            manifest.metadata_mut().insert("namespace".to_owned(), default_namespace.into());
        }
        applied.push(apply_one(hub, found, manifest, &new_namespaces).await?);
    }
    Ok(applied)
}

fn served<'a>(discovery: &'a Discovery, manifest: &Object) -> Result<&'a Discovered, PlanError> {
    let kind = manifest.group_version_kind();
    let found = discovery.resources.iter().find(|found| found.resource.gvk == kind);
    found.ok_or_else(|| PlanError::NotServed { object: title(manifest) })
}

async fn apply_one(
    hub: &Client,
    found: &Discovered,
    mut manifest: Object,
    new_namespaces: &BTreeSet<String>,
) -> Result<Applied, PlanError> {
    let api = template_api(hub, &found.resource);
    let refused = |source| PlanError::Refused { object: title(&manifest), source };
    match api.get(&manifest.key()).await {
        Ok(present) => {
            let merged = merge(&present, &manifest)?;
            let object = api.dry_run().replace(&merged).await.map_err(refused)?;
            let is_same = portolan_plan::field_changes::is_same_object(&present, &object);
            let written = if is_same { Written::Unchanged } else { Written::Configured };
            Ok(Applied { object, present: Some(present), written })
        }
        Err(ClientError::NotFound(_)) => {
            let namespace = manifest.namespace().to_owned();
            let is_in_new_namespace =
                new_namespaces.contains(&namespace) && !namespace_exists(hub, &namespace).await;
            if is_in_new_namespace {
                // A dry run needs a namespace that exists; defaults do not depend on it.
                manifest.metadata_mut().insert("namespace".to_owned(), EXISTING_NAMESPACE.into());
                let name = format!("{}-portolan-plan", manifest.name());
                manifest.metadata_mut().insert("name".to_owned(), name.into());
            }
            let object = api.dry_run().create(&manifest).await;
            let mut object =
                object.map_err(|source| PlanError::Refused { object: title(&manifest), source })?;
            if is_in_new_namespace {
                let name = manifest.name().trim_end_matches("-portolan-plan").to_owned();
                return_selectors(&manifest, &mut object, &namespace);
                object.metadata_mut().insert("namespace".to_owned(), namespace.into());
                object.metadata_mut().insert("name".to_owned(), name.into());
            }
            object.metadata_mut().remove("resourceVersion");
            Ok(Applied { object, present: None, written: Written::Created })
        }
        Err(source) => Err(PlanError::Unread { what: title(&manifest), source }),
    }
}

/// Admission gives the selectors of a policy the policy's namespace, which was another one in the dry run.
fn return_selectors(manifest: &Object, object: &mut Object, namespace: &str) {
    let written = manifest.at(&["spec", "resourceSelectors"]).and_then(Value::as_array);
    let stored = object.0.pointer_mut("/spec/resourceSelectors").and_then(Value::as_array_mut);
    for (written, stored) in written.into_iter().flatten().zip(stored.into_iter().flatten()) {
        let has_none = written.get("namespace").and_then(Value::as_str).is_none_or(str::is_empty);
        if has_none && stored.get("namespace").is_some() {
            stored["namespace"] = namespace.into();
        }
    }
}

async fn namespace_exists(hub: &Client, name: &str) -> bool {
    let namespaces = hub.resource::<Object>(&resources::NAMESPACE.into());
    namespaces.get(&ObjectKey::cluster(name)).await.is_ok()
}
