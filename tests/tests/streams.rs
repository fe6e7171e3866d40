//! `kubectl logs`, `attach`, `run -i`, `exec` and `port-forward`, as they look from a terminal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

use portolan_e2e::steps::{apply, derived_service_address};
use portolan_e2e::{Kubectl, Playground, eventually};

/// Timeout of one read; longer than any answer takes.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A pod that runs one of busybox's commands.
fn run(member: &Kubectl, name: &str, options: &[&str], command: &[&str]) {
    let arguments = ["run", name, "--image=busybox", "--restart=Never"];
    let all: Vec<&str> = arguments.iter().chain(options).chain(&["--"]).chain(command).copied().collect();
    assert_eq!(member.ok(&all), format!("pod/{name} created\n"));
}

fn wait_for_phase(member: &Kubectl, name: &str, phase: &str) {
    member.eventually(&["get", "pod", name, "-o", "jsonpath={.status.phase}"], phase, |text| text == phase);
}

/// kubectl beside the test, ended when dropped.
struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    fn start(kubectl: &Kubectl, arguments: &[&str]) -> Self {
        let mut command = kubectl.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("kubectl starts");
        let stdout = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        Self { child, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("kubectl prints text");
        line.trim_end().to_owned()
    }

    fn type_line(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("standard input is open");
        writeln!(stdin, "{line}").expect("kubectl reads");
    }

    /// Ends the input, and returns what is printed until kubectl ends successfully by itself.
    fn rest(mut self) -> String {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.stdout.read_to_string(&mut text).expect("kubectl prints text");
        let status = self.child.wait().expect("kubectl can be waited for");
        assert!(status.success(), "{status}: {text}");
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `kubectl port-forward` on a free port and returns it with the port.
fn forward(member: &Kubectl, target: &str, port: u16) -> (Running, u16) {
    let mut forwarding = Running::start(member, &["port-forward", target, &format!(":{port}")]);
    let line = forwarding.line();
    let local = line.strip_prefix("Forwarding from 127.0.0.1:").and_then(|rest| rest.split(' ').next());
    let local = local.unwrap_or_else(|| panic!("port-forward {target}: {line:?}"));
    (forwarding, local.parse().expect("a port"))
}

/// The body of an answer over plain HTTP.
fn http_get(port: u16) -> Result<String, String> {
    let answer = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    let text = answer().map_err(|error| error.to_string())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("no HTTP answer: {text:?}"))?;
    if head.starts_with("HTTP/1.1 200 OK") { Ok(body.to_owned()) } else { Err(head.to_owned()) }
}

#[test]
fn logs_are_shown_and_followed() {
    let playground = Playground::start();
    let member = playground.member("member1");
    run(&member, "once", &[], &["echo", "hello", "world"]);
    wait_for_phase(&member, "once", "Succeeded");
    assert_eq!(member.ok(&["logs", "once"]), "hello world\n");
    // A log that is complete ends what follows it.
    assert_eq!(member.ok(&["logs", "-f", "once"]), "hello world\n");
    assert_eq!(member.ok(&["logs", "pod/once", "--tail=1", "-c", "once"]), "hello world\n");

    run(&member, "talker", &["--stdin", "--attach=false"], &["cat"]);
    wait_for_phase(&member, "talker", "Running");
    let mut follower = Running::start(&member, &["logs", "-f", "talker"]);
    let mut terminal = Running::start(&member, &["attach", "-i", "talker"]);
    for line in ["one", "two"] {
        terminal.type_line(line);
        assert_eq!(follower.line(), line);
        assert_eq!(terminal.line(), line);
    }
    assert_eq!(terminal.rest(), "");
    // `cat` ends with its input, and the log with `cat`.
    assert_eq!(follower.rest(), "");
    wait_for_phase(&member, "talker", "Succeeded");

    let missing = member.fails(&["logs", "nobody"]);
    assert!(missing.contains("pods \"nobody\" not found"), "{missing}");
    let wrong = member.fails(&["logs", "once", "-c", "sidecar"]);
    assert!(wrong.contains("container sidecar is not valid for pod once"), "{wrong}");
}

#[test]
fn standard_input_reaches_a_new_pod() {
    let playground = Playground::start();
    let member = playground.member("member1");
    let arguments = ["run", "-i", "--rm", "--restart=Never", "--image=busybox", "echoes", "--", "cat"];
    let output = member.run_with_input(&arguments, "across\nclusters\n");
    assert!(output.success, "{output}");
    assert!(output.stdout.starts_with("across\nclusters\n"), "{output}");
    assert!(output.to_string().contains("pod \"echoes\" deleted"), "{output}");
}

#[test]
fn exec_runs_what_the_image_has() {
    let playground = Playground::start();
    let member = playground.member("member1");
    run(&member, "host", &[], &["sleep", "3600"]);
    wait_for_phase(&member, "host", "Running");
    assert_eq!(member.ok(&["exec", "host", "--", "hostname"]), "host\n");
    let fed = member.run_with_input(&["exec", "-i", "host", "--", "cat"], "fed\n");
    assert_eq!((fed.success, fed.stdout.as_str()), (true, "fed\n"), "{fed}");
    let code = member.fails(&["exec", "host", "--", "false"]);
    assert!(code.contains("command terminated with exit code 1"), "{code}");
    assert_eq!(member.ok(&["exec", "host", "--", "sh", "-c", "echo in; hostname"]), "in\nhost\n");
    let missing = member.fails(&["exec", "host", "--", "sh", "-c", "ls"]);
    assert!(missing.contains("sh: ls: not found"), "{missing}");
    let unknown = member.fails(&["exec", "host", "--", "vi"]);
    assert!(
        unknown.contains("container \"host\" of pod default/host")
            && unknown.contains("exec: \"vi\": executable file not found in $PATH"),
        "{unknown}"
    );
}

#[test]
fn ports_are_forwarded_to_pods_and_services() {
    let playground = Playground::start();
    let (hub, member1, member2) =
        (playground.hub(), playground.member("member1"), playground.member("member2"));
    for file in ["1-propagate-crds", "2-workload", "3-export", "4-import"] {
        apply(&hub, &format!("karmada-mcs/{file}.yaml"));
    }
    member1.eventually(&["get", "deployment", "serve"], "a ready replica", |table| table.contains("1/1"));
    let pod = member1.ok(&["get", "pods", "-l", "app=serve", "-o", "name"]);
    for (target, port) in [(pod.trim(), 8080), ("deployment/serve", 8080), ("service/serve", 80)] {
        let (_forwarding, local) = forward(&member1, target, port);
        // More than one connection goes through one session.
        for _ in 0..3 {
            let body = http_get(local).unwrap_or_else(|error| panic!("{target}: {error}"));
            assert!(body.contains("hello from cluster member1"), "{target}: {body}");
        }
    }

    // kubectl itself looks for pods by a Service's selector, and a derived Service has none.
    derived_service_address(&member2);
    let refusal = member2.fails(&["port-forward", "service/derived-serve", ":80"]);
    assert!(
        refusal.contains("invalid service 'derived-serve': Service is defined without a selector"),
        "{refusal}"
    );
    let asked = eventually("a pod of member2 to reach the derived Service by its name", || {
        let image = "--image=curlimages/curl";
        let output = member2.run(&[
            "run",
            "-i",
            "--rm",
            "--restart=Never",
            image,
            "curl",
            "--",
            "-s",
            "http://derived-serve",
        ]);
        if output.success { Ok(output.to_string()) } else { Err(output.to_string()) }
    });
    assert!(asked.contains("hello from cluster member1"), "{asked}");
}

#[test]
fn a_port_without_a_listener_is_refused() {
    let playground = Playground::start();
    let member = playground.member("member1");
    run(&member, "silent", &[], &["sleep", "3600"]);
    wait_for_phase(&member, "silent", "Running");
    let (_forwarding, local) = forward(&member, "pod/silent", 8080);
    let answer = http_get(local);
    assert!(answer.is_err(), "{answer:?}");
}
