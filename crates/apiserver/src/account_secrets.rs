//! The background task that fills Secrets of type `kubernetes.io/service-account-token` with a token, and deletes them
//! with their service account.
//!
//! Authentication does not depend on it: a token is refused as soon as its Secret or account is gone. Upstream:
//! kubernetes pkg/controller/serviceaccount/tokens_controller.go.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_object::Object;
use portolan_store::{Batch, Event, Query, Versioned};
use ring::rand::SystemRandom;
use serde_json::{Map, Value, json};

use crate::access::CoreObjects;
use crate::auth::Directory as _;
use crate::auth::token::{Issuer, KeyError, SecretClaims};
use crate::background::{PassError, commit, repeat};
use crate::record::{Change, Record};
use crate::resources::Resource;
use crate::server::Server;
use crate::tree;
use crate::write;

/// Key prefixes of the objects that the task follows.
const SECRETS: &str = "core/secrets/";
const ACCOUNTS: &str = "core/serviceaccounts/";
/// The type of the Secrets.
const SECRET_TYPE: &str = "kubernetes.io/service-account-token";
/// Annotations with name and uid of the account.
const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";
/// Time after which a failed write is repeated.
const RETRY: Duration = Duration::from_secs(1);

/// What a Secret needs.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Nothing: it is complete, or no Secret with a token.
    Keep,
    /// These entries of `data`, and a new token if `token` is set.
    Fill { entries: Vec<(&'static str, String)>, token: bool },
    /// To be deleted: its account does not exist, or is another one of the same name.
    Delete,
}

/// Follows Secrets and service accounts until the server stops. Does nothing without an issuer.
pub(crate) async fn run(server: Arc<Server>) {
    let stopping = server.stopping.clone();
    if server.authentication.issuer().is_none() {
        return;
    }
    let pass = || follow(Arc::clone(&server));
    repeat(&stopping, RETRY, "tokens of Secrets cannot be written", pass).await;
}

/// Settles every Secret, then those that change.
async fn follow(server: Arc<Server>) -> Result<(), PassError> {
    let server = &server;
    let page = server.store.range(&Query::prefix(SECRETS))?;
    let mut secrets = server.store.watch(SECRETS, page.revision)?;
    let mut accounts = server.store.watch(ACCOUNTS, page.revision)?;
    for item in &page.items {
        settle(server, item).await?;
    }
    drop(page);
    loop {
        tokio::select! {
            event = secrets.next() => {
                if let Some(item) = &event?.current {
                    settle(server, item).await?;
                }
            }
            event = accounts.next() => account_changed(server, &*event?).await?,
        }
    }
}

/// Settles the Secrets in the namespace of an account that is new or gone.
async fn account_changed(server: &Arc<Server>, event: &Event<Record>) -> Result<(), PassError> {
    if event.current.is_some() && event.previous.is_some() {
        return Ok(());
    }
    let Some((namespace, _)) = event.key.strip_prefix(ACCOUNTS).and_then(|rest| rest.split_once('/')) else {
        return Ok(());
    };
    for item in &server.store.range(&Query::prefix(format!("{SECRETS}{namespace}/")))?.items {
        settle(server, item).await?;
    }
    Ok(())
}

/// Fills or deletes one Secret. If it has changed since, the change settles it again.
async fn settle(server: &Arc<Server>, item: &Versioned<Record>) -> Result<(), PassError> {
    let mut secret = item.value.value();
    if tree::str_at(&secret, "/type") != SECRET_TYPE {
        return Ok(());
    }
    let snapshot = server.registry.snapshot();
    let Some(resource) = snapshot.find("", "v1", "secrets") else { return Ok(()) };
    let Some(issuer) = server.authentication.issuer() else { return Ok(()) };
    let namespace = tree::str_at(&secret, "/metadata/namespace");
    let name = annotation(&secret, ACCOUNT_NAME);
    let account = CoreObjects(&server.store).find("serviceaccounts", namespace, name);
    let batch = match decide(&secret, account.as_ref(), server.root_ca.as_deref()) {
        Step::Keep => return Ok(()),
        Step::Delete => return delete(server, resource, item, &secret).await,
        Step::Fill { entries, token } => {
            fill(&mut secret, entries, token.then_some(issuer), account.as_ref())?;
            let record = resource.encode(Change::Modified, &secret);
            Batch::update(Arc::clone(&item.key), item.modified, record)
        }
    };
    commit(server, batch).await
}

async fn delete(
    server: &Arc<Server>,
    resource: &Arc<Resource>,
    item: &Versioned<Record>,
    secret: &Value,
) -> Result<(), PassError> {
    let [namespace, name] =
        ["/metadata/namespace", "/metadata/name"].map(|field| tree::str_at(secret, field));
    tracing::info!(namespace, name, "Secret with the token of a missing service account deleted");
    if tree::list(secret, "/metadata/finalizers").is_empty() {
        return commit(server, Batch::delete(Arc::clone(&item.key), item.modified)).await;
    }
    let marked = write::delete_internally(server, resource, namespace, name).await;
    marked.map_err(|status| PassError::Refused(status.message))
}

fn annotation<'a>(secret: &'a Value, key: &str) -> &'a str {
    let annotations = tree::map(secret, "/metadata/annotations");
    annotations.and_then(|map| map.get(key)).and_then(Value::as_str).unwrap_or_default()
}

