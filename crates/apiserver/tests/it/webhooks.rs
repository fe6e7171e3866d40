//! Webhooks and policies that this API server runs itself.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use portolan_net::pki::{Authority, ServerNames};
use portolan_net::tls::{self, ClientCertificates, ServerCertificate};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::cluster::{CONFIG_MAPS, Cluster, MERGE};

const GROUP: &str = "/apis/admissionregistration.k8s.io/v1";

/// A webhook on a port of loopback. What it answers depends on the path.
struct Webhook {
    port: u16,
    ca_bundle: String,
    calls: Arc<AtomicUsize>,
    last: Arc<Mutex<Value>>,
}

impl Webhook {
    async fn start() -> Self {
        let now = Timestamp::now();
        let authority = Authority::create("webhooks", now).unwrap();
        let names = ServerNames {
            dns: vec!["hook.default.svc".to_owned()],
            addresses: vec!["127.0.0.1".parse().unwrap()],
            ..ServerNames::default()
        };
        let names = ServerNames { common_name: "webhook".to_owned(), ..names };
        let identity = authority.issue_server(&names, Duration::from_secs(3600), now).unwrap();
        let config =
            tls::server_config(ServerCertificate::new(&identity).unwrap(), &ClientCertificates::Ignored)
                .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (calls, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Value::Null)));
        let (counted, seen) = (Arc::clone(&calls), Arc::clone(&last));
        tokio::spawn(async move {
            let acceptor = TlsAcceptor::from(Arc::clone(config.settings()));
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, counted, seen) = (acceptor.clone(), Arc::clone(&counted), Arc::clone(&seen));
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service =
                        service_fn(move |request| answer(request, Arc::clone(&counted), Arc::clone(&seen)));
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        let ca_bundle = STANDARD.encode(authority.certificate_pem());
        Self { port, ca_bundle, calls, last }
    }

    fn url(&self, path: &str) -> Value {
        json!({ "url": format!("https://127.0.0.1:{}{path}", self.port), "caBundle": self.ca_bundle })
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

async fn answer(
    request: Request<Incoming>,
    calls: Arc<AtomicUsize>,
    last: Arc<Mutex<Value>>,
) -> Result<Response<Full<bytes::Bytes>>, hyper::Error> {
    calls.fetch_add(1, Ordering::SeqCst);
    let path = request.uri().path().to_owned();
    let review: Value = serde_json::from_slice(&request.into_body().collect().await?.to_bytes()).unwrap();
    let uid = review["request"]["uid"].clone();
    *last.lock().unwrap() = review["request"].clone();
    let patch = |operations: Value| json!({ "uid": uid, "allowed": true, "patchType": "JSONPatch", "patch": STANDARD.encode(operations.to_string()) });
    let response = match path.as_str() {
        "/allow" => json!({ "uid": uid, "allowed": true, "warnings": ["seen by a webhook"] }),
        "/deny" => json!({ "uid": uid, "allowed": false, "status": { "code": 403, "message": "not today" } }),
        "/label" => {
            patch(json!([{ "op": "add", "path": "/metadata/labels", "value": { "from": "webhook" } }]))
        }
        "/rename" => patch(json!([{ "op": "replace", "path": "/metadata/name", "value": "other" }])),
        "/hang" => std::future::pending().await,
        _ => json!({ "uid": "other", "allowed": true }),
    };
    let review =
        json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response });
    Ok(Response::new(Full::from(review.to_string())))
}

/// A cluster and a user with all rights, who is not a part of this process.
async fn start() -> (Cluster, Cluster, Webhook) {
    let admin = Cluster::start().await;
    let binding = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": { "name": "jane" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane" }] });
    let made = admin.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).await;
    assert_eq!(made.code, 201, "{}", made.text);
    let jane = admin.as_user("jane");
    (admin, jane, Webhook::start().await)
}

/// A configuration with one webhook for config maps; `more` are further fields of the webhook.
async fn configure(cluster: &Cluster, kind: &str, name: &str, client: Value, more: Value) {
    let mut webhook = json!({
        "name": format!("{name}.example.org"), "clientConfig": client, "sideEffects": "None", "admissionReviewVersions": ["v1"],
        "rules": [{ "operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"] }],
    });
    webhook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let object = json!({ "apiVersion": "admissionregistration.k8s.io/v1", "kind": format!("{kind}WebhookConfiguration"),
        "metadata": { "name": name, "annotations": { "portolan.dev/run-here": "true" } }, "webhooks": [webhook] });
    let path = format!("{GROUP}/{}webhookconfigurations", kind.to_lowercase());
    let _ = cluster.delete(&format!("{path}/{name}")).await;
    let made = cluster.post(&path, &object).await;
    assert_eq!((made.code, made.warnings()), (201, Vec::new()), "{}", made.text);
}

fn config_map(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": { "k": "v" } })
}

