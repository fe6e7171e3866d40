//! The status of a StatefulSet: pods by revision.

use portolan_api::kubernetes::StatefulSet;
use portolan_object::Object;
use serde_json::{Map, Value, json};

use super::revision::{REVISION_LABEL, Templates};
use super::{is_finished, is_healthy, is_rolling};
use crate::kubernetes::replica_set::desired_replicas;

/// Computes the status.
pub(super) fn compute(
    set: &Object,
    view: &StatefulSet<'_>,
    pods: &[&Object],
    templates: &Templates<'_>,
) -> Value {
    let counts = |wanted: &dyn Fn(&Object) -> bool| pods.iter().filter(|pod| wanted(pod)).count();
    let is_of = |revision: &str, pod: &Object| {
        pod.label(REVISION_LABEL) == Some(revision) && !pod.is_deleting() && !is_finished(pod)
    };
    let ready = counts(&is_healthy);
    let updated = counts(&|pod| is_of(templates.update(), pod));
    let desired = desired_replicas(view.spec.replicas);
    let is_complete = is_rolling(&view.spec)
        && [pods.len(), updated, ready].iter().all(|&count| i64::try_from(count) == Ok(desired));
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
    Value::Object(status)
}
