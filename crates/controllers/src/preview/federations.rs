//! Objects of manifests that a Federation selects: their copies in the clusters are not planned, which a note says.

use std::collections::BTreeSet;
use std::sync::Arc;

use portolan_api::federation::Federation;
use portolan_api::resources;
use portolan_object::{Object, ObjectKey};
use portolan_plan::federation::selection::federation_of;
use portolan_runtime::client::{Discovery, Selection};
use portolan_runtime::{Client, ClientError};

use super::manifests::Applied;
use super::{PlanError, title};

/// A note for each such object.
pub(super) async fn notes(
    hub: &Client,
    discovery: &Discovery,
    applied: &[Applied],
) -> Result<Vec<String>, PlanError> {
    let kind = <Federation as portolan_api::Kind>::gvk();
    if discovery.find(&kind.group, &kind.kind).is_none() {
        return Ok(Vec::new());
    }
    let unread = |source| PlanError::Unread { what: kind.kind.to_string(), source };
    let listed = hub.kind::<Federation>().list(&Selection::all()).await.map_err(unread)?;
    let federations: Vec<Arc<Federation>> =
        listed.items.into_iter().map(|seen| Arc::new(seen.object)).collect();
    let mut notes = BTreeSet::new();
    for object in applied.iter().map(|one| &one.object).filter(|_| !federations.is_empty()) {
        let Some(namespace) = namespace_of(hub, object, applied).await? else { continue };
        if let Some(federation) = federation_of(object, &namespace, &federations) {
            notes.insert(format!(
                "Federation {} selects {}: what it does in the clusters is not in this plan",
                federation.metadata.name,
                title(object)
            ));
        }
    }
    Ok(notes.into_iter().collect())
}

/// The namespace of an object, as the manifests make it or as it is on the hub.
async fn namespace_of(
    hub: &Client,
    object: &Object,
    applied: &[Applied],
) -> Result<Option<Object>, PlanError> {
    if object.namespace().is_empty() {
        return Ok(None);
    }
    let is_namespace =
        |one: &&Object| resources::NAMESPACE.is_kind_of(one) && one.name() == object.namespace();
    if let Some(namespace) = applied.iter().map(|one| &one.object).find(is_namespace) {
        return Ok(Some(namespace.clone()));
    }
    let namespaces = hub.resource::<Object>(&resources::NAMESPACE.into());
    match namespaces.get(&ObjectKey::cluster(object.namespace())).await {
        Ok(namespace) => Ok(Some(namespace)),
        Err(ClientError::NotFound(_)) => Ok(None),
        Err(source) => Err(PlanError::Unread { what: format!("namespace {}", object.namespace()), source }),
    }
}
