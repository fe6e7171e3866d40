//! `v1` ServiceAccount.

use portolan_api::resources;
use portolan_object::Object;
use serde_json::Value;

use super::{Hook, Interpreter};

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::SERVICE_ACCOUNT,
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

/// Removes references to the token Secrets that the control plane generated.
fn prune(account: &mut Object) {
    let prefix = format!("{}-token-", account.name());
    if let Some(secrets) = account.0.get_mut("secrets").and_then(Value::as_array_mut) {
        secrets.retain(|secret| !secret["name"].as_str().is_some_and(|name| name.starts_with(&prefix)));
    }
}

/// References that the member added stay.
fn retain(manifest: &mut Object, observed: &Object) {
    add_missing(manifest, observed, "secrets");
    add_missing(manifest, observed, "imagePullSecrets");
}

fn add_missing(manifest: &mut Object, observed: &Object, field: &str) {
    let theirs = observed.at(&[field]).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let (false, Some(root)) = (theirs.is_empty(), manifest.0.as_object_mut()) else { return };
    let ours = root.entry(field).or_insert_with(|| Value::Array(Vec::new()));
    if let Some(ours) = ours.as_array_mut() {
        let missing: Vec<Value> =
            theirs.iter().filter(|reference| !ours.contains(reference)).cloned().collect();
        ours.extend(missing);
    }
}
