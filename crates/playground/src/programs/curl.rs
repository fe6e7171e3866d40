//! `curlimages/curl`: fetches and prints an HTTP page.

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
    base: &[],
};

/// Exit codes of curl (man page, "EXIT CODES").
mod code {
    pub(super) const MISUSE: i32 = 2;
    pub(super) const BAD_ADDRESS: i32 = 3;
    pub(super) const NO_SUCH_HOST: i32 = 6;
    pub(super) const NOT_CONNECTED: i32 = 7;
    pub(super) const HTTP_ERROR: i32 = 22;
    pub(super) const TIMED_OUT: i32 = 28;
    pub(super) const RECEIVE_FAILED: i32 = 56;
}

const NO_TIMEOUT: Duration = Duration::from_secs(86_400);

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

/// An option of curl that the built-in program does not have, or without its value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("option {0}: is not supported by Portolan")]
struct UnsupportedOption(String);

#[derive(Debug, Default, PartialEq, Eq)]
struct CurlOptions {
    address: String,
    silent: bool,
    fail: bool,
    head: bool,
    connect: Option<Duration>,
    total: Option<Duration>,
}

async fn curl(process: &Process) -> i32 {
    let options = match parse_options(process.operands()) {
        Ok(options) => options,
        Err(error) => {
            process.stderr.line(format_args!("curl: {error}"));
            return code::MISUSE;
        }
    };
    let address = if options.address.contains("://") {
        options.address.clone()
    } else {
        format!("http://{}", options.address)
    };
    let agent = [(header::USER_AGENT, "curl"), (header::ACCEPT, "*/*")];
    let connect = options.connect.unwrap_or(NO_TIMEOUT).min(crate::network::CONNECT_TIMEOUT);
    match web::fetch(&process.network, &address, &agent, connect, options.total.unwrap_or(NO_TIMEOUT)).await {
        Ok(page) if options.fail && page.status.as_u16() >= 400 => fail(
            process,
            &options,
            code::HTTP_ERROR,
            &format!("The requested URL returned error: {}", page.status.as_u16()),
        ),
        Ok(page) => {
            print(process, &options, &page);
            0
        }
        Err(error) => {
            let (code, reason) = explain(&error);
            fail(process, &options, code, &reason)
        }
    }
}

/// Parses the supported options; others are rejected.
fn parse_options(operands: &[String]) -> Result<CurlOptions, UnsupportedOption> {
    let mut options = CurlOptions::default();
    let mut words = operands.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut seconds =
            || words.next().and_then(|text| Duration::try_from_secs_f64(text.parse().ok()?).ok());
        match word {
            "--silent" => options.silent = true,
            "--show-error" => options.silent = false,
            "--fail" => options.fail = true,
            "--include" => options.head = true,
            "-m" | "--max-time" => {
                options.total = Some(seconds().ok_or_else(|| UnsupportedOption(word.to_owned()))?)
            }
            "--connect-timeout" => {
                options.connect = Some(seconds().ok_or_else(|| UnsupportedOption(word.to_owned()))?)
            }
            short if short.len() > 1 && short.starts_with('-') && !short.starts_with("--") => {
                short.chars().skip(1).try_for_each(|letter| options.set_flag(letter))?;
            }
            option if option.starts_with('-') => return Err(UnsupportedOption(option.to_owned())),
            address => options.address = address.to_owned(),
        }
    }
    Ok(options)
}

impl CurlOptions {
    /// Sets a flag by its letter.
    fn set_flag(&mut self, letter: char) -> Result<(), UnsupportedOption> {
        match letter {
            's' => self.silent = true,
            'S' => self.silent = false,
            'f' => self.fail = true,
            'i' => self.head = true,
            'v' | '4' => {}
            other => return Err(UnsupportedOption(format!("-{other}"))),
        }
        Ok(())
    }
}

fn print(process: &Process, options: &CurlOptions, page: &Page) {
    if options.head {
        process.stdout.write(format!("HTTP/1.1 {}\r\n", page.status));
        for (name, value) in &page.headers {
            process.stdout.write(format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
        }
        process.stdout.write("\r\n");
    }
    process.stdout.write(&page.body);
}

fn fail(process: &Process, options: &CurlOptions, code: i32, reason: &str) -> i32 {
    if !options.silent {
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
        FetchError::Broken(_) | FetchError::Body => (code::RECEIVE_FAILED, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let parse = |line: &str| parse_options(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let quiet = CurlOptions { address: "10.13.0.9".to_owned(), silent: true, ..CurlOptions::default() };
        assert_eq!(parse("-s 10.13.0.9"), Ok(quiet));
        let bounded = CurlOptions {
            address: "http://serve/".to_owned(),
            fail: true,
            head: true,
            connect: Some(Duration::from_secs(2)),
            total: Some(Duration::from_millis(500)),
            ..CurlOptions::default()
        };
        assert_eq!(parse("-sSfi -m 0.5 --connect-timeout 2 http://serve/"), Ok(bounded));
        assert_eq!(parse("-X POST http://serve/"), Err(UnsupportedOption("-X".to_owned())));
        assert_eq!(parse("--data x http://serve/"), Err(UnsupportedOption("--data".to_owned())));
    }
}
