//! Group versions that another API server answers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use jiff::Timestamp;
use portolan_apiserver::{ApiServer, Config};
use portolan_net::Shutdown;
use portolan_net::pki::{Authority, ServerNames};
use portolan_net::server::{PeerIdentity, Server, listen};
use portolan_net::tls::{ClientCertificates, ServerCertificate, server_config};
use portolan_store::Store;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use crate::cluster::{Answer, Cluster};

const API_SERVICES: &str = "/apis/apiregistration.k8s.io/v1/apiservices";
const NAME: &str = "v1.metrics.example.com";

/// An API server with one group version on a port of loopback.
struct Aggregated {
    port: u16,
    ca_bundle: String,
    is_lying: Arc<AtomicBool>,
    _scope: Shutdown,
}

impl Aggregated {
    /// Starts it with the authority that the cluster's ConfigMap names for its clients.
    async fn start(cluster: &Cluster) -> Self {
        let path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
        let found = cluster.get(path).await;
        let pem = found.body["data"]["requestheader-client-ca-file"].as_str().unwrap();
        let front_proxy = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let now = Timestamp::now();
        let authority = Authority::create("aggregated", now).unwrap();
        let names = ServerNames {
            common_name: "m".to_owned(),
            dns: vec!["m.default.svc".to_owned()],
            addresses: Vec::new(),
        };
        let identity = authority.issue_server(&names, Duration::from_secs(3600), now).unwrap();
        let clients = ClientCertificates::SignedBy(vec![front_proxy]);
        let tls = server_config(ServerCertificate::new(&identity).unwrap(), &clients).unwrap();
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (scope, is_lying) = (Shutdown::new(), Arc::new(AtomicBool::new(false)));
        let flag = Arc::clone(&is_lying);
        let answer = move |request: Request<Incoming>| answer(request, Arc::clone(&flag));
        Server::tls(listener, tls).spawn(tower::service_fn(answer), &scope);
        Self { port, ca_bundle: STANDARD.encode(authority.certificate_pem()), is_lying, _scope: scope }
    }

