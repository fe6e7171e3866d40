//! What a LimitRange adds to new pods, and what it refuses (kubernetes plugin/pkg/admission/limitranger/admission.go).

use portolan_object::quantity::Quantity;
use serde_json::{Value, json};

use crate::kinds::core::pod::resources::{Amounts, amounts, total};
use crate::tree;

/// The annotation that says what was added.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Gives the containers of a new pod the amounts that they do not say themselves.
pub(crate) fn set_defaults(range: &Value, pod: &mut Value) {
    let mut notes = Vec::new();
    for limit in tree::list(range, "/spec/limits").iter().filter(|limit| limit["type"] == "Container") {
        for (list, what) in [("containers", "container"), ("initContainers", "init container")] {
            let containers = pod["spec"].get_mut(list).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten() {
                let name = tree::str_at(container, "/name").to_owned();
                for (source, field, word) in
                    [("defaultRequest", "requests", "request"), ("default", "limits", "limit")]
                {
                    let added = add_missing(limit, source, container, field);
                    if !added.is_empty() {
                        notes.push(format!("{} {word} for {what} {name}", added.join(", ")));
                    }
                }
            }
        }
    }
    if !notes.is_empty() {
        pod["metadata"]["annotations"][ANNOTATION] =
            json!(format!("LimitRanger plugin set: {}", notes.join("; ")));
    }
}

/// Copies the amounts that a container lacks; returns their names.
fn add_missing(limit: &Value, source: &str, container: &mut Value, field: &str) -> Vec<String> {
    let mut added = Vec::new();
    for (name, amount) in tree::entries(limit, &format!("/{source}")) {
        let resources = &mut container["resources"][field];
        if resources.get(name).is_none() {
            resources[name] = amount.clone();
            added.push(name.to_owned());
        }
    }
    added
}

/// Why a new pod is refused.
pub(crate) fn check_pod(range: &Value, pod: &Value) -> Vec<String> {
    let mut violations = Vec::new();
    for limit in tree::list(range, "/spec/limits") {
        match tree::str_at(limit, "/type") {
            "Container" => {
                let lists = ["/spec/containers", "/spec/initContainers"].map(|list| tree::list(pod, list));
                for container in lists.into_iter().flatten() {
                    let [requests, limits] = ["requests", "limits"]
                        .map(|field| amounts(container, &format!("/resources/{field}")));
                    check(limit, "Container", &requests, &limits, &mut violations);
                }
            }
            "Pod" => {
                check(limit, "Pod", &total(pod, "requests"), &total(pod, "limits"), &mut violations);
            }
            _ => {}
        }
    }
    violations
}

/// Why a new or changed claim is refused.
pub(crate) fn check_claim(range: &Value, claim: &Value) -> Vec<String> {
    const TYPE: &str = "PersistentVolumeClaim";
    let requests = amounts(claim, "/spec/resources/requests");
    let mut violations = Vec::new();
    for limit in tree::list(range, "/spec/limits").iter().filter(|limit| limit["type"] == TYPE) {
        for (name, least) in amounts(limit, "/min") {
            violations.extend(below(TYPE, &name, least, &requests, &Amounts::new()));
        }
        for (name, most) in amounts(limit, "/max") {
            let start = format!("maximum {name} usage per {TYPE} is {most}");
            match requests.get(&name) {
                None => violations.push(format!("{start}.  No request is specified")),
                Some(request) if *request > most => {
                    violations.push(format!("{start}, but request is {request}"))
                }
                Some(_) => {}
            }
        }
    }
    violations
}

fn check(limit: &Value, what: &str, requests: &Amounts, limits: &Amounts, violations: &mut Vec<String>) {
    for (name, least) in amounts(limit, "/min") {
        violations.extend(below(what, &name, least, requests, limits));
    }
    for (name, most) in amounts(limit, "/max") {
        violations.extend(above(what, &name, most, requests, limits));
    }
    for (name, ratio) in amounts(limit, "/maxLimitRequestRatio") {
        violations.extend(too_far_apart(what, &name, ratio, requests.get(&name), limits.get(&name)));
    }
}