#[tokio::test]
async fn a_validating_webhook_allows_and_refuses() {
    let (_, jane, hook) = start().await;
    configure(&jane, "Validating", "hook", hook.url("/allow"), json!({})).await;
    let made = jane.post(CONFIG_MAPS, &config_map("a")).await;
    assert_eq!(made.code, 201, "{}", made.text);
    assert!(made.warnings()[0].contains("seen by a webhook"));
    let asked = hook.last.lock().unwrap().clone();
    assert_eq!((&asked["operation"], &asked["userInfo"]["username"]), (&json!("CREATE"), &json!("jane")));
    assert_eq!((&asked["object"]["data"]["k"], &asked["oldObject"]), (&json!("v"), &Value::Null));
    configure(&jane, "Validating", "hook", hook.url("/deny"), json!({})).await;
    let refused = jane.patch(&format!("{CONFIG_MAPS}/a"), MERGE, &json!({ "data": { "k": "w" } })).await;
    let text = "admission webhook \"hook.example.org\" denied the request: not today";
    assert_eq!((refused.code, refused.body["message"].as_str()), (403, Some(text)));
    assert_eq!(jane.delete(&format!("{CONFIG_MAPS}/a")).await.code, 403);
    assert_eq!(hook.last.lock().unwrap()["operation"], "DELETE");
}

#[tokio::test]
async fn only_what_rules_selectors_and_conditions_ask_for_reaches_a_webhook() {
    let (admin, jane, hook) = start().await;
    let more = json!({
        "objectSelector": { "matchLabels": { "checked": "yes" } },
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "default" } },
        "matchConditions": [{ "name": "not-c", "expression": "request.name != 'c'" }],
    });
    configure(&jane, "Validating", "hook", hook.url("/deny"), more).await;
    let labelled = |name: &str| {
        let mut object = config_map(name);
        object["metadata"]["labels"] = json!({ "checked": "yes" });
        object
    };
    for (what, cluster, path, object, expected) in [
        ("without the label", &jane, CONFIG_MAPS, config_map("a"), 201),
        ("with the label", &jane, CONFIG_MAPS, labelled("b"), 403),
        ("the condition is false", &jane, CONFIG_MAPS, labelled("c"), 201),
        ("in another namespace", &jane, "/api/v1/namespaces/kube-public/configmaps", labelled("d"), 201),
        ("by this process", &admin, CONFIG_MAPS, labelled("e"), 201),
    ] {
        let answer = cluster.post(path, &object).await;
        assert_eq!(answer.code, expected, "{what}: {}", answer.text);
    }
    assert_eq!(hook.calls(), 1);
}

#[tokio::test]
async fn a_mutating_webhook_changes_objects_and_cannot_change_which_object_it_is() {
    let (_, jane, hook) = start().await;
    configure(&jane, "Mutating", "hook", hook.url("/label"), json!({ "reinvocationPolicy": "IfNeeded" }))
        .await;
    let made = jane.post(CONFIG_MAPS, &config_map("a")).await;
    assert_eq!(made.body["metadata"]["labels"]["from"], "webhook", "{}", made.text);
    assert_eq!(hook.calls(), 1, "nothing after it has changed the object");
    configure(&jane, "Mutating", "hook", hook.url("/rename"), json!({})).await;
    let refused = jane.post(CONFIG_MAPS, &config_map("b")).await;
    assert_eq!(refused.code, 500, "{}", refused.text);
    assert!(refused.text.contains("the patch changes /metadata/name"), "{}", refused.text);
}

#[tokio::test]
async fn a_webhook_that_fails_is_ignored_or_refuses_by_its_policy() {
    let (_, jane, hook) = start().await;
    for (path, expected) in [("/hang", "context deadline exceeded"), ("/lie", "expected response.uid=")] {
        let name = path.trim_start_matches('/');
        let policy = |policy: &str| json!({ "failurePolicy": policy, "timeoutSeconds": 1 });
        configure(&jane, "Validating", "hook", hook.url(path), policy("Fail")).await;
        let refused = jane.post(CONFIG_MAPS, &config_map(name)).await;
        assert_eq!(refused.code, 500, "{path}: {}", refused.text);
        let message = refused.body["message"].as_str().unwrap();
        let start = "Internal error occurred: failed calling webhook \"hook.example.org\": failed to call webhook: Post ";
        assert!(message.starts_with(start) && message.contains(expected), "{message}");
        configure(&jane, "Validating", "hook", hook.url(path), policy("Ignore")).await;
        let made = jane.post(CONFIG_MAPS, &config_map(name)).await;
        assert_eq!(made.code, 201, "{path}: {}", made.text);
    }
}

#[tokio::test]
async fn a_webhook_is_reached_by_the_external_name_of_its_service() {
    let (_, jane, hook) = start().await;
    let service = json!({ "namespace": "default", "name": "hook", "path": "/allow", "port": hook.port });
    let reference = json!({ "service": service, "caBundle": hook.ca_bundle });
    configure(&jane, "Validating", "hook", reference, json!({})).await;
    let refused = jane.post(CONFIG_MAPS, &config_map("a")).await;
    assert!(refused.text.contains("service \\\"hook\\\" not found"), "{}", refused.text);
    let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "hook" },
        "spec": { "type": "ExternalName", "externalName": "localhost" } });
    let made = jane.post("/api/v1/namespaces/default/services", &service).await;
    assert_eq!(made.code, 201, "{}", made.text);
    let made = jane.post(CONFIG_MAPS, &config_map("a")).await;
    assert_eq!((made.code, hook.calls()), (201, 1), "{}", made.text);
}

