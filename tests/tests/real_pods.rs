//! The playground's pods as real processes: `--network namespaces`, seen through kubectl.
//!
//! These tests need root or user namespaces, and iproute2, nftables, socat, busybox, curl, dig and nc. Without them they
//! fail and say so; with `PORTOLAN_SKIP_NAMESPACES` set they are left out.

#[path = "real_pods/one_member.rs"]
mod one_member;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use portolan_e2e::binary::{Finished, portolan, refusal, refusal_of};
use portolan_e2e::processes::{Process, descendants, namespaces_of, now, started_until};
use portolan_e2e::steps::{apply, apply_text};
use portolan_e2e::{Kubectl, Playground, eventually, programs, text, walkthroughs};

/// The flag of this mode.
const NAMESPACES: [&str; 2] = ["--network", "namespaces"];

/// Whether these tests are skipped.
fn are_left_out() -> bool {
    let left_out = std::env::var_os("PORTOLAN_SKIP_NAMESPACES").is_some();
    if left_out {
        println!("left out: PORTOLAN_SKIP_NAMESPACES is set");
    }
    left_out
}

/// A playground of this mode with further arguments, unless these tests are left out.
fn playground_with(arguments: &[&str]) -> Option<Playground> {
    (!are_left_out()).then(|| Playground::start_with(&[&NAMESPACES, arguments].concat()))
}

/// The same without any.
fn playground() -> Option<Playground> {
    playground_with(&[])
}

/// A pod to look around from.
const SHELL: &str = "\
apiVersion: v1
kind: Pod
metadata: {name: shell}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: shell, image: 'nicolaka/netshoot:v0.15', args: [/bin/sh, -ec, 'while :; do echo .; sleep 5; done']}
";

