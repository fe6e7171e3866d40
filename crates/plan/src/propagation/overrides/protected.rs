//! What a policy must leave as it found it: the identity of the object, metadata of API servers, keys by which Portolan
//! recognizes its objects, and, for the policies of a namespace, rights.
//!
//! Compares the manifest before and after, so that it does not matter which overrider made the change or how its path is
//! written. Without this, a user who may write policies in one namespace could create any object in the members.

use portolan_api::meta::ObjectMeta;
use portolan_api::policy::protected::{
    PROTECTED_FIELDS, PROTECTED_METADATA, is_reserved_annotation, is_reserved_label,
};
use portolan_object::Object;
use serde_json::{Map, Value};

use super::OverrideFault;

/// Fields of the kinds of `rbac.authorization.k8s.io` that grant rights.
const RIGHTS: &[&str] = &["rules", "aggregationRule", "roleRef", "subjects"];

const IDENTITY: &str =
    "the object in a member is the object of its template; create a template for another object";
const METADATA: &str = "API servers and garbage collectors maintain it in each cluster";
const KEY: &str = "Portolan recognizes its objects by this key; remove it from the override policy";
const GRANTS: &str = "a policy of a namespace cannot change rights; use a ClusterOverridePolicy";
const SHAPE: &str = "it must stay an object";

/// The protected parts of a manifest before a policy.
pub(super) struct Protected {
    fields: Vec<(&'static str, Option<Value>)>,
    metadata: Map<String, Value>,
}

impl Protected {
    /// The parts of `manifest` that `policy` cannot change.
    pub(super) fn of(manifest: &Object, policy: &ObjectMeta) -> Self {
        let is_rbac = manifest.group_version_kind().group == "rbac.authorization.k8s.io";
        let rights: &[&str] = if is_rbac && !policy.namespace.is_empty() { RIGHTS } else { &[] };
        let names = PROTECTED_FIELDS.iter().chain(rights).copied();
        let metadata = manifest.at(&["metadata"]).and_then(Value::as_object);
        Self {
            fields: names.map(|name| (name, manifest.0.get(name).cloned())).collect(),
            metadata: metadata.cloned().unwrap_or_default(),
        }
    }

    /// Whether `manifest` still has them.
    ///
    /// # Errors
    /// [`OverrideFault::Protected`] for the first difference.
    pub(super) fn check(&self, manifest: &Object) -> Result<(), OverrideFault> {
        let fault = |field: String, reason: &'static str| Err(OverrideFault::Protected { field, reason });
        if !manifest.0.is_object() {
            return fault("/".to_owned(), SHAPE);
        }
        for (name, before) in &self.fields {
            if manifest.0.get(name) != before.as_ref() {
                let reason = if PROTECTED_FIELDS.contains(name) { IDENTITY } else { GRANTS };
                return fault(format!("/{name}"), reason);
            }
        }
        let Some(metadata) = manifest.at(&["metadata"]).and_then(Value::as_object) else {
            return fault("/metadata".to_owned(), SHAPE);
        };
        for name in PROTECTED_METADATA {
            if metadata.get(*name) != self.metadata.get(*name) {
                let is_identity = matches!(*name, "name" | "namespace" | "generateName");
                return fault(format!("/metadata/{name}"), if is_identity { IDENTITY } else { METADATA });
            }
        }
        self.check_keys(metadata, "labels", is_reserved_label)?;
        self.check_keys(metadata, "annotations", is_reserved_annotation)
    }

    /// Reserved keys are not added and not changed. Removing one has no effect: the marks are written afterwards.
    fn check_keys(
        &self,
        metadata: &Map<String, Value>,
        field: &str,
        is_reserved: impl Fn(&str) -> bool,
    ) -> Result<(), OverrideFault> {
        let Some(after) = metadata.get(field) else { return Ok(()) };
        let path = |suffix: &str| format!("/metadata/{field}{suffix}");
        let Some(after) = after.as_object() else {
            return Err(OverrideFault::Protected { field: path(""), reason: SHAPE });
        };
        let before = self.metadata.get(field).and_then(Value::as_object);
        for (key, value) in after.iter().filter(|(key, _)| is_reserved(key)) {
            if before.and_then(|before| before.get(key)) != Some(value) {
                return Err(OverrideFault::Protected { field: path(&format!("/{key}")), reason: KEY });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