/// A policy over config maps with a parameter, and its binding.
async fn bind(cluster: &Cluster, actions: &[&str]) {
    let annotations = json!({ "portolan.dev/run-here": "true" });
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": "short", "annotations": annotations },
        "spec": {
            "paramKind": { "apiVersion": "v1", "kind": "ConfigMap" },
            "matchConstraints": { "resourceRules": [{ "operations": ["CREATE", "UPDATE"], "apiGroups": [""],
                "apiVersions": ["v1"], "resources": ["configmaps"] }] },
            "matchConditions": [{ "name": "not-itself", "expression": "object.metadata.name != params.metadata.name" }],
            "variables": [{ "name": "limit", "expression": "int(params.data.limit)" }],
            "validations": [{ "expression": "size(object.data.k) <= variables.limit",
                "messageExpression": "'at most ' + string(variables.limit) + ' characters'", "reason": "Forbidden" }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": "short", "annotations": annotations },
        "spec": { "policyName": "short", "validationActions": actions,
            "paramRef": { "name": "limits", "namespace": "default", "parameterNotFoundAction": "Deny" } },
    });
    for (plural, object) in
        [("validatingadmissionpolicies", policy), ("validatingadmissionpolicybindings", binding)]
    {
        let _ = cluster.delete(&format!("{GROUP}/{plural}/short")).await;
        let made = cluster.post(&format!("{GROUP}/{plural}"), &object).await;
        assert_eq!((made.code, made.warnings()), (201, Vec::new()), "{}", made.text);
    }
}

#[tokio::test]
async fn a_policy_with_parameters_refuses_or_warns() {
    let (admin, jane, _) = start().await;
    bind(&jane, &["Deny"]).await;
    let refused = jane.post(CONFIG_MAPS, &config_map("a")).await;
    assert!(refused.text.contains("no params found for policy binding"), "{}", refused.text);
    let mut limits = config_map("limits");
    limits["data"] = json!({ "limit": "2" });
    assert_eq!(admin.post(CONFIG_MAPS, &limits).await.code, 201);
    let mut long = config_map("b");
    long["data"]["k"] = json!("long");
    let refused = jane.post(CONFIG_MAPS, &long).await;
    let text = "configmaps \"b\" is forbidden: ValidatingAdmissionPolicy 'short' with binding 'short' denied request: at most 2 \
                characters";
    assert_eq!((refused.code, refused.body["message"].as_str()), (403, Some(text)));
    assert_eq!(jane.post(CONFIG_MAPS, &config_map("a")).await.code, 201);
    bind(&jane, &["Warn"]).await;
    let made = jane.post(CONFIG_MAPS, &long).await;
    assert_eq!(made.code, 201, "{}", made.text);
    let warning =
        "Validation failed for ValidatingAdmissionPolicy 'short' with binding 'short': at most 2 characters";
    assert!(made.warnings()[0].contains(warning), "{:?}", made.warnings());
}

#[tokio::test]
async fn what_cannot_be_run_here_is_refused_when_it_is_marked() {
    let (_, jane, hook) = start().await;
    let annotations = json!({ "portolan.dev/run-here": "true" });
    let rules = json!([{ "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"] }]);
    let policy = |expression: &str| {
        json!({ "kind": "ValidatingAdmissionPolicy", "spec": { "matchConstraints": { "resourceRules": rules },
            "validations": [{ "expression": expression }] } })
    };
    let mut client = hook.url("/allow");
    client.as_object_mut().unwrap().remove("caBundle");
    let webhook = json!({ "name": "a.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": client });
    for (plural, mut object, expected) in [
        ("validatingadmissionpolicies", policy("object.spec >"), "compilation failed"),
        (
            "validatingadmissionpolicies",
            policy("authorizer.path('/').check('get').allowed()"),
            "undeclared reference to 'authorizer'",
        ),
        (
            "mutatingadmissionpolicies",
            json!({ "kind": "MutatingAdmissionPolicy", "spec": { "matchConstraints": { "resourceRules": rules },
                "reinvocationPolicy": "Never", "mutations": [{ "patchType": "ApplyConfiguration",
                "applyConfiguration": { "expression": "Object{spec: Object.status{}}" } }] } }),
            "unexpected type name \\\"Object.status\\\"",
        ),
        (
            "validatingwebhookconfigurations",
            json!({ "kind": "ValidatingWebhookConfiguration", "webhooks": [webhook] }),
            "webhooks[0].clientConfig.caBundle: Required value",
        ),
    ] {
        object["apiVersion"] = json!("admissionregistration.k8s.io/v1");
        object["metadata"] = json!({ "name": "x", "annotations": annotations });
        let refused = jane.post(&format!("{GROUP}/{plural}"), &object).await;
        assert_eq!(refused.code, 422, "{plural}: {}", refused.text);
        assert!(refused.text.contains(expected), "{plural}: {}", refused.text);
    }
}
