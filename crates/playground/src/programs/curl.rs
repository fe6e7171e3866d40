//! `curlimages/curl`: fetches an HTTP page and prints it.

use std::time::Duration;

use http::header;

use crate::network::DialError;
use crate::programs::web::{self, FetchError, Page};
use crate::programs::{Executable, Image, Process, Running, TERMINATED};

pub(crate) const IMAGE: Image = Image {
    repositories: &["curl"],
    entrypoint: &["/entrypoint.sh"],
    command: &["curl"],
    executables: &[
        Executable { path: "/entrypoint.sh", run: run_entrypoint },
        Executable { path: "/usr/bin/curl", run },
    ],
};

/// Codes that curl documents under "EXIT CODES".
mod code {
    pub(super) const MISUSE: i32 = 2;
    pub(super) const BAD_ADDRESS: i32 = 3;
    pub(super) const NO_SUCH_HOST: i32 = 6;
    pub(super) const NOT_CONNECTED: i32 = 7;
    pub(super) const HTTP_ERROR: i32 = 22;
    pub(super) const TIMED_OUT: i32 = 28;
    pub(super) const BROKEN: i32 = 56;
}

const FOREVER: Duration = Duration::from_secs(86_400);

/// The entrypoint puts `curl` in front of arguments that do not name it.
fn run_entrypoint(mut process: Process) -> Running {
    if process.operands().first().map(String::as_str) == Some("curl") {
        process.arguments.remove(0);
    }
    run(process)
}

fn run(process: Process) -> Running {
    Box::pin(async move {
        let stopping = process.stopping.clone();
        tokio::select! {
            code = curl(&process) => code,
            () = stopping.cancelled() => TERMINATED,
        }
    })
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    address: String,
    silent: bool,
    fail: bool,
    head: bool,
    connect: Option<Duration>,
    total: Option<Duration>,
}

async fn curl(process: &Process) -> i32 {
    let wish = match wish(process.operands()) {
        Ok(wish) => wish,
        Err(option) => {
            process.stderr.line(format_args!("curl: option {option}: is not played by Portolan"));
            return code::MISUSE;
        }
    };
    let address =
        if wish.address.contains("://") { wish.address.clone() } else { format!("http://{}", wish.address) };
    let agent = [(header::USER_AGENT, "curl"), (header::ACCEPT, "*/*")];
    let connect = wish.connect.unwrap_or(FOREVER).min(crate::network::CONNECT_PATIENCE);
    match web::fetch(&process.network, &address, &agent, connect, wish.total.unwrap_or(FOREVER)).await {
        Ok(page) if wish.fail && page.status.as_u16() >= 400 => complain(
            process,
            &wish,
            code::HTTP_ERROR,
            &format!("The requested URL returned error: {}", page.status.as_u16()),
        ),
        Ok(page) => {
            print(process, &wish, &page);
            0
        }
        Err(error) => {
            let (code, reason) = explain(&error);
            complain(process, &wish, code, &reason)
        }
    }
}

/// The options that matter for looking at a service; the rest is refused by name.
fn wish(operands: &[String]) -> Result<Wish, String> {
    let mut wish = Wish::default();
    let mut words = operands.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut seconds =
            || words.next().and_then(|text| Duration::try_from_secs_f64(text.parse().ok()?).ok());
        match word {
            "--silent" => wish.silent = true,
            "--show-error" => wish.silent = false,
            "--fail" => wish.fail = true,
            "--include" => wish.head = true,
            "-m" | "--max-time" => wish.total = Some(seconds().ok_or_else(|| word.to_owned())?),
            "--connect-timeout" => wish.connect = Some(seconds().ok_or_else(|| word.to_owned())?),
            short if short.len() > 1 && short.starts_with('-') && !short.starts_with("--") => {
                for letter in short.chars().skip(1) {
                    match letter {
                        's' => wish.silent = true,
                        'S' => wish.silent = false,
                        'f' => wish.fail = true,
                        'i' => wish.head = true,
                        'v' | '4' => {}
                        other => return Err(format!("-{other}")),
                    }
                }
            }
            option if option.starts_with('-') => return Err(option.to_owned()),
            address => wish.address = address.to_owned(),
        }
    }
    Ok(wish)
}

fn print(process: &Process, wish: &Wish, page: &Page) {
    if wish.head {
        process.stdout.write(format!("HTTP/1.1 {}\r\n", page.status));
        for (name, value) in &page.headers {
            process.stdout.write(format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
        }
        process.stdout.write("\r\n");
    }
    process.stdout.write(&page.body);
}

fn complain(process: &Process, wish: &Wish, code: i32, reason: &str) -> i32 {
    if !wish.silent {
        process.stderr.line(format_args!("curl: ({code}) {reason}"));
    }
    code
}

fn explain(error: &FetchError) -> (i32, String) {
    match error {
        FetchError::NotHttp(_) => (code::BAD_ADDRESS, error.to_string()),
        FetchError::NoSuchHost(host) => (code::NO_SUCH_HOST, format!("Could not resolve host: {host}")),
        FetchError::Dial { source: DialError::TimedOut, .. } => {
            (code::TIMED_OUT, "Connection timed out".to_owned())
        }
        FetchError::Dial { to, source } => {
            (code::NOT_CONNECTED, format!("Failed to connect to {} port {}: {source}", to.ip(), to.port()))
        }
        FetchError::TimedOut => (code::TIMED_OUT, "Operation timed out".to_owned()),
        FetchError::Broken(_) | FetchError::Body => (code::BROKEN, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let parse = |line: &str| wish(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let quiet = Wish { address: "10.13.0.9".to_owned(), silent: true, ..Wish::default() };
        assert_eq!(parse("-s 10.13.0.9"), Ok(quiet));
        let bounded = Wish {
            address: "http://serve/".to_owned(),
            fail: true,
            head: true,
            connect: Some(Duration::from_secs(2)),
            total: Some(Duration::from_millis(500)),
            ..Wish::default()
        };
        assert_eq!(parse("-sSfi -m 0.5 --connect-timeout 2 http://serve/"), Ok(bounded));
        assert_eq!(parse("-X POST http://serve/"), Err("-X".to_owned()));
        assert_eq!(parse("--data x http://serve/"), Err("--data".to_owned()));
    }
}
