//! Reads for the commands that explain: `portolan why` and `portolan tree`. Nothing is written.
//!
//! They read the hub and the members with the rights of the user, not from the caches of the control plane, so that they
//! work while the control plane does not run.

mod descendants;
mod facts;
mod federation;
mod origin;

use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::ReadError;
use portolan_plan::explain::Read;
use portolan_runtime::client::{Discovery, Selection};
use portolan_runtime::{Client, ClientError, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use descendants::{descendants, owners};
pub use facts::{Question, facts};
pub use federation::federation;
pub use origin::{Origin, OriginError, origin};

/// The reason why something was not read.
fn unread(error: impl std::error::Error) -> ReadError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    ReadError(text)
}

/// One object; `None` if it does not exist.
async fn find<T: Serialize + DeserializeOwned>(
    client: &Client,
    resource: &Resource,
    key: &ObjectKey,
) -> Read<Option<T>> {
    match client.resource::<T>(resource).get(key).await {
        Ok(object) => Ok(Some(object)),
        Err(ClientError::NotFound(_)) => Ok(None),
        Err(error) => Err(unread(error)),
    }
}

/// The objects of a collection.
async fn list<T>(client: &Client, resource: &Resource, selection: &Selection) -> Read<Vec<T>>
where
    T: Serialize + DeserializeOwned + Send,
{
    let listed = client.resource::<T>(resource).list(selection).await.map_err(unread)?;
    Ok(listed.items.into_iter().map(|seen| seen.object).collect())
}

/// The objects of a collection; an empty list if the server does not have the kind.
async fn list_if_served(
    client: &Client,
    discovery: &Discovery,
    (group, kind): (&str, &str),
    selection: &Selection,
) -> Read<Vec<Object>> {
    match discovery.find(group, kind) {
        Some(found) => list(client, &found.resource, selection).await,
        None => Ok(Vec::new()),
    }
}
