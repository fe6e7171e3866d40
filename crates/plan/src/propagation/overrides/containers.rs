//! Changes of the command and the arguments of a container.

use portolan_api::policy::ListOperator;
use portolan_object::Object;
use serde_json::{Map, Value, json};

/// The containers and init containers of a Pod or of a workload's pod template; kinds that the API does not promise to
/// handle have none. Ephemeral containers belong to running pods and are in no template.
pub(super) fn containers(object: &mut Object) -> impl Iterator<Item = &mut Map<String, Value>> {
    let path: Option<&[&str]> = match object.kind() {
        "Pod" => Some(&["spec"]),
        "ReplicaSet" | "Deployment" | "DaemonSet" | "StatefulSet" | "Job" => {
            Some(&["spec", "template", "spec"])
        }
        "CronJob" => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        _ => None,
    };
    let pod = path.and_then(|path| path.iter().try_fold(&mut object.0, |value, name| value.get_mut(name)));
    let fields = pod.and_then(Value::as_object_mut).into_iter().flat_map(Map::iter_mut);
    let lists = fields.filter(|(name, _)| ["containers", "initContainers"].contains(&name.as_str()));
    lists.filter_map(|(_, list)| list.as_array_mut()).flatten().filter_map(Value::as_object_mut)
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
