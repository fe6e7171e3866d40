//! Where the credential of a member is sent, and what it is good for.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Request;
use portolan_controllers::clusters::join::{
    Access, JoinError, JoinRequest, Notices, UnjoinRequest, clean, dry_run, join, unjoin,
};
use portolan_net::Shutdown;
use portolan_object::{Object, ObjectKey};
use portolan_plan::clusters::leaving::Wish;
use portolan_plan::clusters::token::TokenLife;
use portolan_runtime::client::{Body, Credential, Delete, Patch, Selection};
use portolan_runtime::{Client, ClientError, Resource};
use serde_json::{Value, json};
use tower::{Service as _, service_fn};

use crate::federation::{CLUSTER, Federation, Plane, message};

const SECRET: &str = "v1/Secret";
const TARGET: &str = "portolan.dev/credential-for";
/// After the end of the tokens that tests make by hand.
const LONG_AGO: jiff::Timestamp = jiff::Timestamp::constant(1_700_010_000, 0);

fn is_suspended(cluster: &Object) -> bool {
    let conditions = cluster.at(&["status", "conditions"]).and_then(Value::as_array).into_iter().flatten();
    conditions
        .filter(|condition| condition["type"] == "Ready")
        .any(|condition| condition["status"] == "False" && condition["reason"] == "CredentialSuspended")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_cluster_gets_no_token() {
    let set = Federation::start(&["eu", "us"]).await;
    let bound =
        set.hub.when(SECRET, "karmada-cluster/eu", |secret| secret.annotation(TARGET).is_some()).await;
    let dialled = set.endpoints.lock().len();
    let good = json!({ "apiEndpoint": "https://eu.test", "proxyURL": null,
        "secretRef": { "namespace": "karmada-cluster", "name": "eu" } });
    let attacks = [
        json!({ "apiEndpoint": "https://evil.test" }),
        json!({ "apiEndpoint": "https://eu.test/other" }),
        json!({ "secretRef": { "namespace": "karmada-cluster", "name": "us" } }),
        json!({ "secretRef": { "namespace": "default", "name": "victim" } }),
    ];
    for attack in attacks {
        set.hub.patch(CLUSTER, "eu", json!({ "spec": attack })).await;
        let cluster = set.hub.when(CLUSTER, "eu", is_suspended).await;
        let text = message(&cluster, "Ready");
        assert!(text.contains("portolan join"), "{attack}: {text}");
        assert_eq!(set.endpoints.lock().len(), dialled, "{attack}: nothing is dialled");
        set.hub.patch(CLUSTER, "eu", json!({ "spec": good })).await;
        set.is_ready("eu").await;
        // Undone: the credential is used for its own address again, and for nothing else.
        let mut endpoints = set.endpoints.lock();
        let after = endpoints.split_off(dialled);
        assert!(after.iter().all(|endpoint| endpoint.url == "https://eu.test"), "{attack}: {after:?}");
    }

    // A user with write access to the Secret can bind it to the new address.
    set.hub.patch(CLUSTER, "eu", json!({ "spec": { "apiEndpoint": "https://new.test" } })).await;
    let cluster = set.hub.when(CLUSTER, "eu", is_suspended).await;
    let text = message(&cluster, "Ready");
    let (_, command) = text.split_once(&format!("{TARGET}='")).expect("the command is in the text");
    let (value, _) = command.split_once('\'').expect("quotes");
    assert_ne!(bound.annotation(TARGET), Some(value));
    let annotation = json!({ "metadata": { "annotations": { TARGET: value } } });
    set.hub.patch(SECRET, "karmada-cluster/eu", annotation).await;
    set.is_ready("eu").await;
    assert_eq!(
        set.endpoints.lock().last().map(|endpoint| endpoint.url.clone()),
        Some("https://new.test".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_cannot_be_used_is_told_with_its_cure_and_counts_when_it_is_right_again() {
    let set = Federation::start(&["eu"]).await;
    let good = set.hub.when(SECRET, "karmada-cluster/eu", |secret| secret.annotation(TARGET).is_some()).await;
    let good = json!({ "data": good.0["data"] });
    for token in
        [json!(null), json!(""), json!(STANDARD.encode("a\u{1}b")), json!(STANDARD.encode([0xff_u8, 0xfe]))]
    {
        set.hub.patch(SECRET, "karmada-cluster/eu", json!({ "data": { "token": token } })).await;
        let cluster = set.hub.when(CLUSTER, "eu", is_suspended).await;
        let text = message(&cluster, "Ready");
        assert!(text.contains("no usable \"token\"") && text.contains("portolan join"), "{token}: {text}");
        set.hub.patch(SECRET, "karmada-cluster/eu", good.clone()).await;
        set.is_ready("eu").await;
    }
    let bound = set.hub.get(CLUSTER, "eu").await.expect("joined").0["spec"]["secretRef"].clone();
    for (edit, undo) in [
        (json!({ "proxyURL": "http://proxy.test" }), json!({ "proxyURL": null })),
        (json!({ "secretRef": null }), json!({ "secretRef": bound })),
    ] {
        set.hub.patch(CLUSTER, "eu", json!({ "spec": edit })).await;
        set.hub.when(CLUSTER, "eu", is_suspended).await;
        set.hub.patch(CLUSTER, "eu", json!({ "spec": undo })).await;
        set.is_ready("eu").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_cluster_gets_no_token_of_others() {
    let set = Federation::start(&["eu"]).await;
    let dialled = set.endpoints.lock().len();
    set.hub
        .create(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "default", "name": "victim" },
            "data": { "token": "dG9rZW4=" } }))
        .await;
    for (name, namespace, secret) in [("evil", "karmada-cluster", "eu"), ("evil2", "default", "victim")] {
        set.hub
            .create(json!({ "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster", "metadata": { "name": name },
                "spec": { "syncMode": "Push", "apiEndpoint": "https://evil.test", "insecureSkipTLSVerification": true,
                    "secretRef": { "namespace": namespace, "name": secret } } }))
            .await;
        set.hub.when(CLUSTER, name, is_suspended).await;
    }
    // The Secret of a deleted Cluster does not serve a new one of its name.
    set.hub.delete(CLUSTER, "eu").await;
    set.hub.when_gone(CLUSTER, "eu").await;
    set.hub
        .create(json!({ "apiVersion": "cluster.karmada.io/v1alpha1", "kind": "Cluster", "metadata": { "name": "eu" },
            "spec": { "syncMode": "Push", "apiEndpoint": "https://evil.test", "insecureSkipTLSVerification": true,
                "secretRef": { "namespace": "karmada-cluster", "name": "eu" } } }))
        .await;
    set.hub.when(CLUSTER, "eu", is_suspended).await;
    let tokens = set.endpoints.lock().split_off(dialled);
    assert!(tokens.iter().all(|endpoint| endpoint.credential == Credential::Anonymous), "{tokens:?}");
}

/// A hub without controllers and two API servers.
struct Joining {
    scope: Shutdown,
    hub: Plane,
    eu: Plane,
    us: Plane,
}

impl Joining {
    async fn start() -> Self {
        let scope = Shutdown::new();
        let (hub, eu, us) =
            (Plane::start(&scope).await, Plane::start(&scope).await, Plane::start(&scope).await);
        for definition in portolan_api::crd::all() {
            hub.define(definition).await;
        }
        Self { scope, hub, eu, us }
    }

    async fn join(&self, name: &str, member: &Client, url: &str) -> Result<(), JoinError> {
        let ca_pem = b"ca".to_vec();
        let request = JoinRequest { name: name.into(), url: url.into(), ca_pem, ..JoinRequest::default() };
        join(&self.hub.client, member, &request).await.map(drop)
    }

    async fn unjoin(&self, access: Access<'_>) {
        let patience = Duration::from_secs(10);
        let notices = Notices::default();
        let request = UnjoinRequest { name: "eu", access, force: false, patience, notices };
        let left = unjoin(&self.hub.client, &request).await.expect("unjoined");
        assert!(left.held_by.is_none() && left.remains.is_empty(), "{left:?}");
    }

    /// The token for a member that the hub has.
    async fn token(&self, name: &str) -> String {
        let secret = self.hub.get(SECRET, &format!("karmada-cluster/{name}")).await.expect("a Secret");
        let token = STANDARD.decode(secret.str_at(&["data", "token"])).expect("base64");
        String::from_utf8(token).expect("text")
    }
}

impl Drop for Joining {
    fn drop(&mut self) {
        self.scope.request();
    }
}

async fn is_admitted(client: &Client) -> bool {
    let resource = Resource::namespaced("", "v1", "Secret", "secrets");
    let listed = client.resource::<Object>(&resource).list(&Selection::all()).await;
    match listed {
        Ok(_) => true,
        Err(ClientError::Forbidden(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_again_revokes_the_earlier_tokens() {
    let set = Joining::start().await;
    set.join("eu", &set.eu.client, "https://eu").await.expect("joined");
    let first = set.token("eu").await;
    assert!(is_admitted(&set.eu.as_bearer(&first)).await);
    let secret = set.hub.get(SECRET, "karmada-cluster/eu").await.expect("a Secret");
    let cluster = set.hub.get(CLUSTER, "eu").await.expect("a Cluster");
    let target: Value = serde_json::from_str(secret.annotation(TARGET).expect("bound")).expect("JSON");
    assert_eq!((&target["uid"], &target["address"]), (&json!(cluster.uid()), &json!("https://eu")));
    assert_eq!(secret.0["metadata"]["ownerReferences"][0]["uid"], json!(cluster.uid()));

    set.join("eu", &set.eu.client, "https://eu").await.expect("joined again");
    let second = set.token("eu").await;
    assert!(!is_admitted(&set.eu.as_bearer(&first)).await, "the earlier token is revoked");
    assert!(is_admitted(&set.eu.as_bearer(&second)).await);
}

/// The names of all objects of kinds that joining creates, and of some more.
async fn inventory(plane: &Plane) -> Vec<String> {
    let rbac = |kind: &str, plural: &str, namespaced: bool| Resource {
        namespaced,
        ..Resource::cluster("rbac.authorization.k8s.io", "v1", kind, plural)
    };
    let resources = [
        Resource::cluster("", "v1", "Namespace", "namespaces"),
        Resource::namespaced("", "v1", "ServiceAccount", "serviceaccounts"),
        Resource::namespaced("", "v1", "Secret", "secrets"),
        Resource::namespaced("", "v1", "ConfigMap", "configmaps"),
        Resource::namespaced("coordination.k8s.io", "v1", "Lease", "leases"),
        rbac("ClusterRole", "clusterroles", false),
        rbac("ClusterRoleBinding", "clusterrolebindings", false),
        rbac("Role", "roles", true),
        rbac("RoleBinding", "rolebindings", true),
    ];
    let mut names = Vec::new();
    for resource in resources {
        let listed =
            plane.client.resource::<Object>(&resource).list(&Selection::all()).await.expect("a list");
        names.extend(listed.items.iter().map(|seen| format!("{resource} {}", seen.object.key())));
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn unjoining_leaves_nothing() {
    let set = Joining::start().await;
    let before = inventory(&set.eu).await;
    set.join("eu", &set.eu.client, "https://eu").await.expect("joined");
    set.join("eu", &set.eu.client, "https://eu").await.expect("joined again");
    let token = set.token("eu").await;
    assert_ne!(inventory(&set.eu).await, before);
    set.unjoin(Access::Administrator(&set.eu.client)).await;
    set.eu.when_gone("v1/Namespace", "karmada-cluster").await;
    assert_eq!(inventory(&set.eu).await, before);
    assert!(!is_admitted(&set.eu.as_bearer(&token)).await);

    // What another control plane uses stays.
    set.join("eu", &set.eu.client, "https://eu").await.expect("joined");
    let other = json!({ "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": { "namespace": "karmada-cluster", "name": "karmada-other" } });
    set.eu.create(other).await;
    set.unjoin(Access::Administrator(&set.eu.client)).await;
    for name in ["karmada-other", "karmada-impersonator"] {
        assert!(
            set.eu.get("v1/ServiceAccount", &format!("karmada-cluster/{name}")).await.is_some(),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unjoining_with_the_account_itself_leaves_nothing() {
    let set = Joining::start().await;
    let before = inventory(&set.eu).await;
    set.join("eu", &set.eu.client, "https://eu").await.expect("joined");
    let account = set.eu.as_bearer(&set.token("eu").await);
    set.unjoin(Access::Account(&account)).await;
    set.eu.when_gone("v1/Namespace", "karmada-cluster").await;
    set.eu
        .when_gone("rbac.authorization.k8s.io/v1/ClusterRoleBinding", "karmada-controller-manager:karmada-eu")
        .await;
    assert_eq!(inventory(&set.eu).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_answer_leaves_only_by_force() {
    let set = Joining::start().await;
    set.join("eu", &set.eu.client, "https://eu").await.expect("joined");
    let (name, patience) = ("eu", Duration::from_secs(10));
    let access = || Access::None("connection refused".to_owned());
    let notices = Notices::default;
    let gentle = UnjoinRequest { name, access: access(), force: false, patience, notices: notices() };
    let refused = unjoin(&set.hub.client, &gentle).await.expect_err("not by force").to_string();
    for part in ["connection refused", "--force", "ServiceAccount karmada-cluster/karmada-eu"] {
        assert!(refused.contains(part), "{part} in {refused}");
    }
    let cluster = set.hub.get(CLUSTER, "eu").await.expect("it stays");
    assert!(!cluster.is_deleting());
    let forced = UnjoinRequest { name, access: access(), force: true, patience, notices: notices() };
    let left = unjoin(&set.hub.client, &forced).await.expect("by force");
    assert!(left.remains.iter().any(|object| object.starts_with("ClusterRole ")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_cleaned_without_its_control_plane() {
    let set = Joining::start().await;
    let before = inventory(&set.eu).await;
    let quiet = Notices::default();
    let nothing = clean(&set.eu.client, "eu", Wish::default(), &quiet).await.expect_err("never joined");
    assert!(matches!(nothing, JoinError::NotJoined { .. }), "{nothing}");
    set.join("eu", &set.eu.client, "https://eu").await.expect("joined");
    let hub = set.hub.get("v1/Namespace", "kube-system").await.expect("there").uid().to_owned();
    let put = |name: &str, label: &str| {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "default", "name": name,
            "labels": { "portolan.dev/control-plane": hub, label: "x" } } })
    };
    set.eu.create(put("derived", "a")).await;
    set.eu.create(put("placed", "work.karmada.io/permanent-id")).await;
    // The Lease is not renewed here; make it old, so that it is observed for a short time only.
    let old = json!({ "spec": { "leaseDurationSeconds": 1, "renewTime": "2026-01-01T00:00:00.000000Z" } });
    let lease = "karmada-cluster/portolan-control-plane";
    set.eu.patch("coordination.k8s.io/v1/Lease", lease, old).await;

    let cleaned = clean(&set.eu.client, "eu", Wish::default(), &quiet).await.expect("cleaned");
    assert_eq!(cleaned.deleted, ["ConfigMap default/derived"]);
    assert_eq!(cleaned.kept, ["ConfigMap default/placed"]);
    set.eu.when_gone("v1/Namespace", "karmada-cluster").await;
    let all = Wish { propagated: true, definitions: false };
    let cleaned =
        clean(&set.eu.client, "eu", all, &quiet).await.expect("what was kept is found by its label");
    assert_eq!(cleaned.deleted, ["ConfigMap default/placed"]);
    assert_eq!(inventory(&set.eu).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_does_not_join_itself_and_a_dry_run_writes_nothing() {
    let set = Joining::start().await;
    let itself = set.join("hub", &set.hub.client, "https://hub").await.expect_err("refused");
    assert!(matches!(itself, JoinError::Itself { .. }), "{itself}");

    let before = (inventory(&set.eu).await, inventory(&set.hub).await);
    let request = JoinRequest {
        name: "eu".into(),
        url: "https://eu".into(),
        ca_pem: b"ca".into(),
        ..JoinRequest::default()
    };
    let planned = dry_run(&set.hub.client, &set.eu.client, &request).await.expect("it could join");
    assert_eq!((inventory(&set.eu).await, inventory(&set.hub).await), before);
    set.join("eu", &set.eu.client, "https://eu").await.expect("joined");
    let after = inventory(&set.eu).await;
    for object in planned.in_cluster {
        let key = object.key().to_string();
        assert!(after.iter().any(|line| line.ends_with(&key)), "{key} in {after:#?}");
    }
    let kinds: Vec<_> =
        planned.in_control_plane.iter().map(|object| object.group_version_kind().kind).collect();
    assert_eq!(kinds, ["Namespace", "Cluster", "Secret", "Secret"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_cannot_pass_for_another() {
    let set = Joining::start().await;
    set.join("eu", &set.eu.client, "https://eu").await.expect("joined");
    // `us` says that it has the id of `eu`.
    let (eu, us) = (set.eu.service(), set.us.service());
    let liar = Client::in_process(service_fn(move |request: Request<Body>| {
        let is_identity = request.uri().path() == "/api/v1/namespaces/kube-system";
        let mut server = if is_identity { eu.clone() } else { us.clone() };
        server.call(request)
    }));
    let before = set.token("eu").await;
    let other_ca = JoinRequest {
        name: "eu".to_owned(),
        url: "https://127.0.0.1:1".to_owned(),
        ca_pem: b"other".to_vec(),
        ..JoinRequest::default()
    };
    let refused = join(&set.hub.client, &liar, &other_ca).await.expect_err("another cluster");
    assert!(matches!(refused, JoinError::Unproven { .. }), "{refused}");
    assert!(refused.to_string().contains("--replace-address"), "{refused}");
    assert_eq!(set.token("eu").await, before);
    assert!(is_admitted(&set.eu.as_bearer(&before)).await, "nothing changed");
    let cluster = set.hub.get(CLUSTER, "eu").await.expect("a Cluster");
    assert_eq!(cluster.str_at(&["spec", "apiEndpoint"]), "https://eu");

    let twice = set.join("eu2", &set.eu.client, "https://eu2").await.expect_err("under two names");
    assert!(matches!(twice, JoinError::AlreadyJoined { .. }), "{twice}");
    let taken = set.join("eu", &set.us.client, "https://us").await.expect_err("the name of another");
    assert!(matches!(taken, JoinError::NameTaken { .. }), "{taken}");
    let address = set.join("us", &set.us.client, "https://eu/").await.expect_err("the address of another");
    assert!(matches!(address, JoinError::AddressTaken { .. }), "{address}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_token_of_a_member_reaches_nothing_else() {
    let set = Joining::start().await;
    set.join("eu", &set.eu.client, "https://eu").await.expect("joined");
    set.join("us", &set.us.client, "https://us").await.expect("joined");
    let impersonator = set.hub.get(SECRET, "karmada-cluster/eu-impersonator").await.expect("a Secret");
    let impersonator = STANDARD.decode(impersonator.str_at(&["data", "token"])).expect("base64");
    let tokens = [set.token("eu").await, String::from_utf8(impersonator).expect("text")];
    let (mut attempts, mut admitted) = (0, Vec::new());
    for (server, plane) in [("hub", &set.hub), ("us", &set.us)] {
        let served = plane.client.discover().await.expect("discovery").resources;
        for token in &tokens {
            let client = plane.as_bearer(token);
            for found in &served {
                let resource = &found.resource;
                let namespace = if resource.namespaced { "karmada-cluster" } else { "" };
                let key = ObjectKey::namespaced(namespace, "eu");
                let api = client.resource::<Object>(resource);
                let object = Object::new(&resource.gvk, &key);
                let results = [
                    ("list", api.list(&Selection::all()).await.map(drop)),
                    ("get", api.get(&key).await.map(drop)),
                    ("create", api.create(&object).await.map(drop)),
                    ("patch", api.patch(&key, &Patch::Merge(json!({}))).await.map(drop)),
                    ("delete", api.delete(&key, &Delete::background()).await.map(drop)),
                ];
                for (verb, result) in results {
                    attempts += 1;
                    if !matches!(&result, Err(ClientError::Forbidden(_))) {
                        admitted.push(format!("{server} {verb} {resource}: {result:?}"));
                    }
                }
            }
        }
    }
    assert!(attempts >= 300, "{attempts}");
    assert_eq!(admitted, Vec::<String>::new(), "of {attempts}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_soon_is_renewed_by_its_own_account() {
    let set = Federation::start(&["eu"]).await;
    let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": { "namespace": "default", "name": "federation" } });
    set.member("eu").create(account).await;
    // The signature does not matter: the connection of this test carries no token.
    let claims = json!({ "sub": "system:serviceaccount:default:federation", "iat": 1_700_000_000_i64,
        "exp": 1_700_003_600_i64 });
    let old = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let data = |token: &str| json!({ "data": { "token": STANDARD.encode(token) } });
    set.hub.patch(SECRET, "karmada-cluster/eu", data(&old)).await;
    let token = |secret: &Object| {
        let token = STANDARD.decode(secret.str_at(&["data", "token"])).expect("base64");
        String::from_utf8(token).expect("text")
    };
    let is_renewed =
        |secret: &Object| TokenLife::of(&token(secret)).is_some_and(|life| life.issued > LONG_AGO);
    let secret = set.hub.when(SECRET, "karmada-cluster/eu", is_renewed).await;
    let life = TokenLife::of(&token(&secret)).expect("it ends");
    assert_eq!(life.account, ObjectKey::namespaced("default", "federation"));
    assert_eq!(life.duration().as_secs(), 3600, "the life of the one before");
    set.is_ready("eu").await;
}
