//! `jeremyot/request`: sends HTTP requests to an address and logs each response.
//!
//! It sends one request immediately and then one per interval, until the duration is over. Failed requests are logged too.
//! The log goes to standard error, as in the real image.

use std::time::Duration;

use http::header;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::network::CONNECT_TIMEOUT;
use crate::programs::go_flags::{self, Flag, Preset};
use crate::programs::web::{self, FetchError};
use crate::programs::{Executable, Image, Process, Running, go_time};

pub(crate) const IMAGE: Image = Image {
    repositories: &["request"],
    entrypoint: &["/request"],
    command: &[],
    executables: &[Executable { path: "/request", run }],
    base: &[],
};

const FLAGS: &[Flag] = &[
    Flag { name: "address", default: Preset::Text(""), usage: "The address to connect to." },
    Flag {
        name: "interval",
        default: Preset::Duration(Duration::from_secs(1)),
        usage: "How often to make requests.",
    },
    Flag {
        name: "duration",
        default: Preset::Duration(Duration::ZERO),
        usage: "How long to make requests for (forever by default).",
    },
    Flag { name: "once", default: Preset::Switch, usage: "Make a single request and exit." },
    Flag { name: "keep-alive", default: Preset::Switch, usage: "Use HTTP keep-alives." },
    Flag { name: "version", default: Preset::Switch, usage: "Print the version and exit." },
];

/// Timeout of a response: the real image has none.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3600);

fn run(process: Process) -> Running {
    Box::pin(async move {
        let stopping = process.stopping.clone();
        tokio::select! {
            code = request(process) => code,
            () = stopping.cancelled() => 0,
        }
    })
}

async fn request(process: Process) -> i32 {
    let flags = match go_flags::parse(FLAGS, &process.arguments) {
        Ok(flags) => flags,
        Err(usage) => {
            process.stderr.write(usage.text);
            return usage.code;
        }
    };
    if flags.is_on("version") {
        process.stdout.line("Build: built into Portolan");
        return 0;
    }
    let address = match flags.text("address") {
        address if address.starts_with("http") => address.to_owned(),
        address => format!("http://{address}"),
    };
    log_answer(&process, &address).await;
    if flags.is_on("once") {
        return 0;
    }
    let (every, duration) = (flags.duration("interval"), flags.duration("duration"));
    if every.is_zero() {
        process.stderr.line("panic: non-positive interval for NewTicker");
        return 2;
    }
    let now = Instant::now();
    let mut ticks = interval_at(now + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let over = tokio::time::sleep(if duration.is_zero() { Duration::MAX } else { duration });
    tokio::pin!(over);
    loop {
        tokio::select! {
            biased;
            () = &mut over => return 0,
            _ = ticks.tick() => log_answer(&process, &address).await,
        }
    }
}

async fn log_answer(process: &Process, address: &str) {
    let agent = [(header::USER_AGENT, "Go-http-client/1.1"), (header::ACCEPT_ENCODING, "identity")];
    let fetched = web::fetch(&process.network, address, &agent, CONNECT_TIMEOUT, ANSWER_TIMEOUT).await;
    let line = match fetched {
        Ok(page) => String::from_utf8_lossy(&page.body).into_owned(),
        Err(error) => format!("Request error: Get {address:?}: {}", reason(&error)),
    };
    process.stderr.line(format_args!("{}{line}", go_time::log_prefix(process.clock.now())));
}

/// The message of Go's HTTP client.
fn reason(error: &FetchError) -> String {
    match error {
        FetchError::NoSuchHost(host) => format!("dial tcp: lookup {host}: no such host"),
        FetchError::Broken(error) if error.is_incomplete_message() => "EOF".to_owned(),
        other => other.to_string(),
    }
}
