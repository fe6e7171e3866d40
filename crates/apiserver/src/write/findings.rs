//! What is done about unknown and repeated fields (kube-api-contract 2.11).

use portolan_object::{FieldError, Status};
use serde_json::{Value, json};

use crate::call::Call;
use crate::request::options::FieldValidation;

/// Refuses a body with findings, or warns of them.
pub(super) fn judge_body(call: &Call, mode: FieldValidation, findings: &[String]) -> Result<(), Status> {
    if findings.is_empty() {
        return Ok(());
    }
    match mode {
        FieldValidation::Ignore => Ok(()),
        FieldValidation::Warn => {
            findings.iter().for_each(|finding| call.warn(finding.clone()));
            Ok(())
        }
        FieldValidation::Strict => {
            let kind = &call.resource.kind;
            let (name, version) = (&kind.kind, &kind.version);
            let listed = findings.join(", ");
            Err(Status::bad_request(format!(
                "{name} in version {version:?} cannot be handled as a {name}: strict decoding error: {listed}"
            )))
        }
    }
}

/// Refuses a patch with findings, or warns of them. `shown` is what the error calls the value: the patched object for
/// JSON and merge patches, the patch itself for strategic ones.
pub(super) fn judge_patch(
    call: &Call,
    mode: FieldValidation,
    findings: &[String],
    shown: impl FnOnce() -> String,
) -> Result<(), Status> {
    if mode == FieldValidation::Strict && !findings.is_empty() {
        let detail = format!("strict decoding error: {}", findings.join(", "));
        return Err(refuse_patch(&json!(shown()), &detail));
    }
    judge_body(call, mode, findings)
}

/// 422 for a patch that does not lead to an object; upstream names neither kind nor object.
pub(super) fn refuse_patch(shown: &Value, detail: &str) -> Status {
    Status::invalid("", "", "", &[FieldError::invalid("patch", shown, detail)])
}
