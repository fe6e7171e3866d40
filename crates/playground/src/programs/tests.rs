use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use portolan_object::Object;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::*;
use crate::network::{ClusterName, Network};

const DEADLINE: Duration = Duration::from_secs(10);

struct World {
    network: Network,
    one: ClusterName,
    two: ClusterName,
}

fn world() -> World {
    let network = Network::new();
    let (one, two) = (ClusterName::new("member1"), ClusterName::new("member2"));
    let range = |text: &str| text.parse().expect("range");
    network.add_cluster(&one, range("10.10.0.0/16"), range("10.11.0.0/16")).expect("member1 joins");
    network.add_cluster(&two, range("10.12.0.0/16"), range("10.13.0.0/16")).expect("member2 joins");
    World { network, one, two }
}

/// A program of its own pod.
struct BuiltIn {
    interface: Interface,
    log: ContainerLog,
    stopping: CancellationToken,
    running: tokio::task::JoinHandle<i32>,
}

impl BuiltIn {
    async fn code(self) -> i32 {
        timeout(DEADLINE, self.running).await.expect("ends").expect("does not panic")
    }

    fn printed(&self) -> String {
        printed(&self.log)
    }
}

fn printed(log: &ContainerLog) -> String {
    let entries = log.entries();
    entries.iter().map(|entry| String::from_utf8_lossy(&entry.bytes).into_owned()).collect()
}

fn start(interface: Interface, reference: &str, args: &[&str], env: &[(&str, &str)]) -> BuiltIn {
    start_with(interface, reference, args, env, Input::none())
}

fn start_with(
    interface: Interface,
    reference: &str,
    args: &[&str],
    env: &[(&str, &str)],
    stdin: Input,
) -> BuiltIn {
    let (clock, _) = Clock::manual("2022-07-24T15:13:08Z".parse::<Timestamp>().expect("a time"));
    let (log, stopping) = (ContainerLog::default(), CancellationToken::new());
    let args: Vec<String> = args.iter().map(ToString::to_string).collect();
    let invocation = image(reference).expect("a known image").invoke(&[], &args).expect("an executable");
    let process = Process {
        arguments: vec![],
        environment: Arc::new(env.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()),
        stdin,
        stdout: Output::new(log.clone(), Stream::Stdout, clock.clone()),
        stderr: Output::new(log.clone(), Stream::Stderr, clock.clone()),
        network: interface.clone(),
        clock,
        stopping: stopping.clone(),
    };
    BuiltIn { interface, log, stopping, running: tokio::spawn(invocation.start(process)) }
}

/// Waits until the pod listens on a port.
async fn listening(world: &World, pod: &BuiltIn, port: u16, protocol: crate::network::Protocol) {
    let to = std::net::SocketAddr::new(pod.interface.address(), port);
    let poll = async {
        while world.network.socket(pod.interface.cluster().expect("held"), to, protocol).is_none() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, poll).await.expect("listens");
}

fn derived_serve(world: &World, endpoints: &[IpAddr]) {
    let service = Object(json!({
        "metadata": { "name": "derived-serve", "namespace": "default" },
        "spec": { "clusterIP": "10.13.205.2", "ports": [{ "port": 80, "protocol": "TCP" }] },
    }));
    let slice = Object(json!({
        "metadata": { "namespace": "default", "labels": { "kubernetes.io/service-name": "derived-serve" } },
        "addressType": "IPv4",
        "endpoints": endpoints.iter().map(|a| json!({ "addresses": [a.to_string()] })).collect::<Vec<_>>(),
        "ports": [{ "name": "", "port": 8080, "protocol": "TCP" }],
    }));
    world.network.set_service(&world.two, &service, [&slice], &[]);
}

const MESSAGE: &str = "--message='hello from cluster member1 (Node: {{env \"NODE_NAME\"}} Pod: {{env \"POD_NAME\"}} \
                       Address: {{addr}})'";

