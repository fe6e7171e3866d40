//! Tokens for Cloud DNS, each used until shortly before its end.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Request, StatusCode, Uri};
use rustls::ClientConfig;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::account::{SCOPE, ServiceAccount};
use super::failure::said;
use super::source::{self, Credentials};
use crate::error::ProviderError;
use crate::http::{self, Server};

/// A token is renewed this long before its end, so that it does not end on its way.
const MARGIN: Duration = Duration::from_secs(60);
/// Longest time for which a token is used, whatever the server says.
const LONGEST: u64 = 12 * 3_600;
/// What the exchange of a signed claim is called (RFC 7523), encoded for a form.
const GRANT: &str = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
/// Paths of the metadata server.
const METADATA: &str = "/computeMetadata/v1";

/// What requests are sent with.
#[derive(Clone)]
pub(super) struct Access {
    /// Never printed.
    pub(super) token: String,
    /// Name of the service account.
    pub(super) account: String,
    /// The project of the account, if it is known.
    pub(super) project: Option<String>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("account", &self.account).finish_non_exhaustive()
    }
}

/// The current token.
#[derive(Debug)]
pub(super) struct Tokens {
    credentials: Credentials,
    timeout: Duration,
    tls: Option<Arc<ClientConfig>>,
    /// With the time until which it is used.
    current: Mutex<Option<(Access, Instant)>>,
}

impl Tokens {
    pub(super) fn new(credentials: Credentials, timeout: Duration, tls: Option<Arc<ClientConfig>>) -> Self {
        Self { credentials, timeout, tls, current: Mutex::default() }
    }

    /// The current token, or a new one if that one ends soon. `with_project` also finds the project.
    pub(super) async fn access(&self, with_project: bool) -> Result<Access, ProviderError> {
        let mut current = self.current.lock().await;
        if let Some((access, until)) = &*current
            && Instant::now() < *until
        {
            return Ok(access.clone());
        }
        let asked = Instant::now();
        let (access, seconds) = match &self.credentials {
            Credentials::Key(account) => self.by_key(account).await?,
            Credentials::KeyFile(path) => {
                let account = source::read(path).await.map_err(|error| ProviderError::NoCredentials {
                    server: "Google Cloud DNS".to_owned(),
                    reason: error.to_string(),
                })?;
                self.by_key(&account).await?
            }
            Credentials::Metadata { host } => self.by_metadata(host, with_project).await?,
        };
        let used = Duration::from_secs(seconds.min(LONGEST)).saturating_sub(MARGIN);
        *current = Some((access.clone(), asked + used));
        Ok(access)
    }

    /// Gives up a token that is not accepted.
    pub(super) async fn forget(&self, access: &Access) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|(now, _)| now.token == access.token) {
            *current = None;
        }
    }

    /// Exchanges a signed claim. Returns the time that the token holds, in seconds.
    async fn by_key(&self, account: &ServiceAccount) -> Result<(Access, u64), ProviderError> {
        let unusable =
            |reason: String| ProviderError::NoCredentials { server: account.token_uri.clone(), reason };
        let uri: Uri =
            account.token_uri.parse().map_err(|_| unusable("its token_uri is no URL".to_owned()))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(unusable("its token_uri is no URL".to_owned()));
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claim = account.claim(now).map_err(|error| unusable(error.to_string()))?;
        let form = format!("grant_type={GRANT}&assertion={claim}");
        let request = Request::post(uri.path_and_query().map_or("/", |path| path.as_str()))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let server = self.server(format!("{scheme}://{authority}"));
        let (status, content) = server.send(request.body(form)).await?;
        let answer = http::json(&content);
        let (token, seconds) = token(&account.token_uri, status, &answer)?;
        Ok((Access { token, account: account.email.clone(), project: account.project.clone() }, seconds))
    }

    async fn by_metadata(&self, host: &str, with_project: bool) -> Result<(Access, u64), ProviderError> {
        let server = self.server(format!("http://{host}"));
        let encoded: String = form_urlencoded::byte_serialize(SCOPE.as_bytes()).collect();
        let (status, content) =
            read(&server, &format!("instance/service-accounts/default/token?scopes={encoded}")).await?;
        let (token, seconds) = token(&server.url, status, &http::json(&content))?;
        let mut project = None;
        if with_project {
            let (status, content) = read(&server, "project/project-id").await?;
            let text = String::from_utf8_lossy(&content).trim().to_owned();
            project = Some(text).filter(|_| status.is_success());
        }
        let (status, content) = read(&server, "instance/service-accounts/default/email").await?;
        let email = Some(String::from_utf8_lossy(&content).trim().to_owned());
        let account = email.filter(|email| status.is_success() && email.len() <= 254);
        Ok((Access { token, account: account.unwrap_or_else(|| "ACCOUNT".to_owned()), project }, seconds))
    }

    fn server(&self, url: String) -> Server {
        Server { url, timeout: self.timeout, tls: self.tls.clone() }
    }
}

/// A value of the metadata server.
async fn read(server: &Server, path: &str) -> Result<(StatusCode, Bytes), ProviderError> {
    let request = Request::get(format!("{METADATA}/{path}")).header("Metadata-Flavor", "Google");
    server.send(request.body(String::new())).await
}

/// The token of an answer, and the time that it holds in seconds.
fn token(server: &str, status: StatusCode, answer: &Value) -> Result<(String, u64), ProviderError> {
    let server = server.to_owned();
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Err(ProviderError::Throttled { server });
    }
    if status.is_server_error() {
        return Err(ProviderError::ServerFailure { server, reason: said(status, answer) });
    }
    if !status.is_success() {
        let reason = format!(
            "{}; the key must exist and not be disabled, and the clock of this machine be right",
            said(status, answer)
        );
        return Err(ProviderError::Credentials { server, reason });
    }
    match answer["access_token"].as_str().filter(|token| !token.is_empty()) {
        Some(token) => Ok((token.to_owned(), answer["expires_in"].as_u64().unwrap_or_default())),
        None => Err(ProviderError::Answer { server, reason: "it has no access_token".to_owned() }),
    }
}
