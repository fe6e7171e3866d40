//! Rights of users: each row is a role, a request, and the status code that kube-apiserver gives.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};

use crate::cluster::{APPLY, CONFIG_MAPS, Cluster, JSON_PATCH, MERGE, STRATEGIC, config_map};

const JSON: (&str, &str) = ("content-type", "application/json");
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
const SERVICES: &str = "/api/v1/namespaces/default/services";
const SECRETS: &str = "/api/v1/namespaces/default/secrets";
const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

/// A rule: verbs, group, resources, names.
type Rule<'a> = (&'a [&'a str], &'a str, &'a [&'a str], &'a [&'a str]);

/// Gives rules to a user everywhere.
async fn grant(cluster: &Cluster, user: &str, rules: &[Rule<'_>]) -> Cluster {
    let rules: Vec<Value> = rules
        .iter()
        .map(|(verbs, group, resources, names)| {
            json!({ "verbs": verbs, "apiGroups": [group], "resources": resources, "resourceNames": names })
        })
        .collect();
    let root = "/apis/rbac.authorization.k8s.io/v1";
    let role = json!({ "metadata": { "name": user }, "rules": rules });
    let binding = json!({ "metadata": { "name": user },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }] });
    for (collection, object) in [("clusterroles", role), ("clusterrolebindings", binding)] {
        let created = cluster.post(&format!("{root}/{collection}"), &object).await;
        assert_eq!(created.code, 201, "{user}: {}", created.text);
    }
    cluster.as_user(user)
}

fn lease(name: &str) -> Value {
    json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": name },
            "spec": { "holderIdentity": "a" } })
}

fn service(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": name }, "spec": { "ports": [{ "port": 80 }] } })
}

fn secret(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name } })
}

