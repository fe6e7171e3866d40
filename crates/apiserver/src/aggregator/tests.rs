use serde_json::{Value, json};

use super::resources::read;
use super::servers::identity;
use crate::auth::User;

fn list(resources: Value) -> Value {
    json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "metrics.k8s.io/v1beta1", "resources": resources })
}

#[test]
fn resources_are_shown_in_the_aggregated_form() {
    let document = list(json!([
        { "name": "pods", "singularName": "pod", "namespaced": true, "kind": "PodMetrics", "verbs": ["get", "list"],
          "shortNames": ["pm"] },
        { "name": "pods/scale", "namespaced": true, "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": ["get"] },
    ]));
    let want = json!({ "version": "v1beta1", "resources": [{
        "resource": "pods", "responseKind": { "group": "metrics.k8s.io", "version": "v1beta1", "kind": "PodMetrics" },
        "scope": "Namespaced", "singularResource": "pod", "verbs": ["get", "list"], "shortNames": ["pm"],
        "subresources": [{ "subresource": "scale", "verbs": ["get"],
            "responseKind": { "group": "autoscaling", "version": "v1", "kind": "Scale" } }] }] });
    assert_eq!(read(&document, "metrics.k8s.io", "v1beta1"), Ok(want));
}

#[test]
fn a_document_of_another_group_version_is_refused() {
    for (document, group) in
        [(list(json!([])), "other.example.com"), (json!({ "kind": "Status" }), "metrics.k8s.io")]
    {
        let error = read(&document, group, "v1beta1").unwrap_err();
        assert!(error.starts_with("expected an APIResourceList of "), "{error}");
    }
    let many: Vec<Value> = (0..1001).map(|index| json!({ "name": format!("r{index}") })).collect();
    assert!(read(&list(json!(many)), "metrics.k8s.io", "v1beta1").is_err());
}

#[test]
fn the_user_is_named_in_headers() {
    let mut user = User::new("jane", ["a", "b"]);
    user.uid = "1".to_owned();
    user.extra.insert("example.com/Team one".to_owned(), vec!["x".to_owned()]);
    let headers = identity(&user).unwrap();
    let text =
        |name: &str| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(text("x-remote-user"), ["jane"]);
    assert_eq!(text("x-remote-uid"), ["1"]);
    assert_eq!(text("x-remote-group"), ["a", "b", "system:authenticated"]);
    assert_eq!(text("x-remote-extra-example.com%2fteam%20one"), ["x"]);
    assert!(identity(&User::new("a\nb", ["c"])).is_err());
}