#[tokio::test]
async fn the_walkthrough_between_two_clusters() {
    let world = world();
    let pod = world.network.attach_pod(&world.one).expect("address");
    let env = [("NODE_NAME", "member1-control-plane"), ("POD_NAME", "serve-9b5b94f65-cp87p")];
    let serve = start(pod, "harbor.assistfc.com/middleware/serve:0a40de8", &[MESSAGE], &env);
    listening(&world, &serve, 8080, crate::network::Protocol::Tcp).await;
    derived_serve(&world, &[serve.interface.address()]);

    let pod = world.network.attach_pod(&world.two).expect("address");
    let args = ["--duration=25ms", "--interval=10ms", "--address=10.13.205.2"];
    let request = start(pod, "jeremyot/request:0a40de8", &args, &[]);
    let log = request.log.clone();
    assert_eq!(request.code().await, 0);
    let line = "2022/07/24 15:13:08 'hello from cluster member1 (Node: member1-control-plane \
                Pod: serve-9b5b94f65-cp87p Address: 10.10.0.5)'\n";
    let got = printed(&log);
    assert!(got.len() >= line.len() && got == line.repeat(got.len() / line.len()), "{got}");

    serve.stopping.cancel();
    let log = serve.log.clone();
    assert_eq!(serve.code().await, 0);
    assert_eq!(printed(&log), "2022/07/24 15:13:08 Exiting (terminated)...\n");
}

#[tokio::test]
async fn requests_tell_why_they_failed() {
    let world = world();
    derived_serve(&world, &[]);
    let cases = [
        ("10.13.205.2", "Get \"http://10.13.205.2\": dial tcp 10.13.205.2:80: connect: connection refused"),
        (
            "http://10.99.0.1:81/x",
            "Get \"http://10.99.0.1:81/x\": dial tcp 10.99.0.1:81: connect: no route to host",
        ),
        ("serve.nowhere", "Get \"http://serve.nowhere\": dial tcp: lookup serve.nowhere: no such host"),
        (
            "https://10.13.205.2",
            "Get \"https://10.13.205.2\": \"https://10.13.205.2\" is not an http address",
        ),
    ];
    for (address, want) in cases {
        let pod = world.network.attach_pod(&world.two).expect("address");
        let request = start(pod, "jeremyot/request", &["--once", "--address", address], &[]);
        let log = request.log.clone();
        assert_eq!(request.code().await, 0);
        assert_eq!(printed(&log), format!("2022/07/24 15:13:08 Request error: {want}\n"));
    }
}

#[tokio::test]
async fn programs_refuse_what_they_do_not_understand() {
    let world = world();
    let cases: [(&str, &[&str], i32, &str); 7] = [
        (
            "jeremyot/serve",
            &["--message={{nope}}"],
            2,
            "panic: template: message:1: function \"nope\" not defined",
        ),
        ("jeremyot/serve", &["--port=1"], 2, "flag provided but not defined: -port"),
        ("hashicorp/http-echo", &[], 127, "Missing -text option!"),
        ("alpine/socat", &["PIPE"], 1, "socat: E exactly 2 addresses required (there are 1)"),
        ("busybox:1.36", &["sleep", "x"], 1, "sleep: invalid number 'x'"),
        ("busybox", &["sh"], 127, "sh: Portolan's shell only runs a script in its arguments: sh -c SCRIPT"),
        ("curlimages/curl", &["-X", "POST", "http://a"], 2, "curl: option -X: is not supported by Portolan"),
    ];
    for (reference, args, code, text) in cases {
        let pod = world.network.attach_pod(&world.one).expect("address");
        let program = start(pod, reference, args, &[]);
        let log = program.log.clone();
        assert_eq!(program.code().await, code, "{reference} {args:?}");
        assert_eq!(printed(&log).lines().next(), Some(text), "{reference}");
    }
}

#[tokio::test]
async fn the_shell_runs_scripts() {
    let world = world();
    let cases: [(&str, i32, &str); 12] = [
        ("echo a; echo 'b  c'", 0, "a\nb  c\n"),
        ("for i in `seq 2` x\"$A B\"; do echo $i; done", 0, "1\n2\nx1 B\n"),
        ("L='p  q'; echo $L; echo \"$L\"; echo a$L", 0, "p q\np  q\nap q\n"),
        ("false || echo $?; true && echo yes && false", 1, "1\nyes\n"),
        ("if false; then echo a; elif true; then echo b; else echo c; fi", 0, "b\n"),
        ("N=$(seq 3); while true; do for n in $N; do echo $n; break; done; exit 4; done", 4, "1\n"),
        ("until true; do echo a; done; X=1 env", 0, "A=1\nX=1\n"),
        ("Y=2; export Y Z=3; env", 0, "A=1\nY=2\nZ=3\n"),
        ("curl x", 127, "sh: curl: not found\n"),
        ("apk add --no-cache curl; curl", 3, "OK\n"),
        ("apk add vim", 1, "ERROR: unable to select packages:\n"),
        ("echo a | cat", 2, "sh: syntax error: '|' is not supported by Portolan's shell\n"),
    ];
    for (script, code, want) in cases {
        let pod = world.network.attach_pod(&world.one).expect("address");
        let shell = start(pod, "alpine:3.19", &["sh", "-c", script], &[("A", "1")]);
        let log = shell.log.clone();
        assert_eq!(shell.code().await, code, "{script}: {}", printed(&log));
        assert!(printed(&log).starts_with(want), "{script}: {}", printed(&log));
    }
    let pod = world.network.attach_pod(&world.one).expect("address");
    let failing = start(pod, "busybox", &["sh", "-ec", "if false; then :; fi; echo a; false; echo b"], &[]);
    let log = failing.log.clone();
    assert_eq!((failing.code().await, printed(&log).as_str()), (1, "a\n"));
    let pod = world.network.attach_pod(&world.one).expect("address");
    let endless = start(pod, "busybox", &["sh", "-c", "while true; do true; done"], &[]);
    endless.stopping.cancel();
    assert_eq!(endless.code().await, TERMINATED);
}

