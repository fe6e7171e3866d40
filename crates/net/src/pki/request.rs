//! Certificate requests (PKCS #10): making one for a client, reading one, and answering one.

use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    KeyUsagePurpose,
};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::ParsedExtension;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;

use super::{Authority, PkiError, common_name_only, inspect, new_key, params, saturating_add};

/// The label of a PKCS #10 request in PEM.
const LABEL: &str = "CERTIFICATE REQUEST";

/// A request for a client's certificate, with the private key that only the client has.
#[derive(Clone)]
pub struct NewRequest {
    /// The request, PEM.
    pub request_pem: String,
    /// The private key, PEM. A secret.
    pub key_pem: String,
}

impl std::fmt::Debug for NewRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewRequest").finish_non_exhaustive()
    }
}

impl NewRequest {
    /// A request of a new key for a user and one group.
    ///
    /// # Errors
    /// [`PkiError::Name`] when the user is empty, or [`PkiError::Make`].
    pub fn for_client(user: &str, group: &str) -> Result<Self, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name_only(user)?;
        params.distinguished_name.push(DnType::OrganizationName, group);
        let key = new_key()?;
        let request = params.serialize_request(&key).map_err(PkiError::Make)?;
        let request_pem = request.pem().map_err(PkiError::Make)?;
        Ok(Self { request_pem, key_pem: key.serialize_pem() })
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requested {
    /// The common names of the subject; the first one is the user.
    pub common_names: Vec<String>,
    /// The organizations of the subject, which become groups.
    pub organizations: Vec<String>,
    /// Whether the request names hosts, addresses, URIs or mail addresses.
    pub has_alternative_names: bool,
}

impl Requested {
    /// Reads a request in PEM; `None` if it is not one, or its signature does not fit its key.
    pub fn parse(pem: &[u8]) -> Option<Self> {
        let block = Pem::iter_from_buffer(pem).next()?.ok().filter(|block| block.label == LABEL)?;
        let (rest, parsed) = X509CertificationRequest::from_der(&block.contents).ok()?;
        if !rest.is_empty() {
            return None;
        }
        parsed.verify_signature().ok()?;
        let subject = &parsed.certification_request_info.subject;
        let common_names = subject.iter_common_name().map(|name| name.as_str().map(str::to_owned));
        let organizations = subject.iter_organization().map(|name| name.as_str().map(str::to_owned));
        let mut extensions = parsed.requested_extensions().into_iter().flatten();
        Some(Self {
            common_names: common_names.collect::<Result<_, _>>().ok()?,
            organizations: organizations.collect::<Result<_, _>>().ok()?,
            has_alternative_names: extensions
                .any(|extension| matches!(extension, ParsedExtension::SubjectAlternativeName(_))),
        })
    }
}

impl Authority {
    /// Answers a request for a client's certificate: PEM. Only the subject and the key of the request are used, with one
    /// common name and at most one organization. It never outlives the authority.
    ///
    /// # Errors
    /// [`PkiError::Request`] when the request cannot be answered, or [`PkiError::Make`].
    pub fn sign_client(
        &self,
        request_pem: &str,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<String, PkiError> {
        let refused = |reason: &str| PkiError::Request(reason.to_owned());
        let requested = Requested::parse(request_pem.as_bytes())
            .ok_or_else(|| refused("it is not a PKCS #10 request in PEM with a valid signature"))?;
        let [user] = &requested.common_names[..] else {
            return Err(refused("its subject must have one common name"));
        };
        if requested.organizations.len() > 1 {
            return Err(refused("its subject must have at most one organization"));
        }
        let read = CertificateSigningRequestParams::from_pem(request_pem);
        let read = read.map_err(|error| refused(&error.to_string()))?;
        let mut params = params(now, saturating_add(now, lifetime).min(self.expires));
        params.distinguished_name = subject(user, requested.organizations.first())?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&read.public_key, &self.issuer).map_err(PkiError::Make)?;
        Ok(inspect::pem(certificate.der()))
    }
}

fn subject(user: &str, group: Option<&String>) -> Result<DistinguishedName, PkiError> {
    let mut subject = common_name_only(user)?;
    if let Some(group) = group {
        subject.push(DnType::OrganizationName, group);
    }
    Ok(subject)
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::X509Certificate;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_request_is_answered_with_its_subject_and_its_key() {
        let authority = Authority::create("hub-ca", now()).unwrap();
        let new = NewRequest::for_client("system:karmada:agent:eu", "system:karmada:agents").unwrap();
        let requested = Requested::parse(new.request_pem.as_bytes()).unwrap();
        assert_eq!(requested.common_names, ["system:karmada:agent:eu"]);
        assert_eq!(requested.organizations, ["system:karmada:agents"]);
        assert!(!requested.has_alternative_names);

        let pem = authority.sign_client(&new.request_pem, Duration::from_secs(3600), now()).unwrap();
        let block = Pem::iter_from_buffer(pem.as_bytes()).next().unwrap().unwrap();
        let (_, certificate) = X509Certificate::from_der(&block.contents).unwrap();
        let subject = certificate.subject();
        assert_eq!(subject.iter_common_name().next().unwrap().as_str().unwrap(), "system:karmada:agent:eu");
        assert_eq!(subject.iter_organization().next().unwrap().as_str().unwrap(), "system:karmada:agents");
        assert_eq!(certificate.validity().not_after.timestamp(), now().as_second() + 3600);
        assert!(!certificate.is_ca());
        assert!(certificate.extended_key_usage().unwrap().unwrap().value.client_auth);
    }

    #[test]
    fn a_request_for_an_authority_gets_a_client_certificate() {
        let authority = Authority::create("hub-ca", now()).unwrap();
        let mut params = CertificateParams::new(vec!["hub.example".to_owned()]).unwrap();
        params.distinguished_name = common_name_only("eve").unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let request = params.serialize_request(&new_key().unwrap()).unwrap().pem().unwrap();
        assert!(Requested::parse(request.as_bytes()).unwrap().has_alternative_names);
        let pem = authority.sign_client(&request, Duration::from_secs(3600), now()).unwrap();
        let block = Pem::iter_from_buffer(pem.as_bytes()).next().unwrap().unwrap();
        let (_, certificate) = X509Certificate::from_der(&block.contents).unwrap();
        assert!(!certificate.is_ca());
        assert!(certificate.subject_alternative_name().unwrap().is_none());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let authority = Authority::create("hub-ca", now()).unwrap();
        for text in ["", "eve", authority.certificate_pem()] {
            assert_eq!(Requested::parse(text.as_bytes()), None, "{text}");
            let error = authority.sign_client(text, Duration::from_secs(60), now()).unwrap_err();
            assert!(error.to_string().contains("PKCS #10"), "{error}");
        }
    }
}
