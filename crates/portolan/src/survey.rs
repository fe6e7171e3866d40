//! Reading many members at the same time, each with a timeout, so that a member that does not answer affects no other.
//!
//! Used by the commands that read the whole federation.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use portolan_api::about::ClusterProperty;
use portolan_api::multicluster::ServiceExport;
use portolan_api::{Kind, labels, names, resources};
use portolan_object::{Object, ObjectKey};
use portolan_plan::discovery::{Lost, LostCause};
use portolan_runtime::client::{Discovery, Selection};
use portolan_runtime::members::EndpointError;
use portolan_runtime::{Client, ClientError, Resource};

use crate::output::causes;
use crate::servers::{Connected, SecretForbidden};

/// Members that are read at the same time.
const MAX_CONCURRENT: usize = 32;
/// Time for all requests to one member.
const MEMBER_TIMEOUT: Duration = Duration::from_secs(2);

/// A member did not answer in time.
#[derive(Debug)]
struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {} s", MEMBER_TIMEOUT.as_secs())
    }
}

impl std::error::Error for NoAnswer {}

/// The group of exports and imports.
pub(crate) const GROUP: &str = ServiceExport::GROUP;

/// Calls `read` for every member; returns the answers and errors in the order of the members.
pub(crate) async fn read_all<T, R>(
    members: Vec<Connected>,
    read: impl Fn(Client) -> R,
) -> Vec<(String, Result<T>)>
where
    R: Future<Output = Result<T, ClientError>>,
{
    let read = &read;
    let one = |(name, client): Connected| async move {
        let answer = match client {
            Err(error) => Err(error),
            Ok(client) => match tokio::time::timeout(MEMBER_TIMEOUT, read(client)).await {
                Ok(answer) => answer.map_err(Into::into),
                Err(_) => Err(NoAnswer.into()),
            },
        };
        (name, answer)
    };
    futures::stream::iter(members).map(one).buffered(MAX_CONCURRENT).collect().await
}

/// Why a member could not be read, with the cause that decides the cure.
pub(crate) fn lost(error: &anyhow::Error) -> Lost {
    Lost::new(cause(error), causes(error))
}

fn cause(error: &anyhow::Error) -> LostCause {
    if error.is::<NoAnswer>() {
        return LostCause::Silent;
    }
    if error.is::<SecretForbidden>() {
        return LostCause::NotAllowed;
    }
    if let Some(error) = error.downcast_ref::<EndpointError>() {
        return match error {
            EndpointError::NoSecret | EndpointError::SecretGone(_) | EndpointError::Secret { .. } => {
                LostCause::NoCredential
            }
            EndpointError::Distrusted(_) => LostCause::CredentialRefused,
            _ => LostCause::Other,
        };
    }
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Forbidden(status)) if status.code == 401 => LostCause::CredentialRefused,
        Some(ClientError::Forbidden(_)) => LostCause::RightsMissing,
        Some(error @ ClientError::Unreachable { .. }) if error.to_string().contains("certificate") => {
            LostCause::Certificate
        }
        Some(ClientError::Unreachable { .. }) => LostCause::Unreachable,
        Some(error) if error.status().is_some_and(|status| status.code >= 500) => LostCause::Failing,
        _ => LostCause::Other,
    }
}

/// The objects of a collection; an empty list if the server does not have the kind.
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

/// One object; `None` if it or its kind does not exist.
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

/// The Leases of the agents of a member; `None` if they cannot be read: what agents see is a help, not a need.
pub(crate) async fn agents(client: &Client) -> Option<Vec<Object>> {
    let marked = Selection::labels(format!("{}={}", labels::agent::LEASE, labels::TRUE));
    let leases = client.resource::<Object>(&Resource::from(resources::LEASE)).list(&marked).await.ok()?;
    let leases = leases.items.into_iter().map(|seen| seen.object);
    Some(leases.filter(|lease| names::AGENT_NAMESPACES.contains(&lease.namespace())).collect())
}

/// The value of a ClusterProperty (KEP-2149); `None` if it is not set.
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
    use anyhow::anyhow;
    use portolan_object::Status;

    use super::*;

    #[test]
    fn the_cause_of_a_lost_link_is_told_by_the_error() {
        let refused = |code: u16, reason: &str| ClientError::Forbidden(Status::new(code, reason, "no"));
        let unreachable =
            |text: &str| ClientError::Unreachable { server: "https://a".to_owned(), source: text.into() };
        let gone = EndpointError::SecretGone(ObjectKey::namespaced("karmada-cluster", "a"));
        let cases = [
            ("a hang", NoAnswer.into(), LostCause::Silent),
            ("no Secret", gone.into(), LostCause::NoCredential),
            ("401", refused(401, "Unauthorized").into(), LostCause::CredentialRefused),
            ("403", refused(403, "Forbidden").into(), LostCause::RightsMissing),
            ("no listener", unreachable("connection refused").into(), LostCause::Unreachable),
            ("another CA", unreachable("invalid peer certificate").into(), LostCause::Certificate),
            ("500", ClientError::Other(Status::new(500, "InternalError", "x")).into(), LostCause::Failing),
            ("anything else", anyhow!("odd"), LostCause::Other),
        ];
        for (name, error, want) in cases {
            assert_eq!(lost(&error).cause, want, "{name}");
        }
    }

    #[tokio::test]
    async fn a_member_without_a_client_is_its_own_answer_only() {
        let members = ["a", "b"].map(|name| (name.to_owned(), Err(anyhow!("{name} has no secret"))));
        let answers = read_all(members.into(), |_| async { Ok(()) }).await;
        let answers: Vec<_> = answers
            .into_iter()
            .map(|(name, answer)| (name, answer.expect_err("no client").to_string()))
            .collect();
        let want = ["a", "b"].map(|name| (name.to_owned(), format!("{name} has no secret")));
        assert_eq!(answers, want);
    }
}
