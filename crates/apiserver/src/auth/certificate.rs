//! Users from client certificates.
//!
//! The TLS layer has verified the chain when the connection was opened. A connection can outlive its certificate, so the
//! time is checked for each request, as kube-apiserver does
//! (staging/src/k8s.io/apiserver/pkg/authentication/request/x509). Alternative names are ignored.

use jiff::Timestamp;
use ring::digest;
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::user::{CREDENTIAL_ID, User};

/// Subject attribute with the uid of the user: `1.3.6.1.4.1.57683.2`, assigned by Kubernetes.
const UID_ATTRIBUTE: &str = "1.3.6.1.4.1.57683.2";

/// Why a verified certificate has no user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It is not a certificate.
    #[error("the client certificate cannot be parsed")]
    Malformed,
    /// It, or a certificate that it was presented with, is not valid at this time.
    #[error("the client certificate has expired or is not yet valid")]
    OutOfTime,
    /// It has no common name.
    #[error("the client certificate has no common name")]
    Nameless,
    /// Its uid attribute is empty, repeated, or not a string.
    #[error("the client certificate has an unusable user identity: {0}")]
    Identity(&'static str),
}

/// The user of a verified chain, the client's own certificate first: the common name of that, with its organizations as
/// groups.
///
/// # Errors
/// When a certificate is not valid at `now`, there is no common name, or the uid attribute is not a single string.
pub fn user(chain: &[CertificateDer<'_>], now: Timestamp) -> Result<User, CertificateError> {
    let certificate: &[u8] = chain.first().ok_or(CertificateError::Malformed)?;
    for certificate in chain {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::Malformed)?;
        let validity = parsed.validity();
        let valid = validity.not_before.timestamp()..=validity.not_after.timestamp();
        if !valid.contains(&now.as_second()) {
            return Err(CertificateError::OutOfTime);
        }
    }
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::Malformed)?;
    let subject = parsed.subject();
    let name = subject.iter_common_name().last().and_then(|name| name.as_str().ok()).unwrap_or_default();
    if name.is_empty() {
        return Err(CertificateError::Nameless);
    }
    let groups = subject.iter_organization().filter_map(|group| group.as_str().ok());
    let mut user = User::new(name, groups);
    let mut identities =
        subject.iter_attributes().filter(|attribute| attribute.attr_type().to_id_string() == UID_ATTRIBUTE);
    if let Some(identity) = identities.next() {
        let text = identity.as_str().map_err(|_| CertificateError::Identity("it is not a string"))?;
        if text.is_empty() {
            return Err(CertificateError::Identity("it is empty"));
        }
        if identities.next().is_some() {
            return Err(CertificateError::Identity("there is more than one"));
        }
        text.clone_into(&mut user.uid);
    }
    let fingerprint = hexadecimal(digest::digest(&digest::SHA256, certificate).as_ref());
    user.extra.insert(CREDENTIAL_ID.to_owned(), vec![format!("X509SHA256={fingerprint}")]);
    Ok(user)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn certificate(attributes: &[(DnType, &str)]) -> CertificateDer<'static> {
        let mut parameters = CertificateParams::new(vec!["san.example".to_owned()]).unwrap();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in attributes {
            parameters.distinguished_name.push(kind.clone(), *value);
        }
        parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn names_become_users_and_groups() {
        let certificate = certificate(&[
            (DnType::CommonName, "alice"),
            (DnType::OrganizationName, "devs"),
            (DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 57683, 2]), "u-1"),
        ]);
        let user = user(&[certificate], Timestamp::now()).unwrap();
        assert_eq!((user.name.as_str(), user.uid.as_str()), ("alice", "u-1"));
        assert_eq!(user.groups, ["devs", "system:authenticated"]);
        let id = &user.extra[CREDENTIAL_ID][0];
        assert_eq!(id.len(), "X509SHA256=".len() + 64, "{id}");
    }

    #[test]
    fn certificates_without_a_user() {
        let uid = DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 57683, 2]);
        let cases = [
            (
                "no common name",
                certificate(&[(DnType::OrganizationName, "devs")]),
                CertificateError::Nameless,
            ),
            (
                "empty identity",
                certificate(&[(DnType::CommonName, "a"), (uid, "")]),
                CertificateError::Identity("it is empty"),
            ),
            ("not a certificate", CertificateDer::from(b"hello".to_vec()), CertificateError::Malformed),
        ];
        for (name, der, want) in cases {
            assert_eq!(user(&[der], Timestamp::now()).unwrap_err(), want, "{name}");
        }
    }

    #[test]
    fn a_certificate_is_valid_for_a_time_and_so_is_its_chain() {
        let (start, end) = (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2026, 2, 1));
        let short = {
            let mut parameters = CertificateParams::default();
            parameters.distinguished_name.push(DnType::CommonName, "alice");
            (parameters.not_before, parameters.not_after) = (start, end);
            parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
        };
        let long = certificate(&[(DnType::CommonName, "alice")]);
        let cases = [
            ("before", "2025-12-31T23:59:59Z", vec![short.clone()], false),
            ("first", "2026-01-01T00:00:00Z", vec![short.clone()], true),
            ("last", "2026-02-01T00:00:00Z", vec![short.clone()], true),
            ("after", "2026-02-01T00:00:01Z", vec![short.clone()], false),
            ("the issuer has expired", "2026-02-01T00:00:01Z", vec![long, short], false),
        ];
        for (name, now, chain, is_valid) in cases {
            let found = user(&chain, now.parse().unwrap()).map(|user| user.name);
            let want = if is_valid { Ok("alice".to_owned()) } else { Err(CertificateError::OutOfTime) };
            assert_eq!(found, want, "{name}");
        }
    }
}
