//! Credentials of providers, which are in Secrets of the hub.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::is_default;

/// TSIG algorithm when none is given.
pub const DEFAULT_ALGORITHM: &str = "hmac-sha256";

/// A shared key (RFC 8945).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TsigKey {
    /// Name of the key at the server.
    #[schemars(length(min = 1, max = 253))]
    pub key_name: String,
    /// `hmac-sha256` when absent; also `hmac-sha384`, `hmac-sha512` and `hmac-sha1`.
    #[serde(skip_serializing_if = "is_default")]
    #[schemars(length(max = 63))]
    pub algorithm: String,
    /// Secret in the namespace `karmada-system` of the hub with the key `secret`: the shared secret in base64, as the
    /// server's configuration has it.
    pub secret_ref: SecretReference,
}

/// A Secret in a fixed namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretReference {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
