use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::*;

/// The file as a YAML parser that is not ours reads it.
fn parsed(yaml: &str) -> Value {
    serde_saphyr::from_str(yaml).expect("YAML")
}

#[test]
fn what_is_written_is_private_and_complete() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("members.config");
    let pem = format!("-----BEGIN X-----\n{}\n-----END X-----\n", "A".repeat(4000));
    let written = Kubeconfig::new()
        .with_context("member1", Cluster::new("https://127.0.0.1:1", &pem), User::certificate(&pem, &pem))
        .with_context("member2", Cluster::new("https://127.0.0.1:2", &pem), User::token("0123"))
        .with_context("member2", Cluster::new("https://127.0.0.1:3", &pem), User::token("0x10"));
    written.write(&path).expect("written");
    assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);

    let encoded = STANDARD.encode(&pem);
    let want = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "member1",
        "clusters": [
            { "name": "member1",
              "cluster": { "server": "https://127.0.0.1:1", "certificate-authority-data": encoded } },
            { "name": "member2",
              "cluster": { "server": "https://127.0.0.1:3", "certificate-authority-data": encoded } },
        ],
        "users": [
            { "name": "member1",
              "user": { "client-certificate-data": encoded, "client-key-data": encoded } },
            { "name": "member2", "user": { "token": "0x10" } },
        ],
        "contexts": [
            { "name": "member1", "context": { "cluster": "member1", "user": "member1" } },
            { "name": "member2", "context": { "cluster": "member2", "user": "member2" } },
        ],
    });
    assert_eq!(parsed(&fs::read_to_string(&path).expect("read")), want);
    assert!(!format!("{written:?}").contains("0x10"));
}

#[test]
fn fields_of_copied_entries_are_kept() {
    let cluster: Cluster =
        serde_json::from_value(json!({ "server": "https://a", "tls-server-name": "b" })).expect("a cluster");
    let user: User =
        serde_json::from_value(json!({ "exec": { "command": "login", "args": ["-x"] } })).expect("a user");
    let file = parsed(&Kubeconfig::new().with_context("copy", cluster, user).to_yaml());
    assert_eq!(file["clusters"][0]["cluster"]["tls-server-name"], "b");
    assert_eq!(file["users"][0]["user"], json!({ "exec": { "command": "login", "args": ["-x"] } }));
}
