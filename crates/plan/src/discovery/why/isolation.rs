//! NetworkPolicies that can keep clients of one cluster from endpoints of another. They are named when a connection fails.

use portolan_api::meta::LabelSelector;
use portolan_object::Object;
use serde::Deserialize;
use serde_json::Value;

use super::facts::View;

/// Policies that are named, at most.
const MAX_NAMED: usize = 3;

/// A direction of traffic, as in `spec.policyTypes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// To the pods that a policy selects.
    Ingress,
    /// From them.
    Egress,
}

/// ` (in eu: NetworkPolicy deny-all)` for the policies of both clusters; empty if there are none.
pub(super) fn policies_between(client: (&str, &View), exporter: (&str, &View)) -> String {
    let (from, view) = client;
    let (to, source) = exporter;
    let of_client = named(view.network_policies.iter().filter(|policy| isolates(policy, Direction::Egress)));
    let of_exporter = named(source.network_policies.iter().filter(|policy| {
        isolates(policy, Direction::Ingress) && selects_a_pod(policy, source.pods.as_deref())
    }));
    let parts: Vec<String> = [(from, of_client), (to, of_exporter)]
        .into_iter()
        .filter(|(_, policies)| !policies.is_empty())
        .map(|(cluster, policies)| format!("in {cluster}: NetworkPolicy {}", policies.join(", ")))
        .collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) }
}

fn named<'a>(policies: impl Iterator<Item = &'a Object>) -> Vec<&'a str> {
    policies.map(Object::name).take(MAX_NAMED).collect()
}

/// Whether a policy limits traffic in a direction (kubernetes pkg/apis/networking/v1/defaults.go): `Ingress` always without
/// `policyTypes`, and `Egress` if it has rules for it.
fn isolates(policy: &Object, direction: Direction) -> bool {
    let name = match direction {
        Direction::Ingress => "Ingress",
        Direction::Egress => "Egress",
    };
    match policy.at(&["spec", "policyTypes"]).and_then(Value::as_array) {
        Some(types) if !types.is_empty() => types.iter().any(|listed| listed == name),
        _ => direction == Direction::Ingress || policy.at(&["spec", "egress"]).is_some(),
    }
}

/// Whether a policy selects one of the pods. Pods that were not read may be selected.
fn selects_a_pod(policy: &Object, pods: Option<&[Object]>) -> bool {
    let (Some(pods), Some(selector)) = (pods, policy.at(&["spec", "podSelector"])) else { return true };
    // A selector that cannot be read may select anything.
    let Ok(selector) = LabelSelector::deserialize(selector) else { return true };
    pods.iter().any(|pod| selector.matches(|label| pod.label(label)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_that_can_stop_the_traffic_are_named() {
        let policy = |name: &str, spec: Value| {
            Object(json!({ "metadata": { "namespace": "shop", "name": name }, "spec": spec }))
        };
        let web = Object(json!({ "metadata": { "name": "web-1", "labels": { "app": "web" } } }));
        let of_web = json!({ "podSelector": { "matchLabels": { "app": "web" } } });
        let of_db = json!({ "podSelector": { "matchLabels": { "app": "db" } } });
        let out = json!({ "podSelector": {}, "policyTypes": ["Egress"] });
        let both = json!({ "podSelector": {}, "egress": [{}] });
        let cases = [
            ("none", vec![], vec![], ""),
            (
                "the pods are isolated",
                vec![],
                vec![policy("in", of_web.clone())],
                " (in eu: NetworkPolicy in)",
            ),
            ("other pods are", vec![], vec![policy("in", of_db)], ""),
            ("the client is", vec![policy("out", out.clone())], vec![], " (in us: NetworkPolicy out)"),
            ("only towards the client", vec![policy("in", of_web.clone())], vec![], ""),
            ("only from the pods", vec![], vec![policy("out", out)], ""),
            (
                "both, without policyTypes",
                vec![policy("all", both)],
                vec![policy("in", of_web)],
                " (in us: NetworkPolicy all; in eu: NetworkPolicy in)",
            ),
        ];
        for (name, of_client, of_exporter, want) in cases {
            let client = View { network_policies: of_client, ..View::default() };
            let exporter =
                View { network_policies: of_exporter, pods: Some(vec![web.clone()]), ..View::default() };
            assert_eq!(policies_between(("us", &client), ("eu", &exporter)), want, "{name}");
        }
    }
}
