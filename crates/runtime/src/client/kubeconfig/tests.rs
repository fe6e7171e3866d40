use std::fs;
use std::os::unix::fs::PermissionsExt;

use portolan_net::Kubeconfig;
use portolan_net::pki::Authority;
use tempfile::TempDir;

use super::*;

/// As kubectl, kind and cloud providers write them; `ca.crt` and other files stand beside it.
const FOREIGN: &str = r#"
apiVersion: v1
kind: Config
preferences: {}
clusters:
- name: by-file
  cluster: {server: "https://127.0.0.1:1", certificate-authority: ca.crt, extensions: []}
- name: by-system
  cluster: {server: "https://example.org", tls-server-name: api}
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
- name: by-token
  user: {token: secret}
- name: by-token-file
  user: {token: older, tokenFile: token}
- name: helper
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./login, args: [hello], interactiveMode: Never}}
- name: helper-failing
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./refuse, interactiveMode: Never}}
- name: helper-missing
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./absent, installHint: "run install-login first", interactiveMode: Never}}
- name: half
  user: {client-certificate: client.crt}
- name: nobody
  user:
- name: removed
  user: {auth-provider: {name: gcp}}
contexts:
- {name: file, context: {cluster: by-file, user: by-file, namespace: shop}}
- {name: token, context: {cluster: by-system, user: by-token}}
- {name: token-file, context: {cluster: by-system, user: by-token-file}}
- {name: anonymous, context: {cluster: by-system, user: nobody}}
- {name: no-user, context: {cluster: by-system, user: ""}}
- {name: helper, context: {cluster: by-file, user: helper}}
- {name: helper-failing, context: {cluster: by-file, user: helper-failing}}
- {name: helper-missing, context: {cluster: by-file, user: helper-missing}}
- {name: half, context: {cluster: by-system, user: half}}
- {name: insecure, context: {cluster: insecure, user: by-token}}
- {name: proxied, context: {cluster: proxied, user: by-token}}
- {name: removed, context: {cluster: insecure, user: removed}}
- {name: garbled, context: {cluster: garbled, user: by-token}}
- {name: empty, context: {cluster: empty, user: by-token}}
- {name: lost-cluster, context: {cluster: gone, user: by-token}}
- {name: lost-user, context: {cluster: by-system, user: gone}}
current-context: file
"#;

const LOGIN: &str = r#"#!/bin/sh
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "from-'$1'"}}'
"#;
const REFUSE: &str = "#!/bin/sh\necho 'session expired: run login again' >&2\nexit 3\n";

struct Files {
    directory: TempDir,
    authority: Authority,
}

impl Files {
    fn foreign() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let now = jiff::Timestamp::now();
        let authority = Authority::create("test", now).expect("an authority");
        let day = std::time::Duration::from_secs(24 * 3600);
        let client = authority.issue_client("jane", None, day, now).expect("a certificate");
        fs::create_dir(directory.path().join("sub")).expect("made");
        let files = [
            ("config", FOREIGN),
            ("ca.crt", authority.certificate_pem()),
            ("client.crt", client.certificate_pem()),
            ("sub/client.key", client.key_pem()),
            ("token", "t\n"),
            ("login", LOGIN),
            ("refuse", REFUSE),
        ];
        for (name, contents) in files {
            let path = directory.path().join(name);
            fs::write(&path, contents).expect("written");
            fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("mode");
        }
        Self { directory, authority }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, contents: &str) -> PathBuf {
        fs::write(self.path(name), contents).expect("written");
        self.path(name)
    }

    async fn load(&self, context: &str) -> Result<KubeconfigContext, KubeconfigError> {
        KubeconfigContext::load(&KubeconfigFiles::Named(self.path("config")), Some(context)).await
    }

    /// The error of a context, when it is read or when it is to give a client.
    async fn refusal(&self, context: &str) -> String {
        match self.load(context).await {
            Ok(loaded) => loaded.client().expect_err(context).to_string(),
            Err(error) => error.to_string(),
        }
    }
}

