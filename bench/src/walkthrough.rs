//! Scenario: `examples/karmada-mcs`, all four files without a pause, until member2 has a ready endpoint of member1.
//!
//! Also sets the stage for endpoint changes: `serve` is exported from member1 and imported into member2 afterwards.

use std::time::Instant;

use anyhow::{Context, Result};
use portolan_object::{Object, ObjectKey, yaml};
use portolan_runtime::client::{Apply, Client, Delete, Discovery, Selection};
use portolan_runtime::{ClientError, Resource};
use serde_json::Value;

use crate::arrivals::Arrivals;
use crate::federation::Federation;
use crate::figure::Figure;
use crate::objects;

const FILES: [&str; 4] = [
    include_str!("../../examples/karmada-mcs/1-propagate-crds.yaml"),
    include_str!("../../examples/karmada-mcs/2-workload.yaml"),
    include_str!("../../examples/karmada-mcs/3-export.yaml"),
    include_str!("../../examples/karmada-mcs/4-import.yaml"),
];
/// Namespace of objects that name none, as for kubectl.
const NAMESPACE: &str = "default";
/// Finds the derived slices.
pub(crate) const DERIVED: &str = "kubernetes.io/service-name=derived-serve";

/// What the walkthrough added to the control plane.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    objects: Vec<(Resource, ObjectKey)>,
}

/// Applies the files and waits for their effect.
///
/// # Errors
/// When a manifest is refused, or no endpoint arrives.
pub(crate) async fn run(federation: &Federation, applied: &mut Applied) -> Result<Vec<Figure>> {
    let selection = Selection { namespace: NAMESPACE.to_owned(), ..Selection::labels(DERIVED) };
    let slices = objects::endpoint_slices();
    let mut arrivals = Arrivals::open(&federation.member2, &slices, &selection, &federation.scope).await?;
    if arrivals.present().iter().any(has_ready_endpoint) {
        // The user of a running playground has walked through already.
        return Ok(Vec::new());
    }
    let kinds = federation.hub.discover().await.context("cannot discover the control plane's kinds")?;
    let start = Instant::now();
    for file in FILES {
        apply(&federation.hub, &kinds, file, applied).await?;
    }
    let arrived = arrivals.first(|arrival| has_ready_endpoint(&arrival.object)).await?;
    let took = arrived.duration_since(start);
    Ok(vec![Figure::times(
        "walkthrough karmada-mcs: first file sent -> pod of member1 ready as endpoint in member2",
        &[took],
    )])
}

/// Removes what [`run`] added, the newest first.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn remove(federation: &Federation, applied: Applied) -> Result<()> {
    for (resource, key) in applied.objects.into_iter().rev() {
        match federation.hub.resource::<Object>(&resource).delete(&key, &Delete::background()).await {
            Ok(()) | Err(ClientError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn apply(hub: &Client, kinds: &Discovery, text: &str, applied: &mut Applied) -> Result<()> {
    for document in yaml::parse_documents(text)? {
        let mut object = Object(document);
        let gvk = object.group_version_kind();
        let found = kinds.resources.iter().find(|found| found.resource.gvk == gvk);
        let resource = &found.with_context(|| format!("the control plane has no kind {gvk}"))?.resource;
        if resource.namespaced && object.namespace().is_empty() {
            object.metadata_mut().insert("namespace".to_owned(), NAMESPACE.into());
        }
        let api = hub.resource::<Object>(resource);
        let options = Apply { manager: "portolan-bench".to_owned(), force: true };
        api.apply(&object, &options)
            .await
            .with_context(|| format!("cannot apply {gvk} {}", object.name()))?;
        applied.objects.push((resource.clone(), object.key()));
    }
    Ok(())
}

fn has_ready_endpoint(slice: &Object) -> bool {
    let endpoints = slice.at(&["endpoints"]).and_then(Value::as_array);
    endpoints.into_iter().flatten().any(|endpoint| endpoint["conditions"]["ready"] == true)
}
