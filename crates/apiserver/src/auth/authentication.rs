//! Finds the user of a request by its credentials.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;
use portolan_object::{Object, Status};
use ring::digest;
use rustls_pki_types::CertificateDer;

use super::directory::Directory;
use super::oidc::JwtIssuers;
use super::token::{Claims, Issuer, Reference, SecretClaims, TokenError};
use super::user::{CREDENTIAL_ID, User, service_account_name};
use super::{bootstrap_token, certificate};
use crate::tree;

/// The label by which upstream's cleaner (pkg/controller/serviceaccount/legacy_serviceaccount_token_cleaner.go) puts the
/// token of a Secret out of force.
const INVALID_SINCE: &str = "/metadata/labels/kubernetes.io~1legacy-token-invalid-since";

/// Credentials of a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// The client's certificate and those that it was presented with, verified by the TLS layer; empty without one.
    pub certificates: &'a [CertificateDer<'static>],
    /// Whether the client presented a certificate that the TLS layer does not trust.
    pub is_certificate_distrusted: bool,
    /// The `Authorization` header.
    pub authorization: Option<&'a [u8]>,
    /// The path of the request.
    pub path: &'a str,
}

/// The authenticators of a server: client certificates, fixed tokens, bootstrap tokens, service account tokens, tokens of
/// OpenID Connect providers, anonymous.
#[derive(Default)]
pub struct Authentication {
    /// Users by the digest of their token, so that neither memory nor timing reveals a token.
    tokens: HashMap<[u8; digest::SHA256_OUTPUT_LEN], User>,
    issuer: Option<Issuer>,
    providers: JwtIssuers,
    is_anonymous_refused: bool,
    anonymous_paths: Option<Vec<String>>,
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentication")
            .field("tokens", &self.tokens.len())
            .field("issuer", &self.issuer)
            .field("providers", &self.providers)
            .field("is_anonymous_refused", &self.is_anonymous_refused)
            .finish()
    }
}

impl Authentication {
    /// Accepts a fixed token for a user.
    #[must_use]
    pub fn with_token(mut self, token: &str, user: User) -> Self {
        self.tokens.insert(fingerprint(token), user.authenticated());
        self
    }

    /// Accepts service account tokens of an issuer.
    #[must_use]
    pub fn with_issuer(mut self, issuer: Issuer) -> Self {
        self.issuer = Some(issuer);
        self
    }

    /// Accepts tokens of OpenID Connect providers.
    #[must_use]
    pub fn with_providers(mut self, providers: JwtIssuers) -> Self {
        self.providers = providers;
        self
    }

    /// Accepts requests without credentials for these paths only.
    #[must_use]
    pub fn with_anonymous_paths(mut self, paths: Vec<String>) -> Self {
        self.anonymous_paths = Some(paths);
        self
    }

    /// Refuses requests without credentials. By default they have the user `system:anonymous`.
    #[must_use]
    pub fn without_anonymous(mut self) -> Self {
        self.is_anonymous_refused = true;
        self
    }

    /// The issuer of service account tokens.
    pub fn issuer(&self) -> Option<&Issuer> {
        self.issuer.as_ref()
    }

    /// Whether tokens of OpenID Connect providers are accepted.
    pub(crate) fn has_providers(&self) -> bool {
        !self.providers.is_empty()
    }

    /// [`Self::prepare_token`] for the token of an `Authorization` header.
    pub(crate) async fn prepare(&self, authorization: &[u8], now: Timestamp) {
        if let Some(token) = bearer(authorization).and_then(|token| std::str::from_utf8(token).ok()) {
            self.prepare_token(token, now).await;
        }
    }

    /// Fetches the keys that verify a token of an OpenID Connect provider, if they are not known.
    pub(crate) async fn prepare_token(&self, token: &str, now: Timestamp) {
        self.providers.prepare(token, now).await;
    }

    fn refuses_anonymous(&self, path: &str) -> bool {
        let is_excluded = |paths: &Vec<String>| !paths.iter().any(|allowed| allowed == path);
        self.is_anonymous_refused || self.anonymous_paths.as_ref().is_some_and(is_excluded)
    }

    /// The user of a request. A certificate takes precedence over a token, and an invalid credential counts if there is
    /// no valid one.
    ///
    /// # Errors
    /// 401 for an invalid credential; it is not treated as a missing one.
    pub fn authenticate(
        &self,
        credentials: Credentials<'_>,
        directory: &dyn Directory,
        now: Timestamp,
    ) -> Result<User, Status> {
        let mut is_certificate_invalid = credentials.is_certificate_distrusted;
        if !credentials.certificates.is_empty() {
            match certificate::user(credentials.certificates, now) {
                Ok(user) => return Ok(user),
                // A certificate without a common name is ignored; the token decides.
                Err(certificate::CertificateError::Nameless) => {}
                Err(_) => is_certificate_invalid = true,
            }
        }
        match credentials.authorization.and_then(bearer) {
            Some(token) => {
                let audiences = self.issuer.as_ref().map_or(&[][..], |issuer| &issuer.audiences);
                let token = std::str::from_utf8(token).map_err(|_| unauthorized())?;
                let found = self.token(token, audiences, directory, now);
                found.map(|(user, _)| user).map_err(|_| unauthorized())
            }
            None if is_certificate_invalid || self.refuses_anonymous(credentials.path) => Err(unauthorized()),
            None => Ok(User::anonymous()),
        }
    }

