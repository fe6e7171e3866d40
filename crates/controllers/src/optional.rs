//! Requests about an object that may not exist.

use portolan_runtime::ClientError;

/// Turns "not found" from an error into `None`.
pub(crate) trait Optional<T> {
    /// The result; `None` if the object, or its type, does not exist.
    ///
    /// # Errors
    /// Every error but "not found".
    fn optional(self) -> Result<Option<T>, ClientError>;
}

impl<T> Optional<T> for Result<T, ClientError> {
    fn optional(self) -> Result<Option<T>, ClientError> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