/// A kubeconfig with one context; cluster, user and context have the same name.
fn one_context(name: &str, server: &str, current: Option<&str>) -> String {
    let current = current.map(|name| format!("current-context: {name}\n")).unwrap_or_default();
    format!(
        "apiVersion: v1\nkind: Config\n{current}\
         clusters: [{{name: {name}, cluster: {{server: \"{server}\"}}}}]\n\
         users: [{{name: {name}, user: {{token: t}}}}]\n\
         contexts: [{{name: {name}, context: {{cluster: {name}, user: {name}}}}}]\n"
    )
}

#[test]
fn files_are_found_as_kubectl_finds_them() {
    let listed = |paths: &[&str]| KubeconfigFiles::Listed(paths.iter().map(PathBuf::from).collect());
    let default = KubeconfigFiles::Default(Some("/home/jane/.kube/config".into()));
    let cases = [
        ("a flag", Some("flag"), Some("a:b"), KubeconfigFiles::Named("flag".into())),
        ("one file", None, Some("a"), listed(&["a"])),
        ("a list", None, Some("a:b"), listed(&["a", "b"])),
        ("empty names", None, Some(":a::b:"), listed(&["a", "b"])),
        ("an empty variable", None, Some(""), default.clone()),
        ("nothing", None, None, default),
    ];
    for (name, flag, variable, want) in cases {
        let home = Path::new("/home/jane");
        let found = KubeconfigFiles::choose(flag.map(Path::new), variable.map(OsStr::new), Some(home));
        assert_eq!(found, want, "{name}");
    }
    assert_eq!(KubeconfigFiles::choose(None, None, None), KubeconfigFiles::Default(None));
}

#[test]
fn loopback_hosts_need_no_proxy() {
    for host in ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"] {
        assert!(is_loopback(Some(host)), "{host}");
    }
    for host in [None, Some("10.0.0.5"), Some("[fd00::1]"), Some("hub.example.org"), Some("localhost.org")] {
        assert!(!is_loopback(host), "{host:?}");
    }
}

#[tokio::test]
async fn the_first_file_of_a_list_that_sets_a_value_wins() {
    let files = Files::foreign();
    let first = files.write("first", &one_context("shared", "https://first", None));
    let second = files.write(
        "second",
        &one_context("shared", "https://second", Some("other"))
            .replace("clusters: [", "clusters: [{name: other, cluster: {server: \"https://other\"}}, "),
    );
    let third = files.write("third", &one_context("other", "https://third", Some("shared")));
    let list = KubeconfigFiles::Listed(vec![files.path("absent"), first, second, third]);
    let server = async |context| {
        let context = KubeconfigContext::load(&list, context).await.expect("usable");
        context.server().to_owned()
    };
    assert_eq!(server(Some("shared")).await, "https://first");
    assert_eq!(server(None).await, "https://other", "context of the third file, cluster of the second");
}

#[tokio::test]
async fn no_file_at_all_is_explained() {
    let files = Files::foreign();
    let absent = files.path("absent");
    let searched = [
        KubeconfigFiles::Listed(vec![absent.clone(), files.path("gone")]),
        KubeconfigFiles::Default(Some(absent.clone())),
        KubeconfigFiles::Default(None),
    ];
    for files in searched {
        let error = KubeconfigContext::load(&files, None).await.unwrap_err().to_string();
        assert_eq!(error, format!("no kubeconfig at {files}: name one with a flag, or set KUBECONFIG"));
    }
    let error = KubeconfigContext::load(&KubeconfigFiles::Named(absent.clone()), None).await.unwrap_err();
    let want = format!("cannot read kubeconfig {}: No such file or directory (os error 2)", absent.display());
    assert_eq!(error.to_string(), want);
}

#[tokio::test]
async fn contexts_of_others_are_understood() {
    let files = Files::foreign();
    for context in ["file", "token", "token-file", "anonymous", "no-user", "helper", "insecure"] {
        files.load(context).await.expect(context).client().expect(context);
    }
    let file = files.load("file").await.expect("usable");
    assert_eq!(file.server(), "https://127.0.0.1:1");
    assert_eq!(file.ca_pem().as_deref(), Some(files.authority.certificate_pem()));
    assert!(!file.skips_tls_verification());
    let system = files.load("token").await.expect("usable");
    assert_eq!((system.ca_pem(), system.tls_server_name()), (None, Some("api")));
    assert!(files.load("insecure").await.expect("usable").skips_tls_verification());
    assert!(!format!("{system:?}").contains("secret"));
}

