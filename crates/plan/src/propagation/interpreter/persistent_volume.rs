//! `v1` PersistentVolume.

use portolan_api::kubernetes::{VolumeStatus, read_value};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::{Value, json};

use super::{Hook, Interpreter, Report};
use crate::propagation::fields;

pub(super) const INTERPRETER: Interpreter = Interpreter {
    resource: resources::PERSISTENT_VOLUME,
    status_fields: &["phase"],
    replicas: Hook::Default,
    components: Hook::Default,
    prune: Hook::Default,
    retain: Hook::Custom(|manifest, observed| fields::copy(manifest, observed, &["spec", "claimRef"])),
    reflect: Hook::Default,
    health: Hook::Default,
    aggregate: Hook::Custom(aggregate),
    dependencies: Hook::Default,
};

/// The worst phase; a cluster without a report counts as pending.
fn aggregate(_template: &Object, mut status: Value, reports: &[Report]) -> Option<Value> {
    let phase = |report: &Report| {
        let member: Option<VolumeStatus<'_>> =
            report.status.as_ref().and_then(|status| read_value(status).ok());
        member.and_then(|member| member.phase).unwrap_or("Pending").to_owned()
    };
    let phases: Vec<String> = reports.iter().map(phase).collect();
    let precedence = ["Failed", "Pending", "Available", "Bound", "Released"];
    if let Some(phase) = precedence.iter().find(|phase| phases.iter().any(|found| found == **phase)) {
        status["phase"] = json!(phase);
    }
    Some(status)
}
