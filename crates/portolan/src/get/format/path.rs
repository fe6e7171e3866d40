//! JSONPaths of flags.

use anyhow::{Context, Result};
use portolan_object::jsonpath::JsonPath;

/// A path in one of kubectl's spellings: `{.metadata.name}`, `.metadata.name` or `metadata.name`.
///
/// # Errors
/// If it is not a JSONPath.
pub(in crate::get) fn relaxed(text: &str) -> Result<JsonPath> {
    JsonPath::parse(text).with_context(|| format!("{text:?} is not a path such as .metadata.name"))
}
