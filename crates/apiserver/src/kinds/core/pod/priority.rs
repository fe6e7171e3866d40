//! The priority of a pod, from its PriorityClass when it is created (kubernetes
//! plugin/pkg/admission/priority/admission.go).

use serde_json::{Value, json};

use crate::tree;

/// Priority of a pod where no class is the default.
const NO_CLASS: i64 = 0;

/// The class of pods that name none: of the default ones that with the lowest value.
pub(crate) fn default_class(classes: impl IntoIterator<Item = Value>) -> Option<Value> {
    let defaults = classes.into_iter().filter(|class| tree::is_true(class, "/globalDefault"));
    defaults.min_by_key(value)
}

/// Sets the class of a new pod, its priority and whether it evicts others. `class` is the one that it names, or the default
/// one.
///
/// # Errors
/// When the pod says something else than its class.
pub(crate) fn set(pod: &mut Value, class: Option<&Value>) -> Result<(), String> {
    let computed = class.map_or(NO_CLASS, value);
    if let Some(asked) = tree::integer(pod, "/spec/priority").filter(|asked| *asked != computed) {
        return Err(format!(
            "the integer value of priority ({asked}) must not be provided in pod spec; priority admission controller \
             computed {computed} from the given PriorityClass name"
        ));
    }
    let policy = class.map_or("", |class| tree::str_at(class, "/preemptionPolicy"));
    let policy = if policy.is_empty() { "PreemptLowerPriority" } else { policy };
    let asked = tree::str_at(pod, "/spec/preemptionPolicy");
    if !asked.is_empty() && asked != policy {
        return Err(format!(
            "the string value of PreemptionPolicy ({asked}) must not be provided in pod spec; priority admission controller \
             computed {policy} from the given PriorityClass name"
        ));
    }
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else { return Ok(()) };
    if let Some(class) = class {
        spec.insert("priorityClassName".to_owned(), class["metadata"]["name"].clone());
    }
    spec.insert("priority".to_owned(), json!(computed));
    spec.insert("preemptionPolicy".to_owned(), json!(policy));
    Ok(())
}

/// Gives a changed pod that leaves them out the priority and the preemption policy that were set when it was created.
pub(crate) fn keep(pod: &mut Value, old: &Value) {
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for field in ["priority", "preemptionPolicy"] {
        let is_left_out = spec.get(field).is_none_or(Value::is_null);
        if let Some(before) = old["spec"].get(field).filter(|_| is_left_out) {
            spec.insert(field.to_owned(), before.clone());
        }
    }
}

fn value(class: &Value) -> i64 {
    tree::integer(class, "/value").unwrap_or(NO_CLASS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, value: i64, is_default: bool) -> Value {
        json!({ "metadata": { "name": name }, "value": value, "globalDefault": is_default, "preemptionPolicy": "Never" })
    }

    #[test]
    fn a_pod_gets_what_its_class_says() {
        let mut pod = json!({ "spec": { "priorityClassName": "high" } });
        set(&mut pod, Some(&class("high", 7, false))).unwrap();
        assert_eq!(
            pod["spec"],
            json!({ "priorityClassName": "high", "priority": 7, "preemptionPolicy": "Never" })
        );
        let mut plain = json!({ "spec": {} });
        set(&mut plain, None).unwrap();
        assert_eq!(plain["spec"], json!({ "priority": 0, "preemptionPolicy": "PreemptLowerPriority" }));
    }

    #[test]
    fn a_pod_cannot_choose_its_priority() {
        let mut pod = json!({ "spec": { "priority": 8 } });
        assert!(
            set(&mut pod, Some(&class("high", 7, false)))
                .unwrap_err()
                .starts_with("the integer value of priority (8)")
        );
        let mut same = json!({ "spec": { "priority": 7 } });
        assert!(set(&mut same, Some(&class("high", 7, false))).is_ok());
    }

    #[test]
    fn a_pod_that_is_replaced_without_its_priority_keeps_it() {
        let old = json!({ "spec": { "priority": 7, "preemptionPolicy": "Never" } });
        let mut plain = json!({ "spec": { "priority": null } });
        keep(&mut plain, &old);
        assert_eq!(plain, old);
        let mut other = json!({ "spec": { "priority": 8, "preemptionPolicy": "Never" } });
        keep(&mut other, &old);
        assert_eq!(other["spec"]["priority"], 8, "validation refuses it");
    }

    #[test]
    fn the_lowest_default_class_counts() {
        let found = default_class([class("a", 1, false), class("b", 9, true), class("c", 5, true)]).unwrap();
        assert_eq!(found["metadata"]["name"], "c");
        assert_eq!(default_class([class("a", 1, false)]), None);
    }
}
