//! `fieldValidation`: unknown and duplicate fields are refused, become warnings, or are ignored.

use portolan_object::{FieldError, Status};
use serde_json::{Value, json};

use crate::call::Call;
use crate::request::options::FieldValidation;

/// Refuses a body with unknown or duplicate fields, or adds warnings.
pub(super) fn check_body(call: &Call, mode: FieldValidation, strict_errors: &[String]) -> Result<(), Status> {
    let kind = &call.resource.kind;
    check_decoded(&kind.kind, &kind.version, call, mode, strict_errors)
}

/// The same for a body of another kind than that of the resource.
pub(super) fn check_decoded(
    name: &str,
    version: &str,
    call: &Call,
    mode: FieldValidation,
    strict_errors: &[String],
) -> Result<(), Status> {
    if strict_errors.is_empty() {
        return Ok(());
    }
    match mode {
        FieldValidation::Ignore => Ok(()),
        FieldValidation::Warn => {
            strict_errors.iter().for_each(|error| call.warn(error.clone()));
            Ok(())
        }
        FieldValidation::Strict => {
            let listed = strict_errors.join(", ");
            Err(Status::bad_request(format!(
                "{name} in version {version:?} cannot be handled as a {name}: strict decoding error: {listed}"
            )))
        }
    }
}

/// Refuses a patch with unknown or duplicate fields, or adds warnings. `shown` is the value that the error quotes: the
/// patched object for JSON and merge patches, the patch for strategic merge patches.
pub(super) fn check_patch(
    call: &Call,
    mode: FieldValidation,
    strict_errors: &[String],
    shown: impl FnOnce() -> String,
) -> Result<(), Status> {
    if mode == FieldValidation::Strict && !strict_errors.is_empty() {
        let detail = format!("strict decoding error: {}", strict_errors.join(", "));
        return Err(refuse_patch(&json!(shown()), &detail));
    }
    check_body(call, mode, strict_errors)
}

/// 422 for a patch with an invalid result. As upstream, it names neither kind nor object.
pub(super) fn refuse_patch(shown: &Value, detail: &str) -> Status {
    Status::invalid("", "", "", &[FieldError::invalid("patch", shown, detail)])
}
