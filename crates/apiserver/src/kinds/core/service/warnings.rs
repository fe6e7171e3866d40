//! Warnings about fields of a Service that have no effect (kubernetes pkg/api/service/warnings.go).

use serde_json::Value;

use crate::tree;

pub(super) fn warnings(service: &Value, _: Option<&Value>) -> Vec<String> {
    let text = |pointer: &str| tree::str_at(service, pointer);
    let mut warnings = Vec::new();
    if !tree::str_at(service, "/metadata/annotations/service.kubernetes.io~1topology-aware-hints").is_empty()
    {
        warnings.push(
            "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use \
             service.kubernetes.io/topology-mode instead"
                .to_owned(),
        );
    }
    let kind = text("/spec/type");
    let has_external_addresses = !tree::list(service, "/spec/externalIPs").is_empty();
    let is_headless = kind != "ExternalName" && text("/spec/clusterIP") == "None";
    if is_headless {
        let ignored = [
            (!text("/spec/loadBalancerIP").is_empty(), "loadBalancerIP"),
            (has_external_addresses, "externalIPs"),
            (!matches!(text("/spec/sessionAffinity"), "" | "None"), "SessionAffinity"),
        ];
        let ignored = ignored.into_iter().filter(|(is_set, _)| *is_set);
        warnings.extend(ignored.map(|(_, field)| format!("spec.{field} is ignored for headless services")));
    }
    if has_external_addresses && kind == "ExternalName" {
        warnings.push("spec.externalIPs is ignored when spec.type is \"ExternalName\"".to_owned());
    } else if has_external_addresses && !is_headless {
        let text = "spec.externalIPs is deprecated and may no longer be implemented in some clusters";
        warnings.push(text.to_owned());
    }
    if kind != "ExternalName" && !text("/spec/externalName").is_empty() {
        warnings.push("spec.externalName is ignored when spec.type is not \"ExternalName\"".to_owned());
    }
    if text("/spec/trafficDistribution") == "PreferClose" {
        warnings.push(
            "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"".to_owned(),
        );
    }
    warnings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_without_an_effect_are_told() {
        let told = |spec: Value| warnings(&json!({ "spec": spec }), None);
        assert_eq!(told(json!({ "type": "ClusterIP", "sessionAffinity": "None" })), [""; 0]);
        assert_eq!(
            told(json!({ "type": "ClusterIP", "externalName": "example.com" })),
            ["spec.externalName is ignored when spec.type is not \"ExternalName\""]
        );
        assert_eq!(
            told(json!({ "type": "ClusterIP", "clusterIP": "None", "sessionAffinity": "ClientIP" })),
            ["spec.SessionAffinity is ignored for headless services"]
        );
    }
}
