//! Steps of a write that only certificate signing requests have: the requester, the times of conditions, and the
//! rights on signers.
//!
//! Upstream: kubernetes pkg/registry/certificates/certificates/strategy.go, and the admission plugins
//! CertificateSubjectRestriction, CertificateApproval and CertificateSigning (plugin/pkg/admission/certificates).

use portolan_object::Status;
use serde_json::Value;

use super::metadata;
use super::target::WriteTarget;
use crate::auth::{Decision, ResourceTarget, User};
use crate::call::Call;
use crate::kinds::certificates::{GROUP, restricted_subject};
use crate::resources::Resource;
use crate::tree;

/// Whether objects of a resource are certificate signing requests.
pub(super) fn is_signing_request(resource: &Resource) -> bool {
    resource.is(GROUP, "certificatesigningrequests")
}

/// Sets the fields of a new request that say who asks. Signers and approvers trust them, so the values of the body are
/// dropped.
pub(super) fn set_requester(resource: &Resource, object: &mut Value, user: &User) {
    if !is_signing_request(resource) {
        return;
    }
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for field in ["username", "uid", "groups", "extra"] {
        spec.remove(field);
    }
    let info = user.to_value();
    for field in ["username", "uid", "groups", "extra"] {
        if let Some(value) = info.get(field) {
            spec.insert(field.to_owned(), value.clone());
        }
    }
}

/// Sets the times that changed conditions lack.
pub(super) fn complete_conditions(
    resource: &Resource,
    target: WriteTarget,
    old: &Value,
    new: &mut Value,
    now: &str,
) {
    if !is_signing_request(resource) || !matches!(target, WriteTarget::Status | WriteTarget::Approval) {
        return;
    }
    let before = tree::list(old, "/status/conditions");
    let conditions = new.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        let is_same =
            |other: &&Value| ["type", "status"].iter().all(|field| other[*field] == condition[*field]);
        let kept = before.iter().find(is_same).map(|other| tree::str_at(other, "/lastTransitionTime"));
        let transition = kept.filter(|time| !time.is_empty()).unwrap_or(now).to_owned();
        let Some(fields) = condition.as_object_mut() else { continue };
        tree::default(fields, "lastUpdateTime", now);
        tree::default(fields, "lastTransitionTime", transition);
    }
}

/// Checks a new request: `kubernetes.io/kube-apiserver-client` signs nothing for the group `system:masters`.
///
/// # Errors
/// 403 for a subject that the signer must not sign.
pub(super) fn check_create(call: &Call, object: &Value) -> Result<(), Status> {
    if !is_signing_request(&call.resource) {
        return Ok(());
    }
    match restricted_subject(object) {
        None => Ok(()),
        Some(cause) => Err(call.resource.forbidden(metadata::name_of(object), &cause)),
    }
}

/// Checks a change: `approval` needs the verb `approve` on the signer, and a change of the certificate or of a condition
/// through `status` the verb `sign`.
///
/// # Errors
/// 403 when the user does not have the verb.
pub(super) fn check_update(call: &Call, target: WriteTarget, old: &Value, new: &Value) -> Result<(), Status> {
    if !is_signing_request(&call.resource) {
        return Ok(());
    }
    let changes = |pointer| tree::present(old, pointer) != tree::present(new, pointer);
    let verb = match target {
        WriteTarget::Approval => "approve",
        WriteTarget::Status if changes("/status/certificate") || changes("/status/conditions") => "sign",
        _ => return Ok(()),
    };
    // The stored signer counts: the body cannot choose another one.
    let signer = tree::str_at(old, "/spec/signerName");
    if may(call, verb, signer)? {
        return Ok(());
    }
    let cause = format!("user not permitted to {verb} requests with signerName {signer:?}");
    Err(call.resource.forbidden(&call.info.name, &cause))
}

/// Whether the user may use `verb` on a signer, by its name or by all signers of its domain (`example.com/*`).
fn may(call: &Call, verb: &str, signer: &str) -> Result<bool, Status> {
    let domain = signer.split('/').next().unwrap_or_default();
    for name in [signer, &format!("{domain}/*")] {
        let target = ResourceTarget { group: GROUP, resource: "signers", name, ..ResourceTarget::default() };
        if let Decision::Allowed(_) = call.decide(verb, target)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds;

    fn resource() -> Resource {
        Resource::builtin(kinds::find(GROUP, "v1", "certificatesigningrequests").unwrap())
    }

    #[test]
    fn the_requester_is_the_user_of_the_request() {
        let mut user = User::new("alice", ["devs"]);
        user.extra.insert("scopes".to_owned(), vec!["a".to_owned()]);
        let cases = [
            (
                "claimed",
                json!({ "username": "admin", "uid": "0", "groups": ["system:masters"], "extra": { "x": ["y"] } }),
            ),
            ("missing", json!({})),
        ];
        for (name, spec) in cases {
            let mut object = json!({ "spec": spec });
            set_requester(&resource(), &mut object, &user);
            let want = json!({
                "username": "alice", "groups": ["devs", "system:authenticated"], "extra": { "scopes": ["a"] },
            });
            assert_eq!(object["spec"], want, "{name}");
        }
    }

    #[test]
    fn conditions_get_times() {
        let old = json!({ "status": { "conditions": [
            { "type": "Approved", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z" },
        ] } });
        let mut new = json!({ "status": { "conditions": [
            { "type": "Approved", "status": "True" },
            { "type": "Failed", "status": "True", "lastUpdateTime": "2026-01-02T00:00:00Z" },
        ] } });
        complete_conditions(&resource(), WriteTarget::Status, &old, &mut new, "2026-01-03T00:00:00Z");
        let want = json!([
            { "type": "Approved", "status": "True", "lastUpdateTime": "2026-01-03T00:00:00Z",
              "lastTransitionTime": "2026-01-01T00:00:00Z" },
            { "type": "Failed", "status": "True", "lastUpdateTime": "2026-01-02T00:00:00Z",
              "lastTransitionTime": "2026-01-03T00:00:00Z" },
        ]);
        assert_eq!(new["status"]["conditions"], want);
    }
}
