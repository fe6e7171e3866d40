//! Requests and limits of a pod as a whole (kubernetes
//! staging/src/k8s.io/component-helpers/resource/helpers.go).

use std::collections::BTreeMap;

use portolan_object::quantity::Quantity;
use serde_json::Value;

use crate::tree;

/// Amounts by resource.
pub(crate) type Amounts = BTreeMap<String, Quantity>;

/// The amounts in a map of an object; what is not a quantity is left out.
pub(crate) fn amounts(object: &Value, pointer: &str) -> Amounts {
    let read =
        |(name, amount): (&str, &Value)| Some((name.to_owned(), Quantity::parse(amount.as_str()?).ok()?));
    tree::entries(object, pointer).filter_map(read).collect()
}

/// What a pod needs at a time, of `requests` or `limits`: its containers together with the sidecars, or an init container
/// with the sidecars before it. Amounts of the pod itself take precedence.
pub(crate) fn total(pod: &Value, field: &str) -> Amounts {
    let of = |container: &Value| amounts(container, &format!("/resources/{field}"));
    let mut running = Amounts::new();
    for container in tree::list(pod, "/spec/containers") {
        add(&mut running, &of(container));
    }
    let (mut sidecars, mut starting) = (Amounts::new(), Amounts::new());
    for container in tree::list(pod, "/spec/initContainers") {
        let mut together = sidecars.clone();
        add(&mut together, &of(container));
        if tree::str_at(container, "/restartPolicy") == "Always" {
            add(&mut running, &of(container));
            sidecars.clone_from(&together);
        }
        raise(&mut starting, &together);
    }
    raise(&mut running, &starting);
    running.extend(amounts(pod, &format!("/spec/resources/{field}")));
    running
}

fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let amount = sum.get(name).map_or(*amount, |sum| sum.plus(*amount));
        sum.insert(name.clone(), amount);
    }
}

fn raise(most: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        if most.get(name).is_none_or(|most| most < amount) {
            most.insert(name.clone(), *amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn init_containers_and_sidecars_count_while_they_run() {
        let container = |cpu: &str| json!({ "resources": { "requests": { "cpu": cpu } } });
        let mut sidecar = container("100m");
        sidecar["restartPolicy"] = json!("Always");
        let cpu = |pod: &Value| total(pod, "requests")["cpu"].to_string();
        let pod = json!({ "spec": { "containers": [container("200m"), container("100m")],
            "initContainers": [sidecar, container("250m")] } });
        assert_eq!(cpu(&pod), "400m");
        let starting =
            json!({ "spec": { "containers": [container("1")], "initContainers": [container("2")] } });
        assert_eq!(cpu(&starting), "2");
    }
}
