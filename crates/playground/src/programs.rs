//! Built-in programs that replace container images.
//!
//! A built-in image has a few executables written here. They take the arguments of the real image, read and write the
//! container's streams, and listen and dial on the pod's [`Interface`]. `node` starts them, `kubelet` starts commands for
//! `exec`. Images are never downloaded.
//!
//! | file | purpose |
//! | --- | --- |
//! | `agnhost`, `busybox`, `curl`, `echo`, `http_echo`, `nginx`, `pause`, `perl`, `request`, `serve`, `socat` | one image each |
//! | `shell` | `sh -c` of busybox |
//! | `go_flags`, `go_time`, `template` | flags, times and templates as Go programs have them |
//! | `web` | HTTP server and client for programs |
//! | `streams`, `log`, `terminal` | standard streams, bounded output, line discipline |
//!
//! This room uses `network`. To add an image, add a file with an [`Image`] and put it into `IMAGES`.

mod agnhost;
mod busybox;
mod curl;
mod echo;
mod go_flags;
mod go_time;
mod http_echo;
mod image_reference;
mod log;
mod nginx;
mod pause;
mod perl;
mod request;
mod serve;
mod shell;
mod socat;
mod streams;
mod template;
mod terminal;
pub(crate) mod web;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use portolan_net::Clock;
use tokio_util::sync::CancellationToken;

use crate::network::Interface;

pub(crate) use self::image_reference::is_absent;
pub use self::log::{ContainerLog, LogEntry, LogReader, NextEntry};
pub use self::streams::{Input, InputWriter, Output, Stream};
pub use self::terminal::{Typed, typed};

/// Exit code after SIGTERM, as a shell reports it.
pub const TERMINATED: i32 = 143;
/// Exit code after SIGKILL.
pub const KILLED: i32 = 137;
/// Exit code after SIGINT.
pub const INTERRUPTED: i32 = 130;

/// Resources of a running program.
#[derive(Debug)]
pub struct Process {
    /// Command line; the first word is the executable.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Arc<BTreeMap<String, String>>,
    /// Standard input; closed if the container has none.
    pub stdin: Input,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
    /// Address of the pod.
    pub network: Interface,
    /// The clock.
    pub clock: Clock,
    /// Cancelled to ask the program to end (SIGTERM).
    pub stopping: CancellationToken,
}

impl Process {
    /// The command line after the executable.
    fn operands(&self) -> &[String] {
        self.arguments.get(1..).unwrap_or_default()
    }
}

/// A running program; the result is its exit code.
pub type Running = BoxFuture<'static, i32>;

/// An executable file of an image.
#[derive(Debug)]
pub(crate) struct Executable {
    path: &'static str,
    run: fn(Process) -> Running,
}

/// A built-in image.
#[derive(Debug)]
pub struct Image {
    /// Last path segments of the repository names.
    repositories: &'static [&'static str],
    entrypoint: &'static [&'static str],
    command: &'static [&'static str],
    executables: &'static [Executable],
    /// Executables of the image that it is built on.
    base: &'static [Executable],
}

/// A command line with its executable.
#[derive(Debug)]
pub struct Invocation {
    /// Becomes [`Process::arguments`].
    pub arguments: Vec<String>,
    run: fn(Process) -> Running,
}

/// The built-in image has no such executable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("exec: \"{executable}\": executable file not found in $PATH")]
pub struct ExecutableNotFound {
    /// First word of the command line.
    pub executable: String,
}

static IMAGES: &[Image] = &[
    agnhost::IMAGE,
    serve::IMAGE,
    request::IMAGE,
    http_echo::IMAGE,
    echo::IMAGE,
    socat::IMAGE,
    nginx::IMAGE,
    busybox::IMAGE,
    curl::IMAGE,
    perl::IMAGE,
    pause::IMAGE,
];

/// Replacement of unknown images: it runs and does nothing.
static SILENT: Image = Image {
    repositories: &[],
    entrypoint: &["/silent"],
    command: &[],
    executables: &[Executable { path: "/silent", run: pause::run }],
    base: &[],
};

/// The built-in image for a reference, from any registry and with any tag.
pub fn image(reference: &str) -> Option<&'static Image> {
    IMAGES.iter().find(|image| is_named(reference, image.repositories))
}

/// Whether a reference, from any registry and with any tag, ends with one of the repository names.
pub(crate) fn is_named(reference: &str, repositories: &[&str]) -> bool {
    let repository = image_reference::repository(reference);
    repositories.iter().any(|end| ends_with_path(repository, end))
}

/// The command line of a container: `command` replaces the image's entrypoint, `args` its default arguments. Default
/// arguments are used only with the image's entrypoint (Kubernetes, "Define a Command and Arguments for a Container").
pub(crate) fn command_line(
    entrypoint: &[&str],
    default: &[&str],
    command: &[String],
    args: &[String],
) -> Vec<String> {
    let own = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    match (command.is_empty(), args.is_empty()) {
        (true, true) => [own(entrypoint), own(default)].concat(),
        (true, false) => [own(entrypoint), args.to_vec()].concat(),
        (false, _) => [command.to_vec(), args.to_vec()].concat(),
    }
}

/// The program of unknown images.
pub fn silent() -> Invocation {
    Invocation { arguments: SILENT.entrypoint.iter().map(ToString::to_string).collect(), run: pause::run }
}

impl Image {
    /// The program that a container starts.
    pub fn invoke(&self, command: &[String], args: &[String]) -> Result<Invocation, ExecutableNotFound> {
        self.execute(self.command_line(command, args))
    }

    /// The command line of a container.
    pub(crate) fn command_line(&self, command: &[String], args: &[String]) -> Vec<String> {
        command_line(self.entrypoint, self.command, command, args)
    }

    /// A command line for `exec`.
    pub fn execute(&self, arguments: Vec<String>) -> Result<Invocation, ExecutableNotFound> {
        let word = arguments.first().map(String::as_str).unwrap_or_default();
        let mut executables = self.executables.iter().chain(self.base);
        let found = executables.find(|executable| executable.is_called(word));
        match found {
            Some(executable) => Ok(Invocation { arguments, run: executable.run }),
            None => Err(ExecutableNotFound { executable: word.to_owned() }),
        }
    }
}

impl Invocation {
    /// Starts the program; it runs while the result is polled, and dropping the result kills it.
    pub fn start(self, process: Process) -> Running {
        (self.run)(Process { arguments: self.arguments, ..process })
    }
}

impl Executable {
    fn is_called(&self, word: &str) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        word == self.path || word == name || word.rsplit_once('/').is_some_and(|(_, last)| last == name)
    }
}

fn ends_with_path(repository: &str, end: &str) -> bool {
    repository.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

#[cfg(test)]
mod tests;
