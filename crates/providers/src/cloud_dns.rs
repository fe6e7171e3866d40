//! Google Cloud DNS through version 1 of its REST API.
//!
//! A batch is one atomic request. It deletes every changed set exactly as it was read, so that a set which another
//! writer changed meanwhile makes the request fail instead of being overwritten.

mod account;
mod failure;
mod record_set;
mod source;
mod tokens;

use std::collections::HashMap;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, StatusCode};
use portolan_plan::federation::dns::record::{Change, DomainName, RecordSet, Write};
use serde_json::{Value, json};
use tokio::sync::Mutex;

pub use self::account::{AccountError, ServiceAccount};
use self::failure::Asked;
pub use self::source::{Credentials, SourceError, is_google, is_private};
use self::tokens::{Access, Tokens};
use crate::error::ProviderError;
use crate::http::{self, Server};
use crate::provider::{Limits, Provider};
use crate::tls;

/// Where Google serves the API.
const ENDPOINT: &str = "https://dns.googleapis.com";
/// A project has 600 requests a minute.
const INTERVAL: Duration = Duration::from_millis(110);
/// Most characters of the values of one request.
const CHARACTERS_PER_BATCH: usize = 100_000;
/// Most record sets that one request adds or deletes.
const SETS_PER_BATCH: usize = 1_000;
/// Record sets of one answer.
const PAGE: usize = 1_000;
/// Most answers that one list has.
const MAX_PAGES: usize = 1_000;
/// Most records that are read of a zone.
const MAX_RECORDS: usize = 100_000;

/// How to reach Cloud DNS.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who writes.
    pub credentials: Credentials,
    /// Id of the project with the zone; `None` for the project of the credentials.
    pub project: Option<String>,
    /// Name or id of the managed zone, for a project with several of one domain.
    pub managed_zone: Option<String>,
    /// URL of another endpoint than Google's.
    pub endpoint: Option<String>,
    /// Certificates of the authorities that are trusted, in PEM.
    pub authorities: Vec<u8>,
    /// Time for one request.
    pub timeout: Duration,
}

impl Settings {
    /// Google's endpoint with these credentials, and 20 s for a request.
    pub fn new(credentials: Credentials, authorities: Vec<u8>) -> Self {
        let timeout = Duration::from_secs(20);
        Self { credentials, project: None, managed_zone: None, endpoint: None, authorities, timeout }
    }
}

/// A provider that talks to Cloud DNS.
#[derive(Debug)]
pub struct CloudDns {
    server: Server,
    tokens: Tokens,
    project: Option<String>,
    managed_zone: Option<String>,
    /// Ids of the managed zones that were found.
    zones: Mutex<HashMap<DomainName, String>>,
}

impl CloudDns {
    /// A provider with these settings. Connects with the first request.
    pub fn new(settings: Settings) -> Self {
        let Settings { credentials, project, managed_zone, endpoint, authorities, timeout } = settings;
        let url = endpoint.unwrap_or_else(|| ENDPOINT.to_owned());
        let tls = tls::public_client_config(&authorities);
        let tokens = Tokens::new(credentials, timeout, tls.clone());
        let server = Server { url, timeout, tls };
        Self { server, tokens, project, managed_zone, zones: Mutex::default() }
    }

    /// Id of the managed zone of a domain.
    async fn zone_id(&self, zone: &DomainName) -> Result<String, ProviderError> {
        if let Some(id) = self.zones.lock().await.get(zone) {
            return Ok(id.clone());
        }
        let mut found: Vec<String> = Vec::new();
        let path = format!("managedZones?maxResults={PAGE}&dnsName={}", zone.as_str());
        let project = self
            .pages(Asked::Zone(zone), &path, "managedZones", |candidate| {
                let is_it = |name| DomainName::parse(name).is_ok_and(|name| name == *zone);
                let [name, id] = [&candidate["name"], &candidate["id"]].map(text);
                let is_chosen =
                    self.managed_zone.as_ref().is_none_or(|wanted| *wanted == name || *wanted == id);
                if is_it(candidate["dnsName"].as_str().unwrap_or_default()) && is_chosen {
                    found.push(name);
                }
                Ok(())
            })
            .await?;
        let server = format!("project {project} of {}", self.server.url);
        match &found[..] {
            [] => Err(ProviderError::NoZone { server, zone: zone.clone() }),
            [id] if is_identifier(id) => {
                self.zones.lock().await.insert(zone.clone(), id.clone());
                Ok(id.clone())
            }
            [_] => Err(ProviderError::Answer { server, reason: "a managed zone has no name".to_owned() }),
            _ => Err(ProviderError::AmbiguousZone { server, zone: zone.clone(), count: found.len() }),
        }
    }

    async fn sets(&self, zone: &DomainName) -> Result<Vec<RecordSet>, ProviderError> {
        let id = self.zone_id(zone).await?;
        let (mut sets, mut records) = (Vec::new(), 0);
        let path = format!("managedZones/{id}/rrsets?maxResults={PAGE}");
        self.pages(Asked::Zone(zone), &path, "rrsets", |set| {
            records += set["rrdatas"].as_array().map_or(1, Vec::len).max(1);
            sets.extend(record_set::read(set));
            if records > MAX_RECORDS {
                return Err(ProviderError::TooLarge { zone: zone.clone(), limit: MAX_RECORDS });
            }
            Ok(())
        })
        .await?;
        Ok(sets)
    }

    async fn send(&self, zone: &DomainName, batch: &[Change]) -> Result<(), ProviderError> {
        let name = batch.first().map_or(zone, |change| &change.name);
        let id = self.zone_id(zone).await?;
        let body = body(batch);
        let path = format!("managedZones/{id}/changes");
        self.ask(Asked::Change(zone, name), &path, Some(&body)).await.map(|_| ())
    }

