use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// As kubectl, kind and cloud providers write them; `client.crt` and friends stand beside it.
const FOREIGN: &str = r#"
apiVersion: v1
kind: Config
preferences: {}
clusters:
- name: by-file
  cluster: {server: "https://127.0.0.1:1", certificate-authority: ca.crt, extensions: []}
- name: by-data
  cluster: {server: "https://127.0.0.1:2", certificate-authority-data: QVVUSE9SSVRZ, tls-server-name: api}
- name: by-system
  cluster: {server: "https://example.org"}
- name: insecure
  cluster: {server: "https://127.0.0.1:3", insecure-skip-tls-verify: true}
- name: proxied
  cluster: {server: "https://127.0.0.1:3", proxy-url: "http://127.0.0.1:4"}
- name: garbled
  cluster: {server: "https://127.0.0.1:3", certificate-authority-data: "%%%"}
- name: empty
  cluster: {}
users:
- name: by-file
  user: {client-certificate: client.crt, client-key: sub/client.key}
- name: by-data
  user: {client-certificate-data: Q0hBSU4=, client-key-data: S0VZ, client-key: absent}
- name: by-token
  user: {token: secret}
- name: by-token-file
  user: {token: older, tokenFile: token}
- name: helper
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: helper, args: [a]}}
- name: half
  user: {client-certificate: client.crt}
- name: nobody
  user:
contexts:
- {name: file, context: {cluster: by-file, user: by-file, namespace: shop}}
- {name: data, context: {cluster: by-data, user: by-data}}
- {name: token, context: {cluster: by-system, user: by-token}}
- {name: token-file, context: {cluster: by-system, user: by-token-file}}
- {name: anonymous, context: {cluster: by-system, user: nobody}}
- {name: no-user, context: {cluster: by-system, user: ""}}
- {name: helper, context: {cluster: by-system, user: helper}}
- {name: half, context: {cluster: by-system, user: half}}
- {name: insecure, context: {cluster: insecure, user: by-token}}
- {name: proxied, context: {cluster: proxied, user: by-token}}
- {name: garbled, context: {cluster: garbled, user: by-token}}
- {name: empty, context: {cluster: empty, user: by-token}}
- {name: lost-cluster, context: {cluster: gone, user: by-token}}
- {name: lost-user, context: {cluster: by-system, user: gone}}
current-context: data
"#;

fn foreign() -> (tempfile::TempDir, Kubeconfig) {
    let directory = tempfile::tempdir().expect("directory");
    fs::create_dir(directory.path().join("sub")).expect("made");
    let files = [
        ("config", FOREIGN),
        ("ca.crt", "CA"),
        ("client.crt", "CRT"),
        ("sub/client.key", "KEY"),
        ("token", "t\n"),
    ];
    for (name, contents) in files {
        fs::write(directory.path().join(name), contents).expect("written");
    }
    let config = Kubeconfig::read(&directory.path().join("config")).expect("read");
    (directory, config)
}

fn certificate(chain: &str, key: &str) -> Credential {
    Credential::Certificate { chain_pem: chain.into(), key_pem: key.into() }
}

#[test]
fn contexts_of_others_are_understood() {
    let (_directory, config) = foreign();
    let cases = [
        (Some("file"), "https://127.0.0.1:1", Some("CA"), certificate("CRT", "KEY")),
        (Some("data"), "https://127.0.0.1:2", Some("AUTHORITY"), certificate("CHAIN", "KEY")),
        (None, "https://127.0.0.1:2", Some("AUTHORITY"), certificate("CHAIN", "KEY")),
        (Some("token"), "https://example.org", None, Credential::Token("secret".into())),
        (Some("token-file"), "https://example.org", None, Credential::Token("t".into())),
        (Some("anonymous"), "https://example.org", None, Credential::Anonymous),
        (Some("no-user"), "https://example.org", None, Credential::Anonymous),
    ];
    for (context, server, authorities, credential) in cases {
        let got = config.connection(context).expect("usable");
        assert_eq!(
            (got.server.as_str(), got.authorities_pem.as_deref()),
            (server, authorities),
            "{context:?}"
        );
        assert_eq!(got.credential, credential, "{context:?}");
        assert_eq!(got.namespace.as_deref(), (context == Some("file")).then_some("shop"), "{context:?}");
    }
    assert_eq!(config.connection(None).expect("usable").tls_server_name.as_deref(), Some("api"));
}

#[test]
fn what_cannot_be_done_is_said() {
    let (_directory, mut config) = foreign();
    let cases = [
        ("helper", "user \"helper\": exec runs a helper program, which is not supported"),
        ("half", "user \"half\": client-key is missing beside client-certificate"),
        ("insecure", "cluster \"insecure\": insecure-skip-tls-verify is not supported"),
        ("proxied", "cluster \"proxied\": proxy-url is not supported"),
        ("garbled", "cluster \"garbled\": certificate-authority-data is not base64 of PEM"),
        ("empty", "cluster \"empty\": server is empty"),
        ("lost-cluster", "has no cluster \"gone\": known are by-file, by-data"),
        ("lost-user", "has no user \"gone\": known are by-file"),
        ("absent", "has no context \"absent\": known are file, data"),
    ];
    for (context, want) in cases {
        let error = config.connection(Some(context)).expect_err(context).to_string();
        assert!(error.contains(want) && error.contains("/config"), "{context}: {error}");
    }
    config.current_context = None;
    assert!(matches!(config.connection(None), Err(KubeconfigError::NoContext { .. })));
}

#[test]
fn files_that_are_none_are_refused_without_quoting_them() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("config");
    for text in
        ["kind: Secret\napiVersion: v1\n", "- token: hush\n", "clusters: hush", "users: [{name: [hush"]
    {
        fs::write(&path, text).expect("written");
        let error = Kubeconfig::read(&path).expect_err(text).to_string();
        assert!(error.contains("is not a kubeconfig") && !error.contains("hush"), "{error}");
    }
    assert!(matches!(Kubeconfig::read(&directory.path().join("absent")), Err(KubeconfigError::File(_))));
}

#[test]
fn what_is_written_is_private_and_reads_back() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("members.config");
    let pem = format!("-----BEGIN X-----\n{}\n-----END X-----\n", "A".repeat(4000));
    let written = Kubeconfig::new()
        .with_context("member1", Cluster::new("https://127.0.0.1:1", &pem), User::certificate(&pem, &pem))
        .with_context("member2", Cluster::new("https://127.0.0.1:2", &pem), User::token("0123"))
        .with_context("member2", Cluster::new("https://127.0.0.1:3", &pem), User::token("0x10"));
    written.write(&path).expect("written");
    assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);

    let read = Kubeconfig::read(&path).expect("read");
    assert_eq!(read.to_yaml(), written.to_yaml());
    let first = read.connection(None).expect("usable");
    assert_eq!((first.context.as_str(), first.credential), ("member1", certificate(&pem, &pem)));
    assert_eq!(first.authorities_pem.as_deref(), Some(pem.as_str()));
    let second = read.connection(Some("member2")).expect("usable");
    assert_eq!(
        (second.server.as_str(), second.credential),
        ("https://127.0.0.1:3", Credential::Token("0x10".into()))
    );
    assert!(!format!("{read:?}").contains("0x10"));
}
