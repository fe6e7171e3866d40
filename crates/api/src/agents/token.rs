//! The Secret of a bootstrap token, as kubeadm and karmadactl write it.
//!
//! Upstream: kubernetes cmd/kubeadm/app/apis/bootstraptoken/v1, karmada pkg/karmadactl/token.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use portolan_object::time::format_time;
use portolan_object::{Object, ObjectKey};
use serde_json::{Map, Value, json};

use super::identity::{BOUND_TOKENS, UNBOUND_TOKENS, bound_token_group, cluster_of_token_group};
use crate::resources;

/// Namespace of the Secrets.
pub const NAMESPACE: &str = "kube-system";
/// Their names are this and the id of the token.
pub const NAME_PREFIX: &str = "bootstrap-token-";
/// Their type.
pub const SECRET_TYPE: &str = "bootstrap.kubernetes.io/token";
/// Length of an id, in characters.
const ID_LENGTH: usize = 6;
/// Length of a secret, in characters.
const SECRET_LENGTH: usize = 16;
/// What the tokens of `token create` are used for.
const USAGES: [&str; 2] = ["authentication", "signing"];

/// A token: `ID.SECRET`, lower-case letters and digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The public half.
    pub id: String,
    /// The secret half.
    pub secret: String,
}

/// A text that is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token is ID.SECRET: {ID_LENGTH} and {SECRET_LENGTH} lower-case letters and digits")]
pub struct MalformedToken;

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.secret)
    }
}

impl FromStr for Token {
    type Err = MalformedToken;

    fn from_str(text: &str) -> Result<Self, MalformedToken> {
        let (id, secret) = text.split_once('.').ok_or(MalformedToken)?;
        let is_word = |text: &str, length: usize| {
            text.len() == length
                && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        if !is_word(id, ID_LENGTH) || !is_word(secret, SECRET_LENGTH) {
            return Err(MalformedToken);
        }
        Ok(Self { id: id.to_owned(), secret: secret.to_owned() })
    }
}

impl Token {
    /// The token of 22 random bytes. Each becomes one of 32 characters, so that every one is equally likely.
    pub fn of_random(bytes: [u8; ID_LENGTH + SECRET_LENGTH]) -> Self {
        const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let text: String = bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
        let (id, secret) = text.split_at(ID_LENGTH);
        Self { id: id.to_owned(), secret: secret.to_owned() }
    }

    /// Key of the Secret of the token with this id.
    pub fn key(id: &str) -> ObjectKey {
        ObjectKey::namespaced(NAMESPACE, format!("{NAME_PREFIX}{id}"))
    }
}

/// A token with what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapToken {
    /// The token.
    pub token: Token,
    /// The only cluster that it registers; `None` for any new cluster.
    pub cluster: Option<String>,
    /// Text for people.
    pub description: String,
    /// End of its life; `None` for no end.
    pub expires: Option<Timestamp>,
    /// `authentication`, `signing`.
    pub usages: Vec<String>,
    /// Further groups of its user.
    pub groups: BTreeSet<String>,
}

impl BootstrapToken {
    /// A token that registers `cluster`, or any new cluster.
    pub fn new(token: Token, cluster: Option<String>, description: &str, expires: Option<Timestamp>) -> Self {
        let groups = match &cluster {
            Some(cluster) => BTreeSet::from([BOUND_TOKENS.to_owned(), bound_token_group(cluster)]),
            None => BTreeSet::from([UNBOUND_TOKENS.to_owned()]),
        };
        let usages = USAGES.map(str::to_owned).to_vec();
        Self { token, cluster, description: description.to_owned(), expires, usages, groups }
    }

    /// The Secret of the token.
    pub fn secret(&self) -> Object {
        let mut data = Map::new();
        let mut set = |key: String, value: &str| data.insert(key, json!(STANDARD.encode(value)));
        set("token-id".to_owned(), &self.token.id);
        set("token-secret".to_owned(), &self.token.secret);
        if !self.description.is_empty() {
            set("description".to_owned(), &self.description);
        }
        if let Some(expires) = self.expires {
            set("expiration".to_owned(), &format_time(expires));
        }
        for usage in &self.usages {
            set(format!("usage-bootstrap-{usage}"), "true");
        }
        let groups: Vec<&str> = self.groups.iter().map(String::as_str).collect();
        set("auth-extra-groups".to_owned(), &groups.join(","));
        let mut secret = Object::new(&resources::SECRET.gvk(), &Token::key(&self.token.id));
        secret.0["type"] = json!(SECRET_TYPE);
        secret.0["data"] = Value::Object(data);
        secret
    }

    /// Reads a Secret; `None` if it is not the one of a token.
    pub fn of(secret: &Object) -> Option<Self> {
        let text = |key: &str| {
            let decoded = STANDARD.decode(secret.str_at(&["data", key])).ok()?;
            String::from_utf8(decoded).ok().filter(|text| !text.is_empty())
        };
        if secret.str_at(&["type"]) != SECRET_TYPE {
            return None;
        }
        let token: Token = format!("{}.{}", text("token-id")?, text("token-secret")?).parse().ok()?;
        let groups = text("auth-extra-groups").unwrap_or_default();
        let groups: BTreeSet<String> =
            groups.split(',').filter(|group| !group.is_empty()).map(str::to_owned).collect();
        let is_used = |usage: &&str| text(&format!("usage-bootstrap-{usage}")).as_deref() == Some("true");
        Some(Self {
            token,
            cluster: groups.iter().find_map(|group| cluster_of_token_group(group)).map(str::to_owned),
            description: text("description").unwrap_or_default(),
            expires: text("expiration").and_then(|text| text.parse().ok()),
            usages: USAGES.iter().filter(|usage| is_used(usage)).map(|usage| (*usage).to_owned()).collect(),
            groups,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_its_secret() {
        let token: Token = "abcdef.0123456789abcdef".parse().unwrap();
        let expires = "2026-01-01T00:00:00Z".parse().ok();
        for cluster in [None, Some("eu".to_owned())] {
            let bound = BootstrapToken::new(token.clone(), cluster.clone(), "for eu", expires);
            let read = BootstrapToken::of(&bound.secret()).unwrap();
            assert_eq!(read, bound);
            assert_eq!(read.cluster, cluster);
        }
        assert_eq!(BootstrapToken::of(&Object(json!({ "type": "Opaque" }))), None);
        assert!(!format!("{token:?}").contains("0123456789"), "no secret in a log");
    }

    #[test]
    fn tokens_have_the_form_of_kubeadm() {
        let random = Token::of_random([255; 22]);
        assert_eq!(random.to_string().parse::<Token>().unwrap(), random);
        for text in
            ["", "abcdef", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcde", "abcde.0123456789abcdef0"]
        {
            assert_eq!(text.parse::<Token>(), Err(MalformedToken), "{text}");
        }
    }
}
