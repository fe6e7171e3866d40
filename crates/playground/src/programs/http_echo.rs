//! `hashicorp/http-echo`: answers every HTTP request with a fixed text.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};

use crate::programs::go_flags::{self, Flag, Preset};
use crate::programs::serve::listen_port;
use crate::programs::{Executable, Image, Process, Running, go_time, web};

pub(crate) const IMAGE: Image = Image {
    repositories: &["http-echo"],
    entrypoint: &["/http-echo"],
    command: &[],
    executables: &[Executable { path: "/http-echo", run }],
    base: &[],
};

const FLAGS: &[Flag] = &[
    Flag { name: "listen", default: Preset::Text(":5678"), usage: "address and port to listen" },
    Flag { name: "text", default: Preset::Text(""), usage: "text to put on the webpage" },
    Flag { name: "status-code", default: Preset::Integer(200), usage: "http response code, e.g.: 200" },
    Flag { name: "read-timeout", default: Preset::Duration(Duration::from_secs(5)), usage: "not supported" },
    Flag { name: "version", default: Preset::Switch, usage: "display version information" },
];

/// Exit code of http-echo after wrong use.
const MISUSE: i32 = 127;

fn run(process: Process) -> Running {
    Box::pin(echo(process))
}

async fn echo(process: Process) -> i32 {
    let flags = match go_flags::parse(FLAGS, &process.arguments) {
        Ok(flags) => flags,
        Err(usage) => {
            process.stderr.write(usage.text);
            return usage.code;
        }
    };
    if flags.is_on("version") {
        process.stdout.line("http-echo, built into Portolan");
        return 0;
    }
    let inherited = process.environment.get("ECHO_TEXT").map(String::as_str).unwrap_or_default();
    let text = Some(flags.text("text")).filter(|text| !text.is_empty()).unwrap_or(inherited);
    if text.is_empty() {
        process.stderr.line("Missing -text option!");
        return MISUSE;
    }
    if !flags.rest.is_empty() {
        process.stderr.line("Too many arguments!");
        return MISUSE;
    }
    let status = u16::try_from(flags.integer("status-code")).ok();
    let (Some(port), Some(status)) =
        (listen_port(flags.text("listen")), status.and_then(|code| StatusCode::from_u16(code).ok()))
    else {
        process.stderr.line("invalid -listen or -status-code");
        return MISUSE;
    };
    let prefix = go_time::log_prefix(process.clock.now());
    process.stderr.line(format_args!("{prefix}[INFO] server is listening on {}", flags.text("listen")));
    let body = format!("{text}\n");
    let served = web::serve(&process.network, port, &process.stopping, move |_| {
        let mut answer = web::text(status, body.clone());
        let name = HeaderName::from_static("x-app-name");
        answer.headers_mut().insert(name, HeaderValue::from_static("http-echo"));
        answer
    });
    match served.await {
        Ok(()) => 0,
        Err(error) => {
            process.stderr.line(format_args!("{prefix}[ERR] listen tcp :{port}: bind: {error}"));
            MISUSE
        }
    }
}