/// Three pods that answer with their address over TCP and UDP, behind Services with and without session affinity.
const HELLO: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello}
spec:
  replicas: 3
  selector: {matchLabels: {app: hello}}
  template:
    metadata: {labels: {app: hello}}
    spec:
      containers:
      - name: tcp
        image: alpine/socat:1.7.4.4
        args: ["TCP-LISTEN:42,reuseaddr,fork", "SYSTEM:sleep 0.1; echo pod ip $POD_IP"]
        env: &env [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
        readinessProbe: {tcpSocket: {port: 42}, periodSeconds: 1}
      - name: udp
        image: alpine/socat:1.7.4.4
        args: ["UDP-LISTEN:42,reuseaddr,fork", "SYSTEM:sleep 0.1; echo pod ip $POD_IP"]
        env: *env
        livenessProbe: {exec: {command: [sh, -c, 'test -n "$POD_IP"']}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: hello}
spec:
  selector: {app: hello}
  ports: [{name: tcp, port: 42}, {name: udp, port: 42, protocol: UDP}]
---
apiVersion: v1
kind: Service
metadata: {name: sticky}
spec:
  selector: {app: hello}
  sessionAffinity: ClientIP
  ports: [{name: tcp, port: 42}]
---
apiVersion: v1
kind: Service
metadata: {name: local}
spec:
  selector: {app: hello}
  internalTrafficPolicy: Local
  ports: [{name: tcp, port: 42}]
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec:
  selector: {app: nobody}
  ports: [{name: tcp, port: 42}]
"#;

fn start_shell(member: &Kubectl) {
    apply_text(member, SHELL);
    member.ok(&["wait", "--for=condition=Ready", "pod/shell", "--timeout=60s"]);
}

/// Runs a script in the pod `shell`; what it prints, and nothing when it fails.
fn shell(member: &Kubectl, script: &str) -> String {
    member.run(&["exec", "shell", "--", "sh", "-c", script]).stdout.trim().to_owned()
}

/// Asks why a service does not answer, from a pod.
fn probe(playground: &Playground, arguments: &[&str]) -> Finished {
    let kubeconfig = playground.directory().join("portolan.config");
    portolan(&[&["why", "service"], arguments, &["--probe", "--kubeconfig", text(&kubeconfig)]].concat())
}

fn field(member: &Kubectl, kind: &str, name: &str, path: &str) -> String {
    member.ok(&["get", kind, name, "-o", &format!("jsonpath={path}")])
}

#[test]
fn karmada_mcs_answers_between_namespaces() {
    let Some(playground) = playground() else { return };
    let (member1, member2) = (playground.member("member1"), playground.member("member2"));
    let address = walkthroughs::karmada_mcs(&playground);
    let why = probe(&playground, &["serve", "--from", "member2"]);
    assert_eq!(why.code, Some(0), "{why}");
    for found in [
        format!("derived-serve.default.svc.cluster.local is {address}\n"),
        "a Pod in member2 connects to derived-serve.default.svc.cluster.local on port 80\n".to_owned(),
    ] {
        assert!(why.stdout.contains(&found), "{why}");
    }
    assert!(!member2.ok(&["get", "pods"]).contains("portolan-probe"), "the pod is deleted");

    // Every pod has its own namespaces, none of them this machine's.
    start_shell(&member2);
    let pod = member1.ok(&["get", "pods", "-l", "app=serve", "-o", "jsonpath={.items[0].status.podIP}"]);
    let answer = shell(&member2, &format!("curl -s -m 5 http://{pod}:8080"));
    assert!(answer.contains(&format!("Address: {pod}")), "{answer}");
    assert_eq!(shell(&member2, "hostname"), "shell");
    let own = field(&member2, "pod", "shell", "{.status.podIP}");
    assert!(shell(&member2, "ip -o -4 addr show dev eth0").contains(&format!("inet {own}/32 ")));
    assert_eq!(
        shell(&member2, "cat /etc/resolv.conf"),
        "nameserver 10.13.0.10\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5"
    );
    let routes = fs::read_to_string("/proc/net/fib_trie").expect("the kernel tells its routes");
    for foreign in [pod.as_str(), own.as_str(), address.as_str(), "10.10.0.1", "10.12.0.1"] {
        assert!(!routes.contains(&format!("-- {foreign}\n")), "{foreign} is an address of this machine");
    }
    assert_eq!(
        shell(
            &member2,
            "curl -sk -m 5 https://kubernetes.default.svc/healthz || curl -sk -m 5 https://$KUBERNETES_SERVICE_HOST/healthz"
        ),
        "ok"
    );
}

#[test]
fn tolerated_import_answers_between_namespaces() {
    let clusters = walkthroughs::tolerated_import_clusters();
    let Some(playground) = playground_with(&["--config", text(&clusters)]) else { return };
    walkthroughs::tolerated_import(&playground);
}

#[test]
fn federation_override_is_seen_with_namespaces() {
    let Some(playground) = playground() else { return };
    walkthroughs::federation(&playground);
}

#[test]
fn services_choose_remember_and_refuse() {
    let Some(playground) = playground() else { return };
    let member = playground.member("member1");
    apply_text(&member, HELLO);
    start_shell(&member);
    member.eventually(&["get", "deployment", "hello"], "three ready pods", |table| table.contains("3/3"));
    let addresses = member.ok(&["get", "pods", "-l", "app=hello", "-o", "jsonpath={.items[*].status.podIP}"]);
    let pods: BTreeSet<String> = addresses.split_whitespace().map(|pod| format!("pod ip {pod}")).collect();
    assert_eq!(pods.len(), 3, "{addresses}");
    let front = |service: &str| field(&member, "service", service, "{.spec.clusterIP}");
    let ask = |service: &str, options: &str, times: u32| -> Vec<String> {
        let script =
            format!("for i in $(seq {times}); do nc {options} -w 2 {} 42 < /dev/null; done", front(service));
        shell(&member, &script).lines().map(str::to_owned).collect()
    };

    eventually("all three pods to answer over TCP", || {
        let seen: BTreeSet<String> = ask("hello", "", 12).into_iter().collect();
        if seen == pods { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    let script = format!("echo hi | nc -u -w 1 {} 42", front("hello"));
    eventually("an answer over UDP", || {
        let answer = shell(&member, &script);
        if pods.contains(&answer) { Ok(()) } else { Err(answer) }
    });
    let remembered = eventually("a pod that remembers its client", || {
        let seen = ask("sticky", "", 10);
        if seen.len() == 10 { Ok(seen) } else { Err(format!("{seen:?}")) }
    });
    assert_eq!(remembered.iter().collect::<BTreeSet<_>>().len(), 1, "{remembered:?}");
    eventually("an answer on the same node", || {
        let seen = ask("local", "", 1);
        if seen.len() == 1 && pods.contains(&seen[0]) { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    for refused in [front("nobody"), "10.11.77.77".to_owned()] {
        let said = shell(&member, &format!("nc -v -w 5 {refused} 42 2>&1"));
        assert!(said.ends_with("Connection refused"), "{said}");
    }

    // A pod that connects to itself through the Service.
    member.ok(&["scale", "deployment", "hello", "--replicas=1"]);
    member.eventually(&["get", "pods", "-l", "app=hello", "--no-headers"], "one pod", |table| {
        table.lines().count() == 1
    });
    let front = front("hello");
    let alone = member.ok(&["get", "pods", "-l", "app=hello", "-o", "jsonpath={.items[0].metadata.name}"]);
    let script = format!("exec nc -w 2 {front} 42 < /dev/null");
    let own =
        member.eventually(&["exec", &alone, "-c", "tcp", "--", "sh", "-c", &script], "itself", |text| {
            text.contains("pod ip ")
        });
    assert!(pods.contains(own.trim()), "{own}");
    member.ok(&["delete", "deployment", "hello"]);
    eventually("the Service without pods to refuse", || {
        let said = shell(&member, &format!("nc -v -w 5 {front} 42 2>&1"));
        if said.ends_with("Connection refused") { Ok(()) } else { Err(said) }
    });
}

/// Two clusters of a set, each with both address families.
const DUAL_STACK: &str = "\
network: namespaces
clusterSet: world
clusters:
- {name: member1, podCIDR: '10.10.0.0/16,fd00:10::/64', serviceCIDR: '10.11.0.0/16,fd00:11::/112'}
- {name: member2, podCIDR: '10.12.0.0/16,fd00:12::/64', serviceCIDR: '10.13.0.0/16,fd00:13::/112'}
";

#[test]
fn pods_and_services_have_both_address_families() {
    if are_left_out() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("playground.yaml");
    fs::write(&config, DUAL_STACK).expect("a file");
    let playground = Playground::start_with(&["--config", text(&config)]);
    let (member1, member2) = (playground.member("member1"), playground.member("member2"));
    apply(&member1, "clusterset/serve.yaml");
    member1.ok(&["patch", "service", "serve", "-p", r#"{"spec":{"ipFamilyPolicy":"RequireDualStack"}}"#]);
    for member in [&member1, &member2] {
        start_shell(member);
    }
    let pods = field(&member1, "pods", "-lapp=serve", "{.items[0].status.podIPs[*].ip}");
    assert!(pods.starts_with("10.10.0.") && pods.contains(" fd00:10::"), "{pods}");
    let second = pods.split(' ').nth(1).expect("two addresses");
    let own = field(&member1, "service", "serve", "{.spec.clusterIPs[*]}");
    assert!(own.starts_with("10.11.") && own.contains(" fd00:11::"), "{own}");
    let answers = |member: &Kubectl, url: &str| {
        eventually(&format!("an answer of {url}"), || {
            match shell(member, &format!("curl -6 -s -m 2 '{url}'")) {
                answer if answer.contains("hello from cluster member1") => Ok(()),
                other => Err(other),
            }
        });
    };
    let of_pod = format!("http://[{second}]:8080");
    for member in [&member1, &member2] {
        answers(member, &of_pod);
        answers(member, "http://serve.default.svc.clusterset.local");
    }
    answers(&member1, "http://serve");
    let slices = [
        "get",
        "endpointslices",
        "-o",
        "jsonpath={range .items[*]}{.addressType} {.endpoints[*].addresses[*]}{\"\\n\"}{end}",
    ];
    member2
        .eventually(&slices, "the pod's IPv6 address", |lines| lines.contains(&format!("IPv6 {second}\n")));
    let named = shell(&member2, "dig +short AAAA serve.default.svc.clusterset.local");
    assert!(named.starts_with("fd00:13::"), "{named}");
    let refused = shell(&member2, "nc -6 -v -w 5 fd00:13::7777 42 2>&1");
    assert!(refused.ends_with("Connection refused"), "{refused}");

    let cut = portolan(&["playground", "cut", "member1", "member2", "--dir", text(playground.directory())]);
    assert_eq!(cut.code, Some(0), "{cut}");
    assert_eq!(shell(&member2, &format!("curl -6 -s -m 1 '{of_pod}'")), "", "the link is cut");
    answers(&member1, &of_pod);
}

#[test]
fn commands_run_beside_the_program() {
    let Some(playground) = playground() else { return };
    let member = playground.member("member1");
    start_shell(&member);
    let scratch = tempfile::tempdir().expect("a temporary folder");
    for carrier in ["true", "false"] {
        let kubectl = |arguments: &[&str]| {
            let mut command = member.command(arguments);
            command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", carrier);
            command
        };
        let code =
            |arguments: &[&str]| kubectl(arguments).stderr(Stdio::null()).status().expect("kubectl").code();
        assert_eq!(code(&["exec", "shell", "--", "sh", "-c", "exit 3"]), Some(3), "{carrier}");
        assert_eq!(code(&["exec", "shell", "--", "sh", "-c", "kill -9 $$"]), Some(137), "{carrier}");
        assert_eq!(code(&["exec", "shell", "--", "nonsense"]), Some(127), "{carrier}");

        // More than is ever kept of a log, there and back.
        let (there, back) = (scratch.path().join("there"), scratch.path().join(carrier));
        let content: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.to_le_bytes()).collect();
        fs::write(&there, &content).expect("a file");
        assert_eq!(code(&["cp", text(&there), "shell:/tmp/copy"]), Some(0), "{carrier}");
        assert_eq!(code(&["cp", "shell:/tmp/copy", text(&back)]), Some(0), "{carrier}");
        assert!(fs::read(&back).expect("the copy") == content, "{carrier}: the copy differs");

        // A terminal of the kernel: programs know it, and it ends lines as terminals do.
        let script =
            kubectl(&["exec", "-it", "shell", "--", "sh", "-c", "test -t 0 && test -t 1 && echo a terminal"]);
        let mut in_terminal = Command::new("script");
        in_terminal.args(["-qec", &shell_words(&script), "/dev/null"]);
        in_terminal.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", carrier).stdin(Stdio::null());
        let output = in_terminal.output().expect("script runs");
        let seen = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(seen.contains("a terminal\r\n"), "{carrier}: {seen:?}");
    }
    // Each container's files are its own.
    assert!(!PathBuf::from("/tmp/copy").exists());

    member.eventually(&["logs", "shell"], "the first line", |log| log.starts_with(".\n"));
    let mut follower =
        member.command(&["logs", "-f", "shell"]).stdout(Stdio::piped()).spawn().expect("kubectl");
    let mut start = [0; 4];
    let mut stdout = follower.stdout.take().expect("a pipe");
    stdout.read_exact(&mut start).expect("two lines");
    assert_eq!(&start, b".\n.\n");
    member.ok(&["delete", "pod", "shell"]);
    assert!(follower.wait().expect("kubectl ends with the pod").success());
}

/// A pod with files of a ConfigMap, a writer that may outgrow its directory, and one with a deadline.
const VOLUMES: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {one: "1", two: "2"}
---
apiVersion: v1
kind: Pod
metadata: {name: shell}
spec:
  terminationGracePeriodSeconds: 1
  volumes:
  - {name: settings, configMap: {name: settings}}
  containers:
  - name: shell
    image: busybox
    command: [sh, -c, 'while :; do sleep 1; done']
    volumeMounts:
    - {name: settings, mountPath: /settings}
    - {name: settings, mountPath: /one, subPath: one}
---
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  terminationGracePeriodSeconds: 1
  volumes: [{name: cache, emptyDir: {sizeLimit: 1Mi}}]
  containers:
  - name: writer
    image: busybox
    command: [sh, -c, 'dd if=/dev/zero of=/cache/big bs=1024 count=4096; sleep 300']
    volumeMounts: [{name: cache, mountPath: /cache}]
---
apiVersion: v1
kind: Pod
metadata: {name: late}
spec:
  activeDeadlineSeconds: 2
  terminationGracePeriodSeconds: 1
  containers: [{name: sleeper, image: busybox, command: [sleep, "300"]}]
"#;

#[test]
fn volumes_follow_their_objects_and_have_limits() {
    let Some(playground) = playground() else { return };
    let member = playground.member("member1");
    apply_text(&member, VOLUMES);
    member.ok(&["wait", "--for=condition=Ready", "pod/shell", "--timeout=60s"]);
    let files = "cd /settings && for name in *; do echo $name=$(cat $name); done; cat /one";
    assert_eq!(shell(&member, files), "one=1\ntwo=2\n1");

    // The change is seen at once, and a removed key is gone. A mounted part stays as it was, as with a kubelet.
    member.ok(&["patch", "cm", "settings", "-p", r#"{"data":{"one":null,"three":"3"}}"#]);
    eventually("the changed files", || match shell(&member, files).as_str() {
        "three=3\ntwo=2\n1" => Ok(()),
        other => Err(other.to_owned()),
    });
    assert_eq!(shell(&member, "echo x > /settings/new || echo refused"), "refused");

    for (pod, reason) in [("writer", "Evicted"), ("late", "DeadlineExceeded")] {
        let status = format!("jsonpath={{.status.reason}}={reason}");
        member.ok(&["wait", &format!("--for={status}"), &format!("pod/{pod}"), "--timeout=60s"]);
        assert_eq!(field(&member, "pod", pod, "{.status.phase}"), "Failed", "{pod}");
    }
    assert!(field(&member, "pod", "writer", "{.status.message}").contains("exceeds the limit \"1Mi\""));
}

/// A command line for a shell; its words contain no quotes.
fn shell_words(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| format!("'{}'", word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

#[test]
fn programs_end_with_the_requested_exit_code() {
    let Some(playground) = playground() else { return };
    let member = playground.member("member1");
    let exit_code = "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}";
    let run = |name: &str, image: &str, command: &[&str]| {
        let mut arguments = vec!["run", name, "--image", image, "--restart=Never", "--"];
        arguments.extend(command);
        member.ok(&arguments);
    };
    run("seven", "busybox", &["sh", "-c", "echo out; echo err >&2; exit 7"]);
    member.eventually(&["get", "pod", "seven", "-o", exit_code], "its code", |code| code == "7");
    assert_eq!(
        member.ok(&["logs", "seven"]).lines().collect::<BTreeSet<_>>(),
        BTreeSet::from(["out", "err"])
    );
    let script = "trap 'echo asked; exit 0' TERM; echo started; while :; do sleep 0.1; done";
    run("asked", "busybox", &["sh", "-c", script]);
    member.eventually(&["logs", "asked"], "its first line", |log| log == "started\n");
    let mut follower =
        member.command(&["logs", "-f", "asked"]).stdout(Stdio::piped()).spawn().expect("kubectl");
    let mut stdout = follower.stdout.take().expect("a pipe");
    let mut first = [0; 8];
    stdout.read_exact(&mut first).expect("the first line");
    member.ok(&["delete", "pod", "asked"]);
    let mut last = String::new();
    stdout.read_to_string(&mut last).expect("text");
    follower.wait().expect("kubectl ends");
    assert_eq!((&first, &*last), (b"started\n", "asked\n"));
    run("deaf", "busybox", &["sh", "-c", "trap '' TERM; echo started; while :; do sleep 0.1; done"]);
    member.eventually(&["logs", "deaf"], "its first line", |log| log == "started\n");
    member.ok(&["delete", "pod", "deaf", "--grace-period=1"]);

    run("missing", "example/tool", &["portolan-has-no-such-program"]);
    member.eventually(&["get", "events"], "what is missing", |events| {
        events.contains("portolan-has-no-such-program") && events.contains("install it on this machine")
    });

    // What the program wrote before it was started again.
    apply_text(
        &member,
        "apiVersion: v1\nkind: Pod\nmetadata: {name: again}\nspec: {containers: [{name: again, image: busybox, \
         command: [sh, -c, 'echo run; sleep 1; exit 1']}]}\n",
    );
    member.eventually(&["logs", "again", "--previous"], "the run before", |log| log == "run\n");
}

#[test]
fn attached_terminals_reach_the_program() {
    let Some(playground) = playground() else { return };
    let member = playground.member("member1");
    let run = ["run", "-i", "--rm", "--restart=Never", "--image=busybox", "echoes", "--", "cat"];
    let output = member.run_with_input(&run, "one\ntwo\n");
    assert!(output.success, "{output}");
    assert!(output.stdout.starts_with("one\ntwo\n"), "{output}");
}

#[test]
fn cut_links_lose_everything_until_they_are_restored() {
    let Some(playground) = playground() else { return };
    let (member1, member2) = (playground.member("member1"), playground.member("member2"));
    member1.ok(&["run", "web", "--image=jeremyot/serve", "--restart=Never"]);
    member1.ok(&["wait", "--for=condition=Ready", "pod/web", "--timeout=60s"]);
    let address = field(&member1, "pod", "web", "{.status.podIP}");
    start_shell(&member1);
    start_shell(&member2);
    let ask = |member: &Kubectl| shell(member, &format!("curl -s -m 1 http://{address}:8080"));
    let wanted = format!("Hello from {address}");
    let answers = |member: &Kubectl| {
        eventually("an answer", || match ask(member) {
            answer if answer == wanted => Ok(()),
            other => Err(other),
        });
    };
    answers(&member2);
    let command = |words: &[&str]| {
        let mut all = vec!["playground"];
        all.extend(words);
        all.extend(["--dir", text(playground.directory())]);
        let finished = portolan(&all);
        assert_eq!(finished.code, Some(0), "{finished}");
        finished.stdout
    };
    assert!(command(&["links"]).contains("up"));
    assert!(command(&["cut", "member1", "member2"]).contains("cut"));
    assert!(command(&["links"]).contains("cut"));
    assert_eq!(ask(&member2), "", "the link is cut");
    answers(&member1);
    assert!(command(&["restore", "member2", "member1"]).contains("up"));
    answers(&member2);
    let unknown =
        refusal(&["playground", "cut", "member1", "member9", "--dir", text(playground.directory())]);
    assert!(unknown.contains("there is no cluster member9; there are member1, member2"), "{unknown}");
}

#[test]
fn nothing_is_left_behind_by_a_kill() {
    let Some(playground) = playground() else { return };
    start_shell(&playground.member("member1"));
    leaves_nothing_behind(playground);
}

#[test]
fn ordinary_users_have_real_pods_as_well() {
    if are_left_out() {
        return;
    }
    let playground = Playground::start_unprivileged(&NAMESPACES);
    walkthroughs::karmada_mcs(&playground);
    let (member1, member2) = (playground.member("member1"), playground.member("member2"));
    start_shell(&member1);
    start_shell(&member2);
    let pod = member1.ok(&["get", "pods", "-l", "app=serve", "-o", "jsonpath={.items[0].status.podIP}"]);
    let answer = shell(&member2, &format!("curl -s -m 5 http://{pod}:8080"));
    assert!(answer.contains(&format!("Address: {pod}")), "{answer}");
    assert_eq!(shell(&member2, "hostname; id -u"), "shell\n0");

    // Owners of files have no meaning in pods that know one user only.
    let file = playground.directory().join("file");
    fs::write(&file, "content").expect("a file");
    chown(&file, Some(1000), Some(1000)).or_else(ordinary).expect("an owner");
    member2.ok(&["cp", text(&file), "shell:/tmp/copy"]);
    assert_eq!(shell(&member2, "cat /tmp/copy"), "content");

    let links = portolan(&["playground", "cut", "member1", "member2", "--dir", text(playground.directory())]);
    assert!(links.stdout.contains("cut"), "{links}");
    assert_eq!(shell(&member2, &format!("curl -s -m 1 http://{pod}:8080")), "", "the link is cut");
    leaves_nothing_behind(playground);
}

/// Changing a file's owner needs root; other users get the file copied.
fn ordinary(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::PermissionDenied { Ok(()) } else { Err(error) }
}

#[test]
fn users_without_user_namespaces_get_an_error_with_the_setting_to_change() {
    if are_left_out() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A user namespace made by the test, in which no further ones can be made, and a program without rights in it.
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all -- \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-ec", script, "sh"]).arg(programs::portolan());
    command.arg("playground").arg("--dir").arg(folder.path().join("state")).args(NAMESPACES);
    let told = refusal_of(&mut command);
    for part in ["user.max_user_namespaces is 0", "run as root", "--network loopback"] {
        assert!(told.contains(part), "{told}");
    }
}

/// Kills a playground with the pod `shell` in member1, starts it again, and stops it with SIGTERM.
fn leaves_nothing_behind(mut playground: Playground) {
    let member = playground.member("member1");
    member.ok(&["exec", "shell", "--", "sh", "-c", "setsid sleep 3600 > /dev/null 2>&1 &"]);
    let before = field(&member, "pod", "shell", "{.status.podIP}");
    let family = descendants(playground.id());
    let namespaces = namespaces_of(&family);
    assert!(family.len() >= 3 && namespaces.len() >= 4, "{family:?} {namespaces:?}");
    playground.kill();
    let end = now();
    eventually("every process and namespace of the playground to end", || {
        let left: Vec<&Process> = family.iter().filter(|process| process.runs()).collect();
        let held: BTreeSet<PathBuf> =
            namespaces_of(&started_until(end)).intersection(&namespaces).cloned().collect();
        if left.is_empty() && held.is_empty() { Ok(()) } else { Err(format!("{left:?} {held:?}")) }
    });
    let mounts = fs::read_to_string("/proc/self/mounts").expect("the kernel tells its mounts");
    assert!(!mounts.contains(text(playground.directory())), "{mounts}");

    playground.restart();
    let member = playground.member("member1");
    member.ok(&["wait", "--for=condition=Ready", "pod/shell", "--timeout=60s"]);
    assert_eq!(field(&member, "pod", "shell", "{.status.podIP}"), before);
    eventually("the shell to run again", || match shell(&member, "hostname") {
        name if name == "shell" => Ok(()),
        other => Err(other),
    });
    let family = descendants(playground.id());
    let namespaces = namespaces_of(&family);
    let end = now();
    playground.stop();
    let left: Vec<&Process> = family.iter().filter(|process| process.runs()).collect();
    assert!(left.is_empty(), "{left:?}");
    let held: BTreeSet<PathBuf> =
        namespaces_of(&started_until(end)).intersection(&namespaces).cloned().collect();
    assert!(held.is_empty(), "{held:?}");
}
