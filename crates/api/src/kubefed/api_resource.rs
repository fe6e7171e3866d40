//! How a FederatedTypeConfig names a kind (kubefed pkg/apis/core/v1beta1/federatedtypeconfig_types.go).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::Scope;
use crate::schema::is_default;

/// Group, version, kind, plural and scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiResource {
    /// API group; empty for the core group.
    #[serde(skip_serializing_if = "is_default")]
    pub group: String,
    /// Version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Resource name in paths.
    pub plural_name: String,
    /// Whether its objects are in namespaces.
    pub scope: Scope,
}
