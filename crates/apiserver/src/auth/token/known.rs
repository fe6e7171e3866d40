//! Tokens whose signature has been verified already.
//!
//! A client sends the same token with every request, and the signature is most of what verifying it costs. Only what
//! cannot change is kept: when a token ends, and whether what it is bound to still exists, is asked anew each time.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use ring::digest;

use super::{Claims, TokenError};

/// Tokens in use at a time; when there are more, all are verified once more.
const MOST: usize = 4096;

type Fingerprint = [u8; digest::SHA256_OUTPUT_LEN];

/// The claims of tokens by their digest, so that memory holds no token.
#[derive(Default)]
pub(super) struct Known {
    claims: Mutex<HashMap<Fingerprint, Arc<Claims>>>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("tokens", &self.claims.lock().len()).finish()
    }
}

impl Known {
    /// The claims of a token, read by `read` when it is seen for the first time. A token that does not hold is not
    /// remembered.
    pub(super) fn get_or_read(
        &self,
        token: &str,
        read: impl FnOnce() -> Result<Claims, TokenError>,
    ) -> Result<Arc<Claims>, TokenError> {
        let mut fingerprint = Fingerprint::default();
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        if let Some(claims) = self.claims.lock().get(&fingerprint) {
            return Ok(claims.clone());
        }
        let claims = Arc::new(read()?);
        let mut known = self.claims.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(fingerprint, claims.clone());
        Ok(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_once_and_a_bad_one_each_time() {
        let known = Known::default();
        let mut reads = 0;
        for (token, holds) in [("a", true), ("a", true), ("b", false), ("b", false), ("b", true), ("b", true)]
        {
            let found = known.get_or_read(token, || {
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
        let known = Known::default();
        for number in 0..=MOST {
            known.get_or_read(&number.to_string(), || Ok(Claims::default())).expect("read");
        }
        assert_eq!(known.claims.lock().len(), 1);
    }
}