#[tokio::test]
async fn answered_requests_are_counted_for_the_pod() {
    let world = world();
    let server = start(world.network.attach_pod(&world.one).expect("address"), "nginx", &[], &[]);
    listening(&world, &server, 80, crate::network::Protocol::Tcp).await;
    let address = server.interface.address();
    let client = world.network.attach_pod(&world.two).expect("address");
    let script = format!("apk add curl; for i in `seq 5`; do curl -s http://{address}; done");
    assert_eq!(start(client, "alpine", &["sh", "-c", &script], &[]).code().await, 0);
    assert_eq!(world.network.answered(&world.one, address), 5);
    assert_eq!(world.network.answered(&world.two, address), 0, "another cluster");
    drop(server);
}

#[tokio::test]
async fn web_servers_answer_web_clients() {
    let world = world();
    let cases: [(&str, &[&str], &str, &str); 3] = [
        ("hashicorp/http-echo:1.0", &["-text=hi", "-listen=:80"], "/any", "hi\n"),
        ("nginx:1.27", &["-g", "daemon off;"], "/", "<h1>Welcome to nginx!</h1>"),
        ("nginx", &[], "/missing", "404 Not Found"),
    ];
    for (reference, args, path, want) in cases {
        let pod = world.network.attach_pod(&world.one).expect("address");
        let server = start(pod, reference, args, &[]);
        listening(&world, &server, 80, crate::network::Protocol::Tcp).await;
        let client = world.network.attach_pod(&world.two).expect("address");
        let url = format!("http://{}{path}", server.interface.address());
        let curl = start(client, "curlimages/curl:8.5.0", &["-s", &url], &[]);
        let log = curl.log.clone();
        assert_eq!(curl.code().await, 0, "{reference}");
        assert!(printed(&log).contains(want), "{reference}: {}", printed(&log));
    }
    let client = world.network.attach_pod(&world.two).expect("address");
    let wget = start(client, "busybox", &["wget", "-qO-", "-T", "2", "http://10.12.0.99"], &[]);
    let log = wget.log.clone();
    assert_eq!(wget.code().await, 1);
    assert_eq!(printed(&log), "wget: can't connect to remote host (10.12.0.99): no route to host\n");
}

#[tokio::test]
async fn echoes_come_back_over_tcp_and_udp() {
    let world = world();
    let echo =
        start(world.network.attach_pod(&world.one).expect("address"), "portolan/echo", &["-listen=:7"], &[]);
    listening(&world, &echo, 7, crate::network::Protocol::Udp).await;
    let client = world.network.attach_pod(&world.two).expect("address");
    let to = std::net::SocketAddr::new(echo.interface.address(), 7);
    let mut connection = client.dial(to, DEADLINE).await.expect("connects");
    connection.write_all(b"ping").await.expect("writes");
    connection.shutdown().await.expect("half closes");
    let mut text = String::new();
    timeout(DEADLINE, connection.read_to_string(&mut text)).await.expect("ends").expect("reads");
    assert_eq!(text, "ping");

    let flow = client.flow(to).await.expect("a flow");
    flow.send(b"pong").await.expect("sends");
    let mut buffer = [0; 16];
    let length = timeout(DEADLINE, flow.receive(&mut buffer)).await.expect("answers").expect("receives");
    assert_eq!(&buffer[..length], b"pong");
    echo.stopping.cancel();
    assert_eq!(echo.code().await, 0);
}

