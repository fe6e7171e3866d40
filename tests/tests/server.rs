//! `portolan server` for operators: addresses, certificates, Service ranges, logs; and the kubeconfigs of commands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use portolan_e2e::binary::{Finished, finish, portolan};
use portolan_e2e::steps::apply_text;
use portolan_e2e::{Kubectl, Server, programs, text};
use serde_json::Value;

/// The URL in the kubeconfig of a server.
fn server_url(kubectl: &Kubectl) -> String {
    kubectl.ok(&["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"])
}

/// kubectl through another address of the server.
fn through(server: &Server, host: &str) -> Vec<String> {
    vec!["get".into(), "clusters".into(), "--server".into(), format!("https://{host}:{}", server.port())]
}

fn reaches(server: &Server, host: &str) -> Result<(), String> {
    let arguments = through(server, host);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = server.kubectl().run(&arguments);
    if output.success { Ok(()) } else { Err(output.to_string()) }
}

#[test]
fn a_server_on_all_interfaces_writes_a_kubeconfig_that_works() {
    let mut cases = vec![("0.0.0.0", "127.0.0.1")];
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        cases.push(("::", "[::1]"));
    }
    for (listen, local) in cases {
        let server = Server::start(listen, &[]);
        let kubectl = server.kubectl();
        assert_eq!(server_url(&kubectl), format!("https://{local}:{}", server.port()));
        assert!(kubectl.ok(&["get", "--raw", "/readyz"]).contains("ok"));
        assert!(kubectl.ok(&["api-resources"]).contains("propagationpolicies"));
        let services = portolan(&["services", "--kubeconfig", text(&server.kubeconfig())]);
        assert_eq!(services.code, Some(0), "{services}");
        assert_eq!(reaches(&server, "127.0.0.1"), Ok(()), "{listen}: by IPv4 loopback");
    }
}

#[test]
fn the_certificate_covers_further_names_and_addresses() {
    let mut server = Server::start("0.0.0.0", &["--tls-san", "127.0.0.9,hub.example.test"]);
    assert_eq!(reaches(&server, "127.0.0.9"), Ok(()));
    let refused = reaches(&server, "127.0.0.10").expect_err("no name of the server");
    assert!(refused.contains("certificate is valid for") && refused.contains("not 127.0.0.10"), "{refused}");
    let by_name = ["get", "clusters", "--tls-server-name", "hub.example.test"];
    server.kubectl().ok(&by_name);

    // The next start has a new certificate; kubeconfigs stay valid, because the authority stays.
    let before = fs::read(server.kubeconfig()).expect("a kubeconfig");
    let old = server.kubeconfig().with_file_name("old.config");
    fs::write(&old, before).expect("the folder is writable");
    server.restart_with(&["--tls-san", "127.0.0.10", "--advertise-address", "127.0.0.11"]);
    assert_eq!(reaches(&server, "127.0.0.10"), Ok(()));
    assert_eq!(reaches(&server, "127.0.0.11"), Ok(()), "the advertised address");
    let refused = reaches(&server, "127.0.0.9").expect_err("no name of the server any more");
    assert!(refused.contains("not 127.0.0.9"), "{refused}");
    server.kubectl().fails(&by_name);
    Kubectl::new(&old, &old.with_extension("cache")).ok(&["get", "clusters"]);
}

#[test]
fn services_get_addresses_of_the_given_ranges() {
    let service = |name: &str| {
        format!(
            "{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, \
             spec: {{ipFamilyPolicy: PreferDualStack, ports: [{{port: 80}}]}}}}"
        )
    };
    let addresses = |server: &Server, name: &str| -> Vec<String> {
        let object = server.kubectl().json(&["get", "service", name]).expect("a Service");
        let addresses = object["spec"]["clusterIPs"].as_array().expect("addresses").clone();
        addresses.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut server = Server::start("127.0.0.1", &["--service-cidr", "10.43.0.0/16,fd00:43::/112"]);
    apply_text(&server.kubectl(), &service("first"));
    let first = addresses(&server, "first");
    assert!(first[0].starts_with("10.43.") && first[1].starts_with("fd00:43::"), "{first:?}");

    server.restart_with(&["--service-cidr", "fd00:44::/112"]);
    apply_text(&server.kubectl(), &service("second"));
    let second = addresses(&server, "second");
    assert!(second.len() == 1 && second[0].starts_with("fd00:44::"), "{second:?}");
    assert_eq!(addresses(&server, "first"), first, "existing Services keep their addresses");
}

#[test]
fn flags_that_make_no_sense_are_refused_with_the_next_step() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let directory = folder.path().join("state");
    let cases: [(&[&str], &str); 8] = [
        (&["--tls-san", "https://hub.example.org"], "give only the name or address of the URL"),
        (&["--tls-san", "hub.example.org:6443"], "give the name or address without a port"),
        (&["--tls-san", "0.0.0.0"], "clients cannot connect to it: give an address of this machine"),
        (&["--advertise-address", "hub.example.org"], "not an IP address: a name belongs to --tls-san"),
        (
            &["--advertise-address", "0.0.0.0"],
            "clients cannot connect to it: give an address of this machine",
        ),
        (&["--service-cidr", "10.96.0.5/16"], "has bits after its prefix: give 10.96.0.0/16"),
        (&["--service-cidr", "10.96.0.0/30"], "too small for Services: give a prefix of at most /29"),
        (&["--kubeconfig", "x", "--tls-san", "a"], "cannot be used with"),
    ];
    for (arguments, want) in cases {
        let mut all = vec!["server"];
        if arguments[0] != "--kubeconfig" {
            all.extend(["--dir", text(&directory)]);
        }
        all.extend(arguments);
        let finished = portolan(&all);
        assert_eq!(finished.code, Some(2), "{arguments:?}: {finished}");
        assert!(finished.stderr.contains(want), "{arguments:?}: {finished}");
        assert!(!directory.exists(), "{arguments:?}: nothing is made");
    }
}

