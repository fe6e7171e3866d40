use http::header::{ACCEPT, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::*;
use crate::resources::Registry;

const KUBECTL: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                       application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

async fn ask(path: &str, headers: &HeaderMap) -> (http::response::Parts, Value) {
    let snapshot = Registry::default().snapshot();
    let response = answer(&snapshot, path, headers, &Query::default()).unwrap().unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts, serde_json::from_slice(&bytes).unwrap_or_default())
}

fn accept(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT, value.parse().unwrap())])
}

#[tokio::test]
async fn the_aggregated_form_has_an_etag() {
    let mut headers = accept(KUBECTL);
    let (parts, document) = ask("/apis", &headers).await;
    assert_eq!(parts.headers[CONTENT_TYPE], AGGREGATED);
    assert_eq!(document["items"][1]["metadata"]["name"], "apps");
    let tag = parts.headers[ETAG].clone();
    assert_eq!(tag.len(), 2 + 128);
    headers.insert(IF_NONE_MATCH, tag.clone());
    let (parts, body) = ask("/apis/", &headers).await;
    assert_eq!((parts.status, &parts.headers[ETAG], body), (StatusCode::NOT_MODIFIED, &tag, Value::Null));
    let (parts, _) = ask("/api", &headers).await;
    assert_eq!(parts.status, StatusCode::OK);
}

#[tokio::test]
async fn legacy_documents() {
    let (parts, versions) = ask("/api", &accept("application/json")).await;
    assert_eq!(parts.headers[CONTENT_TYPE], "application/json");
    assert_eq!((&versions["kind"], &versions["apiVersion"]), (&"APIVersions".into(), &Value::Null));
    let only_beta =
        "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
    assert_eq!(ask("/apis", &accept(only_beta)).await.1["kind"], "APIGroupList");

    let (_, group) = ask("/apis/autoscaling", &HeaderMap::new()).await;
    assert_eq!(group["preferredVersion"]["groupVersion"], "autoscaling/v2");
    let (_, list) = ask("/apis/apps/v1/", &HeaderMap::new()).await;
    let find = |name: &str| {
        list["resources"].as_array().unwrap().iter().find(|entry| entry["name"] == name).unwrap()
    };
    assert_eq!(find("deployments")["singularName"], "deployment");
    assert_eq!(find("deployments/scale")["group"], "autoscaling");
    assert_eq!(find("deployments")["storageVersionHash"], "8aSe+NMegvE=");
    assert_eq!(find("deployments/scale").get("storageVersionHash"), None);
}

#[tokio::test]
async fn fields_come_in_the_order_of_kubernetes() {
    let snapshot = Registry::default().snapshot();
    let response = answer(&snapshot, "/api/v1", &HeaderMap::new(), &Query::default()).unwrap().unwrap();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(text.starts_with(r#"{"kind":"APIResourceList","groupVersion":"v1","resources":["#), "{text}");
    let services = r#"{"name":"services","singularName":"service","namespaced":true,"kind":"Service","verbs":["create","#;
    assert!(text.contains(services), "{text}");
}

#[test]
fn other_paths_are_not_discovery() {
    let snapshot = Registry::default().snapshot();
    for path in ["/", "/apis/nope", "/apis/apps/v9", "/api/v2", "/version"] {
        assert!(answer(&snapshot, path, &HeaderMap::new(), &Query::default()).is_none(), "{path}");
    }
}

#[test]
fn html_is_not_acceptable() {
    let snapshot = Registry::default().snapshot();
    let answer = answer(&snapshot, "/apis", &accept("text/html"), &Query::default()).unwrap();
    assert_eq!(answer.unwrap_err().code, 406);
}
