//! The images that the playground can play, and what a program is.
//!
//! A container image stands for a few executables written here, which take the real image's arguments, read and write
//! the container's streams, and listen and dial on the pod's [`Interface`]. The node part starts them; the kubelet
//! endpoints start further ones for `exec`. Nothing of an image is ever downloaded.

mod busybox;
mod curl;
mod echo;
mod go_flags;
mod go_time;
mod http_echo;
mod image_reference;
mod journal;
mod nginx;
mod pause;
mod request;
mod serve;
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

pub use self::journal::{Cursor, Entry, Journal, Seen};
pub use self::streams::{Feeder, Input, Output, Stream};
pub use self::terminal::{Typed, typed};

/// The code of a program that was ended by SIGTERM, as a shell reports it.
pub const TERMINATED: i32 = 143;
/// The code of a program that was ended by SIGKILL.
pub const KILLED: i32 = 137;
/// The code of a program that was ended by SIGINT.
pub const INTERRUPTED: i32 = 130;

/// What a running program holds.
#[derive(Debug)]
pub struct Process {
    /// The command line; the first word is the executable.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Arc<BTreeMap<String, String>>,
    /// Standard input; at its end at once when the container has none.
    pub stdin: Input,
    /// Standard output.
    pub stdout: Output,
    /// Standard error.
    pub stderr: Output,
    /// The pod's place on the network.
    pub network: Interface,
    /// The time.
    pub clock: Clock,
    /// Cancelled when the program is asked to end.
    pub stopping: CancellationToken,
}

impl Process {
    /// Everything after the executable.
    fn operands(&self) -> &[String] {
        self.arguments.get(1..).unwrap_or_default()
    }
}

/// A program in execution; the result is its exit code.
pub type Running = BoxFuture<'static, i32>;

/// A file of an image that can be run.
#[derive(Debug)]
pub(crate) struct Executable {
    path: &'static str,
    run: fn(Process) -> Running,
}

/// An image that is played.
#[derive(Debug)]
pub struct Image {
    /// The end of the repository names that mean it: whole path segments.
    repositories: &'static [&'static str],
    entrypoint: &'static [&'static str],
    command: &'static [&'static str],
    executables: &'static [Executable],
}

/// A command line and the executable that it starts.
#[derive(Debug)]
pub struct Invocation {
    /// The command line, to be put into [`Process::arguments`].
    pub arguments: Vec<String>,
    run: fn(Process) -> Running,
}

/// The image has no such file, or the file is not played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("exec: \"{executable}\": executable file not found in $PATH")]
pub struct ExecutableNotFound {
    /// The first word of the command line.
    pub executable: String,
}

static IMAGES: &[Image] = &[
    serve::IMAGE,
    request::IMAGE,
    http_echo::IMAGE,
    echo::IMAGE,
    socat::IMAGE,
    nginx::IMAGE,
    busybox::IMAGE,
    curl::IMAGE,
    pause::IMAGE,
];

/// An image whose repository is not known: it runs, and nothing in it does anything.
static SILENT: Image = Image {
    repositories: &[],
    entrypoint: &["/silent"],
    command: &[],
    executables: &[Executable { path: "/silent", run: pause::run }],
};

/// The image that `reference` names, from any registry and with any tag; `None` when it is not played.
pub fn image(reference: &str) -> Option<&'static Image> {
    IMAGES.iter().find(|image| is_named(reference, image.repositories))
}

/// Whether a reference, from any registry and with any tag, ends with one of some repository names.
pub(crate) fn is_named(reference: &str, repositories: &[&str]) -> bool {
    let repository = image_reference::repository(reference);
    repositories.iter().any(|end| ends_with_path(repository, end))
}

/// The command line of a container: `command` replaces the image's entrypoint and `args` its default arguments,
/// which count only with the entrypoint they were made for (Kubernetes, "Define a command and arguments").
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

/// The invocation that stands for every image that is not played.
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

    /// A command line inside of the image, as `exec` gives it.
    pub fn execute(&self, arguments: Vec<String>) -> Result<Invocation, ExecutableNotFound> {
        let word = arguments.first().map(String::as_str).unwrap_or_default();
        let found = self.executables.iter().find(|executable| executable.is_called(word));
        match found {
            Some(executable) => Ok(Invocation { arguments, run: executable.run }),
            None => Err(ExecutableNotFound { executable: word.to_owned() }),
        }
    }
}

impl Invocation {
    /// Starts the program; it runs when the result is polled and is killed when that is dropped.
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
