//! The life of a service account token, read from the token itself. The signature is the API server's matter.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use portolan_object::ObjectKey;
use serde_json::Value;

/// Prefix of the user name of a service account; `NAMESPACE:NAME` follows.
const SUBJECT_PREFIX: &str = "system:serviceaccount:";

/// A token that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenLife {
    /// The service account.
    pub account: ObjectKey,
    /// When it was issued.
    pub issued: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

impl TokenLife {
    /// The life of a token; `None` for one without an end (as in a Secret of type `kubernetes.io/service-account-token`), or
    /// one that is not of a service account.
    pub fn of(token: &str) -> Option<Self> {
        let payload = token.trim().split('.').nth(1)?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let time = |claim: &str| Timestamp::from_second(claims[claim].as_i64()?).ok();
        let subject = claims["sub"].as_str()?.strip_prefix(SUBJECT_PREFIX)?;
        let (namespace, name) = subject.split_once(':')?;
        let account = ObjectKey::namespaced(namespace, name);
        Some(Self { account, issued: time("iat")?, expires: time("exp")? })
    }

    /// From issue to end.
    pub fn duration(&self) -> SignedDuration {
        self.issued.duration_until(self.expires)
    }

    /// When it is renewed: after two thirds of its life, so that a third is left for attempts.
    pub fn renewal(&self) -> Timestamp {
        let third = self.duration() / 3;
        self.expires.saturating_sub(third).unwrap_or(self.issued)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(claims: &Value) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn a_token_is_renewed_after_two_thirds_of_its_life() {
        let claims =
            json!({ "sub": "system:serviceaccount:karmada-cluster:karmada-eu", "iat": 0, "exp": 3600 });
        let life = TokenLife::of(&token(&claims)).expect("it ends");
        assert_eq!(life.account, ObjectKey::namespaced("karmada-cluster", "karmada-eu"));
        assert_eq!(life.duration(), SignedDuration::from_hours(1));
        assert_eq!(life.renewal(), "1970-01-01T00:40:00Z".parse().expect("a time"));
    }

    #[test]
    fn tokens_that_cannot_be_renewed() {
        let subject = "system:serviceaccount:a:b";
        let cases = [
            ("no end", token(&json!({ "sub": subject, "iat": 0 }))),
            ("a user", token(&json!({ "sub": "ann", "iat": 0, "exp": 1 }))),
            ("no JSON", "a.b.c".to_owned()),
            ("no JWT", "abc".to_owned()),
            ("nothing", String::new()),
        ];
        for (name, token) in cases {
            assert_eq!(TokenLife::of(&token), None, "{name}");
        }
    }
}
