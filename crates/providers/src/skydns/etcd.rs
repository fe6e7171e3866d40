//! Requests to etcd's JSON gateway, which every etcd from 3.4 on serves on its client port.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use portolan_plan::federation::dns::record::DomainName;
use serde_json::{Value, json};

use super::Settings;
use super::transaction::Transaction;
use crate::error::ProviderError;
use crate::http::Server;
use crate::tls;

/// Keys of one answer.
const PAGE: usize = 5_000;
/// Most keys that are read.
const MAX_KEYS: usize = 500_000;

/// Certificates in PEM.
#[derive(Clone)]
pub struct TlsFiles {
    /// Certificates of the CA that signed etcd's.
    pub ca: Vec<u8>,
    /// Certificate and key of the client, for an etcd with `--client-cert-auth`.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFiles").finish_non_exhaustive()
    }
}

/// User and password.
#[derive(Clone)]
pub struct Credentials {
    /// Name of the user.
    pub user: String,
    /// The password; never printed.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyValue {
    pub(super) key: String,
    pub(super) value: String,
}

/// What was read, and the revision of etcd at that time.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) entries: Vec<KeyValue>,
    pub(super) revision: i64,
}

/// A client of one etcd.
#[derive(Debug)]
pub(super) struct Etcd {
    server: Server,
    credentials: Option<Credentials>,
}

impl Etcd {
    pub(super) fn new(settings: Settings) -> Result<Self, ProviderError> {
        let tls = settings
            .tls
            .as_ref()
            .map(|files| tls::client_config(&files.ca, files.client.as_ref()))
            .transpose();
        let tls =
            tls.map_err(|reason| ProviderError::Credentials { server: settings.url.clone(), reason })?;
        let server = Server { url: settings.url, timeout: settings.timeout, tls };
        Ok(Self { server, credentials: settings.credentials })
    }

    /// Every key at or below a path.
    pub(super) async fn read(&self, path: &str, zone: &DomainName) -> Result<Read, ProviderError> {
        let end = encode(&end_of(path));
        let (mut from, mut read) = (path.to_owned(), Read::default());
        loop {
            let mut body = json!({ "key": encode(&from), "range_end": end, "limit": PAGE });
            if read.revision != 0 {
                body["revision"] = json!(read.revision);
            }
            let answer = self.request("/v3/kv/range", &body).await?;
            if read.revision == 0 {
                read.revision = number(&answer["header"]["revision"]);
            }
            let page = answer["kvs"].as_array().map(Vec::as_slice).unwrap_or_default();
            for one in page {
                let (Some(key), Some(value)) = (decode(&one["key"]), decode(&one["value"])) else { continue };
                // Keys that begin with the path but go on with the same label, as `/com/example2`, sort between.
                if key == path || key.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')) {
                    read.entries.push(KeyValue { key, value });
                }
            }
            let last = page.last().and_then(|one| decode(&one["key"]));
            match last.filter(|_| answer["more"] == true) {
                None => return Ok(read),
                Some(_) if read.entries.len() > MAX_KEYS => {
                    return Err(ProviderError::TooLarge { zone: zone.clone(), limit: MAX_KEYS });
                }
                Some(last) => from = last + "\0",
            }
        }
    }

    /// Does a transaction; `false` when something changed since it was planned.
    pub(super) async fn commit(&self, transaction: &Transaction) -> Result<bool, ProviderError> {
        // Holds when no key of the range has a newer revision: also when a new one would have come.
        let compare = |(path, revision): &(String, i64)| {
            json!({
                "result": "LESS", "target": "MOD", "mod_revision": (revision + 1).to_string(),
                "key": encode(&format!("{path}/")), "range_end": encode(&end_of(path)),
            })
        };
        let deletion = |key: &String| json!({ "request_delete_range": { "key": encode(key) } });
        let put = |(key, value): &(String, String)| json!({ "request_put": { "key": encode(key), "value": encode(value) } });
        let writes: Vec<Value> =
            transaction.deletions.iter().map(deletion).chain(transaction.puts.iter().map(put)).collect();
        let compares: Vec<Value> = transaction.unchanged.iter().map(compare).collect();
        let answer = self.request("/v3/kv/txn", &json!({ "compare": compares, "success": writes })).await?;
        Ok(answer["succeeded"] == true)
    }

    /// One request, with a fresh token if the etcd has authentication.
    async fn request(&self, path: &str, body: &Value) -> Result<Value, ProviderError> {
        let token = match &self.credentials {
            None => None,
            Some(Credentials { user, password }) => {
                let body = json!({ "name": user, "password": password });
                let answer = self.send("/v3/auth/authenticate", None, &body).await?;
                answer["token"].as_str().map(str::to_owned)
            }
        };
        self.send(path, token.as_deref(), body).await
    }

    async fn send(&self, path: &str, token: Option<&str>, body: &Value) -> Result<Value, ProviderError> {
        let (status, answer) = self.server.post(path, token, body).await?;
        if status.is_success() {
            return Ok(answer);
        }
        let server = self.server.url.clone();
        let reason = answer["message"].as_str().unwrap_or(status.as_str()).to_owned();
        let is_credential =
            ["user name", "password", "permission", "token"].iter().any(|word| reason.contains(word));
        Err(match status {
            StatusCode::TOO_MANY_REQUESTS => ProviderError::Throttled { server },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ProviderError::Credentials { server, reason },
            StatusCode::BAD_REQUEST if is_credential => ProviderError::Credentials { server, reason },
            status if status.is_server_error() => ProviderError::ServerFailure { server, reason },
            _ => ProviderError::Answer { server, reason },
        })
    }
}

/// The end of the range of keys below a path: `0` follows `/`.
fn end_of(path: &str) -> String {
    format!("{path}0")
}

fn encode(text: &str) -> String {
    STANDARD.encode(text)
}

fn decode(value: &Value) -> Option<String> {
    String::from_utf8(STANDARD.decode(value.as_str()?).ok()?).ok()
}

/// A 64-bit number, which the gateway writes as text.
fn number(value: &Value) -> i64 {
    value.as_str().and_then(|text| text.parse().ok()).or_else(|| value.as_i64()).unwrap_or_default()
}
