//! The status of a StatefulSet: how many pods of which revision, and why there are none.

use portolan_object::Object;
use serde_json::{Map, Value, json};

use super::revision::{REVISION_LABEL, Templates};
use super::{is_finished, is_healthy, is_rolling};
use crate::kubernetes::replica_set::desired;

/// The condition of a set that gets no pods; the type is that of ReplicaSets.
const FAILURE: &str = "ReplicaFailure";
const REASON: &str = "VolumesNotProvided";

/// Computes the status; `refusal` says why the set gets no pods.
pub(super) fn of(
    set: &Object,
    pods: &[&Object],
    templates: &Templates,
    refusal: Option<&str>,
    now: &str,
) -> Value {
    let counts = |wanted: &dyn Fn(&Object) -> bool| pods.iter().filter(|pod| wanted(pod)).count();
    let is_of = |revision: &str, pod: &Object| {
        pod.label(REVISION_LABEL) == Some(revision) && !pod.is_deleting() && !is_finished(pod)
    };
    let ready = counts(&is_healthy);
    let updated = counts(&|pod| is_of(templates.update(), pod));
    let is_complete = is_rolling(set)
        && [pods.len(), updated, ready].iter().all(|&count| i64::try_from(count) == Ok(desired(set)));
    let current_revision = if is_complete { templates.update() } else { templates.current() };
    let current = if is_complete { updated } else { counts(&|pod| is_of(templates.current(), pod)) };
    let mut status = Map::new();
    status.insert("observedGeneration".to_owned(), json!(set.generation()));
    status.insert("replicas".to_owned(), json!(pods.len()));
    status.insert("availableReplicas".to_owned(), json!(ready));
    for (field, count) in
        [("readyReplicas", ready), ("currentReplicas", current), ("updatedReplicas", updated)]
    {
        if count > 0 {
            status.insert(field.to_owned(), json!(count));
        }
    }
    status.insert("currentRevision".to_owned(), json!(current_revision));
    status.insert("updateRevision".to_owned(), json!(templates.update()));
    status.insert("collisionCount".to_owned(), json!(0));
    if let Some(message) = refusal {
        status.insert("conditions".to_owned(), json!([condition(set, message, now)]));
    }
    Value::Object(status)
}

/// Whether the status says it already.
pub(super) fn says(set: &Object, message: &str) -> bool {
    present(set).is_some_and(|condition| condition["message"] == message)
}

fn present(set: &Object) -> Option<&Value> {
    let conditions = set.at(&["status", "conditions"])?.as_array()?;
    conditions.iter().find(|condition| condition["type"] == FAILURE)
}

/// The time moves only with the condition, so that an unchanged status is equal to the last one.
fn condition(set: &Object, message: &str, now: &str) -> Value {
    let since = present(set).map_or_else(|| json!(now), |condition| condition["lastTransitionTime"].clone());
    json!({
        "type": FAILURE, "status": "True", "reason": REASON, "message": message, "lastTransitionTime": since,
    })
}
