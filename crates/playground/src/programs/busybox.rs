//! `busybox` and `alpine`: some of their commands.

use std::time::Duration;

use http::header;
use tokio::io::AsyncReadExt;

use crate::programs::shell::{self, Programs};
use crate::programs::web::{self, FetchError};
use crate::programs::{Executable, Image, Process, Running, TERMINATED, curl};

pub(crate) const IMAGE: Image = Image {
    repositories: &["busybox", "alpine"],
    entrypoint: &[],
    command: &["sh"],
    executables: COMMANDS,
    base: &[],
};

/// The commands, which images of a distribution have too.
pub(crate) const COMMANDS: &[Executable] = &[
    Executable { path: "/bin/sh", run: |process| ended_by_signal(process, shell) },
    Executable { path: "/bin/sleep", run: |process| ended_by_signal(process, sleep) },
    Executable { path: "/bin/echo", run: |process| ended_by_signal(process, echo) },
    Executable { path: "/bin/cat", run: |process| ended_by_signal(process, cat) },
    Executable { path: "/bin/hostname", run: |process| ended_by_signal(process, hostname) },
    Executable { path: "/usr/bin/env", run: |process| ended_by_signal(process, env) },
    Executable { path: "/bin/true", run: |process| ended_by_signal(process, async |_| 0) },
    Executable { path: "/bin/false", run: |process| ended_by_signal(process, async |_| 1) },
    Executable { path: "/usr/bin/wget", run: |process| ended_by_signal(process, wget) },
];

/// What the shell runs.
static PROGRAMS: Programs =
    Programs { executables: COMMANDS, packages: &[("curl", curl::IMAGE.executables)] };

/// Runs a command that does not handle signals.
fn ended_by_signal<C, F>(process: Process, command: C) -> Running
where
    C: FnOnce(Process) -> F + Send + 'static,
    F: Future<Output = i32> + Send,
{
    Box::pin(async move {
        let stopping = process.stopping.clone();
        tokio::select! {
            code = command(process) => code,
            () = stopping.cancelled() => TERMINATED,
        }
    })
}

async fn shell(process: Process) -> i32 {
    shell::run(process, &PROGRAMS).await
}

async fn sleep(process: Process) -> i32 {
    let mut total = Duration::ZERO;
    for word in process.operands() {
        match sleep_time(word) {
            Some(time) => total = total.saturating_add(time),
            None => {
                process.stderr.line(format_args!("sleep: invalid number '{word}'"));
                return 1;
            }
        }
    }
    if process.operands().is_empty() {
        process.stderr.line("Usage: sleep [N]...");
        return 1;
    }
    tokio::time::sleep(total).await;
    0
}

/// `10`, `0.5`, `1m`, `inf`.
fn sleep_time(word: &str) -> Option<Duration> {
    if matches!(word, "inf" | "infinity") {
        return Some(Duration::MAX);
    }
    let seconds_per_unit = match word.chars().last()? {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3_600.0,
        'd' => 86_400.0,
        _ => return Duration::try_from_secs_f64(word.parse().ok()?).ok(),
    };
    let number: f64 = word[..word.len() - 1].parse().ok()?;
    Duration::try_from_secs_f64(number * seconds_per_unit).ok()
}

async fn echo(process: Process) -> i32 {
    match process.operands() {
        [first, rest @ ..] if first == "-n" => process.stdout.write(rest.join(" ")),
        words => process.stdout.line(words.join(" ")),
    }
    0
}

async fn cat(mut process: Process) -> i32 {
    if let Some(file) = process.operands().iter().find(|word| *word != "-") {
        process.stderr.line(format_args!("cat: can't open '{file}': No such file or directory"));
        return 1;
    }
    let mut buffer = vec![0; 4096];
    loop {
        match process.stdin.read(&mut buffer).await {
            Ok(0) => return 0,
            Ok(length) => process.stdout.write(&buffer[..length]),
            Err(error) => {
                process.stderr.line(format_args!("cat: read error: {error}"));
                return 1;
            }
        }
    }
}

async fn hostname(process: Process) -> i32 {
    let name = process.environment.get("HOSTNAME").map(String::as_str).unwrap_or_default();
    match process.operands().first().map(String::as_str) {
        Some("-i") => process.stdout.line(process.network.address()),
        _ => process.stdout.line(name),
    }
    0
}

async fn env(process: Process) -> i32 {
    for (name, value) in process.environment.iter() {
        process.stdout.line(format_args!("{name}={value}"));
    }
    0
}

async fn wget(process: Process) -> i32 {
    let mut address = None;
    let (mut output, mut timeout) = (None, Duration::from_secs(900));
    let mut words = process.operands().iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "-q" | "-S" => {}
            "-O-" | "-qO-" => output = Some("-"),
            "-O" | "-qO" => output = words.next(),
            "-T" => match words.next().and_then(sleep_time) {
                Some(time) => timeout = time,
                None => return misuse(&process, "-T"),
            },
            option if option.starts_with('-') => return misuse(&process, option),
            other => address = Some(other),
        }
    }
    let Some(address) = address else { return misuse(&process, "no address") };
    let address = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
    let agent = [(header::USER_AGENT, "Wget")];
    match web::fetch(&process.network, &address, &agent, timeout, timeout).await {
        Ok(page) if page.status.is_success() => {
            match output {
                Some("-") => process.stdout.write(page.body),
                // A container on the loopback network has no files.
                _ => {
                    process.stderr.line(format_args!("fetched {} bytes, which are not kept", page.body.len()))
                }
            }
            0
        }
        Ok(page) => {
            process.stderr.line(format_args!("wget: server returned error: HTTP/1.1 {}", page.status));
            1
        }
        Err(error) => {
            process.stderr.line(format_args!("wget: {}", wget_reason(&error)));
            1
        }
    }
}

fn misuse(process: &Process, what: &str) -> i32 {
    process
        .stderr
        .line(format_args!("wget: {what}: supported are -q, -O - and -T SECONDS, and an http address"));
    1
}

fn wget_reason(error: &FetchError) -> String {
    match error {
        FetchError::NoSuchHost(host) => format!("bad address '{host}'"),
        FetchError::Dial { to, source } => format!("can't connect to remote host ({}): {source}", to.ip()),
        FetchError::TimedOut => "download timed out".to_owned(),
        other => other.to_string(),
    }
}
