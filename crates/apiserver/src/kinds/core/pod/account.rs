//! The service account of a new pod: which one it is, and how its token gets into the containers.
//!
//! The caller looks the account up and draws the suffix of the volume's name; a pod that names an account which is
//! not there is refused.

use portolan_object::{Object, Status};
use serde_json::{Value, json};

use crate::tree;

const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const VOLUME_PREFIX: &str = "kube-api-access-";
/// Lifetime of a token. The odd seconds tell it apart from tokens with a requested lifetime, as upstream does.
const TOKEN_SECONDS: i64 = 3607;

/// The account that a pod runs as; a pod without one is given `default`.
pub(crate) fn account_name(pod: &Value) -> &str {
    match tree::str_at(pod, "/spec/serviceAccountName") {
        "" => match tree::str_at(pod, "/spec/serviceAccount") {
            "" => "default",
            name => name,
        },
        name => name,
    }
}

/// Gives a new pod its account, the account's pull secrets, and the volume with the token, unless pod or account
/// do not want one.
///
/// # Errors
/// 403 when `account`, looked up under [`account_name`], does not exist.
pub(crate) fn attach(pod: &mut Value, account: Option<&Object>, suffix: &str) -> Result<(), Status> {
    let name = account_name(pod).to_owned();
    let Some(account) = account else {
        let namespace = tree::str_at(pod, "/metadata/namespace");
        let cause =
            format!("error looking up service account {namespace}/{name}: serviceaccount {name:?} not found");
        return Err(Status::forbidden("", "pods", tree::str_at(pod, "/metadata/name"), &cause));
    };
    if !pod["spec"].is_object() {
        return Ok(());
    }
    pod["spec"]["serviceAccountName"] = json!(name);
    pod["spec"]["serviceAccount"] = json!(name);
    let secrets = tree::list(&account.0, "/imagePullSecrets");
    if tree::list(pod, "/spec/imagePullSecrets").is_empty() && !secrets.is_empty() {
        pod["spec"]["imagePullSecrets"] = json!(secrets);
    }
    if wants_token(pod, account) {
        mount_token(pod, suffix);
    }
    Ok(())
}

/// The pod decides; if it does not say, its account does.
fn wants_token(pod: &Value, account: &Object) -> bool {
    let own = pod.pointer("/spec/automountServiceAccountToken").and_then(Value::as_bool);
    let of_account = account.0.get("automountServiceAccountToken").and_then(Value::as_bool);
    own.or(of_account).unwrap_or(true)
}

fn mount_token(pod: &mut Value, suffix: &str) {
    let volumes = tree::list(pod, "/spec/volumes");
    let own = volumes
        .iter()
        .map(|volume| tree::str_at(volume, "/name"))
        .find(|name| name.starts_with(VOLUME_PREFIX));
    let name = own.map_or_else(|| format!("{VOLUME_PREFIX}{suffix}"), str::to_owned);
    let is_new = own.is_none();
    let mut is_mounted = false;
    for part in ["initContainers", "containers"] {
        let Some(containers) = pod["spec"].get_mut(part).and_then(Value::as_array_mut) else { continue };
        for container in containers {
            let mounts = tree::list(container, "/volumeMounts");
            if mounts.iter().any(|mount| tree::str_at(mount, "/mountPath") == MOUNT_PATH) {
                continue;
            }
            let mount = json!({ "name": name, "mountPath": MOUNT_PATH, "readOnly": true });
            push(container, "volumeMounts", mount);
            is_mounted = true;
        }
    }
    if is_mounted && is_new {
        push(&mut pod["spec"], "volumes", token_volume(&name));
    }
}

fn push(parent: &mut Value, list: &str, entry: Value) {
    match parent.get_mut(list).and_then(Value::as_array_mut) {
        Some(entries) => entries.push(entry),
        None => parent[list] = json!([entry]),
    }
}

/// Token, certificate authority and namespace in one directory.
fn token_volume(name: &str) -> Value {
    json!({
        "name": name,
        "projected": {
            "defaultMode": 0o644,
            "sources": [
                { "serviceAccountToken": { "expirationSeconds": TOKEN_SECONDS, "path": "token" } },
                { "configMap": { "name": "kube-root-ca.crt", "items": [{ "key": "ca.crt", "path": "ca.crt" }] } },
                { "downwardAPI": { "items": [
                    { "path": "namespace", "fieldRef": { "apiVersion": "v1", "fieldPath": "metadata.namespace" } },
                ] } },
            ],
        },
    })
}
