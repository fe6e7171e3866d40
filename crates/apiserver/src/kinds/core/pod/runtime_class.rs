//! What the RuntimeClass of a new pod adds to it (kubernetes plugin/pkg/admission/runtimeclass/admission.go).

use serde_json::{Value, json};

use crate::tree;

/// Sets overhead and scheduling of a new pod. `class` is the one that it names.
///
/// # Errors
/// When the pod says something else than its class.
pub(crate) fn set(pod: &mut Value, class: Option<&Value>) -> Result<(), String> {
    let overhead = class.and_then(|class| tree::present(class, "/overhead"));
    let asked = tree::map(pod, "/spec/overhead").filter(|asked| !asked.is_empty());
    let Some(overhead) = overhead else {
        if asked.is_some() {
            return Err("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
                .to_owned());
        }
        return schedule(pod, class);
    };
    let fixed = overhead.get("podFixed").and_then(Value::as_object);
    if asked.is_some() && asked != fixed {
        return Err("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead".to_owned());
    }
    if let Some(fixed) = fixed {
        pod["spec"]["overhead"] = json!(fixed);
    }
    schedule(pod, class)
}

fn schedule(pod: &mut Value, class: Option<&Value>) -> Result<(), String> {
    let Some(class) = class else { return Ok(()) };
    for (key, value) in tree::entries(class, "/scheduling/nodeSelector") {
        let own = pod["spec"]["nodeSelector"].get(key);
        if let Some(own) = own.filter(|own| *own != value) {
            let [own, value] = [own, value].map(|text| text.as_str().unwrap_or_default().to_owned());
            return Err(format!(
                "conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {own}"
            ));
        }
        pod["spec"]["nodeSelector"][key] = value.clone();
    }
    for toleration in tree::list(class, "/scheduling/tolerations") {
        if !pod["spec"]["tolerations"].is_array() {
            pod["spec"]["tolerations"] = json!([]);
        }
        if let Some(own) = pod["spec"]["tolerations"].as_array_mut()
            && !own.contains(toleration)
        {
            own.push(toleration.clone());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_gets_the_overhead_and_the_nodes_of_its_class() {
        let class = json!({ "overhead": { "podFixed": { "cpu": "1" } }, "scheduling": {
            "nodeSelector": { "kind": "a" }, "tolerations": [{ "key": "t" }] } });
        let mut pod = json!({ "spec": { "nodeSelector": { "zone": "z" } } });
        set(&mut pod, Some(&class)).unwrap();
        assert_eq!(
            pod["spec"],
            json!({ "overhead": { "cpu": "1" }, "nodeSelector": { "kind": "a", "zone": "z" },
                "tolerations": [{ "key": "t" }] })
        );
        let refused =
            |spec: Value, class: Option<&Value>| set(&mut json!({ "spec": spec }), class).unwrap_err();
        assert!(refused(json!({ "overhead": { "cpu": "2" } }), Some(&class)).ends_with("defined Overhead"));
        assert!(
            refused(json!({ "overhead": { "cpu": "2" } }), None)
                .starts_with("pod rejected: Pod Overhead set")
        );
        assert!(refused(json!({ "nodeSelector": { "kind": "b" } }), Some(&class)).starts_with("conflict: "));
    }
}
