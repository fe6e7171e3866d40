//! The `continue` token of a list.
//!
//! Encoded as upstream does in kubernetes staging/src/k8s.io/apiserver/pkg/storage/continue.go.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portolan_object::Status;
use serde::{Deserialize, Serialize};

/// Revision and key at which a list continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContinueToken {
    /// The revision of the first page; `None` to continue in the newest state.
    pub(crate) revision: Option<u64>,
    /// The last key of the previous page, relative to the collection.
    pub(crate) after: String,
}

#[derive(Serialize, Deserialize)]
struct Encoded {
    v: String,
    rv: i64,
    start: String,
}

const VERSION: &str = "meta.k8s.io/v1";

impl ContinueToken {
    pub(crate) fn encode(&self) -> String {
        let rv = self.revision.and_then(|revision| i64::try_from(revision).ok()).unwrap_or(-1);
        let encoded = Encoded { v: VERSION.to_owned(), rv, start: format!("{}\0", self.after) };
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(&encoded).expect("strings and a number always encode"))
    }

    pub(crate) fn decode(text: &str) -> Result<Self, Status> {
        let refuse = |reason: &str| Status::bad_request(format!("invalid continue token: {reason}"));
        let bytes =
            URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).map_err(|error| refuse(&error.to_string()))?;
        let token: Encoded = serde_json::from_slice(&bytes).map_err(|error| refuse(&error.to_string()))?;
        if token.v != VERSION {
            return Err(refuse(&format!("unrecognized version {:?}", token.v)));
        }
        let after = token.start.strip_suffix('\0').unwrap_or(&token.start);
        if after.is_empty() || after.starts_with('/') || after.split('/').any(|part| part == "..") {
            return Err(refuse("the start key is not part of a collection"));
        }
        let revision = match token.rv {
            -1 => None,
            rv => Some(
                u64::try_from(rv).ok().filter(|&rv| rv > 0).ok_or_else(|| refuse("incorrect revision"))?,
            ),
        };
        Ok(Self { revision, after: after.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_decode_to_what_was_encoded() {
        for revision in [None, Some(7)] {
            let token = ContinueToken { revision, after: "ns/a".to_owned() };
            assert_eq!(ContinueToken::decode(&token.encode()).unwrap(), token);
        }
    }

    #[test]
    fn malformed_tokens_are_refused() {
        let foreign = URL_SAFE_NO_PAD.encode(r#"{"v":"x","rv":1,"start":"a\u0000"}"#);
        let outside = URL_SAFE_NO_PAD.encode(r#"{"v":"meta.k8s.io/v1","rv":1,"start":"/secrets"}"#);
        for text in ["%%%", "e30", &foreign, &outside] {
            let status = ContinueToken::decode(text).unwrap_err();
            assert_eq!(status.code, 400);
            assert!(status.message.starts_with("invalid continue token: "), "{text}: {}", status.message);
        }
    }
}