    /// Calls `take` with every element of a list. Returns the project.
    async fn pages(
        &self,
        asked: Asked<'_>,
        path: &str,
        field: &str,
        mut take: impl FnMut(&Value) -> Result<(), ProviderError> + Send,
    ) -> Result<String, ProviderError> {
        let mut next = path.to_owned();
        for _ in 0..MAX_PAGES {
            let (answer, project) = self.ask(asked, &next, None).await?;
            answer[field].as_array().into_iter().flatten().try_for_each(&mut take)?;
            let Some(token) = answer["nextPageToken"].as_str().filter(|token| !token.is_empty()) else {
                return Ok(project);
            };
            let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
            let following = format!("{path}&pageToken={token}");
            if following == next {
                let reason = "a page of a list names itself as the next".to_owned();
                return Err(ProviderError::Answer { server: self.server.url.clone(), reason });
            }
            next = following;
            tokio::time::sleep(INTERVAL).await;
        }
        let reason = format!("a list has more than {MAX_PAGES} pages");
        Err(ProviderError::Answer { server: self.server.url.clone(), reason })
    }

    /// One request: a `POST` with a body, else a `GET`. A token that was withdrawn early is replaced once. Returns the
    /// answer and the project.
    async fn ask(
        &self,
        asked: Asked<'_>,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(Value, String), ProviderError> {
        let mut access = self.tokens.access(self.project.is_none()).await?;
        let (mut status, mut answer, mut project) = self.exchange(&access, path, body).await?;
        if status == StatusCode::UNAUTHORIZED {
            self.tokens.forget(&access).await;
            access = self.tokens.access(self.project.is_none()).await?;
            (status, answer, project) = self.exchange(&access, path, body).await?;
        }
        if status.is_success() {
            return Ok((answer, project));
        }
        let account = &access.account;
        Err(failure::of(
            &self.server.url,
            asked,
            failure::Writer { account, project: &project },
            status,
            &answer,
        ))
    }

    async fn exchange(
        &self,
        access: &Access,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value, String), ProviderError> {
        let server = &self.server.url;
        let project = self.project.as_ref().or(access.project.as_ref()).filter(|id| is_identifier(id));
        let project = project.cloned().ok_or_else(|| ProviderError::NoCredentials {
            server: server.clone(),
            reason: "they name no project; give it as `project` of the zone".to_owned(),
        })?;
        let unusable = |_| ProviderError::NoCredentials {
            server: server.clone(),
            reason: "the token has characters that no header may have".to_owned(),
        };
        let mut token = HeaderValue::from_str(&format!("Bearer {}", access.token)).map_err(unusable)?;
        token.set_sensitive(true);
        let path = format!("/dns/v1/projects/{project}/{path}");
        let request = if body.is_some() { Request::post(path) } else { Request::get(path) };
        let request = request.header(AUTHORIZATION, token).header(CONTENT_TYPE, "application/json");
        let content = body.map(ToString::to_string).unwrap_or_default();
        let (status, answer) = self.server.send(request.body(content)).await?;
        Ok((status, http::json(&answer), project))
    }
}

/// The sets that one write deletes and adds. Overwriting would lose what another writer wrote since the zone was read.
fn parts(write: &Write) -> (Option<&RecordSet>, Option<&RecordSet>) {
    match write {
        Write::Put { set, before } => (before.as_ref(), Some(set)),
        Write::Delete(set) => (Some(set), None),
    }
}

/// The body of `changes.create`.
fn body(batch: &[Change]) -> Value {
    let writes = || batch.iter().flat_map(|change| &change.writes).map(parts);
    let deletions: Vec<Value> = writes().filter_map(|(deleted, _)| deleted).map(record_set::write).collect();
    let additions: Vec<Value> = writes().filter_map(|(_, added)| added).map(record_set::write).collect();
    json!({ "deletions": deletions, "additions": additions })
}

/// A text of the API, which has 64-bit numbers as text too.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Whether a text is the id of a project or the name or id of a managed zone. Others would change the path of a request.
pub fn is_identifier(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    !text.is_empty() && text.len() <= 128 && !text.starts_with('.') && text.bytes().all(is_allowed)
}

impl Provider for CloudDns {
    fn name(&self) -> &'static str {
        "Google Cloud DNS"
    }

    fn limits(&self) -> Limits {
        Limits { size_per_batch: CHARACTERS_PER_BATCH, interval: INTERVAL, is_atomic: true }
    }

    /// In characters. A set counts as many as keep a batch below the most sets.
    fn size(&self, change: &Change) -> usize {
        let least = CHARACTERS_PER_BATCH / SETS_PER_BATCH;
        let sets =
            change.writes.iter().map(parts).flat_map(|(deleted, added)| deleted.into_iter().chain(added));
        // Two quotes of text.
        let characters = |set: &RecordSet| set.targets.iter().map(|target| target.len() + 2).sum::<usize>();
        sets.map(|set| characters(set).max(least)).sum()
    }

    fn list<'a>(&'a self, zone: &'a DomainName) -> BoxFuture<'a, Result<Vec<RecordSet>, ProviderError>> {
        self.sets(zone).boxed()
    }

    fn apply<'a>(
        &'a self,
        zone: &'a DomainName,
        batch: &'a [Change],
    ) -> BoxFuture<'a, Vec<Result<(), ProviderError>>> {
        async move { vec![self.send(zone, batch).await; batch.len()] }.boxed()
    }
}
