//! Tokens that were accepted a moment ago. Clients send the same token with every request, and signatures and expressions
//! take most of the time of a small request.

use std::collections::HashMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use ring::digest;

use crate::auth::user::User;

/// Time for which a token is not verified again (kubernetes pkg/kubeapiserver/options/authentication.go,
/// `TokenSuccessCacheTTL`). Keys that are withdrawn count so much longer.
const LIFE: SignedDuration = SignedDuration::from_secs(10);
/// Maximum number of tokens; when it is exceeded, all are forgotten.
const MAX_TOKENS: usize = 4096;

type Fingerprint = [u8; digest::SHA256_OUTPUT_LEN];

/// Users by the digest of their token, so that memory contains no token.
#[derive(Default)]
pub(super) struct AcceptedTokens(Mutex<HashMap<Fingerprint, Accepted>>);

struct Accepted {
    user: User,
    until: Timestamp,
}

impl fmt::Debug for AcceptedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptedTokens").field("tokens", &self.0.lock().len()).finish()
    }
}

impl AcceptedTokens {
    /// The user of a token; `verify` is called unless it was accepted a moment ago, and answers with the expiry of the
    /// token. Refusals are not kept.
    pub(super) fn get_or_verify(
        &self,
        token: &str,
        now: Timestamp,
        verify: impl FnOnce() -> Result<(User, Timestamp), String>,
    ) -> Result<User, String> {
        let mut fingerprint = Fingerprint::default();
        fingerprint.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        if let Some(accepted) = self.0.lock().get(&fingerprint).filter(|accepted| now < accepted.until) {
            return Ok(accepted.user.clone());
        }
        let (user, expiry) = verify()?;
        let until = now.saturating_add(LIFE).unwrap_or(Timestamp::MAX).min(expiry);
        let mut tokens = self.0.lock();
        if tokens.len() >= MAX_TOKENS {
            tokens.clear();
        }
        tokens.insert(fingerprint, Accepted { user: user.clone(), until });
        Ok(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_verified_again_after_ten_seconds_and_never_outlives_its_expiry() {
        let tokens = AcceptedTokens::default();
        let at = |second: i64| Timestamp::from_second(second).expect("a time");
        // (token, time, answer of the verification, whether it is asked, whether the token is accepted)
        let cases = [
            ("a", 0, Ok(at(1000)), true, true),
            ("a", 9, Err("unused".to_owned()), false, true),
            ("b", 9, Err("refused".to_owned()), true, false),
            ("b", 9, Err("refused".to_owned()), true, false),
            ("a", 10, Err("withdrawn".to_owned()), true, false),
            ("c", 20, Ok(at(25)), true, true),
            ("c", 24, Err("unused".to_owned()), false, true),
            ("c", 25, Err("expired".to_owned()), true, false),
        ];
        for (token, second, answer, is_asked, is_accepted) in cases {
            let mut asked = false;
            let found = tokens.get_or_verify(token, at(second), || {
                asked = true;
                answer.map(|expiry| (User::new(token, ["g"]), expiry))
            });
            assert_eq!((asked, found.is_ok()), (is_asked, is_accepted), "{token} at {second}");
            assert!(found.is_err() || found == Ok(User::new(token, ["g"])));
        }
        for number in 0..=MAX_TOKENS {
            let verified = || Ok((User::new("n", ["g"]), at(1000)));
            tokens.get_or_verify(&number.to_string(), at(0), verified).expect("accepted");
        }
        assert!(tokens.0.lock().len() <= MAX_TOKENS, "the number of tokens is bounded");
    }
}
