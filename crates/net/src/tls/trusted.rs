//! Verifies servers with the authorities that a user has named.
//!
//! As for Go's clients, a server may present one of the named certificates itself (go crypto/x509/verify.go). One that `openssl req
//! -x509` made says that it is an authority; webpki accepts no authority as a server.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why certificates cannot be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// One cannot be used.
    #[error(transparent)]
    Invalid(#[from] rustls::Error),
    /// There is no certificate.
    #[error(transparent)]
    None(#[from] VerifierBuilderError),
}

/// Accepts servers with a certificate that one of `authorities` has signed, or that is one of them.
///
/// # Errors
/// If one of them cannot be used, or `authorities` is empty.
pub fn trusting(
    authorities: Vec<CertificateDer<'static>>,
) -> Result<Arc<dyn ServerCertVerifier>, TrustError> {
    let mut roots = RootCertStore::empty();
    for authority in &authorities {
        roots.add(authority.clone())?;
    }
    let signed = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), super::provider()).build()?;
    Ok(Arc::new(Trusting { authorities, signed }))
}

#[derive(Debug)]
struct Trusting {
    authorities: Vec<CertificateDer<'static>>,
    signed: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.signed.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let refusal = match verified {
            Ok(verified) => return Ok(verified),
            Err(refusal) => refusal,
        };
        let is_named = self.authorities.iter().any(|authority| authority.as_ref() == end_entity.as_ref());
        let Some((_, parsed)) = X509Certificate::from_der(end_entity).ok().filter(|_| is_named) else {
            return Err(refusal);
        };
        may_be_a_server(&parsed, now, refusal)?;
        verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
}

/// Whether a trusted certificate is valid now, and not reserved for other uses; that is answered with `refusal`.
fn may_be_a_server(
    certificate: &X509Certificate<'_>,
    now: UnixTime,
    refusal: rustls::Error,
) -> Result<(), rustls::Error> {
    let validity = certificate.validity();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    match certificate.extended_key_usage() {
        Ok(None) => Ok(()),
        Ok(Some(usage)) if usage.value.any || usage.value.server_auth => Ok(()),
        _ => Err(refusal),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, date_time_ymd};

    use super::*;

    /// A certificate for `api.test` that signed itself, as an authority, valid in 2026.
    fn own(usages: Vec<ExtendedKeyUsagePurpose>) -> CertificateDer<'static> {
        let mut parameters = CertificateParams::new(vec!["api.test".to_owned()]).expect("a name");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.extended_key_usages = usages;
        (parameters.not_before, parameters.not_after) =
            (date_time_ymd(2026, 1, 1), date_time_ymd(2027, 1, 1));
        let key = KeyPair::generate().expect("a key");
        parameters.self_signed(&key).expect("signed").der().clone()
    }

    /// The answer to `certificate`, for a server of `name`, `days` after the start of 2026.
    fn answer(
        trusted: &CertificateDer<'static>,
        certificate: &CertificateDer<'static>,
        name: &str,
        days: u64,
    ) -> Result<(), String> {
        let verifier = trusting(vec![trusted.clone()]).expect("usable");
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let start_of_2026 = Duration::from_secs(1_767_225_600);
        let now = UnixTime::since_unix_epoch(start_of_2026 + Duration::from_secs(days * 86_400));
        let verified = verifier.verify_server_cert(certificate, &[], &name, &[], now);
        verified.map(drop).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn a_trusted_certificate_may_be_that_of_the_server_although_it_is_an_authority() {
        let [own_one, other] = [own(vec![]), own(vec![])];
        assert_eq!(answer(&own_one, &own_one, "api.test", 30), Ok(()));
        let for_servers = own(vec![ExtendedKeyUsagePurpose::ServerAuth]);
        assert_eq!(answer(&for_servers, &for_servers, "api.test", 30), Ok(()));
        for (what, refused, cause) in [
            ("another one", answer(&own_one, &other, "api.test", 30), "InvalidCertificate"),
            ("another name", answer(&own_one, &own_one, "other.test", 30), "NotValidForName"),
            ("expired", answer(&own_one, &own_one, "api.test", 400), "Expired"),
        ] {
            assert!(refused.clone().is_err_and(|error| error.contains(cause)), "{what}: {refused:?}");
        }
        let for_clients = own(vec![ExtendedKeyUsagePurpose::ClientAuth]);
        assert!(answer(&for_clients, &for_clients, "api.test", 30).is_err());
        assert!(matches!(trusting(Vec::new()), Err(TrustError::None(_))));
    }
}
