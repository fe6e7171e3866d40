//! Changes of the command and the arguments of a container.

use portolan_api::policy::ListOperator;
use portolan_object::Object;
use serde_json::{Map, Value, json};

/// The containers of a Pod or of a workload's template; kinds that the API does not promise to handle have none.
///
/// Only `containers`: init containers are left alone, as in Karmada.
pub(super) fn containers(object: &mut Object) -> impl Iterator<Item = &mut Map<String, Value>> {
    let path: &[&str] = match object.kind() {
        "Pod" => &["spec", "containers"],
        "ReplicaSet" | "Deployment" | "DaemonSet" | "StatefulSet" | "Job" => {
            &["spec", "template", "spec", "containers"]
        }
        _ => &[],
    };
    let found =
        (!path.is_empty()).then(|| path.iter().try_fold(&mut object.0, |value, name| value.get_mut(name)));
    found.flatten().and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// Appends `words` to a list of the named container, or takes equal words out of it.
pub(super) fn apply(
    object: &mut Object,
    field: &str,
    container: &str,
    operator: ListOperator,
    words: &[String],
) {
    let named = containers(object)
        .filter(|candidate| candidate.get("name").and_then(Value::as_str) == Some(container));
    for container in named {
        let list = container.entry(field).or_insert_with(|| json!([]));
        let Some(list) = list.as_array_mut() else { continue };
        match operator {
            ListOperator::Add => list.extend(words.iter().cloned().map(Value::String)),
            ListOperator::Remove => {
                list.retain(|word| !word.as_str().is_some_and(|word| words.iter().any(|other| other == word)))
            }
        }
        if list.is_empty() {
            container.remove(field);
        }
    }
}
