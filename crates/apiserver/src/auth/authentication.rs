//! Finds the user of a request by its credentials.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;

use jiff::Timestamp;
use portolan_object::{Object, Status};
use ring::digest;

use super::certificate;
use super::token::{Claims, Issuer, Reference, TokenError};
use super::user::{CREDENTIAL_ID, User, service_account_name};

/// Credentials of a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// The client certificate in DER, verified by the TLS layer.
    pub certificate: Option<&'a [u8]>,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
}

/// Looks up the objects that tokens are bound to. Resources are of the core group.
pub trait Directory {
    /// The uid of an object; `None` when it does not exist.
    fn uid(&self, resource: &str, namespace: &str, name: &str) -> Option<String> {
        self.find(resource, namespace, name).map(|object| object.uid().to_owned())
    }

    /// The object; `None` when it does not exist.
    fn find(&self, resource: &str, namespace: &str, name: &str) -> Option<Object>;
}

/// The authenticators of a server: client certificates, fixed tokens, service account tokens, anonymous.
#[derive(Default)]
pub struct Authentication {
    /// Users by the digest of their token, so that neither memory nor timing reveals a token.
    tokens: HashMap<[u8; digest::SHA256_OUTPUT_LEN], User>,
    issuer: Option<Issuer>,
    is_anonymous_refused: bool,
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentication")
            .field("tokens", &self.tokens.len())
            .field("issuer", &self.issuer)
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

    /// The user of a request. A certificate takes precedence over a token.
    ///
    /// # Errors
    /// 401 for an invalid credential; it is not treated as a missing one.
    pub fn authenticate(
        &self,
        credentials: Credentials<'_>,
        directory: &dyn Directory,
        now: Timestamp,
    ) -> Result<User, Status> {
        if let Some(certificate) = credentials.certificate {
            match certificate::user(certificate) {
                Ok(user) => return Ok(user),
                // A certificate without a common name is ignored; the token decides.
                Err(certificate::CertificateError::Nameless) => {}
                Err(_) => return Err(unauthorized()),
            }
        }
        match credentials.authorization.and_then(bearer) {
            Some(token) => {
                let audiences = self.issuer.as_ref().map_or(&[][..], |issuer| &issuer.audiences);
                let found = self.token(token, audiences, directory, now);
                found.map(|(user, _)| user).map_err(|_| unauthorized())
            }
            None if self.is_anonymous_refused => Err(unauthorized()),
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
        let issuer = self.issuer.as_ref().ok_or(TokenError::Unknown)?;
        let claims = issuer.verify(token, now)?;
        let audiences = Issuer::common_audiences(&claims, wanted)?;
        let user = service_account(&claims, directory)?;
        Ok((user, audiences))
    }
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
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn fingerprint(token: &str) -> [u8; digest::SHA256_OUTPUT_LEN] {
    let mut bytes = [0; digest::SHA256_OUTPUT_LEN];
    bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    bytes
}

fn unauthorized() -> Status {
    Status::new(401, "Unauthorized", "Unauthorized")
}
