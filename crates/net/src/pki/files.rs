//! Authorities and identities as pairs of PEM files.
//!
//! The key is written before the certificate. A process that dies in between leaves a key that has issued nothing: the
//! pair is then made again. A certificate without its key is an error.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rcgen::{Issuer, KeyPair, PublicKeyData};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::inspect::{Facts, facts};
use super::{Authority, Identity, PkiError};
use crate::files::{read_text, write_private};

const AUTHORITY_CERTIFICATE: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const RENEW_AUTHORITY: &str = "restore both files from a backup, or remove both to get a new authority; kubeconfigs issued before are then refused";
const RENEW_IDENTITY: &str = "remove it to have a new one issued";

impl Authority {
    /// Loads the authority kept in `directory` (`ca.crt` and `ca.key`, 0600), or makes one there.
    ///
    /// # Errors
    /// [`PkiError`] naming the file and the next step when the authority cannot be used, is expired, or does not match its
    /// key. It is never replaced, because every certificate that it issued would become invalid.
    pub fn open(directory: &Path, common_name: &str, now: Timestamp) -> Result<Self, PkiError> {
        let pair = Pair::of_authority(directory);
        if pair.certificate.exists() {
            return Self::load(directory, now);
        }
        let authority = Self::create(common_name, now)?;
        pair.write(&authority.pem, &authority.issuer.key().serialize_pem())?;
        Ok(authority)
    }

    /// Loads the authority kept in `directory`.
    ///
    /// # Errors
    /// As [`Authority::open`], and when the files do not exist.
    pub fn load(directory: &Path, now: Timestamp) -> Result<Self, PkiError> {
        let pair = Pair::of_authority(directory);
        let loaded = pair.load(now)?;
        if !loaded.facts.is_authority {
            return Err(pair.unusable("is not the certificate of an authority"));
        }
        let certificate = loaded.chain[0].clone();
        let issuer = Issuer::from_ca_cert_der(&certificate, loaded.key)
            .map_err(|error| pair.unusable(&format!("cannot sign ({error})")))?;
        Ok(Self { issuer, certificate, pem: loaded.certificate_pem, expires: loaded.facts.expires })
    }
}

impl Identity {
    /// Writes the certificate and the key, both 0600.
    ///
    /// # Errors
    /// [`PkiError::File`].
    pub fn write(&self, certificate: &Path, key: &Path) -> Result<(), PkiError> {
        Pair::of_identity(certificate, key).write(&self.certificate_pem, &self.key_pem)
    }

    /// Reads what [`Identity::write`] wrote, or any PEM pair with a PKCS #8 ECDSA key.
    ///
    /// # Errors
    /// [`PkiError`] naming the file and the next step.
    pub fn load(certificate: &Path, key: &Path, now: Timestamp) -> Result<Self, PkiError> {
        let pair = Pair::of_identity(certificate, key);
        let loaded = pair.load(now)?;
        let key = PrivateKeyDer::from_pem_slice(loaded.key_pem.as_bytes())
            .map_err(|error| pair.unusable_key(&format!("is not a private key ({error})")))?;
        Ok(Self {
            chain: loaded.chain,
            key,
            certificate_pem: loaded.certificate_pem,
            key_pem: loaded.key_pem,
            not_before: loaded.facts.not_before,
            expires: loaded.facts.expires,
        })
    }
}

/// A certificate file and its key file.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
    /// The next step when they cannot be used.
    advice: &'static str,
}

struct Loaded {
    chain: Vec<CertificateDer<'static>>,
    facts: Facts,
    key: KeyPair,
    certificate_pem: String,
    key_pem: String,
}

impl Pair {
    fn of_authority(directory: &Path) -> Self {
        Self {
            certificate: directory.join(AUTHORITY_CERTIFICATE),
            key: directory.join(AUTHORITY_KEY),
            advice: RENEW_AUTHORITY,
        }
    }

    fn of_identity(certificate: &Path, key: &Path) -> Self {
        Self { certificate: certificate.to_owned(), key: key.to_owned(), advice: RENEW_IDENTITY }
    }

    fn write(&self, certificate_pem: &str, key_pem: &str) -> Result<(), PkiError> {
        write_private(&self.key, key_pem.as_bytes())?;
        write_private(&self.certificate, certificate_pem.as_bytes())?;
        Ok(())
    }

    fn load(&self, now: Timestamp) -> Result<Loaded, PkiError> {
        let certificate_pem = read_text(&self.certificate)?;
        if !self.key.exists() {
            return Err(PkiError::Incomplete {
                missing: self.key.clone(),
                present: self.certificate.clone(),
                advice: self.advice,
            });
        }
        let key_pem = read_text(&self.key)?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| self.unusable(&format!("is not PEM ({error})")))?;
        let facts = chain.first().and_then(facts).ok_or_else(|| self.unusable("holds no certificate"))?;
        let key = KeyPair::from_pem(&key_pem)
            .map_err(|error| self.unusable_key(&format!("is not a private key ({error})")))?;
        if key.subject_public_key_info() != facts.public_key {
            return Err(self.unusable_key(&format!("does not belong to {}", self.certificate.display())));
        }
        if facts.expires <= now {
            let (path, at) = (self.certificate.clone(), facts.expires);
            return Err(PkiError::Expired { path, at, advice: self.advice });
        }
        Ok(Loaded { chain, facts, key, certificate_pem, key_pem })
    }

    fn unusable(&self, fault: &str) -> PkiError {
        PkiError::Unusable { path: self.certificate.clone(), fault: fault.to_owned(), advice: self.advice }
    }

    fn unusable_key(&self, fault: &str) -> PkiError {
        PkiError::Unusable { path: self.key.clone(), fault: fault.to_owned(), advice: self.advice }
    }
}
