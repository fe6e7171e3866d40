//! `agnhost`, the image of Kubernetes' own tests: its commands `pause`, `serve-hostname`, `netexec`, `connect` and
//! `logs-generator` (kubernetes test/images/agnhost).
//!
//! `netexec` serves `/`, `/echo`, `/hostname`, `/hostName`, `/clientip`, `/healthz` and `/exit`; it runs no commands of a
//! shell and uploads nothing.

use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use http::request::Parts;
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use crate::network::Datagrams;
use crate::programs::go_flags::{self, Flag, Parsed, Preset};
use crate::programs::web::{self, Answer};
use crate::programs::{Executable, Image, Process, Running, busybox, go_time, pause};

pub(crate) const IMAGE: Image = Image {
    repositories: &["agnhost"],
    entrypoint: &["/agnhost"],
    command: &["pause"],
    executables: &[Executable { path: "/agnhost", run }],
    base: busybox::COMMANDS,
};

const SERVE_HOSTNAME: &[Flag] = &[
    Flag { name: "port", default: Preset::Integer(9376), usage: "Port number." },
    Flag { name: "tcp", default: Preset::Switch, usage: "Serve raw over TCP." },
    Flag { name: "udp", default: Preset::Switch, usage: "Serve raw over UDP." },
    Flag { name: "http", default: Preset::Text("true"), usage: "Serve HTTP." },
    Flag { name: "close", default: Preset::Switch, usage: "Close connection per each HTTP request." },
];
const NETEXEC: &[Flag] = &[
    Flag { name: "http-port", default: Preset::Integer(8080), usage: "HTTP Listen Port" },
    Flag { name: "udp-port", default: Preset::Integer(8081), usage: "UDP Listen Port" },
    Flag { name: "sctp-port", default: Preset::Integer(-1), usage: "SCTP Listen Port; not supported" },
    Flag { name: "delay-shutdown", default: Preset::Integer(0), usage: "Seconds to serve after SIGTERM" },
];
const CONNECT: &[Flag] = &[
    Flag { name: "timeout", default: Preset::Duration(Duration::ZERO), usage: "Maximum time" },
    Flag { name: "protocol", default: Preset::Text("tcp"), usage: "tcp" },
];
const LOGS: &[Flag] = &[
    Flag { name: "log-lines-total", default: Preset::Integer(0), usage: "Total lines" },
    Flag { name: "run-duration", default: Preset::Duration(Duration::ZERO), usage: "Total duration" },
    Flag { name: "t", default: Preset::Integer(0), usage: "Total lines" },
    Flag { name: "d", default: Preset::Duration(Duration::ZERO), usage: "Total duration" },
];
/// Timeout of `connect` without a flag: the kernel's, nearly.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest datagram.
const MAX_DATAGRAM: usize = 1024;
/// Lines of `logs-generator`, at most.
const MAX_LINES: u32 = 1_000_000;

fn run(mut process: Process) -> Running {
    // The first operand is the command; it takes the place of the executable.
    let command = process.operands().first().cloned().unwrap_or_else(|| "pause".to_owned());
    if process.arguments.len() > 1 {
        process.arguments.remove(0);
    }
    match command.as_str() {
        "pause" => pause::run(process),
        "serve-hostname" => Box::pin(serve_hostname(process)),
        "netexec" => Box::pin(netexec(process)),
        "connect" => Box::pin(connect(process)),
        "logs-generator" => Box::pin(logs_generator(process)),
        _ => Box::pin(async move {
            let message = "pause, serve-hostname, netexec, connect and logs-generator are simulated";
            process.stderr.line(format_args!("Error: unknown command {command:?} for \"app\": {message}"));
            1
        }),
    }
}

fn parsed(flags: &[Flag], process: &Process) -> Result<Parsed, i32> {
    go_flags::parse(flags, &process.arguments).map_err(|usage| {
        process.stderr.write(usage.text);
        usage.code
    })
}

fn port(flags: &Parsed, name: &str) -> Option<u16> {
    u16::try_from(flags.integer(name)).ok().filter(|port| *port > 0)
}

