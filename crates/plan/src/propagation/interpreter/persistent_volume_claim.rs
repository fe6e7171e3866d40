//! `v1` PersistentVolumeClaim.

use portolan_api::kubernetes::{PersistentVolumeClaim, View, ViewError};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::{Value, json};

use super::counters::statuses;
use super::{Hook, Interpreter, Report};
use crate::propagation::fields;

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::PERSISTENT_VOLUME_CLAIM,
    status_fields: &["phase"],
    replicas: Hook::Default,
    components: Hook::Default,
    prune: Hook::Custom(prune),
    retain: Hook::Custom(|manifest, observed| fields::copy(manifest, observed, &["spec", "volumeName"])),
    reflect: Hook::Default,
    health: Hook::Custom(is_healthy),
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Default,
};

fn prune(template: &mut Object) {
    fields::remove_annotations(template, &["volume.kubernetes.io/selected-node"]);
}

fn is_healthy(object: &Object) -> Result<bool, ViewError> {
    Ok(PersistentVolumeClaim::read(object)?.status.phase == Some("Bound"))
}

/// Lost if any is lost, bound if all are bound, otherwise the last other phase.
fn aggregate(_template: &Object, mut status: Value, reports: &[Report]) -> Option<Value> {
    let mut phase = "Bound";
    for found in statuses(reports).filter_map(|status| status["phase"].as_str()) {
        match found {
            "Lost" => {
                phase = "Lost";
                break;
            }
            "Bound" => {}
            other => phase = other,
        }
    }
    status["phase"] = json!(phase);
    Some(status)
}
