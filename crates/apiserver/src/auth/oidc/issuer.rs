//! One provider: its keys, and the verification of its tokens.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex as AsyncMutex;

use super::accepted::AcceptedTokens;
use super::configuration::Jwt;
use super::fetch::{Fetcher, Roots};
use super::keys::{ALGORITHMS, KeySet};
use super::mapping::Mapping;
use crate::auth::token::decode;
use crate::auth::user::User;

/// Maximum size of a token, in bytes; longer ones are refused without parsing.
pub(super) const MAX_TOKEN: usize = 16 * 1024;
/// Time between two fetches of the keys: tokens with unknown keys do not make more.
const MIN_INTERVAL: SignedDuration = SignedDuration::from_secs(10);
/// Time after which keys are fetched again, so that those that the provider has withdrawn do not count.
const MAX_AGE: SignedDuration = SignedDuration::from_secs(3600);
/// Tolerated difference between clocks for the start of validity, in seconds.
const LEEWAY: i64 = 300;

/// A trusted provider.
#[derive(Debug)]
pub(super) struct JwtIssuer {
    url: String,
    discovery_url: String,
    audiences: Vec<String>,
    algorithms: Vec<String>,
    mapping: Mapping,
    fetcher: Fetcher,
    keys: Mutex<Keys>,
    accepted: AcceptedTokens,
    /// Held during a fetch, so that there is one at a time.
    fetching: AsyncMutex<()>,
}

#[derive(Debug, Default)]
struct Keys {
    set: Arc<KeySet>,
    /// When the keys were fetched.
    fetched: Option<Timestamp>,
    /// When they were asked for last.
    tried: Option<Timestamp>,
    /// Why the last fetch failed.
    problem: Option<String>,
}

/// The discovery document.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

/// The header of a token.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: String,
}

impl JwtIssuer {
    /// A provider as the configuration describes it.
    pub(super) fn new(jwt: &Jwt, roots: &Roots) -> Result<Self, String> {
        let issuer = &jwt.issuer;
        let own = issuer.certificate_authority.as_bytes();
        let fetcher = Fetcher::new(if own.is_empty() { &roots.0 } else { own })
            .map_err(|problem| format!("issuer.certificateAuthority: {problem}"))?;
        let well_known = format!("{}/.well-known/openid-configuration", issuer.url.trim_end_matches('/'));
        let algorithms = match jwt.signing_algorithms.as_slice() {
            [] => ALGORITHMS.map(str::to_owned).to_vec(),
            given => given.to_vec(),
        };
        Ok(Self {
            url: issuer.url.clone(),
            discovery_url: issuer.discovery_url.clone().unwrap_or(well_known),
            audiences: issuer.audiences.clone(),
            algorithms,
            mapping: Mapping::new(jwt)?,
            fetcher,
            keys: Mutex::default(),
            accepted: AcceptedTokens::default(),
            fetching: AsyncMutex::default(),
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Fetches the keys if that of the token is unknown or they are old.
    pub(super) async fn prepare(&self, token: &str, now: Timestamp) {
        let Some(header) = header(token) else { return };
        if !self.needs_keys(&header.kid, now) {
            return;
        }
        let _only = self.fetching.lock().await;
        // Another request may have fetched them meanwhile.
        if !self.needs_keys(&header.kid, now) {
            return;
        }
        self.keys.lock().tried = Some(now);
        let fetched = self.fetch().await;
        let mut keys = self.keys.lock();
        match fetched {
            Ok(set) => {
                keys.set = Arc::new(set);
                keys.fetched = Some(now);
                keys.problem = None;
            }
            Err(problem) => {
                tracing::warn!(
                    issuer = self.url,
                    problem,
                    "the keys of an OpenID Connect provider cannot be fetched"
                );
                keys.problem = Some(problem);
            }
        }
    }

    fn needs_keys(&self, id: &str, now: Timestamp) -> bool {
        let keys = self.keys.lock();
        let is_older = |time: Option<Timestamp>, age| time.is_none_or(|time| now.duration_since(time) > age);
        (!keys.set.has(id) || is_older(keys.fetched, MAX_AGE)) && is_older(keys.tried, MIN_INTERVAL)
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let discovery: Discovery = self.fetcher.json(&self.discovery_url).await?;
        if discovery.issuer != self.url {
            return Err(format!("the provider calls itself {:?}, not {:?}", discovery.issuer, self.url));
        }
        let set: KeySet = self.fetcher.json(&discovery.jwks_uri).await?;
        Ok(set.trimmed())
    }

    /// The user of a token of this provider.
    pub(super) fn user(&self, token: &str, now: Timestamp) -> Result<User, String> {
        self.accepted.get_or_verify(token, now, || {
            let claims = self.verify(token, now)?;
            let expiry = seconds(&claims, "exp").unwrap_or_default();
            let expiry = Timestamp::from_second(expiry).unwrap_or(Timestamp::MAX);
            Ok((self.mapping.user(&claims)?, expiry))
        })
    }

    /// The claims of a valid token.
    fn verify(&self, token: &str, now: Timestamp) -> Result<Map<String, Value>, String> {
        let malformed = || "malformed jwt".to_owned();
        let header = header(token).ok_or_else(malformed)?;
        if !self.algorithms.contains(&header.alg) {
            return Err(format!("id token signed with unsupported algorithm {:?}", header.alg));
        }
        let (signed, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let signature = decode(signature).ok_or_else(malformed)?;
        let (set, problem) = {
            let keys = self.keys.lock();
            (Arc::clone(&keys.set), keys.problem.clone())
        };
        if !set.verifies(&header.kid, &header.alg, signed.as_bytes(), &signature) {
            let cause = problem.map(|problem| format!(": {problem}")).unwrap_or_default();
            return Err(format!("failed to verify id token signature{cause}"));
        }
        let (_, body) = signed.split_once('.').ok_or_else(malformed)?;
        let claims: Map<String, Value> =
            serde_json::from_slice(&decode(body).ok_or_else(malformed)?).map_err(|_| malformed())?;
        self.check(&claims, now)?;
        Ok(claims)
    }

    /// Checks issuer, audience and time.
    fn check(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<(), String> {
        let issuer = claims.get("iss").and_then(Value::as_str);
        if issuer != Some(&self.url) {
            return Err(format!("id token issued by a different provider, expected {:?}", self.url));
        }
        let audiences: Vec<&str> = match claims.get("aud") {
            Some(Value::String(audience)) => vec![audience],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !self.audiences.iter().any(|wanted| audiences.contains(&wanted.as_str())) {
            return Err(format!("expected audience in {:?} got {audiences:?}", self.audiences));
        }
        let now = now.as_second();
        match seconds(claims, "exp") {
            None => return Err("the token has no expiry".to_owned()),
            Some(expiry) if expiry <= now => return Err("token is expired".to_owned()),
            Some(_) => {}
        }
        match seconds(claims, "nbf") {
            Some(start) if now.saturating_add(LEEWAY) < start => Err("the token is not valid yet".to_owned()),
            _ => Ok(()),
        }
    }
}

/// A time of a claim.
#[expect(clippy::cast_possible_truncation, reason = "seconds; what does not fit is the end of time")]
fn seconds(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    claims.get(name).and_then(Value::as_f64).map(|seconds| seconds as i64)
}

fn header(token: &str) -> Option<Header> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let (header, _) = token.split_once('.')?;
    serde_json::from_slice(&decode(header)?).ok()
}
