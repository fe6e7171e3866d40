//! Cache of tokens with a verified signature.
//!
//! Clients send the same token with every request, and the signature is the expensive part of verification. Only the
//! claims are kept; expiry and bound objects are checked for each request.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use ring::digest;

use super::TokenError;

/// Maximum number of cached tokens; when it is exceeded, the cache is cleared.
const MAX_VERIFIED_TOKENS: usize = 4096;

type Fingerprint = [u8; digest::SHA256_OUTPUT_LEN];

/// Claims by the digest of their token, so that memory contains no token.
pub(super) struct VerifiedTokens<C> {
    claims: Mutex<HashMap<Fingerprint, Arc<C>>>,
}

impl<C> Default for VerifiedTokens<C> {
    fn default() -> Self {
        Self { claims: Mutex::default() }
    }
}

impl<C> fmt::Debug for VerifiedTokens<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedTokens").field("tokens", &self.claims.lock().len()).finish()
    }
}

impl<C> VerifiedTokens<C> {
    /// The claims of a token; `read` is called when it is not cached. Errors are not cached.
    pub(super) fn get_or_read(
        &self,
        token: &str,
        read: impl FnOnce() -> Result<C, TokenError>,
    ) -> Result<Arc<C>, TokenError> {
        let mut fingerprint = Fingerprint::default();
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        if let Some(claims) = self.claims.lock().get(&fingerprint) {
            return Ok(claims.clone());
        }
        let claims = Arc::new(read()?);
        let mut verified = self.claims.lock();
        if verified.len() >= MAX_VERIFIED_TOKENS {
            verified.clear();
        }
        verified.insert(fingerprint, claims.clone());
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::token::Claims;

    #[test]
    fn valid_tokens_are_cached_and_invalid_ones_are_not() {
        let verified = VerifiedTokens::default();
        let mut reads = 0;
        for (token, holds) in [("a", true), ("a", true), ("b", false), ("b", false), ("b", true), ("b", true)]
        {
            let found = verified.get_or_read(token, || {
                reads += 1;
                if holds {
                    Ok(Claims { jti: token.to_owned(), ..Claims::default() })
                } else {
                    Err(TokenError::Signature)
                }
            });
            assert_eq!(found.map(|claims| claims.jti.clone()).ok(), holds.then(|| token.to_owned()));
        }
        assert_eq!(reads, 4);
    }

    #[test]
    fn the_number_of_tokens_is_bounded() {
        let verified = VerifiedTokens::default();
        for number in 0..=MAX_VERIFIED_TOKENS {
            verified.get_or_read(&number.to_string(), || Ok(Claims::default())).expect("read");
        }
        assert_eq!(verified.claims.lock().len(), 1);
    }
}
