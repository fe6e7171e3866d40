//! Bearer tokens of requests from the network: tokens of Secrets, bootstrap tokens, malformed headers.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use portolan_apiserver::auth::Authentication;
use portolan_apiserver::auth::token::{Issuer, SigningKey};
use portolan_apiserver::{ApiServer, BuiltinPlugin, Config};
use portolan_store::Store;
use ring::rand::SystemRandom;
use serde_json::{Value, json};
use tower::Service as _;

use crate::cluster::{Cluster, MERGE};

const ACCOUNTS: &str = "/api/v1/namespaces/default/serviceaccounts";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const BOOTSTRAP: &str = "/api/v1/namespaces/kube-system/secrets";
const CLUSTER_INFO: &str = "/api/v1/namespaces/kube-public/configmaps/cluster-info";

async fn start() -> Cluster {
    start_without(&[]).await
}

/// A server with these built-in admission plugins turned off.
async fn start_without(plugins: &[BuiltinPlugin]) -> Cluster {
    let random = SystemRandom::new();
    let key = SigningKey::from_pkcs8(&SigningKey::generate(&random).unwrap(), &random).unwrap();
    let config = Config {
        authentication: Authentication::default().with_issuer(Issuer::new("https://issuer", key)),
        root_ca: Some("the CA".to_owned()),
        cluster_info: Some("clusters: []\n".to_owned()),
        disabled_admission: plugins.iter().copied().collect(),
        ..Config::default()
    };
    Cluster::of(ApiServer::start(config, Store::in_memory()).await.unwrap())
}

/// The code of `GET path` with an `Authorization` header.
async fn ask(cluster: &Cluster, path: &str, authorization: &[u8]) -> u16 {
    let mut request = Request::get(path);
    if !authorization.is_empty() {
        let value = http::HeaderValue::from_bytes(authorization).unwrap();
        request = request.header("authorization", value);
    }
    let Ok(response) = cluster.server.service().call(request.body(Full::new(Bytes::new())).unwrap()).await;
    response.status().as_u16()
}

async fn who(cluster: &Cluster, token: &str) -> Result<String, u16> {
    let review = json!({ "spec": { "token": token } });
    let answer = cluster.post("/apis/authentication.k8s.io/v1/tokenreviews", &review).await;
    match answer.body["status"]["user"]["username"].as_str() {
        Some(name) => Ok(name.to_owned()),
        None => Err(ask(cluster, "/api/v1/namespaces", format!("Bearer {token}").as_bytes()).await),
    }
}

fn secret(name: &str, account: &str) -> Value {
    json!({ "metadata": { "name": name, "annotations": { "kubernetes.io/service-account.name": account } },
            "type": "kubernetes.io/service-account-token" })
}

fn text(secret: &Value, key: &str) -> String {
    String::from_utf8(STANDARD.decode(secret["data"][key].as_str().unwrap_or_default()).unwrap()).unwrap()
}

/// A Secret once it has a token that is not `old`.
async fn filled(cluster: &Cluster, name: &str, old: &str) -> Value {
    let path = format!("{SECRETS}/{name}");
    let is_filled = |found: &crate::cluster::Answer| {
        found.code == 200 && !matches!(text(&found.body, "token"), token if token.is_empty() || token == old)
    };
    cluster.eventually(&path, is_filled).await.body
}

#[tokio::test]
async fn a_secret_gets_the_token_of_its_account() {
    let cluster = start().await;
    cluster.post(ACCOUNTS, &json!({ "metadata": { "name": "robot" } })).await;
    assert_eq!(cluster.post(SECRETS, &secret("robot-token", "robot")).await.code, 201);
    let complete = filled(&cluster, "robot-token", "").await;
    let uid = cluster.get(&format!("{ACCOUNTS}/robot")).await.body["metadata"]["uid"].clone();
    assert_eq!(complete["metadata"]["annotations"]["kubernetes.io/service-account.uid"], uid);
    assert_eq!(
        (text(&complete, "ca.crt"), text(&complete, "namespace")),
        ("the CA".to_owned(), "default".to_owned())
    );
    let token = text(&complete, "token");
    assert_eq!(who(&cluster, &token).await.as_deref(), Ok("system:serviceaccount:default:robot"));

    // Removing the token from the Secret revokes it, and a new one follows.
    let removed = json!({ "data": { "token": null } });
    cluster.patch(&format!("{SECRETS}/robot-token"), MERGE, &removed).await;
    let second = text(&filled(&cluster, "robot-token", &token).await, "token");
    assert_eq!(who(&cluster, &token).await, Err(401), "replaced");
    assert_eq!(who(&cluster, &second).await.as_deref(), Ok("system:serviceaccount:default:robot"));

    cluster.delete(&format!("{ACCOUNTS}/robot")).await;
    assert_eq!(who(&cluster, &second).await, Err(401), "the account is gone");
    cluster.eventually(&format!("{SECRETS}/robot-token"), |found| found.code == 404).await;
}

#[tokio::test]
async fn a_deleted_secret_revokes_its_token() {
    let cluster = start().await;
    cluster.post(ACCOUNTS, &json!({ "metadata": { "name": "robot" } })).await;
    cluster.post(SECRETS, &secret("robot-token", "robot")).await;
    let token = text(&filled(&cluster, "robot-token", "").await, "token");
    cluster.delete(&format!("{SECRETS}/robot-token")).await;
    assert_eq!(who(&cluster, &token).await, Err(401));
    // A token that is only copied into another Secret is no token of it.
    let copy = json!({ "metadata": { "name": "copy" }, "data": { "token": STANDARD.encode(&token) } });
    cluster.post(SECRETS, &copy).await;
    assert_eq!(who(&cluster, &token).await, Err(401));
}

