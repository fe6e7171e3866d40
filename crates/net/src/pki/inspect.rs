//! Reading and printing certificates.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The fields of a certificate that decide whether it can be used.
pub(super) struct Facts {
    pub(super) not_before: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) is_authority: bool,
    /// SubjectPublicKeyInfo, DER.
    pub(super) public_key: Vec<u8>,
}

/// Reads a certificate; `None` if it cannot be parsed.
pub(super) fn facts(certificate: &CertificateDer<'_>) -> Option<Facts> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(Facts {
        not_before: super::timestamp(parsed.validity().not_before.timestamp()),
        expires: super::timestamp(parsed.validity().not_after.timestamp()),
        is_authority: parsed.is_ca(),
        public_key: parsed.public_key().raw.to_vec(),
    })
}

/// The first and the last valid instant of the first certificate in a PEM text; `None` if there is none.
pub fn validity(pem: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let block = x509_parser::pem::Pem::iter_from_buffer(pem).next()?.ok()?;
    let facts = facts(&CertificateDer::from(block.contents))?;
    Some((facts.not_before, facts.expires))
}

/// A DER certificate as PEM (RFC 7468): lines of 64 characters between two labels.
pub fn pem(certificate: &[u8]) -> String {
    labelled("CERTIFICATE", certificate)
}

/// DER as PEM with a label.
pub(super) fn labelled(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in body.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}
