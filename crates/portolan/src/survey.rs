//! Reading many members at once, each with a deadline: one that does not answer costs its own line and nothing else.
//!
//! Used by the commands that look at the whole federation; what they read is their own business.

use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use portolan_api::Kind;
use portolan_api::about::ClusterProperty;
use portolan_api::multicluster::ServiceExport;
use portolan_object::{Object, ObjectKey};
use portolan_runtime::client::{Discovery, Selection};
use portolan_runtime::{Client, ClientError, Resource};

use crate::get::Connected;

/// Members read at the same time.
const AT_ONCE: usize = 32;
/// How long one member may take for everything that is asked of it.
const DEADLINE: Duration = Duration::from_secs(10);

/// The group of exports and imports.
pub(crate) const GROUP: &str = ServiceExport::GROUP;

/// Calls `read` for every member and returns its answer, or why there is none, in the order of the members.
pub(crate) async fn read_all<T, R>(
    members: Vec<Connected>,
    read: impl Fn(Client) -> R,
) -> Vec<(String, Result<T, String>)>
where
    R: Future<Output = Result<T, ClientError>>,
{
    let read = &read;
    let one = |(name, client): Connected| async move {
        let answer = match client {
            Err(reason) => Err(reason),
            Ok(client) => match tokio::time::timeout(DEADLINE, read(client)).await {
                Ok(answer) => answer.map_err(|error| error.to_string()),
                Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
            },
        };
        (name, answer)
    };
    futures::stream::iter(members).map(one).buffered(AT_ONCE).collect().await
}

/// The objects of a collection; none when the server does not have the kind.
pub(crate) async fn list(
    client: &Client,
    discovery: &Discovery,
    (group, kind): (&str, &str),
    selection: &Selection,
) -> Result<Vec<Object>, ClientError> {
    let Some(found) = discovery.find(group, kind) else { return Ok(Vec::new()) };
    let listed = client.resource::<Object>(&found.resource).list(selection).await?;
    Ok(listed.items.into_iter().map(|seen| seen.object).collect())
}

/// One object; `None` when it, or its kind, is not there.
pub(crate) async fn find(
    client: &Client,
    resource: &Resource,
    key: &ObjectKey,
) -> Result<Option<Object>, ClientError> {
    match client.resource::<Object>(resource).get(key).await {
        Ok(object) => Ok(Some(object)),
        Err(ClientError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The value of a ClusterProperty (KEP-2149); `None` when it is not set.
pub(crate) async fn property(
    client: &Client,
    discovery: &Discovery,
    name: &str,
) -> Result<Option<String>, ClientError> {
    let Some(found) = discovery.find(ClusterProperty::GROUP, ClusterProperty::KIND) else { return Ok(None) };
    let property = find(client, &found.resource, &ObjectKey::cluster(name)).await?;
    Ok(property.map(|property| property.str_at(&["spec", "value"]).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_member_without_a_client_is_its_own_answer_only() {
        let members = ["a", "b"].map(|name| (name.to_owned(), Err(format!("{name} has no secret")))).to_vec();
        let answers = read_all(members, |_| async { Ok(()) }).await;
        let want = ["a", "b"].map(|name| (name.to_owned(), Err(format!("{name} has no secret"))));
        assert_eq!(answers, want);
    }
}
