//! Commands for a running playground: cut, restore and list the links between its clusters; stop, start, pause, resume and
//! list its members.
//!
//! The playground listens on a Unix socket in its state directory, protected by the directory's permissions; `portolan
//! playground cut` and the other subcommands connect to it. Each connection carries one line of JSON each way.
//!
//! `federation` executes the commands. To add one, add a variant to [`Command`] and its case in `federation/commands.rs`.

mod activity;

use std::fs::{self, File};
use std::future::pending;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use portolan_net::Shutdown;
use portolan_net::accept::{self, AcceptOptions};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

pub(crate) use self::activity::Step;
pub use self::activity::{Action, Activity};

/// Name of the socket in the state directory.
const SOCKET: &str = "control.sock";
/// Bytes of a command; longer lines are rejected.
const MAX_LINE_BYTES: u64 = 64 << 10;
/// Timeout of one connection. A member starts in a second or two.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);
/// Exchanges at a time; more wait in the kernel.
const MAX_EXCHANGES: usize = 16;

/// Command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Command {
    /// Drop all traffic between two clusters.
    Cut(String, String),
    /// Stop dropping it.
    Restore(String, String),
    /// List all links.
    Links,
    /// Stop, start, pause or resume a member.
    Act(Action, String),
    /// List all members.
    Members,
}

/// The state of the link between two clusters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkState {
    /// Names of the clusters, sorted.
    pub clusters: (String, String),
    /// Whether traffic passes.
    pub up: bool,
}

/// The state of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberState {
    /// Its name.
    pub name: String,
    /// What it does.
    pub activity: Activity,
}

/// The state after a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Listing {
    /// Of all links.
    Links(Vec<LinkState>),
    /// Of all members.
    Members(Vec<MemberState>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Answer {
    Done(Listing),
    Refused(String),
}

/// Executes a command. The error is the text for the user.
pub(crate) type Execute = Arc<dyn Fn(Command) -> BoxFuture<'static, Result<Listing, String>> + Send + Sync>;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No playground listens.
    #[error("no playground runs on {path} ({source}): start one with `portolan playground --dir {path}`")]
    NotRunning {
        /// State directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The playground does not answer.
    #[error("the playground on {path} does not answer: {source}")]
    Broken {
        /// State directory.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The playground rejects the command.
    #[error("{0}")]
    Refused(String),
}

/// Listens on the socket in `directory` until `scope` ends.
///
/// # Errors
/// When the socket cannot be created. A socket of a killed playground is replaced.
pub(crate) fn listen(directory: &Path, execute: Execute, scope: &Shutdown) -> io::Result<()> {
    match fs::remove_file(directory.join(SOCKET)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (open, path) = short_path(directory)?;
    let listener = UnixListener::bind(path)?;
    drop(open);
    let directory = directory.to_owned();
    let options = AcceptOptions { listener: "playground control", max_connections: MAX_EXCHANGES };
    portolan_runtime::scope::spawn_until_stop(scope, async move {
        let _remove = RemovedOnDrop(directory.join(SOCKET));
        accept::serve(listener, options, pending(), |stream| {
            let execute = execute.clone();
            async move {
                // A client that leaves or stalls gets no answer.
                let _ = timeout(EXCHANGE_TIMEOUT, answer(stream, &execute)).await;
            }
        })
        .await;
    });
    Ok(())
}

/// Sends a command to the playground with this state directory. Returns the state after the command.
///
/// # Errors
/// [`ControlError`] naming the directory or the reason.
pub async fn send(directory: &Path, command: &Command) -> Result<Listing, ControlError> {
    let not_running = |source| ControlError::NotRunning { path: directory.to_owned(), source };
    let (_open, path) = short_path(directory).map_err(not_running)?;
    let stream = UnixStream::connect(path).await.map_err(not_running)?;
    let exchange = async {
        let mut stream = BufReader::new(stream);
        stream.write_all(format!("{}\n", serde_json::to_string(command)?).as_bytes()).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        Ok::<Answer, io::Error>(serde_json::from_str(&line)?)
    };
    let answered =
        timeout(EXCHANGE_TIMEOUT, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match answered.map_err(|source| ControlError::Broken { path: directory.to_owned(), source })? {
        Answer::Done(listing) => Ok(listing),
        Answer::Refused(problem) => Err(ControlError::Refused(problem)),
    }
}

/// A path of the socket below the length limit of socket addresses. It is valid while the file is open.
fn short_path(directory: &Path) -> io::Result<(File, PathBuf)> {
    let open = File::open(directory)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", open.as_raw_fd())).join(SOCKET);
    Ok((open, path))
}

struct RemovedOnDrop(PathBuf);

impl Drop for RemovedOnDrop {
    fn drop(&mut self) {
        // The next start replaces a socket that is left.
        let _ = fs::remove_file(&self.0);
    }
}

async fn answer(stream: UnixStream, execute: &Execute) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reader.take(MAX_LINE_BYTES)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(command) => execute(command).await.map_or_else(Answer::Refused, Answer::Done),
        Err(error) => Answer::Refused(format!("this is not a command of this release: {error}")),
    };
    writer.write_all(format!("{}\n", serde_json::to_string(&answer)?).as_bytes()).await
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn listing() -> Listing {
        Listing::Members(vec![MemberState { name: "one".to_owned(), activity: Activity::Paused }])
    }

    #[tokio::test]
    async fn a_command_arrives_and_its_listing_or_refusal_comes_back() {
        let scratch = tempfile::tempdir().expect("a directory");
        // Longer than a socket's own path may be.
        let directory = scratch.path().join("long".repeat(40));
        fs::create_dir(&directory).expect("a directory");
        let error = send(&directory, &Command::Links).await.expect_err("nothing listens").to_string();
        assert!(error.contains("no playground runs on"), "{error}");

        let pause = Command::Act(Action::Pause, "one".to_owned());
        let (scope, known) = (Shutdown::new(), pause.clone());
        let execute: Execute = Arc::new(move |command: Command| {
            let answer = if command == known { Ok(listing()) } else { Err(format!("not {command:?}")) };
            async move { answer }.boxed()
        });
        listen(&directory, execute, &scope).expect("listens");
        assert_eq!(send(&directory, &pause).await.expect("an answer"), listing());
        assert_eq!(send(&directory, &Command::Links).await.expect_err("refused").to_string(), "not Links");
    }
}