    fn api_service(&self) -> Value {
        json!({ "metadata": { "name": NAME, "annotations": { "portolan.dev/run-here": "true" } }, "spec": {
            "group": "metrics.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "caBundle": self.ca_bundle, "service": { "namespace": "default", "name": "m", "port": self.port } } })
    }
}

async fn answer(
    request: Request<Incoming>,
    is_lying: Arc<AtomicBool>,
) -> Result<Response<Full<bytes::Bytes>>, Infallible> {
    let is_known = request.extensions().get::<PeerIdentity>().is_some_and(|peer| peer.0.is_some());
    let headers = request.headers();
    let all = |name: &str| {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let document = match request.uri().path() {
        _ if !is_known => json!({ "kind": "Status", "code": 401 }),
        "/apis/metrics.example.com/v1" if is_lying.load(Ordering::SeqCst) => {
            json!({ "kind": "APIResourceList" })
        }
        "/apis/metrics.example.com/v1" => json!({ "kind": "APIResourceList", "apiVersion": "v1",
            "groupVersion": "metrics.example.com/v1", "resources": [{ "name": "nodes", "singularName": "node",
            "namespaced": false, "kind": "NodeMetrics", "verbs": ["get", "list"] }] }),
        path => {
            json!({ "kind": "Seen", "path": path, "query": request.uri().query(), "user": all("x-remote-user"),
            "groups": all("x-remote-group"), "authorization": all("authorization") })
        }
    };
    let mut response = Response::new(Full::from(document.to_string()));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    Ok(response)
}

async fn publish(cluster: &Cluster, server: &Aggregated) {
    let service = json!({ "metadata": { "name": "m" }, "spec": { "type": "ExternalName", "externalName": "localhost" } });
    assert_eq!(cluster.post("/api/v1/namespaces/default/services", &service).await.code, 201);
    let made = cluster.post(API_SERVICES, &server.api_service()).await;
    assert_eq!((made.code, made.warnings()), (201, Vec::new()), "{}", made.text);
}

fn condition(answer: &Answer) -> (&str, &str, &str) {
    let condition = &answer.body["status"]["conditions"][0];
    let text = |field: &str| condition[field].as_str().unwrap_or_default();
    (text("status"), text("reason"), text("message"))
}

#[tokio::test]
async fn requests_reach_the_server_with_the_name_of_the_user() {
    let cluster = Cluster::start().await;
    let server = Aggregated::start(&cluster).await;
    publish(&cluster, &server).await;
    let path = format!("{API_SERVICES}/{NAME}");
    cluster.eventually(&path, |answer| condition(answer) == ("True", "Passed", "all checks passed")).await;
    let bob = cluster.as_member("bob", &["dev"]);
    let nodes = "/apis/metrics.example.com/v1/nodes?limit=5";
    let refused = bob.get(nodes).await;
    assert_eq!(refused.code, 403, "{}", refused.text);
    let role = json!({ "metadata": { "name": "m" },
        "rules": [{ "apiGroups": ["metrics.example.com"], "resources": ["nodes"], "verbs": ["list"] }] });
    let binding = json!({ "metadata": { "name": "m" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "m" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob" }] });
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    assert_eq!(cluster.post(&format!("{rbac}/clusterroles"), &role).await.code, 201);
    assert_eq!(cluster.post(&format!("{rbac}/clusterrolebindings"), &binding).await.code, 201);
    let headers = [("x-remote-user", "root"), ("authorization", "Bearer secret")];
    let seen = bob.send("GET", nodes, &headers, "").await;
    assert_eq!(
        seen.body,
        json!({ "kind": "Seen", "path": "/apis/metrics.example.com/v1/nodes", "query": "limit=5", "user": ["bob"],
            "groups": ["dev", "system:authenticated"], "authorization": [] })
    );
}

#[tokio::test]
async fn its_resources_are_a_part_of_discovery() {
    let cluster = Cluster::start().await;
    let server = Aggregated::start(&cluster).await;
    publish(&cluster, &server).await;
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    cluster.eventually(&format!("{API_SERVICES}/{NAME}"), |answer| condition(answer).0 == "True").await;
    let aggregated = cluster.send("GET", "/apis", &[("accept", accept)], "").await;
    let items = aggregated.body["items"].as_array().unwrap();
    let group = items.iter().find(|item| item["metadata"]["name"] == "metrics.example.com").unwrap();
    assert_eq!(group["versions"][0]["freshness"], "Current");
    assert_eq!(group["versions"][0]["resources"][0]["responseKind"]["kind"], "NodeMetrics");
    let group = cluster.get("/apis/metrics.example.com").await;
    assert_eq!(group.body["preferredVersion"]["groupVersion"], "metrics.example.com/v1", "{}", group.text);
    let list = cluster.get("/apis/metrics.example.com/v1").await;
    assert_eq!(list.body["resources"][0]["name"], "nodes", "{}", list.text);
    assert_eq!(cluster.delete(&format!("{API_SERVICES}/{NAME}")).await.code, 200);
    cluster.eventually("/apis/metrics.example.com", |answer| answer.code == 404).await;
}

#[tokio::test]
async fn a_server_that_lies_or_is_gone_is_not_available() {
    let cluster = Cluster::start().await;
    let server = Aggregated::start(&cluster).await;
    server.is_lying.store(true, Ordering::SeqCst);
    let mut local = server.api_service();
    local["metadata"]["name"] = json!("v1.apps");
    local["spec"]["group"] = json!("apps");
    let refused = cluster.post(API_SERVICES, &local).await;
    assert!(refused.text.contains("this API server answers the group itself"), "{}", refused.text);
    let made = cluster.post(API_SERVICES, &server.api_service()).await;
    assert_eq!(made.code, 201, "{}", made.text);
    let path = format!("{API_SERVICES}/{NAME}");
    let missing = ("False", "ServiceNotFound", "service/m in \"default\" is not present");
    cluster.eventually(&path, |answer| condition(answer) == missing).await;
    let service = json!({ "metadata": { "name": "m" }, "spec": { "type": "ExternalName", "externalName": "localhost" } });
    assert_eq!(cluster.post("/api/v1/namespaces/default/services", &service).await.code, 201);
    let lied = cluster.eventually(&path, |answer| condition(answer).1 == "FailedDiscoveryCheck").await;
    assert!(
        condition(&lied).2.contains("expected an APIResourceList of metrics.example.com/v1"),
        "{}",
        lied.text
    );
    let refused = cluster.get("/apis/metrics.example.com/v1/nodes").await;
    assert_eq!(
        (refused.code, refused.body["reason"].as_str()),
        (503, Some("ServiceUnavailable")),
        "{}",
        refused.text
    );
    server.is_lying.store(false, Ordering::SeqCst);
    cluster.eventually(&path, |answer| condition(answer).0 == "True").await;
}

#[tokio::test]
async fn a_group_version_with_resources_is_not_taken_over() {
    let cluster = Cluster::start().await;
    let server = Aggregated::start(&cluster).await;
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let definition = json!({ "metadata": { "name": "nodes.metrics.example.com" }, "spec": { "group": "metrics.example.com",
        "scope": "Cluster", "names": { "plural": "nodes", "singular": "node", "kind": "Node", "listKind": "NodeList" },
        "versions": [{ "name": "v1", "served": true, "storage": true, "schema": { "openAPIV3Schema": { "type": "object" } } }] } });
    assert_eq!(cluster.post(definitions, &definition).await.code, 201);
    let nodes = "/apis/metrics.example.com/v1/nodes";
    cluster.eventually(nodes, |answer| answer.code == 200).await;
    publish(&cluster, &server).await;
    let path = format!("{API_SERVICES}/{NAME}");
    let refused = cluster.eventually(&path, |answer| condition(answer).1 == "ServedHere").await;
    assert_eq!(condition(&refused).0, "False");
    assert!(condition(&refused).2.contains("answers metrics.example.com/v1 itself"), "{}", refused.text);
    assert_eq!(
        cluster.get(nodes).await.body["kind"],
        "NodeList",
        "the objects of this server are still there"
    );
    let groups = cluster.get("/apis/metrics.example.com").await;
    assert_eq!(groups.body["versions"].as_array().map(Vec::len), Some(1), "{}", groups.text);

    // When its definition is gone, the other server answers.
    assert_eq!(cluster.delete(&format!("{definitions}/nodes.metrics.example.com")).await.code, 200);
    cluster.eventually(&path, |answer| condition(answer).0 == "True").await;
    assert_eq!(cluster.get(nodes).await.body["kind"], "Seen");
    // A definition that comes later wins as well.
    assert_eq!(cluster.post(definitions, &definition).await.code, 201);
    cluster.eventually(nodes, |answer| answer.body["kind"] == "NodeList").await;
}

#[tokio::test]
async fn a_kept_authority_is_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut published = Vec::new();
    for _ in 0..2 {
        let authority = Authority::open(folder.path(), "front-proxy-ca", Timestamp::now()).unwrap();
        let pem = authority.certificate_pem().to_owned();
        let config = Config { front_proxy: Some(authority), ..Config::default() };
        let cluster = Cluster::of(ApiServer::start(config, Store::in_memory()).await.unwrap());
        let path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
        let found =
            cluster.get(path).await.body["data"]["requestheader-client-ca-file"].as_str().unwrap().to_owned();
        assert_eq!(found, pem);
        published.push(found);
    }
    assert_eq!(published[0], published[1]);
}