#[test]
fn logs_are_json_for_collectors() {
    // A filter that cannot be parsed is reported in the log.
    let server = Server::start("127.0.0.1", &["--log", "portolan=loud", "--log-format", "json"]);
    let log = server.log();
    let entries: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let reported =
        entries.iter().find(|entry| entry["message"] == "cannot parse the log filter, logging warnings");
    let reported = reported.unwrap_or_else(|| panic!("{log}"));
    assert_eq!(reported["level"], "WARN", "{log}");
    assert!(reported["timestamp"].is_string() && reported["failure"].is_string(), "{log}");
}

/// Runs `portolan get clusters` with an environment of its own.
fn get_clusters(environment: &[(&str, &str)], arguments: &[&str]) -> Finished {
    let mut command = Command::new(programs::portolan());
    command.args(["get", "clusters"]).args(arguments).env_remove("KUBECONFIG").env_remove("HOME");
    command.envs(environment.iter().copied());
    finish(&mut command)
}

#[test]
fn commands_find_kubeconfigs_as_kubectl_does() {
    let server = Server::start("127.0.0.1", &[]);
    let home = tempfile::tempdir().expect("a temporary folder");
    let own = server.kubeconfig();
    let absent = home.path().join("absent");
    let other = home.path().join("other");
    let other_text = "{apiVersion: v1, kind: Config, current-context: other, clusters: [], users: [], contexts: \
                      [{name: other, context: {cluster: portolan, user: portolan}}]}";
    fs::write(&other, other_text).expect("the folder is writable");
    let list = format!("{}:{}:{}", text(&absent), text(&other), text(&own));
    let works = |name: &str, finished: Finished| assert_eq!(finished.code, Some(0), "{name}: {finished}");
    works(
        "a list, with a context of one file and a cluster of the other",
        get_clusters(&[("KUBECONFIG", &list)], &[]),
    );
    works("a context of the list", get_clusters(&[("KUBECONFIG", &list)], &["--context", "portolan"]));

    fs::create_dir(home.path().join(".kube")).expect("the folder is writable");
    let home_text = text(home.path());
    let missing = get_clusters(&[("HOME", home_text)], &[]);
    let want = format!("no kubeconfig at {home_text}/.kube/config: name one with a flag, or set KUBECONFIG");
    assert!(missing.code == Some(1) && missing.stderr.contains(&want), "{missing}");
    fs::copy(&own, home.path().join(".kube/config")).expect("the folder is writable");
    works("the default file", get_clusters(&[("HOME", home_text)], &[]));

    let unknown = get_clusters(&[("HOME", home_text)], &["--context", "paris"]);
    assert!(unknown.stderr.contains("has no context \"paris\": known are portolan"), "{unknown}");
}

#[test]
fn exec_plugins_log_in() {
    let server = Server::start("127.0.0.1", &[]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kubectl = server.kubectl();
    apply_text(
        &kubectl,
        "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: reader}, \
         roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, \
         subjects: [{kind: ServiceAccount, name: default, namespace: default}]}",
    );
    kubectl.eventually(&["get", "serviceaccount", "default"], "it", |_| true);
    let token = kubectl.ok(&["create", "token", "default"]);
    let login = folder.path().join("login");
    let script = format!(
        "#!/bin/sh\necho '{{\"apiVersion\": \"client.authentication.k8s.io/v1\", \"kind\": \"ExecCredential\", \
         \"status\": {{\"token\": \"{}\"}}}}'\n",
        token.trim()
    );
    fs::write(&login, script).expect("the folder is writable");
    fs::set_permissions(&login, PermissionsExt::from_mode(0o755)).expect("the owner may do that");
    // The command of a plugin is relative to the file that names it.
    let config = folder.path().join("config");
    let text_of_config = "{apiVersion: v1, kind: Config, \
         users: [{name: helper, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./login, \
           interactiveMode: Never}}}], \
         contexts: [{name: helper, context: {cluster: portolan, user: helper}}]}";
    fs::write(&config, text_of_config).expect("the folder is writable");
    let list = format!("{}:{}", text(&config), text(&server.kubeconfig()));
    let get = || get_clusters(&[("KUBECONFIG", &list)], &["--context", "helper"]);
    let finished = get();
    assert_eq!(finished.code, Some(0), "{finished}");

    fs::write(&login, "#!/bin/sh\necho 'session expired' >&2\nexit 1\n").expect("the folder is writable");
    let finished = get();
    assert_eq!(finished.code, Some(1), "{finished}");
    assert!(finished.stderr.contains("failed (exit status: 1): session expired"), "{finished}");
}