    /// The user of a token, and those of the wanted audiences for which it is valid.
    ///
    /// # Errors
    /// Why the token is invalid.
    pub fn token(
        &self,
        token: &str,
        wanted: &[String],
        directory: &dyn Directory,
        now: Timestamp,
    ) -> Result<(User, Vec<String>), TokenError> {
        if let Some(user) = self.tokens.get(&fingerprint(token)) {
            return Ok((user.clone(), wanted.to_vec()));
        }
        if let Some(user) = bootstrap_token::user(token, directory, now) {
            return Ok((user, self.own_audiences(wanted)?));
        }
        if let Some(found) = self.providers.user(token, now) {
            return Ok((found?, self.own_audiences(wanted)?));
        }
        let issuer = self.issuer.as_ref().ok_or(TokenError::Unknown)?;
        match issuer.verify(token, now) {
            Ok(claims) => {
                let audiences = Issuer::common_audiences(&claims.aud, wanted)?;
                Ok((service_account(&claims, directory)?, audiences))
            }
            Err(TokenError::Unknown) => {
                let claims = issuer.verify_secret(token)?;
                // These tokens name no audience: they are for this server.
                Ok((account_of_secret(token, &claims, directory)?, self.own_audiences(wanted)?))
            }
            Err(error) => Err(error),
        }
    }

    /// The wanted audiences that are this server.
    fn own_audiences(&self, wanted: &[String]) -> Result<Vec<String>, TokenError> {
        match &self.issuer {
            Some(issuer) => Issuer::common_audiences(&issuer.audiences, wanted),
            None => Ok(wanted.to_vec()),
        }
    }
}

/// The user of the token of a Secret, which must still hold the token.
fn account_of_secret(
    token: &str,
    claims: &SecretClaims,
    directory: &dyn Directory,
) -> Result<User, TokenError> {
    let SecretClaims { namespace, secret, account, account_uid, .. } = claims;
    let find = |resource, name| {
        let found = directory.find(resource, namespace, name)?;
        tree::present(&found.0, "/metadata/deletionTimestamp").is_none().then_some(found)
    };
    let holds_token = |secret: &Object| {
        let is_in_force = tree::at(&secret.0, INVALID_SINCE).is_none();
        let held = tree::secret_text(&secret.0, "token");
        is_in_force && held.is_some_and(|held| fingerprint(&held) == fingerprint(token))
    };
    let is_valid = !account_uid.is_empty()
        && claims.sub == service_account_name(namespace, account)
        && find("secrets", secret).is_some_and(|secret| holds_token(&secret))
        && find("serviceaccounts", account).is_some_and(|found| found.uid() == account_uid);
    if !is_valid {
        return Err(TokenError::Invalidated);
    }
    Ok(User::service_account(namespace, account, account_uid))
}

/// The user of a token; all objects that it is bound to must exist.
fn service_account(claims: &Claims, directory: &dyn Directory) -> Result<User, TokenError> {
    let bound = &claims.bound;
    let (namespace, account) = (&bound.namespace, &bound.service_account);
    let exists = |resource: &str, namespace: &str, reference: &Reference| {
        directory.uid(resource, namespace, &reference.name).as_ref() == Some(&reference.uid)
    };
    let is_whole = claims.sub == service_account_name(namespace, &account.name)
        && exists("serviceaccounts", namespace, account)
        && bound.pod.as_ref().is_none_or(|pod| exists("pods", namespace, pod))
        && bound.secret.as_ref().is_none_or(|secret| exists("secrets", namespace, secret))
        // The node of a bound pod is informational: the token stays valid without it.
        && (bound.pod.is_some() || bound.node.as_ref().is_none_or(|node| exists("nodes", "", node)));
    if !is_whole {
        return Err(TokenError::Invalidated);
    }
    let mut user = User::service_account(namespace, &account.name, &account.uid);
    let mut add = |key: &str, value: &str| {
        if !value.is_empty() {
            user.extra.insert(format!("authentication.kubernetes.io/{key}"), vec![value.to_owned()]);
        }
    };
    for (kind, reference) in [("pod", &bound.pod), ("node", &bound.node)] {
        if let Some(reference) = reference {
            add(&format!("{kind}-name"), &reference.name);
            add(&format!("{kind}-uid"), &reference.uid);
        }
    }
    if !claims.jti.is_empty() {
        user.extra.insert(CREDENTIAL_ID.to_owned(), vec![format!("JTI={}", claims.jti)]);
    }
    Ok(user)
}

/// The bearer token of an `Authorization` header; other schemes are ignored.
///
/// As kube-apiserver reads it (staging/src/k8s.io/apiserver/pkg/authentication/request/bearertoken): the second of the
/// parts between single spaces. A second space before the token makes it empty, and the header is ignored.
fn bearer(header: &[u8]) -> Option<&[u8]> {
    let mut parts = header.trim_ascii().splitn(3, |byte| *byte == b' ');
    let scheme = parts.next()?;
    let token = parts.next()?;
    (scheme.eq_ignore_ascii_case(b"bearer") && !token.is_empty()).then_some(token)
}

fn fingerprint(token: &str) -> [u8; digest::SHA256_OUTPUT_LEN] {
    let mut bytes = [0; digest::SHA256_OUTPUT_LEN];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    bytes
}

fn unauthorized() -> Status {
    Status::new(401, "Unauthorized", "Unauthorized")
}
