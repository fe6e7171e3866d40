//! `v1` Secret.

use portolan_api::kubernetes::{Secret, View};
use portolan_api::resources;
use portolan_object::Object;

use super::{Hook, Interpreter};
use crate::propagation::fields;

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::SECRET,
    status_fields: &[],
    replicas: Hook::Default,
    components: Hook::Default,
    prune: Hook::Custom(prune),
    retain: Hook::Custom(retain),
    reflect: Hook::Default,
    health: Hook::Default,
    aggregate: Hook::Default,
    dependencies: Hook::Default,
};

/// Each cluster makes the content of service account tokens itself.
fn is_service_account_token(secret: &Object) -> bool {
    Secret::read(secret).is_ok_and(|secret| secret.kind == "kubernetes.io/service-account-token")
}

fn prune(secret: &mut Object) {
    if !is_service_account_token(secret) {
        return;
    }
    if let Some(root) = secret.0.as_object_mut() {
        root.remove("data");
    }
    fields::remove_annotations(secret, &["kubernetes.io/service-account.uid"]);
}

fn retain(manifest: &mut Object, observed: &Object) {
    if is_service_account_token(manifest) {
        fields::copy(manifest, observed, &["data"]);
    }
}
