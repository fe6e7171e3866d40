//! The built-in kinds: their schemas and their OpenAPI documents.
//!
//! The API server asks here for everything that it serves without a CustomResourceDefinition. The tables come from
//! the Kubernetes modules through `cargo xtask codegen`; nothing here is written by hand. Schemas are built once,
//! on first use; documents stay compressed until they are read.

mod custom;
mod nodes;
pub(crate) mod table;
mod zero;

use std::io::Read as _;
use std::sync::LazyLock;

use crate::key::{GroupVersion, GroupVersionKind};
use crate::schema::Schema;
pub use custom::openapi_for_crds;
use nodes::Nodes;
use serde_json::Value;
use table::Table;

#[cfg(test)]
mod tests;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::read(include_str!("../data/kinds.txt"))
        .expect("the committed table is well-formed, a test reads it")
});

static NODES: LazyLock<Nodes> = LazyLock::new(|| Nodes::build(&TABLE));

/// Name of the model of `ObjectMeta` in the table.
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

macro_rules! documents {
    ($($group_version:literal $file:literal)*) => {
        /// Compressed OpenAPI documents by group version.
        const DOCUMENTS: &[(&str, &[u8])] =
            &[$(($group_version, include_bytes!(concat!("../data/openapi/", $file, ".json.gz")))),*];
    };
}

documents! {
    "v1" "v1"
    "admissionregistration.k8s.io/v1" "admissionregistration.k8s.io_v1"
    "apiextensions.k8s.io/v1" "apiextensions.k8s.io_v1"
    "apiregistration.k8s.io/v1" "apiregistration.k8s.io_v1"
    "apps/v1" "apps_v1"
    "authentication.k8s.io/v1" "authentication.k8s.io_v1"
    "authorization.k8s.io/v1" "authorization.k8s.io_v1"
    "autoscaling/v1" "autoscaling_v1"
    "autoscaling/v2" "autoscaling_v2"
    "batch/v1" "batch_v1"
    "certificates.k8s.io/v1" "certificates.k8s.io_v1"
    "coordination.k8s.io/v1" "coordination.k8s.io_v1"
    "discovery.k8s.io/v1" "discovery.k8s.io_v1"
    "events.k8s.io/v1" "events.k8s.io_v1"
    "networking.k8s.io/v1" "networking.k8s.io_v1"
    "node.k8s.io/v1" "node.k8s.io_v1"
    "policy/v1" "policy_v1"
    "rbac.authorization.k8s.io/v1" "rbac.authorization.k8s.io_v1"
    "scheduling.k8s.io/v1" "scheduling.k8s.io_v1"
    "storage.k8s.io/v1" "storage.k8s.io_v1"
}

/// The schema of a built-in kind.
///
/// `DeleteOptions`, `Status` and `PartialObjectMetadata` are known in every group version, as clients send them.
pub fn schema(kind: &GroupVersionKind) -> Option<Schema<'static>> {
    let model = TABLE.kind(&kind.api_version(), &kind.kind)?;
    Some(NODES.set.view(NODES.get(model)?))
}

/// What Go prints for an object of a built-in kind without content, apart from its type: `spec: {}` and `status: {}` of most
/// kinds, and null for lists that are always printed.
pub fn zero(kind: &GroupVersionKind) -> Option<Value> {
    let model = TABLE.kind(&kind.api_version(), &kind.kind)?;
    Some(Value::Object(zero::object(&TABLE, model)))
}

/// The schema of `metadata`, the same for every kind and for custom resources.
pub fn object_meta() -> Schema<'static> {
    let node = TABLE.model_named(OBJECT_META).and_then(|model| NODES.get(model));
    NODES.set.view(node.expect("every kind has metadata"))
}

/// The group versions of built-in kinds, the core group first, then by name.
pub fn group_versions() -> Vec<GroupVersion> {
    DOCUMENTS.iter().filter_map(|(group_version, _)| group_version.parse().ok()).collect()
}

/// The OpenAPI v3 document of a built-in group version, as JSON.
///
/// # Cost
/// Decompresses up to 600 kB; callers that serve it often keep the compressed form, see [`openapi_gzip`].
pub fn openapi(group_version: &GroupVersion) -> Option<Vec<u8>> {
    let mut document = Vec::new();
    flate2::read::GzDecoder::new(openapi_gzip(group_version)?).read_to_end(&mut document).ok()?;
    Some(document)
}

/// The same document compressed with gzip, without a copy.
pub fn openapi_gzip(group_version: &GroupVersion) -> Option<&'static [u8]> {
    let name = group_version.to_string();
    DOCUMENTS.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
}

/// The table by which `proto` decodes.
pub(crate) fn table() -> &'static Table {
    &TABLE
}
