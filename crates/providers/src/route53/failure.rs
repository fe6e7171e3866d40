//! What an error of the SDK means.

use aws_sdk_route53::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_route53::operation::RequestId;
use portolan_plan::federation::dns::record::DomainName;

use crate::error::ProviderError;

/// The error of a request about `name`.
pub(super) fn of<E>(server: &str, zone: &DomainName, name: &DomainName, error: SdkError<E>) -> ProviderError
where
    E: ProvideErrorMetadata + RequestId + std::error::Error + Send + Sync + 'static,
{
    match &error {
        SdkError::TimeoutError(_) => {
            ProviderError::Timeout { server: server.to_owned(), after: super::REQUEST_TIME }
        }
        SdkError::DispatchFailure(failure) if failure.is_timeout() || failure.is_io() => {
            ProviderError::Unreachable { server: server.to_owned(), reason: reason(&error) }
        }
        // Before the request is sent, only credentials are fetched.
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => {
            ProviderError::Credentials { server: server.to_owned(), reason: reason(&error) }
        }
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            let message = context.err().message().unwrap_or_default();
            of_code(server, zone, name, (status, context.err().code().unwrap_or_default(), message))
        }
        _ => ProviderError::Answer { server: server.to_owned(), reason: reason(&error) },
    }
}

fn reason<E>(error: &SdkError<E>) -> String
where
    E: std::error::Error + Send + Sync + 'static,
{
    // The chain of causes, without the debug form that the SDK's own display adds.
    let mut causes = vec![error.to_string()];
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if causes.last() != Some(&text) {
            causes.push(text);
        }
        next = cause.source();
    }
    causes.join(": ")
}

/// Meaning of a status, an error code and a message of Route 53.
fn of_code(
    server: &str,
    zone: &DomainName,
    name: &DomainName,
    (status, code, message): (u16, &str, &str),
) -> ProviderError {
    let (server, name) = (server.to_owned(), name.clone());
    let reason = format!("{code}: {message}");
    let has = |text: &str| message.contains(text);
    match code {
        "NoSuchHostedZone" => ProviderError::NoZone { server, zone: zone.clone() },
        "Throttling" | "ThrottlingException" | "PriorRequestNotComplete" | "TooManyRequestsException" => {
            ProviderError::Throttled { server }
        }
        "InvalidChangeBatch" if has("already exists") || has("not found") || has("do not match") => {
            ProviderError::Changed { name }
        }
        "InvalidChangeBatch" | "InvalidInput" => ProviderError::Rejected { server, name, reason },
        _ if status == 429 => ProviderError::Throttled { server },
        _ if status >= 500 => ProviderError::ServerFailure { server, reason },
        _ if matches!(status, 401 | 403) => ProviderError::Credentials { server, reason },
        _ => ProviderError::Answer { server, reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_a_meaning() {
        let zone = DomainName::parse("example.com").unwrap();
        let name = zone.below("a").unwrap();
        let of = |status, code, message| of_code("Route 53", &zone, &name, (status, code, message));
        let exists = "[Tried to create resource record set [name='a', type='A'] but it already exists]";
        let gone = "[Tried to delete resource record set [name='a', type='A'] but it was not found]";
        let other = "[Tried to delete resource record set [...] but the values provided do not match the current values]";
        for message in [exists, gone, other] {
            assert_eq!(of(400, "InvalidChangeBatch", message), ProviderError::Changed { name: name.clone() });
        }
        assert!(matches!(of(400, "InvalidChangeBatch", "not permitted"), ProviderError::Rejected { .. }));
        assert!(matches!(of(400, "Throttling", "Rate exceeded"), ProviderError::Throttled { .. }));
        assert!(matches!(of(404, "NoSuchHostedZone", ""), ProviderError::NoZone { .. }));
        assert!(matches!(of(403, "InvalidClientTokenId", ""), ProviderError::Credentials { .. }));
        assert!(matches!(of(503, "ServiceUnavailable", ""), ProviderError::ServerFailure { .. }));
    }
}