#[tokio::test]
async fn mistakes_are_explained_with_the_entry() {
    let files = Files::foreign();
    let cases = [
        ("half", "client"),
        (
            "proxied",
            "context \"proxied\": proxy-url is not supported: give a server that can be reached directly",
        ),
        ("removed", "context \"removed\": auth-provider \"gcp\" is not supported: give an exec plugin"),
        ("garbled", "context \"garbled\": failed to load certificate authority"),
        ("empty", "cluster \"empty\": server is empty: give the URL of the API server"),
        ("lost-cluster", "has no cluster \"gone\": known are by-file, by-system"),
        ("lost-user", "has no user \"gone\": known are by-file"),
        ("absent", "has no context \"absent\": known are file, token"),
        ("helper-failing", "exec plugin"),
        ("helper-failing", "failed (exit status: 3): session expired: run login again"),
        (
            "helper-missing",
            "cannot be started: No such file or directory (os error 2); run install-login first",
        ),
    ];
    for (context, want) in cases {
        let error = files.refusal(context).await;
        assert!(error.contains(want) && error.contains("/config"), "{context}: {error}");
    }
    let path = files.write("no-current", &one_context("a", "https://a", Some("\"\"")));
    let error = KubeconfigContext::load(&KubeconfigFiles::Named(path), None).await.unwrap_err().to_string();
    assert!(error.ends_with("has no current-context: choose one of these contexts: a"), "{error}");
}

#[tokio::test]
async fn files_that_are_no_kubeconfigs_are_refused_without_quoting_them() {
    let files = Files::foreign();
    let texts = [
        "kind: Secret\napiVersion: v1\n",
        "- token: hush\n",
        "clusters: hush",
        "users: [{name: [hush",
        ": hush [",
    ];
    for text in texts {
        let path = files.write("wrong", text);
        let error =
            KubeconfigContext::load(&KubeconfigFiles::Named(path), None).await.unwrap_err().to_string();
        assert!(error.contains("is not a kubeconfig") && !error.contains("hush"), "{error}");
        assert!(!error.contains("Option<"), "words for users: {error}");
    }
}

#[tokio::test]
async fn utf16_is_read_and_refused_when_it_is_cut() {
    let files = Files::foreign();
    for mark in [[0xff, 0xfe], [0xfe, 0xff]] {
        let encode = |unit: u16| if mark == [0xff, 0xfe] { unit.to_le_bytes() } else { unit.to_be_bytes() };
        let text = one_context("a", "https://a", Some("a"));
        let mut bytes: Vec<u8> = mark.into_iter().chain(text.encode_utf16().flat_map(encode)).collect();
        let path = files.path("utf16");
        fs::write(&path, &bytes).unwrap();
        let named = KubeconfigFiles::Named(path.clone());
        assert_eq!(KubeconfigContext::load(&named, None).await.unwrap().server(), "https://a");
        bytes.pop();
        fs::write(&path, &bytes).unwrap();
        let error = KubeconfigContext::load(&named, None).await.unwrap_err().to_string();
        assert!(error.ends_with("is not a kubeconfig: it ends within a character of UTF-16"), "{error}");
    }
}

#[tokio::test]
async fn a_copied_context_works_from_another_directory() {
    let files = Files::foreign();
    let elsewhere = tempfile::tempdir().expect("a directory");
    let path = elsewhere.path().join("copy");
    let mut copy = Kubeconfig::new();
    for context in ["file", "helper", "token-file"] {
        let (cluster, user) = files.load(context).await.expect("usable").entry().expect("copied");
        copy = copy.with_context(context, cluster, user);
    }
    copy.write(&path).expect("written");
    for context in ["file", "helper", "token-file"] {
        let copied = KubeconfigContext::load(&KubeconfigFiles::Named(path.clone()), Some(context)).await;
        copied.expect(context).client().expect(context);
    }
}