/// What a Secret of the type needs; `account` is the one that its annotation names.
fn decide(secret: &Value, account: Option<&Object>, root_ca: Option<&str>) -> Step {
    let is_deleting = tree::present(secret, "/metadata/deletionTimestamp").is_some();
    if is_deleting || annotation(secret, ACCOUNT_NAME).is_empty() {
        return Step::Keep;
    }
    let uid = annotation(secret, ACCOUNT_UID);
    if account.is_none_or(|account| !uid.is_empty() && uid != account.uid()) {
        return Step::Delete;
    }
    let held = |key| tree::map(secret, "/data").and_then(|data| data.get(key)).and_then(Value::as_str);
    let mut entries = Vec::new();
    if let Some(root_ca) = root_ca.map(|text| STANDARD.encode(text)).filter(|ca| held("ca.crt") != Some(ca)) {
        entries.push(("ca.crt", root_ca));
    }
    if held("namespace").is_none_or(str::is_empty) {
        entries.push(("namespace", STANDARD.encode(tree::str_at(secret, "/metadata/namespace"))));
    }
    let token = held("token").is_none_or(str::is_empty);
    if token || !entries.is_empty() { Step::Fill { entries, token } } else { Step::Keep }
}

/// Sets entries, the annotations, and a token if there is an issuer for it.
fn fill(
    secret: &mut Value,
    mut entries: Vec<(&'static str, String)>,
    issuer: Option<&Issuer>,
    account: Option<&Object>,
) -> Result<(), KeyError> {
    let Some(account) = account else { return Ok(()) };
    if let Some(issuer) = issuer {
        let name = tree::str_at(secret, "/metadata/name");
        let claims = SecretClaims::new(account.namespace(), name, account.name(), account.uid());
        let token = issuer.issue_for_secret(&claims, &SystemRandom::new())?;
        entries.push(("token", STANDARD.encode(token)));
    }
    if let Some(data) = secret.as_object_mut().and_then(|secret| tree::child(secret, "data")) {
        data.extend(entries.into_iter().map(|(key, value)| (key.to_owned(), json!(value))));
    }
    let metadata: Option<&mut Map<String, Value>> = secret.get_mut("metadata").and_then(Value::as_object_mut);
    if let Some(annotations) = metadata.and_then(|metadata| tree::child(metadata, "annotations")) {
        annotations.insert(ACCOUNT_UID.to_owned(), json!(account.uid()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_secret_needs() {
        let account = Object(json!({ "metadata": { "namespace": "n", "name": "sa", "uid": "u" } }));
        let (ca, namespace) = (STANDARD.encode("CA"), STANDARD.encode("n"));
        let whole = json!({
            "type": SECRET_TYPE,
            "metadata": { "namespace": "n", "name": "s",
                          "annotations": { ACCOUNT_NAME: "sa", ACCOUNT_UID: "u" } },
            "data": { "token": "dA==", "ca.crt": ca, "namespace": namespace },
        });
        let without = |pointer: &str, field: &str| {
            let mut secret = whole.clone();
            secret.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(field);
            secret
        };
        let with = |pointer: &str, field: &str, value: Value| {
            let mut secret = whole.clone();
            secret.pointer_mut(pointer).unwrap()[field] = value;
            secret
        };
        let fill = |entries: &[(&'static str, &str)], token| Step::Fill {
            entries: entries.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
            token,
        };
        let everything = fill(&[("ca.crt", &ca), ("namespace", &namespace)], true);
        let cases = [
            ("complete", whole.clone(), Some(&account), Step::Keep),
            ("new", without("", "data"), Some(&account), everything),
            ("no token", without("/data", "token"), Some(&account), fill(&[], true)),
            ("empty token", with("/data", "token", json!("")), Some(&account), fill(&[], true)),
            (
                "another CA",
                with("/data", "ca.crt", json!("eA==")),
                Some(&account),
                fill(&[("ca.crt", &ca)], false),
            ),
            ("no account", whole.clone(), None, Step::Delete),
            (
                "another account",
                with("/metadata/annotations", ACCOUNT_UID, json!("v")),
                Some(&account),
                Step::Delete,
            ),
            ("uid not known yet", without("/metadata/annotations", ACCOUNT_UID), Some(&account), Step::Keep),
            (
                "deleting",
                with("/metadata", "deletionTimestamp", json!("2026-01-01T00:00:00Z")),
                None,
                Step::Keep,
            ),
        ];
        for (name, secret, account, want) in cases {
            assert_eq!(decide(&secret, account, Some("CA")), want, "{name}");
        }
    }
}