fn below(what: &str, name: &str, least: Quantity, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let start = format!("minimum {name} usage per {what} is {least}");
    let Some(request) = requests.get(name) else { return Some(format!("{start}.  No request is specified")) };
    if *request < least {
        return Some(format!("{start}, but request is {request}"));
    }
    let limit = limits.get(name).filter(|limit| **limit < least)?;
    Some(format!("{start}, but limit is {limit}"))
}

fn above(what: &str, name: &str, most: Quantity, requests: &Amounts, limits: &Amounts) -> Option<String> {
    let start = format!("maximum {name} usage per {what} is {most}");
    let Some(limit) = limits.get(name) else { return Some(format!("{start}.  No limit is specified")) };
    if *limit > most {
        return Some(format!("{start}, but limit is {limit}"));
    }
    let request = requests.get(name).filter(|request| **request > most)?;
    Some(format!("{start}, but request is {request}"))
}

fn too_far_apart(
    what: &str,
    name: &str,
    most: Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let start = format!("{name} max limit to request ratio per {what} is {most}");
    let Some(request) = request.filter(|request| !request.is_zero()) else {
        return Some(format!("{start}, but no request is specified or request is 0"));
    };
    let Some(limit) = limit.filter(|limit| !limit.is_zero()) else {
        return Some(format!("{start}, but no limit is specified or limit is 0"));
    };
    let ratio = limit.as_f64() / request.as_f64();
    (ratio > most.as_f64()).then(|| format!("{start}, but provided ratio is {ratio:.6}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(limit: Value) -> Value {
        json!({ "spec": { "limits": [limit] } })
    }

    #[test]
    fn containers_get_what_they_do_not_say() {
        let range = range(json!({ "type": "Container", "default": { "cpu": "1", "memory": "1Gi" },
            "defaultRequest": { "cpu": "500m" } }));
        let mut pod = json!({ "metadata": {}, "spec": { "containers": [
            { "name": "a", "resources": { "limits": { "memory": "2Gi" } } }] } });
        set_defaults(&range, &mut pod);
        let resources = &pod["spec"]["containers"][0]["resources"];
        assert_eq!(
            *resources,
            json!({ "requests": { "cpu": "500m" }, "limits": { "cpu": "1", "memory": "2Gi" } })
        );
        assert_eq!(
            pod["metadata"]["annotations"][ANNOTATION],
            "LimitRanger plugin set: cpu request for container a; cpu limit for container a"
        );
    }

    #[test]
    fn violations_have_the_texts_of_kubernetes() {
        let pod = |requests: Value, limits: Value| json!({ "spec": { "containers": [{ "name": "a", "resources": { "requests": requests, "limits": limits } }] } });
        let cases = [
            (
                json!({ "type": "Container", "min": { "cpu": "200m" } }),
                pod(json!({ "cpu": "100m" }), json!({})),
                "minimum cpu usage per Container is 200m, but request is 100m",
            ),
            (
                json!({ "type": "Container", "max": { "cpu": "1" } }),
                pod(json!({}), json!({})),
                "maximum cpu usage per Container is 1.  No limit is specified",
            ),
            (
                json!({ "type": "Pod", "max": { "memory": "1Gi" } }),
                pod(json!({}), json!({ "memory": "2Gi" })),
                "maximum memory usage per Pod is 1Gi, but limit is 2Gi",
            ),
            (
                json!({ "type": "Container", "maxLimitRequestRatio": { "cpu": "2" } }),
                pod(json!({ "cpu": "1" }), json!({ "cpu": "3" })),
                "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
            ),
        ];
        for (limit, pod, want) in cases {
            assert_eq!(check_pod(&range(limit), &pod), [want]);
        }
        let claim = json!({ "spec": { "resources": { "requests": { "storage": "1Gi" } } } });
        let limit = range(json!({ "type": "PersistentVolumeClaim", "min": { "storage": "2Gi" } }));
        assert_eq!(
            check_claim(&limit, &claim),
            ["minimum storage usage per PersistentVolumeClaim is 2Gi, but request is 1Gi"]
        );
    }
}
