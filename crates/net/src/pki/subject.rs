//! Certificates whose subject has several organizations.
//!
//! Kubernetes reads each organization of a client certificate as a group. `rcgen` keeps one value per attribute type,
//! so a client certificate is made with the user alone; then this module writes the whole subject into it and signs it
//! anew. It touches nothing else of the certificate.

use rcgen::{Error, KeyPair, SigningKey};
use rustls_pki_types::CertificateDer;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const BIT_STRING: u8 = 0x03;
/// X.520: commonName is 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// X.520: organizationName is 2.5.4.10.
const ORGANIZATION: [u8; 3] = [0x55, 0x04, 0x0a];
/// RFC 5280, section 4.1: version, serialNumber, signature, issuer and validity stand before the subject.
const BEFORE_SUBJECT: usize = 5;

/// The certificate with `user` and `groups` as its subject, signed again with its issuer's key.
pub(super) fn replace(
    certificate: &CertificateDer<'_>,
    user: &str,
    groups: &[&str],
    issuer: &KeyPair,
) -> Result<CertificateDer<'static>, Error> {
    let (certificate, _) = split(certificate)?;
    let (signed, rest) = split(content(certificate))?;
    let (algorithm, _) = split(rest)?;

    let mut fields = content(signed);
    let mut rewritten = Vec::with_capacity(signed.len());
    for _ in 0..BEFORE_SUBJECT {
        let (field, rest) = split(fields)?;
        rewritten.extend_from_slice(field);
        fields = rest;
    }
    let (_subject, after_subject) = split(fields)?;
    rewritten.extend(subject(user, groups));
    rewritten.extend_from_slice(after_subject);
    let signed = element(SEQUENCE, &rewritten);

    let signature = [vec![0], issuer.sign(&signed)?].concat();
    let whole = [signed, algorithm.to_vec(), element(BIT_STRING, &signature)].concat();
    Ok(element(SEQUENCE, &whole).into())
}

/// RFC 5280, section 4.1.2.4: a sequence of sets of one attribute each.
fn subject(user: &str, groups: &[&str]) -> Vec<u8> {
    let organizations = groups.iter().map(|group| attribute(&ORGANIZATION, group));
    let attributes: Vec<u8> = organizations.chain([attribute(&COMMON_NAME, user)]).flatten().collect();
    element(SEQUENCE, &attributes)
}

fn attribute(identifier: &[u8], value: &str) -> Vec<u8> {
    let pair = [element(OBJECT_IDENTIFIER, identifier), element(UTF8_STRING, value.as_bytes())].concat();
    element(SET, &element(SEQUENCE, &pair))
}

/// One DER element: tag, length, content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = &length[length.iter().take_while(|byte| **byte == 0).count()..];
    let mut encoded = vec![tag];
    match (length, content.len()) {
        ([], _) => encoded.push(0),
        (&[short], 0..128) => encoded.push(short),
        (long, _) => {
            encoded.push(0x80 | u8::try_from(long.len()).expect("a length has at most 8 bytes"));
            encoded.extend_from_slice(long);
        }
    }
    encoded.extend_from_slice(content);
    encoded
}

/// Bytes of tag and length at the start of an element.
fn header(der: &[u8]) -> Option<(usize, usize)> {
    let first = usize::from(*der.get(1)?);
    if first < 0x80 {
        return Some((2, first));
    }
    let bytes = der.get(2..2 + (first & 0x7f))?;
    let length =
        bytes.iter().try_fold(0usize, |length, byte| length.checked_mul(256)?.checked_add((*byte).into()))?;
    Some((2 + bytes.len(), length))
}

/// The first element, whole, and what comes after it.
fn split(der: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    header(der)
        .and_then(|(start, length)| der.split_at_checked(start.checked_add(length)?))
        .ok_or(Error::CouldNotParseCertificate)
}

/// The content of an element that [`split`] returned.
fn content(element: &[u8]) -> &[u8] {
    header(element).and_then(|(start, _)| element.get(start..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_read() {
        for length in [0, 1, 127, 128, 255, 256, 65_535, 65_536] {
            let encoded = element(SEQUENCE, &vec![7; length]);
            let (whole, rest) = split(&encoded).expect("an element");
            assert_eq!((content(whole).len(), rest.len()), (length, 0), "{length}");
        }
    }

    #[test]
    fn cut_off_elements_are_refused() {
        let encoded = element(SEQUENCE, &[7; 300]);
        for length in [0, 1, 2, 3, 100, 303] {
            assert!(split(&encoded[..length]).is_err(), "{length}");
        }
    }
}
