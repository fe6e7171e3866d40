//! The providers: how a value is encrypted, and the form of the result.
//!
//! ```text
//! k8s:enc:aesgcm:v1:KEY:     nonce of 12 bytes, ciphertext, tag; the key of the object in the store is authenticated too
//! k8s:enc:aescbc:v1:KEY:     initialization vector of 16 bytes, ciphertext with PKCS #7 padding; not authenticated
//! k8s:enc:secretbox:v1:KEY:  nonce of 24 bytes, tag, ciphertext (XSalsa20 and Poly1305, as NaCl)
//! ```

use std::fmt;

use aes::{Aes128, Aes192, Aes256};
use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead, AeadCore, KeyInit, Nonce, Payload};
use bytes::Bytes;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipher, BlockDecryptMut, BlockEncrypt, BlockEncryptMut, KeyIvInit};
use crypto_secretbox::XSalsa20Poly1305;

use super::MARK;

/// A key was made with a length that its provider takes.
const LENGTH: &str = "the configuration checks the length of keys";
/// The limit of the algorithms is far above the largest object.
const SIZE: &str = "a value has less than 64 GiB";

const GCM_NONCE_BYTES: usize = 12;
const CBC_VECTOR_BYTES: usize = 16;
const BOX_NONCE_BYTES: usize = 24;

/// A key with its name.
#[derive(Clone)]
pub(super) struct Key {
    name: Box<str>,
    secret: Box<[u8]>,
}

impl Key {
    pub(super) fn new(name: &str, secret: &[u8]) -> Self {
        Self { name: name.into(), secret: secret.into() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// A provider with its keys, of which the first one writes.
pub(super) enum Provider {
    AesGcm(Vec<Key>),
    AesCbc(Vec<Key>),
    Secretbox(Vec<Key>),
    /// Values in clear.
    Identity,
}

/// Why a value cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// No configuration is given.
    #[error(
        "it is encrypted with {0}, and the server has no encryption configuration: start it with \
         --encryption-provider-config"
    )]
    NoConfiguration(Origin),
    /// The configuration lacks the key.
    #[error(
        "it is encrypted with {0}, which the encryption configuration does not have for this resource: add it there"
    )]
    UnknownKey(Origin),
    /// The key does not fit, or the value was changed.
    #[error(
        "{0} does not decrypt it: the key has another secret than the one of that name that encrypted it, or the value \
         was changed on disk"
    )]
    Undecryptable(Origin),
    /// The value is in clear, and only encrypted values are accepted.
    #[error(
        "it is not encrypted, and the encryption configuration has no provider identity for this resource: add it as the \
         last one"
    )]
    Clear,
}

/// The provider and the key of an encrypted value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin {
    provider: String,
    key: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {:?} of provider {}", self.key, self.provider)
    }
}

impl Origin {
    /// What the prefix of a value says. The value may be damaged, so that any text is possible.
    pub(super) fn of(stored: &[u8]) -> Self {
        let text = |part: Option<&[u8]>| String::from_utf8_lossy(part.unwrap_or(b"?")).into_owned();
        let rest = stored.strip_prefix(MARK).unwrap_or_default();
        // Names longer than this are damage; the message stays short.
        let mut parts = rest[..rest.len().min(300)].split(|byte| *byte == b':');
        let provider = text(parts.next());
        parts.next();
        Self { provider, key: text(parts.next()) }
    }
}

impl Provider {
    /// The form on disk of a new value of an object.
    pub(super) fn write(&self, object: &str, value: Bytes) -> Bytes {
        match self {
            Self::AesGcm(keys) => self.sealed(keys, |key| key.seal_gcm(object, &value)),
            Self::AesCbc(keys) => self.sealed(keys, |key| key.seal_cbc(&value)),
            Self::Secretbox(keys) => self.sealed(keys, |key| key.seal_box(&value)),
            Self::Identity => value,
        }
    }

    fn sealed(&self, keys: &[Key], seal: impl Fn(&Key) -> Vec<u8>) -> Bytes {
        let key = keys.first().expect("the configuration checks that a provider has keys");
        let mut stored = self.prefix(key);
        stored.extend(seal(key));
        stored.into()
    }

    /// The value of a form on disk, and whether the first key encrypted it; `None` if the value is of another provider or
    /// key.
    pub(super) fn read(&self, object: &str, stored: &Bytes) -> Option<Result<(Bytes, bool), ReadError>> {
        let keys = match self {
            Self::Identity => {
                return (!stored.starts_with(MARK)).then(|| Ok((stored.clone(), true)));
            }
            Self::AesGcm(keys) | Self::AesCbc(keys) | Self::Secretbox(keys) => keys,
        };
        let (place, sealed) = keys.iter().enumerate().find_map(|(place, key)| {
            let prefix = self.prefix(key);
            stored.starts_with(&prefix).then(|| (place, stored.slice(prefix.len()..)))
        })?;
        let key = &keys[place];
        let opened = match self {
            Self::AesGcm(_) => key.open_gcm(object, &sealed),
            Self::AesCbc(_) => key.open_cbc(&sealed),
            Self::Secretbox(_) => key.open_box(&sealed),
            Self::Identity => None,
        };
        let opened = opened.ok_or_else(|| ReadError::Undecryptable(Origin::of(stored)));
        Some(opened.map(|value| (value.into(), place == 0)))
    }

