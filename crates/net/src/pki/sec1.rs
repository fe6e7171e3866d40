//! Keys in the form of SEC 1 (RFC 5915): some clients read keys of elliptic curves in no other one, such as the Java client
//! of fabric8.

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

use super::inspect;

/// `[0] { OBJECT IDENTIFIER prime256v1 }`
const P256: &[u8] = &[0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// What stands before the secret number: `INTEGER 1`, `OCTET STRING` of 32 bytes.
const SECRET: &[u8] = &[0x02, 0x01, 0x01, 0x04, 0x20];
/// What stands before the public point: `BIT STRING` of 65 bytes.
const PUBLIC: &[u8] = &[0x03, 0x42, 0x00];

/// The same key as `EC PRIVATE KEY`; `None` when it is not a P-256 key in PKCS #8, as all keys of this module are.
pub fn to_sec1(key_pem: &str) -> Option<String> {
    let PrivateKeyDer::Pkcs8(key) = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).ok()? else {
        return None;
    };
    let key = key.secret_pkcs8_der();
    // The algorithm of PKCS #8 names the same curve.
    after(key, &P256[2..])?;
    let (secret, public) = (after(key, SECRET)?.get(..32)?, after(key, PUBLIC)?.get(..65)?);
    let point = [&[0xa1, 0x44], PUBLIC, public].concat();
    let content = [SECRET, secret, P256, &point].concat();
    let sequence = [&[0x30, u8::try_from(content.len()).ok()?], content.as_slice()].concat();
    Some(inspect::labelled("EC PRIVATE KEY", &sequence))
}

/// What follows the first occurrence of `mark`.
fn after<'k>(key: &'k [u8], mark: &[u8]) -> Option<&'k [u8]> {
    let start = key.windows(mark.len()).position(|window| window == mark)?;
    key.get(start + mark.len()..)
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};

    use super::*;

    #[test]
    fn the_key_stays_the_same() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let pem = to_sec1(&key.serialize_pem()).unwrap();
        assert!(pem.starts_with("-----BEGIN EC PRIVATE KEY-----\n"), "{pem}");
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        assert!(matches!(der, PrivateKeyDer::Sec1(_)));
        let provider = crate::tls::provider();
        let read = provider.key_provider.load_private_key(der).unwrap();
        assert_eq!(read.public_key().unwrap().as_ref(), key.subject_public_key_info());
        assert_eq!(to_sec1(&pem), None, "only keys in PKCS #8 are converted");
    }
}
