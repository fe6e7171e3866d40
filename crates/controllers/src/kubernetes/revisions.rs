//! Writes of ControllerRevisions, for StatefulSets and DaemonSets.

use portolan_object::Object;
use portolan_plan::kubernetes::history::RevisionStep;
use portolan_runtime::client::{Delete, Patch};
use portolan_runtime::{Api, ClientError};
use serde_json::json;

use crate::missing::ignore_missing;

/// Carries out one step.
pub(super) async fn write(revisions: &Api<Object>, step: RevisionStep) -> Result<(), ClientError> {
    match step {
        RevisionStep::Create(revision) => match revisions.create(&revision).await {
            // Made by the pass before, which the cache does not show yet.
            Err(ClientError::AlreadyExists(_)) => Ok(()),
            result => result.map(drop),
        },
        RevisionStep::Renumber(key, number) => {
            revisions.patch(&key, &Patch::Merge(json!({ "revision": number }))).await.map(drop)
        }
        RevisionStep::Delete(key) => {
            ignore_missing(revisions.delete(&key, &Delete::background()).await).map(drop)
        }
    }
}
