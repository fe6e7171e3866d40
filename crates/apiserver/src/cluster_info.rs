//! The ConfigMap `kube-public/cluster-info`: address and CA of the server, signed for each bootstrap token, so that a
//! client that has only a token can verify them. Also deletes bootstrap tokens that have expired.
//!
//! Upstream: kubernetes pkg/controller/bootstrap (bootstrapsigner.go, tokencleaner.go); kubeadm writes the ConfigMap and
//! lets everybody read it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portolan_net::bootstrap::signature;
use portolan_object::Object;
use portolan_store::{Batch, Query};
use serde_json::{Value, json};

use crate::auth::bootstrap_token::{BootstrapToken, NAME_PREFIX, NAMESPACE};
use crate::background::{PassError, commit, repeat};
use crate::record::Change;
use crate::server::Server;
use crate::tree;

/// Keys of the ConfigMap in the store, and of the Secrets with bootstrap tokens.
const CONFIG_MAP: &str = "core/configmaps/kube-public/cluster-info";
/// Keys of signatures; the id of the token follows.
const SIGNATURE: &str = "jws-kubeconfig-";
/// The key of the kubeconfig.
const KUBECONFIG: &str = "kubeconfig";
/// Time between two looks for expired tokens, and after a failure.
const INTERVAL: Duration = Duration::from_secs(30);

/// The objects that publish a kubeconfig: the ConfigMap, and the Role and RoleBinding by which everybody may read it.
/// Each is given with the path of its collection.
pub(crate) fn objects(kubeconfig: &str) -> [(&'static str, Value); 3] {
    let name = "kubeadm:bootstrap-signer-clusterinfo";
    let group = "rbac.authorization.k8s.io";
    let config_map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "cluster-info", "namespace": "kube-public" },
        "data": { KUBECONFIG: kubeconfig },
    });
    let role = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Role",
        "metadata": { "name": name, "namespace": "kube-public" },
        "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["cluster-info"], "verbs": ["get"] }],
    });
    let binding = json!({
        "apiVersion": format!("{group}/v1"), "kind": "RoleBinding",
        "metadata": { "name": name, "namespace": "kube-public" },
        "roleRef": { "apiGroup": group, "kind": "Role", "name": name },
        "subjects": [{ "apiGroup": group, "kind": "User", "name": "system:anonymous" }],
    });
    [
        ("/api/v1/namespaces/kube-public/configmaps", config_map),
        ("/apis/rbac.authorization.k8s.io/v1/namespaces/kube-public/roles", role),
        ("/apis/rbac.authorization.k8s.io/v1/namespaces/kube-public/rolebindings", binding),
    ]
}

/// Keeps the signatures and deletes expired tokens until the server stops.
pub(crate) async fn run(server: Arc<Server>) {
    let pass = || pass(Arc::clone(&server));
    repeat(&server.stopping, INTERVAL, "kube-public/cluster-info cannot be signed", pass).await;
}

/// Signs and cleans up once, and waits for a change or for the next look.
async fn pass(server: Arc<Server>) -> Result<(), PassError> {
    let server = &server;
    let prefix = format!("core/secrets/{NAMESPACE}/{NAME_PREFIX}");
    let page = server.store.range(&Query::prefix(&*prefix))?;
    let mut secrets = server.store.watch(&prefix, page.revision)?;
    let mut config_map = server.store.watch(CONFIG_MAP, page.revision)?;
    let now = server.clock.now();
    let mut tokens = Vec::new();
    let mut expires = false;
    for item in &page.items {
        let object = Object(item.value.value());
        expires |= tree::secret_text(&object.0, "expiration").is_some();
        let Some(token) = BootstrapToken::read(object) else { continue };
        if token.is_expired(now) {
            tracing::info!(id = token.id, "expired bootstrap token deleted");
            commit(server, Batch::delete(Arc::clone(&item.key), item.modified)).await?;
        } else if *item.key == *format!("{prefix}{}", token.id) {
            tokens.push(token);
        }
    }
    sign_stored(server, &tokens, now).await?;
    let next_look = async {
        match expires {
            true => tokio::time::sleep(INTERVAL).await,
            false => std::future::pending().await,
        }
    };
    // A watch that lags counts as a change.
    tokio::select! {
        _ = secrets.next() => {}
        _ = config_map.next() => {}
        () = next_look => {}
    }
    Ok(())
}

/// Writes the signatures that differ from the stored ones.
async fn sign_stored(server: &Server, tokens: &[BootstrapToken], now: Timestamp) -> Result<(), PassError> {
    let snapshot = server.registry.snapshot();
    let Some(resource) = snapshot.find("", "v1", "configmaps") else { return Ok(()) };
    let Some(item) = server.store.get(CONFIG_MAP) else { return Ok(()) };
    let Some(signed) = signed(&item.value.value(), tokens, now) else { return Ok(()) };
    let record = resource.encode(Change::Modified, &signed);
    commit(server, Batch::update(CONFIG_MAP, item.modified, record)).await
}

/// The ConfigMap with the signatures of the tokens that sign, and no others; `None` when it has them.
fn signed(config_map: &Value, tokens: &[BootstrapToken], now: Timestamp) -> Option<Value> {
    let kubeconfig = tree::map(config_map, "/data")?.get(KUBECONFIG)?.as_str()?;
    let signing = tokens.iter().filter(|token| token.is_usable_for("signing") && !token.is_expired(now));
    let wanted: BTreeMap<String, String> = signing
        .map(|token| (format!("{SIGNATURE}{}", token.id), signature(kubeconfig, &token.id, &token.secret)))
        .collect();
    let mut new = config_map.clone();
    let data = new.get_mut("data")?.as_object_mut()?;
    data.retain(|key, _| !key.starts_with(SIGNATURE));
    data.extend(wanted.into_iter().map(|(key, value)| (key, json!(value))));
    (new != *config_map).then_some(new)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn token(id: &str, signs: &str) -> BootstrapToken {
        let data: Value = [
            ("token-id", id),
            ("token-secret", "0123456789abcdef"),
            ("usage-bootstrap-signing", signs),
            ("expiration", "2026-01-02T00:00:00Z"),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), json!(STANDARD.encode(value))))
        .collect::<serde_json::Map<String, Value>>()
        .into();
        BootstrapToken::read(Object(json!({ "type": "bootstrap.kubernetes.io/token", "data": data })))
            .unwrap()
    }

    #[test]
    fn tokens_that_sign_have_a_signature() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let map = json!({ "data": { KUBECONFIG: "text", "own": "kept", "jws-kubeconfig-zzzzzz": "old" } });
        let tokens = [token("aaaaaa", "true"), token("bbbbbb", "false")];
        let first = signed(&map, &tokens, now).unwrap();
        let keys: Vec<&str> = tree::entries(&first, "/data").map(|(key, _)| key).collect();
        assert_eq!(keys, ["jws-kubeconfig-aaaaaa", KUBECONFIG, "own"]);
        assert_eq!(signed(&first, &tokens, now), None, "a second look writes nothing");
        let later = "2026-01-03T00:00:00Z".parse().unwrap();
        let last = signed(&first, &tokens, later).unwrap();
        assert_eq!(tree::entries(&last, "/data").count(), 2, "expired tokens do not sign");
    }
}
