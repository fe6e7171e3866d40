//! How a client that has only a bootstrap token verifies an API server: the signature of `kube-public/cluster-info` by the
//! token, and the hash of the public key of its authority.
//!
//! Upstream: kubernetes staging/src/k8s.io/cluster-bootstrap (token/jws) and cmd/kubeadm/app/util/pubkeypin.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{digest, hmac};
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Prefix of a hash.
const ALGORITHM: &str = "sha256:";

/// A JSON web signature of `content` without its payload (RFC 7515, appendix F), with the algorithm `HS256`.
pub fn signature(content: &str, id: &str, secret: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"HS256","kid":"{id}"}}"#));
    let text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(content));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), text.as_bytes());
    format!("{header}..{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

/// Whether `signature` is that of `content` by the token `id.secret`, whatever the order of the fields in its header.
pub fn is_signed(content: &str, signature: &str, secret: &str) -> bool {
    let Some((header, tag)) = signature.split_once("..") else { return false };
    let Ok(tag) = URL_SAFE_NO_PAD.decode(tag) else { return false };
    let algorithm = URL_SAFE_NO_PAD.decode(header).ok();
    let is_known = algorithm
        .and_then(|header| serde_json::from_slice::<serde_json::Value>(&header).ok())
        .is_some_and(|header| header["alg"] == "HS256");
    let text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(content));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    is_known && hmac::verify(&key, text.as_bytes(), &tag).is_ok()
}

/// The hashes of the public keys of the certificates in `pem`: `sha256:` and hexadecimal digits.
pub fn public_key_hashes(pem: &[u8]) -> Vec<String> {
    let blocks = Pem::iter_from_buffer(pem).filter_map(Result::ok);
    blocks
        .filter_map(|block| {
            let (_, certificate) = X509Certificate::from_der(&block.contents).ok()?;
            let digest = digest::digest(&digest::SHA256, certificate.public_key().raw);
            let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            Some(format!("{ALGORITHM}{digits}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Authority;

    #[test]
    fn a_signature_covers_the_header_and_the_content() {
        let made = signature("clusters: []\n", "abcdef", "0123456789abcdef");
        assert_eq!(
            made,
            "eyJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZiJ9..aiG7z8XWjjzLz3AwuhjgjACCUfWawXW2oX1uxgNWBSg"
        );
        assert!(is_signed("clusters: []\n", &made, "0123456789abcdef"));
        for (name, content, signature, secret) in [
            ("another content", "clusters: [a]\n", made.as_str(), "0123456789abcdef"),
            ("another secret", "clusters: []\n", made.as_str(), "0123456789abcdee"),
            ("no algorithm", "clusters: []\n", "eyJhbGciOiJub25lIn0..", "0123456789abcdef"),
            ("no signature", "clusters: []\n", "", "0123456789abcdef"),
        ] {
            assert!(!is_signed(content, signature, secret), "{name}");
        }
    }

    #[test]
    fn a_key_has_one_hash() {
        let authority = Authority::create("hub-ca", "2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
        let hashes = public_key_hashes(authority.certificate_pem().as_bytes());
        assert_eq!(hashes.len(), 1);
        assert!(hashes[0].starts_with("sha256:") && hashes[0].len() == 7 + 64, "{hashes:?}");
        assert!(public_key_hashes(b"no certificate").is_empty());
    }
}
