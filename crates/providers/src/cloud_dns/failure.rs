//! What an error of Cloud DNS means.

use hyper::StatusCode;
use portolan_plan::federation::dns::record::DomainName;
use serde_json::Value;

use crate::error::ProviderError;

/// Most characters of what a server said.
const MAX_REASON: usize = 300;

/// What a request was about.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    /// A zone or its records.
    Zone(&'a DomainName),
    /// A change in a zone, by the first name.
    Change(&'a DomainName, &'a DomainName),
}

/// Who asked, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer<'a> {
    /// Name of the service account.
    pub(super) account: &'a str,
    /// Id of the project.
    pub(super) project: &'a str,
}

/// The error of an answer.
pub(super) fn of(
    server: &str,
    asked: Asked<'_>,
    writer: Writer<'_>,
    status: StatusCode,
    answer: &Value,
) -> ProviderError {
    let Writer { account, project } = writer;
    let (zone, change) = match asked {
        Asked::Zone(zone) => (zone, None),
        Asked::Change(zone, name) => (zone, Some(name.clone())),
    };
    let (server, reason) = (server.to_owned(), said(status, answer));
    let code = answer["error"]["errors"][0]["reason"].as_str().unwrap_or_default();
    match (status.as_u16(), code, change) {
        (429, ..) | (403, "rateLimitExceeded" | "userRateLimitExceeded" | "dailyLimitExceeded", _) => {
            ProviderError::Throttled { server }
        }
        // A quota of the zone or of one request: smaller requests may be within it.
        (403, "quotaExceeded", Some(name)) => ProviderError::Rejected { server, name, reason },
        (403, "quotaExceeded", None) => ProviderError::Throttled { server },
        (403, "accessNotConfigured", _) => {
            let reason = format!(
                "{reason}; switch the API on: gcloud services enable dns.googleapis.com --project={project}"
            );
            ProviderError::Credentials { server, reason }
        }
        (403, ..) => {
            let reason = format!(
                "{reason}; give the account the role: gcloud projects add-iam-policy-binding {project} --role=roles/dns.admin \
                 --member=serviceAccount:{account}"
            );
            ProviderError::Credentials { server, reason }
        }
        (401, ..) => ProviderError::Credentials { server, reason },
        // The zone is not as it was read: a set exists, or differs, or is gone.
        (409 | 412, _, Some(name)) => ProviderError::Changed { name },
        (404, _, Some(name)) if reason.contains("entity.change") => ProviderError::Changed { name },
        (404, ..) => {
            let server = format!("project {project} of {server}");
            ProviderError::NoZone { server, zone: zone.clone() }
        }
        (500.., ..) => ProviderError::ServerFailure { server, reason },
        (_, _, Some(name)) => ProviderError::Rejected { server, name, reason },
        (_, _, None) => ProviderError::Answer { server, reason },
    }
}

/// What a server said about an error, in the form of Google's services or of OAuth (RFC 6749).
pub(super) fn said(status: StatusCode, answer: &Value) -> String {
    let error = &answer["error"];
    let texts = [&error["message"], &answer["error_description"], error];
    let text = texts.into_iter().find_map(Value::as_str).unwrap_or_default();
    let text: String = text.chars().filter(|character| !character.is_control()).take(MAX_REASON).collect();
    format!("{} {text}", status.as_u16()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_have_a_meaning_and_a_next_step() {
        let zone = DomainName::parse("example.com").unwrap();
        let name = zone.below("a").unwrap();
        let writer = Writer { account: "dns@p.iam.gserviceaccount.com", project: "p" };
        let exists = "The resource 'entity.change.additions[0]' named 'a.example.com. (A)' already exists";
        let differs = "Precondition not met for 'entity.change.deletions[0]'";
        let gone = "The 'entity.change.deletions[0]' resource named 'a.example.com. (A)' does not exist.";
        let no_zone = "The 'parameters.managedZone' resource named 'fed' does not exist.";
        for (status, code, message, on_change, want) in [
            (409, "alreadyExists", exists, true, "the zone is read again"),
            (412, "conditionNotMet", differs, true, "the zone is read again"),
            (404, "notFound", gone, true, "the zone is read again"),
            (404, "notFound", no_zone, true, "project p of Cloud has no zone example.com."),
            (404, "notFound", no_zone, false, "project p of Cloud has no zone example.com."),
            (
                400,
                "invalid",
                "Invalid value",
                true,
                "rejects the change of a.example.com.: 400 Invalid value",
            ),
            (400, "invalid", "Invalid value", false, "cannot be used: 400 Invalid value"),
            (403, "forbidden", "Forbidden", true, "--role=roles/dns.admin --member=serviceAccount:dns@p.iam"),
            (
                403,
                "forbidden",
                "Forbidden",
                false,
                "gcloud projects add-iam-policy-binding p --role=roles/dns.admin",
            ),
            (403, "accessNotConfigured", "", false, "gcloud services enable dns.googleapis.com --project=p"),
            (403, "rateLimitExceeded", "", true, "limits the rate"),
            (403, "quotaExceeded", "Quota exceeded", true, "rejects the change of a.example.com.: 403 Quota"),
            (403, "quotaExceeded", "Quota exceeded", false, "limits the rate"),
            (401, "authError", "Invalid Credentials", false, "does not accept the credentials: 401 Invalid"),
            (429, "", "", false, "limits the rate"),
            (503, "backendError", "Backend Error", false, "Cloud failed: 503 Backend Error"),
        ] {
            let answer =
                json!({ "error": { "code": status, "message": message, "errors": [{ "reason": code }] } });
            let asked = if on_change { Asked::Change(&zone, &name) } else { Asked::Zone(&zone) };
            let status = StatusCode::from_u16(status).unwrap();
            let error = of("Cloud", asked, writer, status, &answer).to_string();
            assert!(error.contains(want), "{status} {code}: {error}");
        }
    }

    #[test]
    fn what_a_server_says_is_one_short_line() {
        let said = |answer| said(StatusCode::BAD_REQUEST, &answer);
        let invalid = json!({ "error": "invalid_grant", "error_description": "Invalid JWT Signature." });
        assert_eq!(said(invalid), "400 Invalid JWT Signature.");
        assert_eq!(said(json!({ "error": "invalid_scope" })), "400 invalid_scope");
        assert_eq!(said(Value::Null), "400");
        assert_eq!(said(json!({ "error": format!("a\n{}", "b".repeat(10_000)) })).len(), MAX_REASON + 4);
    }
}