/// An update, patch or apply that would create its object needs the verb `create` as well.
#[tokio::test]
async fn only_create_creates() {
    let cluster = Cluster::start().await;
    let all = ["configmaps", "secrets", "services"];
    let (leases, group) = (["leases"], "coordination.k8s.io");
    let users: [(&str, &[Rule<'_>]); 7] = [
        ("patcher", &[(&["patch"], "", &all, &[]), (&["patch"], group, &leases, &[])]),
        ("updater", &[(&["update"], "", &all, &[]), (&["update"], group, &leases, &[])]),
        ("creator", &[(&["create"], "", &all, &[]), (&["create"], group, &leases, &[])]),
        ("patcher-creator", &[(&["patch", "create"], "", &["configmaps", "services/status"], &[])]),
        (
            "updater-creator",
            &[(&["update", "create"], group, &leases, &[]), (&["update", "create"], "", &all, &[])],
        ),
        ("patcher-creator-of-x", &[(&["patch"], "", &all, &[]), (&["create"], "", &all, &["x"])]),
        (
            "updater-creator-of-x",
            &[(&["update"], group, &leases, &[]), (&["create"], group, &leases, &["x"])],
        ),
    ];
    let config_maps = |name: &str| format!("{CONFIG_MAPS}/{name}");
    let leases = |name: &str| format!("{LEASES}/{name}");
    let rows = [
        ("patcher", "PATCH", config_maps("a"), APPLY, config_map("a", "v"), 403),
        ("patcher", "PATCH", format!("{SECRETS}/a"), APPLY, secret("a"), 403),
        ("patcher", "PATCH", leases("a"), APPLY, lease("a"), 403),
        ("patcher", "PATCH", config_maps("a"), MERGE, json!({ "data": {} }), 404),
        ("patcher", "PATCH", config_maps("a"), STRATEGIC, json!({ "data": {} }), 404),
        ("patcher", "PATCH", config_maps("a"), JSON_PATCH, json!([]), 404),
        ("updater", "PUT", leases("a"), JSON, lease("a"), 403),
        ("updater", "PUT", format!("{SERVICES}/a"), JSON, service("a"), 403),
        ("updater", "PUT", config_maps("a"), JSON, config_map("a", "v"), 404),
        ("updater", "PATCH", config_maps("a"), APPLY, config_map("a", "v"), 403),
        ("creator", "PUT", leases("a"), JSON, lease("a"), 403),
        ("creator", "PATCH", config_maps("a"), APPLY, config_map("a", "v"), 403),
        ("patcher-creator", "PATCH", config_maps("a"), APPLY, config_map("a", "v"), 201),
        ("updater-creator", "PUT", leases("a"), JSON, lease("a"), 201),
        ("updater-creator", "PUT", format!("{SERVICES}/a"), JSON, service("a"), 201),
        ("patcher-creator-of-x", "PATCH", config_maps("x"), APPLY, config_map("x", "v"), 201),
        ("patcher-creator-of-x", "PATCH", config_maps("y"), APPLY, config_map("y", "v"), 403),
        ("updater-creator-of-x", "PUT", leases("x"), JSON, lease("x"), 201),
        ("updater-creator-of-x", "PUT", leases("y"), JSON, lease("y"), 403),
        // Existing objects need no more than the verb of the request.
        ("patcher", "PATCH", config_maps("x"), APPLY, config_map("x", "w"), 409),
        ("patcher", "PATCH", format!("{}?force=true", config_maps("x")), APPLY, config_map("x", "w"), 200),
        ("updater", "PUT", config_maps("x"), JSON, config_map("x", "w"), 200),
        // Subresources of a missing object create nothing.
        ("patcher-creator", "PATCH", format!("{SERVICES}/b/status"), APPLY, service("b"), 404),
    ];
    for (user, rules) in users {
        grant(&cluster, user, rules).await;
    }
    for (user, method, uri, kind, body, want) in rows {
        let mut path = uri.clone();
        if kind == APPLY {
            path += if uri.contains('?') { "&" } else { "?" };
            path += &format!("fieldManager={user}");
        }
        let answer = cluster.as_user(user).send(method, &path, &[kind], body.to_string()).await;
        assert_eq!(answer.code, want, "{user}: {method} {uri} {}: {}", kind.1, answer.text);
    }
    let refused = cluster
        .as_user("patcher")
        .send("PATCH", &format!("{CONFIG_MAPS}/z?fieldManager=m"), &[APPLY], config_map("z", "v").to_string())
        .await;
    assert_eq!(
        refused.summary(),
        "403 Forbidden configmaps \"z\" is forbidden: User \"patcher\" cannot create resource \"configmaps\" in API \
         group \"\" in the namespace \"default\""
    );
    assert_eq!(cluster.get(&format!("{CONFIG_MAPS}/z")).await.code, 404);
}

fn signing_request(name: &str, signer: &str, organization: &str) -> Value {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, "alice");
    parameters.distinguished_name.push(DnType::OrganizationName, organization);
    let request = parameters.serialize_request(&KeyPair::generate().unwrap()).unwrap().pem().unwrap();
    json!({ "metadata": { "name": name },
            "spec": { "request": STANDARD.encode(request), "signerName": signer, "usages": ["client auth"] } })
}

#[tokio::test]
async fn a_signing_request_says_who_asks() {
    let cluster = Cluster::start().await;
    let group = "certificates.k8s.io";
    let alice = grant(&cluster, "alice", &[(&["create", "update", "patch"], group, &["*"], &[])]).await;
    let mut claims = signing_request("claims", "example.com/a", "devs");
    claims["spec"]["username"] = json!("admin");
    claims["spec"]["uid"] = json!("0");
    claims["spec"]["groups"] = json!(["system:masters"]);
    claims["spec"]["extra"] = json!({ "scopes": ["all"] });
    let silent = signing_request("silent", "example.com/a", "devs");
    for body in [&claims, &silent] {
        let created = alice.post(REQUESTS, body).await;
        assert_eq!(created.code, 201, "{}", created.text);
        let spec = &created.body["spec"];
        assert_eq!((&spec["username"], &spec["groups"]), (&json!("alice"), &json!(["system:authenticated"])));
        assert_eq!((spec.get("uid"), spec.get("extra")), (None, None));
    }
    let change = json!({ "spec": { "username": "admin", "groups": ["system:masters"], "signerName": "example.com/b",
                                   "request": "anVuaw==", "usages": ["any"] } });
    let before = cluster.get(&format!("{REQUESTS}/claims")).await.body["spec"].clone();
    let changed = alice.patch(&format!("{REQUESTS}/claims"), MERGE, &change).await;
    assert_eq!((changed.code, &changed.body["spec"]), (200, &before), "the spec is immutable");
    let refusals = [
        (signing_request("r", CLIENT_SIGNER, "system:masters"), 403, "system:masters group is not allowed"),
        (signing_request("r", "signer", "devs"), 422, "spec.signerName"),
        (
            json!({ "metadata": { "name": "r" }, "spec": { "request": "anVuaw==", "signerName": "example.com/a", "usages": ["any"] } }),
            422,
            "PEM block type must be CERTIFICATE REQUEST",
        ),
    ];
    for (body, code, text) in refusals {
        let refused = alice.post(REQUESTS, &body).await;
        assert_eq!(refused.code, code, "{}", refused.text);
        assert!(refused.text.contains(text), "{}", refused.text);
    }
    let path = format!("{REQUESTS}/r?fieldManager=m");
    let mut applied = signing_request("r", CLIENT_SIGNER, "system:masters");
    applied["apiVersion"] = json!("certificates.k8s.io/v1");
    applied["kind"] = json!("CertificateSigningRequest");
    assert_eq!(alice.send("PATCH", &path, &[APPLY], applied.to_string()).await.code, 403);
}

/// Approving needs `approve` and a change of the status `sign`, on the signer or on all signers of its domain.
#[tokio::test]
async fn signers_have_rights_of_their_own() {
    let cluster = Cluster::start().await;
    let group = "certificates.k8s.io";
    let base: Rule<'_> = (
        &["update", "patch"],
        group,
        &["certificatesigningrequests/approval", "certificatesigningrequests/status"],
        &[],
    );
    let users: [(&str, &[&str], &[&str]); 7] = [
        ("none", &[], &[]),
        ("approver", &["approve"], &["example.com/a"]),
        ("domain-approver", &["approve"], &["example.com/*"]),
        ("other-approver", &["approve"], &["example.com/b", "example.org/*", "*"]),
        ("signer", &["sign"], &["example.com/a"]),
        ("domain-signer", &["sign"], &["example.com/*"]),
        ("everything", &["approve", "sign"], &[]),
    ];
    for (user, verbs, names) in users {
        let signers: Rule<'_> = (verbs, group, &["signers"], names);
        let rules = if verbs.is_empty() { vec![base] } else { vec![base, signers] };
        grant(&cluster, user, &rules).await;
    }
    let certificate = CertificateParams::default().self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let approve =
        json!({ "status": { "conditions": [{ "type": "Approved", "status": "True", "reason": "a" }] } });
    let fail = json!({ "status": { "conditions": [{ "type": "Failed", "status": "True", "reason": "a" }] } });
    let sign = json!({ "status": { "certificate": STANDARD.encode(certificate) } });
    let rows = [
        ("none", [403, 403, 403, 422]),
        ("approver", [200, 403, 403, 422]),
        ("domain-approver", [200, 403, 403, 422]),
        ("other-approver", [403, 403, 403, 422]),
        ("signer", [403, 200, 200, 422]),
        ("domain-signer", [403, 200, 200, 422]),
        ("everything", [200, 200, 200, 422]),
    ];
    for (user, want) in rows {
        let created = cluster.post(REQUESTS, &signing_request(user, "example.com/a", "devs")).await;
        assert_eq!(created.code, 201, "{}", created.text);
        let asking = cluster.as_user(user);
        let path = |part: &str| format!("{REQUESTS}/{user}/{part}");
        let dry = |part: &str| format!("{}?dryRun=All", path(part));
        let answers = [
            asking.patch(&dry("approval"), MERGE, &approve).await.code,
            asking.patch(&dry("status"), MERGE, &sign).await.code,
            asking.patch(&dry("status"), MERGE, &fail).await.code,
            // Only `approval` approves.
            asking.patch(&dry("status"), MERGE, &approve).await.code,
        ];
        assert_eq!(answers, want, "{user}");
    }
    let path = format!("{REQUESTS}/everything/approval");
    let approved = cluster.as_user("everything").patch(&path, MERGE, &approve).await;
    let condition = approved.body["status"]["conditions"][0].clone();
    assert!(
        condition["lastUpdateTime"].is_string() && condition["lastTransitionTime"].is_string(),
        "{condition}"
    );
    let removed = json!({ "status": { "conditions": [] } });
    let refused = cluster.patch(&path, MERGE, &removed).await;
    assert_eq!(refused.code, 422, "{}", refused.text);
}

/// The group of nodes has no rights: there is no node authorizer.
#[tokio::test]
async fn the_group_of_nodes_may_nothing() {
    let cluster = Cluster::start().await;
    let binding = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/system:node";
    let found = cluster.get(binding).await;
    assert_eq!((found.code, found.body.get("subjects")), (200, None));
    let node = cluster.as_member("system:node:a", &["system:nodes"]);
    assert_eq!(node.get("/api/v1/secrets").await.code, 403);
    let token = "/api/v1/namespaces/default/serviceaccounts/default/token";
    assert_eq!(node.post(token, &json!({})).await.code, 403);
}