fn hostname(process: &Process) -> String {
    process.environment.get("HOSTNAME").cloned().unwrap_or_default()
}

async fn serve_hostname(process: Process) -> i32 {
    let flags = match parsed(SERVE_HOSTNAME, &process) {
        Ok(flags) => flags,
        Err(code) => return code,
    };
    let Some(port) = port(&flags, "port") else { return 1 };
    let (name, stopping) = (hostname(&process), process.stopping.clone());
    let served = if flags.is_on("udp") {
        let answer = name.clone();
        match process.network.bind(port).await {
            Ok(socket) => {
                answer_datagrams(&socket, &stopping, |_| answer.clone()).await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    } else if flags.is_on("tcp") {
        match process.network.listen(port).await {
            Ok(listener) => {
                web::serve_connections(listener, &stopping, |mut stream, _| {
                    let name = name.clone();
                    async move {
                        // Ignore disconnect errors.
                        let _ = stream.write_all(name.as_bytes()).await;
                    }
                })
                .await;
                Ok(())
            }
            Err(error) => Err(error),
        }
    } else {
        web::serve(&process.network, port, &stopping, move |_| web::text(StatusCode::OK, name.clone())).await
    };
    ended(&process, port, served.map_err(|error| error.to_string()))
}

fn ended(process: &Process, port: u16, served: Result<(), String>) -> i32 {
    match served {
        Ok(()) => 0,
        Err(error) => {
            let prefix = go_time::log_prefix(process.clock.now());
            process.stderr.line(format_args!("{prefix}Error from net.Listen(): listen tcp :{port}: {error}"));
            1
        }
    }
}

/// Answers datagrams until `stopping`.
async fn answer_datagrams(socket: &Datagrams, stopping: &CancellationToken, answer: impl Fn(&str) -> String) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let received = tokio::select! {
            () = stopping.cancelled() => return,
            received = socket.receive(&mut buffer) => received,
        };
        let Ok((length, peer)) = received else { return };
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
        // A lost answer is a lost datagram.
        let _ = socket.send(answer(&text).as_bytes(), peer).await;
    }
}

async fn netexec(process: Process) -> i32 {
    let flags = match parsed(NETEXEC, &process) {
        Ok(flags) => flags,
        Err(code) => return code,
    };
    let Some(http) = port(&flags, "http-port") else { return 1 };
    let (name, stopping) = (hostname(&process), process.stopping.clone());
    let prefix = go_time::log_prefix(process.clock.now());
    process.stderr.line(format_args!("{prefix}Started HTTP server on port {http}"));
    let ending = CancellationToken::new();
    let page = {
        let (name, ending, now) = (name.clone(), ending.clone(), process.clock.clone());
        move |request: &Parts| {
            if request.uri.path() == "/exit" {
                ending.cancel();
            }
            page(request, &name, &now.now().to_string())
        }
    };
    let datagrams = async {
        let Some(udp) = port(&flags, "udp-port") else { return std::future::pending().await };
        if let Ok(socket) = process.network.bind(udp).await {
            process.stderr.line(format_args!("{prefix}Started UDP server on port  {udp}"));
            answer_datagrams(&socket, &stopping, |command| datagram(command, &name)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        served = web::serve(&process.network, http, &stopping, page) => {
            ended(&process, http, served.map_err(|error| error.to_string()))
        }
        () = datagrams => 0,
        () = ending.cancelled() => 0,
    }
}

/// The answer of `netexec` to a datagram.
fn datagram(command: &str, name: &str) -> String {
    let command = command.trim();
    match command.split_once(' ') {
        None if command.eq_ignore_ascii_case("hostname") => name.to_owned(),
        Some((first, rest)) if first.eq_ignore_ascii_case("echo") => rest.to_owned(),
        _ => String::new(),
    }
}

fn page(request: &Parts, name: &str, now: &str) -> Answer {
    let query = request.uri.query().unwrap_or_default();
    let parameter = |key: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(found, _)| *found == key).map(|(_, value)| value.replace('+', " "))
    };
    let client = request.extensions.get::<SocketAddr>().map(ToString::to_string);
    match request.uri.path() {
        "/" => web::text(StatusCode::OK, format!("NOW: {now}")),
        "/hostname" | "/hostName" => web::text(StatusCode::OK, name.to_owned()),
        "/echo" => {
            let code = parameter("code").and_then(|code| code.parse().ok());
            let code = code.and_then(|code: u16| StatusCode::from_u16(code).ok()).unwrap_or(StatusCode::OK);
            web::text(code, parameter("msg").unwrap_or_default())
        }
        "/healthz" => web::text(StatusCode::OK, ""),
        "/clientip" => web::text(StatusCode::OK, client.unwrap_or_default()),
        "/exit" => web::text(StatusCode::OK, "exiting"),
        "/shell" | "/shutdown" | "/upload" | "/dial" => {
            web::text(StatusCode::NOT_IMPLEMENTED, "not simulated by Portolan")
        }
        _ => web::text(StatusCode::NOT_FOUND, "404 page not found\n"),
    }
}