    fn prefix(&self, key: &Key) -> Vec<u8> {
        let provider = match self {
            Self::AesGcm(_) => "aesgcm",
            Self::AesCbc(_) => "aescbc",
            Self::Secretbox(_) => "secretbox",
            Self::Identity => return Vec::new(),
        };
        [MARK, provider.as_bytes(), b":v1:", key.name.as_bytes(), b":"].concat()
    }
}

impl Key {
    fn seal_gcm(&self, object: &str, value: &[u8]) -> Vec<u8> {
        let nonce: [u8; GCM_NONCE_BYTES] = rand::random();
        let sealed = match self.secret.len() {
            16 => gcm::<AesGcm<Aes128, U12>>(&self.secret).encrypt(&nonce.into(), with(object, value)),
            24 => gcm::<AesGcm<Aes192, U12>>(&self.secret).encrypt(&nonce.into(), with(object, value)),
            _ => gcm::<AesGcm<Aes256, U12>>(&self.secret).encrypt(&nonce.into(), with(object, value)),
        };
        [&nonce[..], &sealed.expect(SIZE)].concat()
    }

    fn open_gcm(&self, object: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<GCM_NONCE_BYTES>()?;
        match self.secret.len() {
            16 => open::<AesGcm<Aes128, U12>>(&self.secret, nonce, with(object, sealed)),
            24 => open::<AesGcm<Aes192, U12>>(&self.secret, nonce, with(object, sealed)),
            _ => open::<AesGcm<Aes256, U12>>(&self.secret, nonce, with(object, sealed)),
        }
    }

    fn seal_cbc(&self, value: &[u8]) -> Vec<u8> {
        let vector: [u8; CBC_VECTOR_BYTES] = rand::random();
        let sealed = match self.secret.len() {
            16 => seal_blocks::<Aes128>(&self.secret, &vector, value),
            24 => seal_blocks::<Aes192>(&self.secret, &vector, value),
            _ => seal_blocks::<Aes256>(&self.secret, &vector, value),
        };
        [&vector[..], &sealed].concat()
    }

    fn open_cbc(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (vector, sealed) = sealed.split_first_chunk::<CBC_VECTOR_BYTES>()?;
        match self.secret.len() {
            16 => open_blocks::<Aes128>(&self.secret, vector, sealed),
            24 => open_blocks::<Aes192>(&self.secret, vector, sealed),
            _ => open_blocks::<Aes256>(&self.secret, vector, sealed),
        }
    }

    fn seal_box(&self, value: &[u8]) -> Vec<u8> {
        let nonce: [u8; BOX_NONCE_BYTES] = rand::random();
        let cipher = XSalsa20Poly1305::new_from_slice(&self.secret).expect(LENGTH);
        [&nonce[..], &cipher.encrypt(&nonce.into(), value).expect(SIZE)].concat()
    }

    fn open_box(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<BOX_NONCE_BYTES>()?;
        let cipher = XSalsa20Poly1305::new_from_slice(&self.secret).expect(LENGTH);
        cipher.decrypt(nonce.into(), sealed).ok()
    }
}

fn gcm<C: KeyInit>(secret: &[u8]) -> C {
    C::new_from_slice(secret).expect(LENGTH)
}

/// A message that is bound to an object, so that exchanging the values of two objects on disk is detected.
fn with<'a>(object: &'a str, msg: &'a [u8]) -> Payload<'a, 'a> {
    Payload { msg, aad: object.as_bytes() }
}

fn open<C: KeyInit + Aead + AeadCore<NonceSize = U12>>(
    secret: &[u8],
    nonce: &[u8; GCM_NONCE_BYTES],
    sealed: Payload<'_, '_>,
) -> Option<Vec<u8>> {
    let nonce: &Nonce<C> = nonce.into();
    gcm::<C>(secret).decrypt(nonce, sealed).ok()
}

fn seal_blocks<C: BlockEncryptMut + BlockCipher + BlockEncrypt + KeyInit>(
    secret: &[u8],
    vector: &[u8; CBC_VECTOR_BYTES],
    value: &[u8],
) -> Vec<u8> {
    let cipher = cbc::Encryptor::<C>::new_from_slices(secret, vector).expect(LENGTH);
    cipher.encrypt_padded_vec_mut::<Pkcs7>(value)
}

fn open_blocks<C: BlockDecryptMut + BlockCipher + KeyInit>(
    secret: &[u8],
    vector: &[u8; CBC_VECTOR_BYTES],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let cipher = cbc::Decryptor::<C>::new_from_slices(secret, vector).expect(LENGTH);
    cipher.decrypt_padded_vec_mut::<Pkcs7>(sealed).ok()
}
