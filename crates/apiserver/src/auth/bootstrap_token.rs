//! Bootstrap tokens: Secrets `kube-system/bootstrap-token-ID` by which clients join a cluster.
//!
//! Upstream: kubernetes plugin/pkg/auth/authenticator/token/bootstrap, and staging/src/k8s.io/cluster-bootstrap.

use std::collections::BTreeSet;

use jiff::Timestamp;
use portolan_object::Object;
use ring::digest;

use super::directory::Directory;
use super::user::User;
use crate::tree;

/// The namespace of the Secrets.
pub const NAMESPACE: &str = "kube-system";
/// The type of the Secrets.
pub const SECRET_TYPE: &str = "bootstrap.kubernetes.io/token";
/// Their names are this and the id of the token.
pub const NAME_PREFIX: &str = "bootstrap-token-";

/// The group of all clients with such a token; further groups begin with it and a colon.
const GROUP: &str = "system:bootstrappers";
/// Length of an id and of a secret, in characters.
const ID_LENGTH: usize = 6;
const SECRET_LENGTH: usize = 16;
/// Maximum length of a further group after the prefix, in characters.
const GROUP_LIMIT: usize = 256;

/// The user of a bootstrap token; `None` when there is no such token, or it must not be used to authenticate.
pub fn user(token: &str, directory: &dyn Directory, now: Timestamp) -> Option<User> {
    let (id, secret) = parse(token)?;
    let stored =
        BootstrapToken::read(directory.find("secrets", NAMESPACE, &format!("{NAME_PREFIX}{id}"))?)?;
    let [given, held] = [secret, &stored.secret].map(|text| digest::digest(&digest::SHA256, text.as_bytes()));
    if given.as_ref() != held.as_ref() || stored.id != id || stored.is_expired(now) {
        return None;
    }
    let groups = stored.is_usable_for("authentication").then(|| stored.groups())??;
    Some(User::new(format!("system:bootstrap:{id}"), groups))
}

/// Splits `ID.SECRET`.
fn parse(token: &str) -> Option<(&str, &str)> {
    let (id, secret) = token.split_once('.')?;
    (is_word(id, ID_LENGTH) && is_word(secret, SECRET_LENGTH)).then_some((id, secret))
}

fn is_word(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// The content of a Secret with a bootstrap token.
#[derive(Debug)]
pub struct BootstrapToken {
    object: Object,
    /// The public half.
    pub id: String,
    /// The secret half.
    pub secret: String,
}

impl BootstrapToken {
    /// Reads a Secret; `None` when it is of another type or incomplete, or is being deleted.
    pub fn read(object: Object) -> Option<Self> {
        let is_whole = tree::str_at(&object.0, "/type") == SECRET_TYPE
            && tree::present(&object.0, "/metadata/deletionTimestamp").is_none();
        if !is_whole {
            return None;
        }
        let [id, secret] = ["token-id", "token-secret"].map(|key| tree::secret_text(&object.0, key));
        let (id, secret) = (id?, secret?);
        (is_word(&id, ID_LENGTH) && !secret.is_empty()).then_some(Self { object, id, secret })
    }

    /// Whether the key `usage-…` is `true`.
    pub fn is_usable_for(&self, usage: &str) -> bool {
        self.text(&format!("usage-bootstrap-{usage}")).as_deref() == Some("true")
    }

    /// Whether it has expired; an expiration that is not RFC 3339 counts as past.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        match self.text("expiration") {
            None => false,
            Some(text) if text.is_empty() => false,
            Some(text) => text.parse::<Timestamp>().map_or(true, |expiration| expiration <= now),
        }
    }

    /// The groups of its user; `None` when a further group has no valid name.
    fn groups(&self) -> Option<BTreeSet<String>> {
        let further = self.text("auth-extra-groups").unwrap_or_default();
        let mut groups = BTreeSet::from([GROUP.to_owned()]);
        for group in further.split(',').filter(|_| !further.is_empty()) {
            let name = group.strip_prefix(GROUP)?.strip_prefix(':')?;
            let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let is_valid = name.len() <= GROUP_LIMIT
                && name.bytes().all(|byte| is_inner(byte) || byte == b':' || byte == b'-')
                && name.bytes().next_back().is_some_and(is_inner);
            if !is_valid {
                return None;
            }
            groups.insert(group.to_owned());
        }
        Some(groups)
    }

    fn text(&self, key: &str) -> Option<String> {
        tree::secret_text(&self.object.0, key)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    use super::*;

    struct One(Value);

    impl Directory for One {
        fn find(&self, resource: &str, namespace: &str, name: &str) -> Option<Object> {
            let is_it = (resource, namespace, name) == ("secrets", NAMESPACE, "bootstrap-token-abcdef");
            is_it.then(|| Object(self.0.clone()))
        }
    }

    fn secret(data: &[(&str, &str)]) -> One {
        let mut object = json!({ "type": SECRET_TYPE, "data": {} });
        let whole = [
            ("token-id", "abcdef"),
            ("token-secret", "0123456789abcdef"),
            ("usage-bootstrap-authentication", "true"),
        ];
        for (key, value) in whole.iter().chain(data) {
            object["data"][*key] = json!(STANDARD.encode(value));
        }
        One(object)
    }

    #[test]
    fn tokens_authenticate_their_user() {
        let valid = "abcdef.0123456789abcdef";
        let groups = "system:bootstrappers:b,system:bootstrappers:a";
        let named = Some("system:bootstrap:abcdef");
        let cases = [
            ("valid", valid, secret(&[]), named),
            ("not yet expired", valid, secret(&[("expiration", "2026-01-01T00:00:01Z")]), named),
            ("further groups", valid, secret(&[("auth-extra-groups", groups)]), named),
            ("wrong secret", "abcdef.0123456789abcdeg", secret(&[]), None),
            ("another id", "abcdeg.0123456789abcdef", secret(&[]), None),
            ("no token", "abcdef", secret(&[]), None),
            ("upper case", "ABCDEF.0123456789abcdef", secret(&[]), None),
            ("expired", valid, secret(&[("expiration", "2026-01-01T00:00:00Z")]), None),
            ("expiration that is no time", valid, secret(&[("expiration", "soon")]), None),
            ("for signing only", valid, secret(&[("usage-bootstrap-authentication", "false")]), None),
            ("another id inside", valid, secret(&[("token-id", "abcdeg")]), None),
            (
                "a group that is not a bootstrapper's",
                valid,
                secret(&[("auth-extra-groups", "system:masters")]),
                None,
            ),
            ("an empty group", valid, secret(&[("auth-extra-groups", "system:bootstrappers:")]), None),
        ];
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        for (name, token, directory, want) in cases {
            let found = user(token, &directory, now);
            assert_eq!(found.as_ref().map(|user| user.name.as_str()), want, "{name}");
        }
        let found = user(valid, &secret(&[("auth-extra-groups", groups)]), now).unwrap();
        let want = [
            "system:bootstrappers",
            "system:bootstrappers:a",
            "system:bootstrappers:b",
            "system:authenticated",
        ];
        assert_eq!(found.groups, want);
    }

    #[test]
    fn other_secrets_are_not_tokens() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut opaque = secret(&[]);
        opaque.0["type"] = json!("Opaque");
        let mut deleted = secret(&[]);
        deleted.0["metadata"] = json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" });
        for (name, directory) in [("another type", opaque), ("deleted", deleted)] {
            assert_eq!(user("abcdef.0123456789abcdef", &directory, now), None, "{name}");
        }
    }
}