async fn connect(process: Process) -> i32 {
    let flags = match parsed(CONNECT, &process) {
        Ok(flags) => flags,
        Err(code) => return code,
    };
    // Flags may follow the address.
    let Some(address) = flags.rest.first().cloned() else { return 1 };
    let late: Vec<String> = std::iter::once(String::new()).chain(flags.rest.into_iter().skip(1)).collect();
    let timeout = go_flags::parse(CONNECT, &late).map(|late| late.duration("timeout")).unwrap_or_default();
    let timeout = [timeout, CONNECT_TIMEOUT].into_iter().find(|timeout| !timeout.is_zero());
    let Some((host, port)) = address.rsplit_once(':') else { return 1 };
    let found = process.network.resolve(host.trim_matches(['[', ']'])).await;
    let (Some(found), Ok(port)) = (found, port.parse()) else {
        process.stderr.line("DNS");
        return 1;
    };
    match process.network.dial(SocketAddr::new(found, port), timeout.unwrap_or(CONNECT_TIMEOUT)).await {
        Ok(_) => 0,
        Err(error) => {
            process.stderr.line(format_args!("OTHER: {error}"));
            1
        }
    }
}

async fn logs_generator(process: Process) -> i32 {
    let flags = match parsed(LOGS, &process) {
        Ok(flags) => flags,
        Err(code) => return code,
    };
    let total = flags.integer("log-lines-total").max(flags.integer("t"));
    let total = u32::try_from(total).unwrap_or_default().min(MAX_LINES);
    let duration = flags.duration("run-duration").max(flags.duration("d"));
    if total == 0 || duration.is_zero() {
        process.stderr.line("Invalid number of total lines, or invalid duration");
        return 1;
    }
    for line in 0..total {
        let prefix = go_time::log_prefix(process.clock.now());
        let (verb, pod) = (["GET", "POST", "PUT"][line as usize % 3], line % 97);
        let status = 200 + line % 399;
        process
            .stdout
            .line(format_args!("{prefix}{line} {verb} /api/v1/namespaces/default/pods/pod{pod} {status}"));
        tokio::select! {
            () = process.stopping.cancelled() => return 0,
            () = tokio::time::sleep(duration / total) => {}
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_are_commands() {
        for (command, want) in
            [("hostname\n", "web-0"), ("hostName", "web-0"), ("echo a b", "a b"), ("other", "")]
        {
            assert_eq!(datagram(command, "web-0"), want, "{command}");
        }
    }

    #[test]
    fn pages_tell_the_name_and_repeat_a_message() {
        let asked = |path: &str| {
            let request = http::Request::get(path).body(()).expect("a request").into_parts().0;
            page(&request, "web-0", "now").status()
        };
        let cases = [
            ("/hostname", StatusCode::OK),
            ("/echo?msg=hi&code=503", StatusCode::SERVICE_UNAVAILABLE),
            ("/shell?cmd=ls", StatusCode::NOT_IMPLEMENTED),
            ("/other", StatusCode::NOT_FOUND),
        ];
        for (path, want) in cases {
            assert_eq!(asked(path), want, "{path}");
        }
    }
}
