//! Tokens of Secrets of type `kubernetes.io/service-account-token`.
//!
//! They do not expire: such a token is valid as long as its Secret holds it and its account exists. Upstream: kubernetes
//! pkg/serviceaccount/legacy.go.

use std::sync::Arc;

use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};

use super::{Issuer, KeyError, TokenError};
use crate::auth::user::service_account_name;

/// The `iss` claim, which is the same in every cluster.
const ISSUER: &str = "kubernetes/serviceaccount";

/// Claims of the token of a Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretClaims {
    /// Issuer.
    iss: String,
    /// User name of the service account.
    #[serde(default)]
    pub sub: String,
    /// Namespace of the account and of the Secret.
    #[serde(rename = "kubernetes.io/serviceaccount/namespace", default)]
    pub namespace: String,
    /// Name of the Secret.
    #[serde(rename = "kubernetes.io/serviceaccount/secret.name", default)]
    pub secret: String,
    /// Name of the account.
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.name", default)]
    pub account: String,
    /// Uid of the account.
    #[serde(rename = "kubernetes.io/serviceaccount/service-account.uid", default)]
    pub account_uid: String,
}

impl SecretClaims {
    /// The claims of a Secret's token for an account of its namespace.
    pub fn new(namespace: &str, secret: &str, account: &str, account_uid: &str) -> Self {
        Self {
            iss: ISSUER.to_owned(),
            sub: service_account_name(namespace, account),
            namespace: namespace.to_owned(),
            secret: secret.to_owned(),
            account: account.to_owned(),
            account_uid: account_uid.to_owned(),
        }
    }
}

impl Issuer {
    /// Signs the token of a Secret.
    ///
    /// # Errors
    /// When the source of randomness fails.
    pub fn issue_for_secret(
        &self,
        claims: &SecretClaims,
        random: &dyn SecureRandom,
    ) -> Result<String, KeyError> {
        self.sign(claims, random)
    }

    /// The claims of a Secret's token that this issuer has signed. Whether the Secret still holds it is not checked.
    ///
    /// # Errors
    /// [`TokenError::Unknown`] for another token, [`TokenError::Signature`] for a forged one.
    pub fn verify_secret(&self, token: &str) -> Result<Arc<SecretClaims>, TokenError> {
        self.verified_secrets.get_or_read(token, || self.read(token, ISSUER))
    }
}