#[tokio::test]
async fn socat_answers_as_in_the_conformance_suite() {
    let world = world();
    for listen in ["TCP-LISTEN:42,crlf,reuseaddr,fork", "UDP-LISTEN:42,crlf,reuseaddr,fork"] {
        let pod = world.network.attach_pod(&world.one).expect("address");
        let socat = start(pod, "alpine/socat:1.7.4.4", &[listen, "SYSTEM:echo pod ip 10.10.0.5"], &[]);
        let to = std::net::SocketAddr::new(socat.interface.address(), 42);
        let client = world.network.attach_pod(&world.two).expect("address");
        let mut text = String::new();
        if listen.starts_with("TCP") {
            listening(&world, &socat, 42, crate::network::Protocol::Tcp).await;
            let mut connection = client.dial(to, DEADLINE).await.expect("connects");
            connection.write_all(b"hi\n").await.expect("writes");
            timeout(DEADLINE, connection.read_to_string(&mut text)).await.expect("ends").expect("reads");
        } else {
            listening(&world, &socat, 42, crate::network::Protocol::Udp).await;
            let flow = client.flow(to).await.expect("a flow");
            flow.send(b"hi\n").await.expect("sends");
            let mut buffer = [0; 64];
            let length =
                timeout(DEADLINE, flow.receive(&mut buffer)).await.expect("answers").expect("receives");
            text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        assert_eq!(text, "pod ip 10.10.0.5\r\n", "{listen}");
    }
}

#[tokio::test]
async fn cat_reads_to_the_end_of_its_input() {
    let world = world();
    let (input, mut writer) = Input::pipe();
    let pod = world.network.attach_pod(&world.one).expect("address");
    let cat = start_with(pod, "busybox", &["cat"], &[], input);
    writer.write(b"one\ntwo\n").await.expect("writes");
    drop(writer);
    let log = cat.log.clone();
    assert_eq!(cat.code().await, 0);
    assert_eq!(printed(&log), "one\ntwo\n");
}

#[tokio::test]
async fn a_second_listener_on_a_port_fails() {
    let world = world();
    let pod = world.network.attach_pod(&world.one).expect("address");
    let first = start(pod.clone(), "nginx", &[], &[]);
    listening(&world, &first, 80, crate::network::Protocol::Tcp).await;
    let second = start(pod, "nginx", &[], &[]);
    let log = second.log.clone();
    assert_eq!(second.code().await, 1);
    let started = "/docker-entrypoint.sh: nginx, simulated by Portolan, starts on port 80\n";
    let failed = "nginx: [emerg] bind() to 0.0.0.0:80 failed (address already in use)\n";
    assert_eq!(printed(&log), format!("{started}{failed}"));
    assert_eq!(first.printed(), started);
}

#[test]
fn images_and_the_names_they_go_by() {
    let cases = [
        ("jeremyot/serve:0a40de8", Some("serve")),
        ("harbor.assistfc.com/middleware/serve:0a40de8", Some("serve")),
        ("preserve", None),
        ("nginx", Some("nginx")),
        ("docker.io/library/nginx:1.17.0-alpine", Some("nginx")),
        ("mirror.example/portolan/echo", Some("portolan/echo")),
        ("mirror.example/echo", None),
        ("postgres:17", None),
    ];
    for (reference, want) in cases {
        let found = image(reference).and_then(|image| image.repositories.first().copied());
        assert_eq!(found, want, "{reference}");
    }
}

#[test]
fn command_lines_follow_entrypoint_and_arguments() {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let cases = [
        ("nginx", "", "", "/docker-entrypoint.sh nginx -g daemon off;"),
        ("nginx", "", "-q", "/docker-entrypoint.sh -q"),
        ("nginx", "/usr/sbin/nginx -q", "", "/usr/sbin/nginx -q"),
        ("nginx", "echo hello", "", "echo hello"),
        ("busybox", "", "", "sh"),
        ("busybox", "", "sleep 5", "sleep 5"),
        ("busybox", "/bin/sleep", "5", "/bin/sleep 5"),
        ("busybox", "nope", "5", "exec: \"nope\": executable file not found in $PATH"),
        ("jeremyot/serve", "", "--message=x", "/serve --message=x"),
    ];
    for (reference, command, args, want) in cases {
        let invoked = image(reference).expect("known").invoke(&words(command), &words(args));
        let got = invoked.map_or_else(|error| error.to_string(), |invocation| invocation.arguments.join(" "));
        assert_eq!(got, want, "{reference} {command:?} {args:?}");
    }
}