#[tokio::test]
async fn secrets_for_no_account_are_refused_or_deleted() {
    let cluster = start().await;
    let mut nobody = secret("nobody", "");
    nobody["metadata"]["annotations"] = json!({});
    assert_eq!(cluster.post(SECRETS, &nobody).await.code, 422, "the annotation is required");
    cluster.post(SECRETS, &secret("missing", "missing")).await;
    cluster.eventually(&format!("{SECRETS}/missing"), |found| found.code == 404).await;
}

fn bootstrap_token(id: &str, data: &[(&str, &str)]) -> Value {
    let mut object = json!({ "metadata": { "name": format!("bootstrap-token-{id}") },
        "type": "bootstrap.kubernetes.io/token",
        "stringData": { "token-id": id, "token-secret": "0123456789abcdef" } });
    for (key, value) in data {
        object["stringData"][*key] = json!(value);
    }
    object
}

#[tokio::test]
async fn bootstrap_tokens_authenticate_and_sign() {
    let cluster = start().await;
    let use_both = [("usage-bootstrap-authentication", "true"), ("usage-bootstrap-signing", "true")];
    assert_eq!(cluster.post(BOOTSTRAP, &bootstrap_token("aaaaaa", &use_both)).await.code, 201);
    cluster.post(BOOTSTRAP, &bootstrap_token("bbbbbb", &use_both[1..])).await;
    let past = [use_both[0], use_both[1], ("expiration", "2020-01-01T00:00:00Z")];
    cluster.post(BOOTSTRAP, &bootstrap_token("cccccc", &past)).await;
    assert_eq!(who(&cluster, "aaaaaa.0123456789abcdef").await.as_deref(), Ok("system:bootstrap:aaaaaa"));
    for (name, token) in [
        ("wrong secret", "aaaaaa.0123456789abcdee"),
        ("for signing", "bbbbbb.0123456789abcdef"),
        ("expired", "cccccc.0123456789abcdef"),
        ("unknown", "dddddd.0123456789abcdef"),
    ] {
        assert_eq!(who(&cluster, token).await, Err(401), "{name}");
    }
    let signed = cluster
        .eventually(CLUSTER_INFO, |found| {
            ["aaaaaa", "bbbbbb"]
                .iter()
                .all(|id| found.body["data"][format!("jws-kubeconfig-{id}")].is_string())
        })
        .await;
    assert_eq!(signed.body["data"]["kubeconfig"], "clusters: []\n");
    assert_eq!(signed.body["data"].get("jws-kubeconfig-cccccc"), None);
    assert_eq!(ask(&cluster, CLUSTER_INFO, b"").await, 200, "everybody may read it");
    cluster.eventually(&format!("{BOOTSTRAP}/bootstrap-token-cccccc"), |found| found.code == 404).await;
    cluster.delete(&format!("{BOOTSTRAP}/bootstrap-token-aaaaaa")).await;
    assert_eq!(who(&cluster, "aaaaaa.0123456789abcdef").await, Err(401));
    cluster.eventually(CLUSTER_INFO, |found| found.body["data"].get("jws-kubeconfig-aaaaaa").is_none()).await;
}

/// The codes that kube-apiserver gives.
#[tokio::test]
async fn malformed_authorization_headers() {
    let cluster = start().await;
    let cases: [(&str, &[u8], u16); 9] = [
        ("none", b"", 403),
        ("a bad token", b"Bearer nonsense", 401),
        ("not ASCII", "Bearer éé".as_bytes(), 401),
        ("not UTF-8", b"Bearer \xff\xfe", 401),
        ("no token", b"Bearer", 403),
        ("two spaces", b"Bearer  nonsense", 403),
        ("another scheme", b"Basic YTpi", 403),
        ("another scheme, not UTF-8", b"Basic \xff", 403),
        ("no scheme", b"\xff\xfe", 403),
    ];
    for (name, header, want) in cases {
        assert_eq!(ask(&cluster, "/api/v1/namespaces", header).await, want, "{name}");
    }
    tokio::time::timeout(Duration::from_secs(10), cluster.server.stop(Duration::from_secs(5)))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_new_pod_gets_no_account_when_that_admission_is_off() {
    const PODS: &str = "/api/v1/namespaces/default/pods";
    let pod =
        json!({ "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "c", "image": "i" }] } });
    let cluster = start().await;
    cluster.post(ACCOUNTS, &json!({ "metadata": { "name": "default" } })).await;
    let created = cluster.post(PODS, &pod).await;
    assert_eq!((created.code, &created.body["spec"]["serviceAccountName"]), (201, &json!("default")));
    assert_eq!(created.body["spec"]["volumes"].as_array().map(Vec::len), Some(1));
    // No account is needed either.
    let cluster = start_without(&[BuiltinPlugin::ServiceAccount]).await;
    let created = cluster.post(PODS, &pod).await;
    assert_eq!(created.code, 201, "{}", created.text);
    assert_eq!(created.body["spec"].get("serviceAccountName"), None);
    assert_eq!(created.body["spec"].get("volumes"), None);
}
