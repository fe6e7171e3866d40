//! `portolan agent` and `portolan dns` in a member, as an operator uses them.

#[path = "agent/pull.rs"]
mod pull;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use portolan_e2e::binary::{portolan, refusal};
use portolan_e2e::programs::{self, send_signal};
use portolan_e2e::steps::apply_text;
use portolan_e2e::{Playground, eventually, text};

const WEB: &str = "web.default.svc.clusterset.local";
const NO_SUCH_NAME: u8 = 3;
const TIMEOUT: Duration = Duration::from_secs(60);

const IMPORTED: &str = "
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceImport
metadata: {name: web, namespace: default}
spec:
  type: Headless
  ports: [{name: http, port: 80, protocol: TCP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: web-east
  namespace: default
  labels:
    karmada.io/managed: \"true\"
    endpointslice.kubernetes.io/managed-by: endpointslice-controller.karmada.io
    multicluster.kubernetes.io/service-name: web
    multicluster.kubernetes.io/source-cluster: east
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.1.0.5]}]
";

/// An agent in the foreground of a child process; ended when dropped.
struct Agent {
    child: Child,
    dns: String,
    http: String,
    lines: mpsc::Receiver<String>,
}

impl Agent {
    fn start(kubeconfig: &str) -> Self {
        Self::start_with(&["--kubeconfig", kubeconfig, "--context", "member1"])
    }

