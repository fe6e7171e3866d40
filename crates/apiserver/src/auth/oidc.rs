//! Tokens of OpenID Connect providers: structured authentication (`apiserver.config.k8s.io`, kind
//! `AuthenticationConfiguration`) and the `--oidc-…` flags, which are a short form of it.
//!
//! ```text
//! token ─► issuer of its `iss` claim ─► keys (fetched when needed) ─► signature, time, audience ─► mapping ─► User
//! ```
//!
//! [`JwtIssuers::prepare`] fetches the keys of a token's issuer before the token is verified; everything after it is a
//! computation. Time, size and rate of what is fetched are bounded.
//!
//! # Source
//! kubernetes staging/src/k8s.io/apiserver/plugin/pkg/authenticator/token/oidc/oidc.go.

mod accepted;
mod configuration;
mod fetch;
mod flags;
mod issuer;
mod keys;
mod mapping;
mod validation;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::token::{TokenError, decode};
use super::user::User;

pub use configuration::{AuthenticationConfiguration, ConfigurationError};
pub use fetch::Roots;
pub use flags::OidcFlags;
use issuer::JwtIssuer;

/// The issuers that are trusted.
#[derive(Debug, Default)]
pub struct JwtIssuers(Vec<Arc<JwtIssuer>>);

impl JwtIssuers {
    /// The issuers of a configuration; `roots` verify those without an authority of their own.
    ///
    /// # Errors
    /// When an authority or an expression cannot be used.
    pub fn new(
        configuration: &AuthenticationConfiguration,
        roots: &Roots,
    ) -> Result<Self, ConfigurationError> {
        let issuer = |(index, entry)| {
            let issuer = JwtIssuer::new(entry, roots);
            issuer.map(Arc::new).map_err(|problem| ConfigurationError::Issuer { index, problem })
        };
        let issuers: Result<Vec<_>, _> = configuration.jwt.iter().enumerate().map(issuer).collect();
        issuers.map(Self)
    }

    /// Whether no issuer is trusted.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Fetches the keys that the verification of a token needs, if they are not known.
    pub(crate) async fn prepare(&self, token: &str, now: Timestamp) {
        if let Some(issuer) = self.issuer_of(token) {
            issuer.prepare(token, now).await;
        }
    }

    /// The user of a token; `None` if the token comes from another issuer than these.
    pub(super) fn user(&self, token: &str, now: Timestamp) -> Option<Result<User, TokenError>> {
        let issuer = self.issuer_of(token)?;
        Some(issuer.user(token, now).map_err(|problem| TokenError::Provider(format!("oidc: {problem}"))))
    }

    fn issuer_of(&self, token: &str) -> Option<&Arc<JwtIssuer>> {
        if self.0.is_empty() {
            return None;
        }
        let named = claimed_issuer(token)?;
        self.0.iter().find(|issuer| issuer.url() == named)
    }
}

/// The `iss` claim of a token that is not verified.
fn claimed_issuer(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let (_, body, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || token.len() > issuer::MAX_TOKEN {
        return None;
    }
    let claims: Value = serde_json::from_slice(&decode(body)?).ok()?;
    claims.get("iss")?.as_str().map(str::to_owned)
}
