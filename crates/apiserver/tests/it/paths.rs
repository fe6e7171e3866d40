//! Paths, methods, discovery, health, permissions.

use serde_json::json;

use crate::cluster::{CONFIG_MAPS, Cluster, check, config_map};

#[tokio::test]
async fn unknown_paths_and_methods_are_refused() {
    let cluster = Cluster::start().await;
    let missing = "404 NotFound the server could not find the requested resource";
    let method = "405 MethodNotAllowed the server does not allow this method on the requested resource";
    let one = format!("{CONFIG_MAPS}/a");
    let body = config_map("a", "v").to_string();
    let rows = [
        ("unknown resource", "GET", "/api/v1/foos", &[][..], "", missing),
        ("unknown resource in a namespace", "GET", "/api/v1/namespaces/default/foos/x", &[], "", missing),
        ("unknown version of a known group", "GET", "/apis/apps/v9/deployments", &[], "", missing),
        ("unknown version, discovery", "GET", "/apis/apps/v9", &[], "", missing),
        ("unknown core version", "GET", "/api/v2", &[], "", missing),
        ("unknown group", "GET", "/apis/nope/v1/deployments", &[], "", "404"),
        ("unknown group, discovery", "GET", "/apis/nope", &[], "", "404"),
        ("unknown path", "GET", "/foo", &[], "", "404"),
        ("unknown subresource", "GET", &one, &[], "", "404 NotFound configmaps \"a\" not found"),
        ("status of a kind without", "GET", &format!("{one}/status"), &[], "", missing),
        ("POST to an object", "POST", &one, &[], &body, method),
        ("PUT to a collection", "PUT", CONFIG_MAPS, &[], &body, method),
        ("POST to all namespaces", "POST", "/api/v1/configmaps", &[], &body, method),
        ("DELETE of all namespaces", "DELETE", "/api/v1/namespaces", &[], "", method),
        ("OPTIONS", "OPTIONS", CONFIG_MAPS, &[], "", method),
        (
            "name with a slash",
            "GET",
            "/api/v1/namespaces/default/pods/a%2Fb",
            &[],
            "",
            "404 NotFound pods \"a/b\" not found",
        ),
        ("object outside of its namespace", "GET", "/api/v1/configmaps/a", &[], "", missing),
    ];
    check(&cluster, &rows).await;
}

#[tokio::test]
async fn version_and_health_are_served() {
    let cluster = Cluster::start().await;
    assert_eq!(cluster.get("/version").await.body["gitVersion"], "v1.36.2");
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(cluster.get(path).await.text, "ok", "{path}");
    }
    cluster.server.drain();
    assert_eq!(cluster.get("/readyz").await.code, 500);
    assert_eq!(cluster.get("/livez").await.text, "ok");
}

#[tokio::test]
async fn every_reply_has_the_common_headers() {
    let cluster = Cluster::start().await;
    let answer = cluster.send("GET", "/version", &[("audit-id", "abc")], "").await;
    assert_eq!(answer.headers["audit-id"], "abc");
    assert_eq!(answer.headers["cache-control"], "no-cache, private");
    assert!(!cluster.get("/api/v1/nodes").await.headers["audit-id"].is_empty());
}

#[tokio::test]
async fn openapi_documents_are_found_by_hash() {
    let cluster = Cluster::start().await;
    let root = cluster.get("/openapi/v3").await;
    let url = root.body["paths"]["apis/apps/v1"]["serverRelativeURL"].as_str().unwrap().to_owned();
    let document = cluster.get(&url).await;
    assert_eq!(document.headers["cache-control"], "public, immutable");
    assert!(document.body["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"].is_object());
    let moved = cluster.get("/openapi/v3/apis/apps/v1?hash=AB").await;
    assert_eq!((moved.code, moved.headers["location"].to_str().unwrap()), (301, url.as_str()));
}

#[tokio::test]
async fn users_are_allowed_what_their_roles_allow() {
    let cluster = Cluster::start().await;
    let alice = cluster.as_user("alice");
    let in_default = "in the namespace \"default\"";
    let rows = [
        (
            "collection",
            "GET",
            "/api/v1/namespaces/default/pods",
            &[][..],
            "",
            &*format!(
                "403 Forbidden pods is forbidden: User \"alice\" cannot list resource \"pods\" in API group \"\" {in_default}"
            ),
        ),
        (
            "object",
            "GET",
            "/api/v1/namespaces/default/secrets/x",
            &[],
            "",
            &format!(
                "403 Forbidden secrets \"x\" is forbidden: User \"alice\" cannot get resource \"secrets\" in API group \"\" {in_default}"
            ),
        ),
        (
            "cluster scope",
            "GET",
            "/api/v1/nodes",
            &[],
            "",
            "403 Forbidden nodes is forbidden: User \"alice\" cannot list resource \"nodes\" in API group \"\" at the cluster scope",
        ),
        (
            "unknown resource",
            "GET",
            "/apis/nope/v1/x",
            &[],
            "",
            "403 Forbidden x.nope is forbidden: User \"alice\" cannot list resource \"x\" in API group \"nope\" at the cluster scope",
        ),
        ("discovery is for all", "GET", "/apis/apps", &[], "", "200 APIGroup"),
    ];
    check(&alice, &rows).await;

    let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "r" },
        "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "create"] }] });
    let binding = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": "r" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r" },
        "subjects": [{ "kind": "User", "name": "alice", "apiGroup": "rbac.authorization.k8s.io" }] });
    let root = "/apis/rbac.authorization.k8s.io/v1/namespaces/default";
    assert_eq!(cluster.post(&format!("{root}/roles"), &role).await.code, 201);
    assert_eq!(cluster.post(&format!("{root}/rolebindings"), &binding).await.code, 201);
    assert_eq!(alice.get(CONFIG_MAPS).await.code, 200, "a role takes effect immediately");
    assert_eq!(alice.get(&format!("{CONFIG_MAPS}/a")).await.code, 403);

    let review = json!({ "spec": { "resourceAttributes": {
        "verb": "list", "resource": "configmaps", "namespace": "default" } } });
    let answer = alice.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await;
    assert_eq!((answer.code, &answer.body["status"]["allowed"]), (201, &json!(true)));
}

#[tokio::test]
async fn aggregated_rules_are_written_into_the_role() {
    let cluster = Cluster::start().await;
    let path = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
    let role = json!({ "metadata": { "name": "extra", "labels": { "rbac.authorization.k8s.io/aggregate-to-view": "true" } },
        "rules": [{ "apiGroups": ["ex.io"], "resources": ["widgets"], "verbs": ["get"] }] });
    cluster.post(path, &role).await;
    for name in ["view", "edit", "admin"] {
        let has_rule = |rules: &serde_json::Value| {
            rules.as_array().is_some_and(|rules| rules.contains(&role["rules"][0]))
        };
        cluster.eventually(&format!("{path}/{name}"), |answer| has_rule(&answer.body["rules"])).await;
    }
}

#[tokio::test]
async fn head_is_answered_without_content() {
    let cluster = Cluster::start().await;
    for (path, code) in [("/healthz", 200), ("/livez/ping", 200), ("/version", 405), (CONFIG_MAPS, 405)] {
        let (whole, head) = (cluster.get(path).await, cluster.send("HEAD", path, &[], "").await);
        assert_eq!((head.code, head.text.as_str()), (code, ""), "{path}");
        if code == whole.code {
            assert_eq!(head.headers["content-length"], whole.text.len().to_string(), "{path}");
        }
    }
}
