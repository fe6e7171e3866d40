//! Reads the PEM texts of signing requests: the request itself (PKCS #10), and the certificates that answer it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::error::X509Error;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The label of a PKCS #10 request.
const REQUEST: &str = "CERTIFICATE REQUEST";
/// The label of a certificate.
const CERTIFICATE: &str = "CERTIFICATE";

/// The start of a block.
const BEGIN: &[u8] = b"-----BEGIN";

/// Why a PEM text cannot be used; the texts are upstream's where it has one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum PemFault {
    #[error("PEM block type must be CERTIFICATE REQUEST")]
    NoRequest,
    #[error("the PEM block is not a PKCS #10 certificate request")]
    MalformedRequest,
    #[error(
        "the signature algorithm of the request is not supported; use RSA of 2048 to 8192 bits, ECDSA with P-256 or P-384, or Ed25519"
    )]
    Algorithm,
    #[error("the signature of the request does not fit its public key")]
    Signature,
    #[error("an organization in the subject of the request is not text")]
    Organization,
    #[error("must contain at least one CERTIFICATE PEM block")]
    NoCertificate,
    #[error("only CERTIFICATE PEM blocks are allowed, found {0:?}")]
    OtherBlock(String),
    #[error("a CERTIFICATE PEM block is not an X.509 certificate")]
    MalformedCertificate,
    #[error("the PEM text is damaged")]
    Damaged,
}

/// The organizations in the subject of a request, which become the groups of the user of its certificate.
///
/// # Errors
/// When the bytes are not a request in PEM with a valid signature, or an organization is not text.
pub(super) fn organizations(request: &Value) -> Result<Vec<String>, PemFault> {
    let bytes = decoded(request).ok_or(PemFault::NoRequest)?;
    // With a second block, another reader could take that one for the request.
    if bytes.windows(BEGIN.len()).filter(|part| *part == BEGIN).count() != 1 {
        return Err(PemFault::NoRequest);
    }
    let block = Pem::iter_from_buffer(&bytes).next().and_then(Result::ok);
    let block = block.filter(|block| block.label == REQUEST).ok_or(PemFault::NoRequest)?;
    let (rest, parsed) =
        X509CertificationRequest::from_der(&block.contents).map_err(|_| PemFault::MalformedRequest)?;
    if !rest.is_empty() {
        return Err(PemFault::MalformedRequest);
    }
    parsed.verify_signature().map_err(|error| match error {
        X509Error::SignatureUnsupportedAlgorithm => PemFault::Algorithm,
        _ => PemFault::Signature,
    })?;
    let organizations = parsed.certification_request_info.subject.iter_organization();
    organizations.map(|name| name.as_str().map(str::to_owned).map_err(|_| PemFault::Organization)).collect()
}

/// Checks that the bytes are certificates in PEM and nothing else.
///
/// # Errors
/// When there is no certificate, another block, or a block that cannot be parsed.
pub(super) fn check_certificates(certificates: &Value) -> Result<(), PemFault> {
    let bytes = decoded(certificates).ok_or(PemFault::NoCertificate)?;
    let mut is_empty = true;
    for block in Pem::iter_from_buffer(&bytes) {
        let block = block.map_err(|_| PemFault::Damaged)?;
        if block.label != CERTIFICATE {
            return Err(PemFault::OtherBlock(block.label));
        }
        X509Certificate::from_der(&block.contents).map_err(|_| PemFault::MalformedCertificate)?;
        is_empty = false;
    }
    if is_empty { Err(PemFault::NoCertificate) } else { Ok(()) }
}

/// The bytes of a field of type `[]byte`; `None` when it is missing or not base64.
fn decoded(field: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(field.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};
    use serde_json::json;

    use super::*;

    fn encoded(text: &str) -> Value {
        json!(STANDARD.encode(text))
    }

    fn request(organizations: &[&str]) -> String {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, "alice");
        for organization in organizations {
            parameters.distinguished_name.push(DnType::OrganizationName, *organization);
        }
        parameters.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap()
    }

    #[test]
    fn requests_are_parsed_and_verified() {
        assert_eq!(organizations(&encoded(&request(&["devs"]))), Ok(vec!["devs".to_owned()]));
        let text = request(&[]);
        let body: Vec<&str> = text.lines().collect();
        let mut der = STANDARD.decode(body[1..body.len() - 1].concat()).unwrap();
        let last = der.len() - 1;
        der[last] ^= 1;
        let forged = format!(
            "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
            STANDARD.encode(&der)
        );
        let certificate =
            CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
        let cases = [
            ("no base64", json!("%"), PemFault::NoRequest),
            ("missing", Value::Null, PemFault::NoRequest),
            ("no PEM", json!("anVuaw=="), PemFault::NoRequest),
            ("a certificate", encoded(&certificate), PemFault::NoRequest),
            ("two requests", encoded(&format!("{text}{text}")), PemFault::NoRequest),
            (
                "no PKCS #10",
                encoded("-----BEGIN CERTIFICATE REQUEST-----\nanVuaw==\n-----END CERTIFICATE REQUEST-----\n"),
                PemFault::MalformedRequest,
            ),
            ("forged", encoded(&forged), PemFault::Signature),
        ];
        for (name, field, want) in cases {
            assert_eq!(organizations(&field), Err(want), "{name}");
        }
    }

    #[test]
    fn certificates_are_parsed() {
        let certificate =
            CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
        let cases = [
            ("one", encoded(&certificate), Ok(())),
            ("two", encoded(&format!("{certificate}{certificate}")), Ok(())),
            ("none", encoded("text"), Err(PemFault::NoCertificate)),
            (
                "a request beside it",
                encoded(&format!("{certificate}{}", request(&[]))),
                Err(PemFault::OtherBlock("CERTIFICATE REQUEST".to_owned())),
            ),
            (
                "no X.509",
                encoded("-----BEGIN CERTIFICATE-----\nanVuaw==\n-----END CERTIFICATE-----\n"),
                Err(PemFault::MalformedCertificate),
            ),
        ];
        for (name, field, want) in cases {
            assert_eq!(check_certificates(&field), want, "{name}");
        }
    }
}
