//! `v1` PersistentVolumeClaim.

use portolan_api::kubernetes::{PersistentVolumeClaim, View, ViewError};
use portolan_api::resources;
use portolan_object::Object;
use serde_json::{Value, json};

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

/// Lost if any is lost, bound if all are bound, otherwise the last other phase. A cluster that has not reported one counts as
/// pending; for Karmada it is bound.
fn aggregate(_template: &Object, mut status: Value, reports: &[Report]) -> Option<Value> {
    let mut phase = if reports.is_empty() { "Pending" } else { "Bound" };
    for report in reports {
        match report.status.as_ref().and_then(|status| status["phase"].as_str()).unwrap_or("Pending") {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_bound_when_every_cluster_says_so() {
        let report =
            |status: Value| Report { cluster: "m".to_owned(), status: status.is_object().then_some(status) };
        let phase = |phases: &[Value]| {
            let reports: Vec<Report> = phases.iter().cloned().map(report).collect();
            let claim = Object(json!({ "metadata": { "name": "c" } }));
            aggregate(&claim, json!({}), &reports).expect("a status")["phase"].clone()
        };
        let (bound, lost, none) = (json!({ "phase": "Bound" }), json!({ "phase": "Lost" }), Value::Null);
        assert_eq!(phase(&[bound.clone(), bound.clone()]), "Bound");
        assert_eq!(phase(&[bound.clone(), none.clone()]), "Pending", "one has not reported");
        assert_eq!(phase(&[bound, json!({}), lost]), "Lost");
        assert_eq!(phase(&[]), "Pending");
    }
}