    fn start_with(arguments: &[&str]) -> Self {
        let mut command = Command::new(programs::portolan());
        command.arg("agent").args(arguments);
        command.args(["--dns-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary starts");
        let output = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut agent = Self { child, dns: String::new(), http: String::new(), lines };
        agent.dns = agent.line().strip_prefix("dns:  ").expect("the address of the DNS").to_owned();
        agent.http = agent.line().strip_prefix("http: http://").expect("the address of the pages").to_owned();
        agent
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(TIMEOUT).expect("the agent prints another line")
    }

    /// Asks for the A records of a name: the response code and the addresses.
    fn ask(&self, name: &str) -> (u8, Vec<[u8; 4]>) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
        let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(u8::try_from(label.len()).expect("a short label"));
            query.extend_from_slice(label.as_bytes());
        }
        query.extend_from_slice(&[0, 0, 1, 0, 1]);
        socket.send_to(&query, &self.dns).expect("sent");
        let mut answer = [0; 512];
        let length = socket.recv(&mut answer).expect("an answer");
        let records = answer[query.len()..length].chunks_exact(16).take(usize::from(answer[7]));
        let addresses = records.map(|record| record[12..].try_into().expect("four octets"));
        (answer[3] & 0x0F, addresses.collect())
    }

    /// The status line and the body of a page.
    fn page(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.http).expect("the pages are served");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n").expect("sent");
        let mut page = String::new();
        stream.read_to_string(&mut page).expect("a page");
        page
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_agent_answers_also_when_its_api_server_is_gone() {
    let mut playground = Playground::start();
    let member = playground.member("member1");
    let definition =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/crds/serviceimports.multicluster.x-k8s.io.yaml");
    member.ok(&["apply", "-f", definition]);
    member.ok(&["wait", "--for=condition=Established", "crd/serviceimports.multicluster.x-k8s.io"]);
    apply_text(&member, IMPORTED);
    let kubeconfig = playground.directory().join("members.config");
    let mut agent = Agent::start(text(&kubeconfig));
    assert_eq!(agent.line(), "ready");
    assert_eq!(agent.ask(WEB), (0, vec![[10, 1, 0, 5]]));
    assert_eq!(agent.ask("10-1-0-5.east.web.default.svc.clusterset.local"), (0, vec![[10, 1, 0, 5]]));
    assert_eq!(agent.ask("nosuch.default.svc.clusterset.local"), (NO_SUCH_NAME, vec![]));

    apply_text(&member, &IMPORTED.replace("[10.1.0.5]", "[10.1.0.6]"));
    eventually("the new address", || match agent.ask(WEB) {
        (0, addresses) if addresses == [[10, 1, 0, 6]] => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let ready = agent.page("/readyz");
    assert!(ready.starts_with("HTTP/1.1 200") && ready.ends_with("ok\n"), "{ready}");
    let metrics = agent.page("/metrics");
    for line in [
        "portolan_dns_queries_total{type=\"A\",rcode=\"NXDOMAIN\"} 1",
        "portolan_dns_records{zone=\"clusterset.local\"} 4",
        "portolan_dns_synced 1",
        "portolan_dns_state_age_seconds ",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }

    let taken = refusal(&[
        "agent",
        "--kubeconfig",
        text(&kubeconfig),
        "--context",
        "member1",
        "--dns-listen",
        &agent.dns,
        "--http-listen",
        "127.0.0.1:0",
    ]);
    assert!(taken.contains(&agent.dns) && taken.contains("the port is taken"), "{taken}");

    playground.kill();
    eventually("the age of the state", || {
        let ready = agent.page("/readyz");
        if ready.starts_with("HTTP/1.1 200") && ready.contains("with the state of") {
            Ok(())
        } else {
            Err(ready)
        }
    });
    assert_eq!(agent.ask(WEB), (0, vec![[10, 1, 0, 6]]), "the last state is still answered");

    send_signal(&agent.child, "TERM");
    let status = eventually("the agent to end after SIGTERM", || match agent.child.try_wait() {
        Ok(Some(status)) => Ok(status),
        other => Err(format!("{other:?}")),
    });
    assert!(status.success(), "{status}");
}

#[test]
fn without_contact_an_agent_denies_nothing() {
    let mut playground = Playground::start();
    let kubeconfig = playground.directory().join("members.config");
    playground.kill();
    let agent = Agent::start(text(&kubeconfig));
    let server_failure = 2;
    assert_eq!(agent.ask(WEB), (server_failure, vec![]));
    let ready = agent.page("/readyz");
    assert!(
        ready.starts_with("HTTP/1.1 503") && ready.contains("not ready: zone clusterset.local: "),
        "{ready}"
    );
    assert!(agent.page("/healthz").starts_with("HTTP/1.1 200"));
}

#[test]
fn the_zone_is_sent_to_portolan_and_back() {
    let playground = Playground::start();
    let member = playground.member("member1");
    let corefile = ".:53 {\n    errors\n    kubernetes cluster.local\n    reload\n}\n";
    let indented = corefile.replace('\n', "\n    ");
    apply_text(
        &member,
        &format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: coredns, namespace: kube-system}}\n\
             data:\n  Corefile: |\n    {indented}\n"
        ),
    );
    let current = || {
        member.ok(&["get", "configmap", "coredns", "-n", "kube-system", "-o", "jsonpath={.data.Corefile}"])
    };
    let kubeconfig = playground.directory().join("members.config");
    let run = |arguments: &[&str]| {
        let access = ["--kubeconfig", text(&kubeconfig), "--context", "member1"];
        portolan(&[arguments, &access].concat())
    };
    let before = current();

    let without = run(&["dns", "install"]);
    assert!(without.code == Some(1) && without.stderr.contains("deploy the agent first"), "{without}");

    let install = ["dns", "install", "--address", "10.96.0.53"];
    let shown = run(&[&install[..], &["--dry-run"]].concat());
    assert!(shown.stdout.contains("+clusterset.local:53 {") && shown.stdout.contains("dry run"), "{shown}");
    assert_eq!(current(), before, "a dry run changes nothing");

    assert_eq!(run(&install).code, Some(0));
    assert!(current().contains("forward . 10.96.0.53"), "{}", current());
    let again = run(&install);
    assert!(again.stdout.contains("unchanged"), "{again}");

    let removed = run(&["dns", "uninstall"]);
    assert!(removed.stdout.contains("-clusterset.local:53 {"), "{removed}");
    assert_eq!(current(), before);
}
