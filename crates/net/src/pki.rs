//! The certificate authority of a control plane, and the certificates it issues.
//!
//! Keys are ECDSA P-256. Kubernetes reads a client from the certificate's subject: the common name is the user, the
//! organization is a group. `rcgen` writes one organization, so a client has at most one group here. Nothing here opens
//! a socket; `tls` uses the certificates.

mod files;
mod inspect;
mod request;
mod sec1;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, SerialNumber,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::files::FileError;

pub use inspect::{pem, validity};
pub use request::{NewRequest, Requested};
pub use sec1::to_sec1;

/// Certificates are valid from this long before they are issued, for readers with clocks that are behind.
const BACK_DATED: Duration = Duration::from_secs(3600);
/// Life of an authority.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Why a certificate cannot be issued or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),

    /// One file of a pair is missing.
    #[error("{} is missing beside {}: {advice}", missing.display(), present.display())]
    Incomplete {
        /// The missing file.
        missing: PathBuf,
        /// The other file of the pair.
        present: PathBuf,
        /// The next step.
        advice: &'static str,
    },

    /// A file cannot be used.
    #[error("{} {fault}: {advice}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The mistake.
        fault: String,
        /// The next step.
        advice: &'static str,
    },

    /// The certificate is no longer valid.
    #[error("{} expired at {at}: {advice}", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// When it expired.
        at: Timestamp,
        /// The next step.
        advice: &'static str,
    },

    /// A name cannot be used in a certificate.
    #[error("{name:?} cannot be used in a certificate: {reason}")]
    Name {
        /// The user, group or host name.
        name: String,
        /// The cause.
        reason: &'static str,
    },

    /// A request for a certificate cannot be answered.
    #[error("the certificate request cannot be answered: {0}")]
    Request(String),

    /// The certificate cannot be made.
    #[error("cannot make a certificate")]
    Make(#[source] rcgen::Error),
}

/// A certificate authority, with its private key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    expires: Timestamp,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// The names by which clients reach a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerNames {
    /// The common name. Clients do not check it.
    pub common_name: String,
    /// Host names.
    pub dns: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
}

impl Authority {
    /// Makes a new authority with a new key, valid for ten years.
    ///
    /// # Errors
    /// [`PkiError::Name`] or [`PkiError::Make`].
    pub fn create(common_name: &str, now: Timestamp) -> Result<Self, PkiError> {
        let mut params = params(now, saturating_add(now, AUTHORITY_LIFETIME));
        params.distinguished_name = common_name_only(common_name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let key = new_key()?;
        let certificate = params.self_signed(&key).map_err(PkiError::Make)?;
        let (der, pem) = (certificate.der().clone(), certificate.pem());
        let expires = timestamp(params.not_after.unix_timestamp());
        Ok(Self { issuer: Issuer::new(params, key), certificate: der, pem, expires })
    }

    /// Issues a server's certificate. It never outlives the authority.
    ///
    /// # Errors
    /// [`PkiError::Name`] when a host name is invalid, or [`PkiError::Make`].
    pub fn issue_server(
        &self,
        names: &ServerNames,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<Identity, PkiError> {
        let mut params = params(now, saturating_add(now, lifetime).min(self.expires));
        params.distinguished_name = common_name_only(&names.common_name)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for name in &names.dns {
            let name = name
                .as_str()
                .try_into()
                .map_err(|_| PkiError::Name { name: name.clone(), reason: "a host name is ASCII" })?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params.subject_alt_names.extend(names.addresses.iter().copied().map(SanType::IpAddress));
        let key = new_key()?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(PkiError::Make)?;
        Ok(Identity::new(certificate.der().clone(), &key, &params))
    }

    /// Issues a client's certificate for a user, and a group if it has one. It never outlives the authority.
    ///
    /// # Errors
    /// [`PkiError::Name`] when the user or the group is empty, or [`PkiError::Make`].
    pub fn issue_client(
        &self,
        user: &str,
        group: Option<&str>,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<Identity, PkiError> {
        let mut params = params(now, saturating_add(now, lifetime).min(self.expires));
        params.distinguished_name = common_name_only(user)?;
        if let Some(group) = group {
            if group.is_empty() {
                return Err(PkiError::Name { name: String::new(), reason: "the group is empty" });
            }
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = new_key()?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(PkiError::Make)?;
        Ok(Identity::new(certificate.der().clone(), &key, &params))
    }

    /// The authority's certificate, which clients need to verify others.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// [`Authority::certificate`] as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// The end of the authority, and of every certificate that it issued.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

/// A certificate with its private key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    certificate_pem: String,
    key_pem: String,
    not_before: Timestamp,
    expires: Timestamp,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            certificate_pem: self.certificate_pem.clone(),
            key_pem: self.key_pem.clone(),
            not_before: self.not_before,
            expires: self.expires,
        }
    }
}

impl Identity {
    fn new(certificate: CertificateDer<'static>, key: &KeyPair, params: &CertificateParams) -> Self {
        let key_pem = key.serialize_pem();
        Self {
            certificate_pem: inspect::pem(&certificate),
            chain: vec![certificate],
            key: PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).expect("a key that was just written"),
            key_pem,
            not_before: timestamp(params.not_before.unix_timestamp()),
            expires: timestamp(params.not_after.unix_timestamp()),
        }
    }

    /// The certificate, followed by any intermediate ones.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The private key.
    pub fn key(&self) -> &PrivateKeyDer<'static> {
        &self.key
    }

    /// [`Identity::chain`] as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// [`Identity::key`] as PEM. A secret.
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The first instant at which the certificate is valid; an hour before it was issued.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last instant at which the certificate is valid.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

fn params(now: Timestamp, expires: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    let date = |at: Timestamp| {
        let since = u64::try_from(at.as_second()).unwrap_or_default();
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(since)
    };
    params.not_before = date(now.checked_sub(BACK_DATED).unwrap_or(now));
    params.not_after = date(expires);
    params.serial_number = Some(serial_number());
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

/// RFC 5280, section 4.1.2.2: positive, unique for the issuer, at most 20 bytes.
fn serial_number() -> SerialNumber {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn new_key() -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(PkiError::Make)
}

fn common_name_only(name: &str) -> Result<DistinguishedName, PkiError> {
    if name.is_empty() {
        return Err(PkiError::Name { name: String::new(), reason: "the common name is empty" });
    }
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    Ok(distinguished)
}

fn saturating_add(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
