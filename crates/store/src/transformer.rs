//! The form of values on disk. A transformer encrypts them; keys, revisions and times stay as they are.

use bytes::Bytes;

/// Changes values on their way to the disk and back.
pub trait ValueTransformer: Send + Sync {
    /// The form that the new value of `key` gets on disk.
    fn transform_to_storage(&self, key: &str, value: Bytes) -> Bytes;

    /// The value of `key` from its form on disk.
    ///
    /// # Errors
    /// [`TransformError`]; the value then counts as damaged.
    fn transform_from_storage(&self, key: &str, stored: Bytes) -> Result<TransformedValue, TransformError>;

    /// Whether some values are encrypted, so that replaced ones are overwritten on disk.
    fn hides_values(&self) -> bool;
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransformedValue {
    /// The value.
    pub bytes: Bytes,
    /// Whether a new value of the key would get another form, such as another key of encryption.
    pub is_stale: bool,
}

/// Why a value cannot be read from its form on disk.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct TransformError(Box<dyn std::error::Error + Send + Sync>);

impl TransformError {
    /// Wraps the reason.
    pub fn new(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

/// Values are stored as they are.
pub(crate) struct Unchanged;

impl ValueTransformer for Unchanged {
    fn transform_to_storage(&self, _: &str, value: Bytes) -> Bytes {
        value
    }

    fn transform_from_storage(&self, _: &str, stored: Bytes) -> Result<TransformedValue, TransformError> {
        Ok(TransformedValue { bytes: stored, is_stale: false })
    }

    fn hides_values(&self) -> bool {
        false
    }
}
