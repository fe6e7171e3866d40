//! `certificates.k8s.io/v1` CertificateSigningRequest.

use serde::Deserialize;

use super::{Condition, View};
use crate::resources::{self, StaticResource};

/// A request for a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateSigningRequest<'a> {
    /// What is asked for, and who asks.
    #[serde(borrow)]
    pub spec: CertificateSigningRequestSpec<'a>,
    /// What was decided.
    #[serde(borrow)]
    pub status: CertificateSigningRequestStatus<'a>,
}

/// `spec` of a CertificateSigningRequest. The API server sets the fields about the requester.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateSigningRequestSpec<'a> {
    /// The request (PKCS #10): base64 of its PEM text.
    pub request: &'a str,
    /// Who shall sign.
    pub signer_name: &'a str,
    /// The life that is asked for, in seconds.
    pub expiration_seconds: Option<i64>,
    /// What the key may be used for.
    #[serde(borrow)]
    pub usages: Vec<&'a str>,
    /// The user who asks.
    pub username: &'a str,
    /// Groups of that user.
    #[serde(borrow)]
    pub groups: Vec<&'a str>,
}

/// `status` of a CertificateSigningRequest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateSigningRequestStatus<'a> {
    /// `Approved`, `Denied` and `Failed`.
    #[serde(borrow)]
    pub conditions: Vec<Condition<'a>>,
    /// The certificate: base64 of its PEM text.
    pub certificate: &'a str,
}

impl<'a> View<'a> for CertificateSigningRequest<'a> {
    const RESOURCE: StaticResource = resources::CERTIFICATE_SIGNING_REQUEST;
}

impl CertificateSigningRequest<'_> {
    /// Whether a condition of the type is set. Such conditions are always true.
    pub fn is(&self, kind: &str) -> bool {
        self.status.conditions.iter().any(|condition| condition.kind == kind)
    }

    /// Whether it is neither approved, denied nor signed.
    pub fn is_pending(&self) -> bool {
        !self.is("Approved") && !self.is("Denied") && self.status.certificate.is_empty()
    }
}
