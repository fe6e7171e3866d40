//! Requests for objects that may be missing: "not found" as `None` instead of an error.

use portolan_runtime::ClientError;

/// The result of a request; `None` if the object does not exist.
///
/// Use it where a missing object is as good as success, such as deleting it or removing its finalizer.
///
/// # Errors
/// All errors except "not found".
pub(crate) fn ignore_missing<T>(result: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match result {
        Err(error) if error.is_not_found() => Ok(None),
        result => result.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use portolan_object::Status;

    use super::*;

    #[test]
    fn only_not_found_is_ignored() {
        let missing = Status::not_found("", "services", "web");
        assert_eq!(ignore_missing(Ok(1)).ok(), Some(Some(1)));
        assert_eq!(ignore_missing::<u8>(Err(ClientError::NotFound(missing.clone()))).ok(), Some(None));
        assert!(ignore_missing::<u8>(Err(ClientError::Forbidden(missing))).is_err());
    }
}
