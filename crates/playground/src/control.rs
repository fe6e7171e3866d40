//! Commands for a running playground: cut, restore and list the links between its clusters.
//!
//! The playground listens on a Unix socket in its state directory, protected by the directory's permissions; `portolan
//! playground cut` and the other subcommands connect to it. Each connection carries one line of JSON each way.
//!
//! This room uses `network`. To add a command, add a variant to [`Command`] and its case in `execute`.

use std::fs::{self, File};
use std::future::pending;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portolan_net::Shutdown;
use portolan_net::accept::{self, AcceptOptions};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::network::{ClusterName, Link, Network, SwitchError};

/// Name of the socket in the state directory.
const SOCKET: &str = "control.sock";
/// Bytes of a command; longer lines are rejected.
const MAX_LINE_BYTES: u64 = 64 << 10;
/// Timeout of one connection.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);
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

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Answer {
    Links(Vec<LinkState>),
    Refused(String),
}

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
pub(crate) fn listen(directory: &Path, network: &Network, scope: &Shutdown) -> io::Result<()> {
    match fs::remove_file(directory.join(SOCKET)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (open, path) = short_path(directory)?;
    let listener = UnixListener::bind(path)?;
    drop(open);
    let (network, directory) = (network.clone(), directory.to_owned());
    let options = AcceptOptions { listener: "playground control", max_connections: MAX_EXCHANGES };
    portolan_runtime::scope::spawn_until_stop(scope, async move {
        let _remove = RemovedOnDrop(directory.join(SOCKET));
        accept::serve(listener, options, pending(), |stream| {
            let network = network.clone();
            async move {
                // A client that leaves or stalls gets no answer.
                let _ = timeout(EXCHANGE_TIMEOUT, answer(stream, &network)).await;
            }
        })
        .await;
    });
    Ok(())
}

/// Sends a command to the playground with this state directory. Returns the links after the command.
///
/// # Errors
/// [`ControlError`] naming the directory or the reason.
pub async fn send(directory: &Path, command: &Command) -> Result<Vec<LinkState>, ControlError> {
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
        Answer::Links(links) => Ok(links),
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

async fn answer(stream: UnixStream, network: &Network) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reader.take(MAX_LINE_BYTES)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(command) => match execute(command, network).await {
            Ok(()) => Answer::Links(links(network)),
            Err(error) => Answer::Refused(error.to_string()),
        },
        Err(error) => Answer::Refused(format!("this is not a command of this release: {error}")),
    };
    writer.write_all(format!("{}\n", serde_json::to_string(&answer)?).as_bytes()).await
}

async fn execute(command: Command, network: &Network) -> Result<(), SwitchError> {
    let (a, b, link) = match command {
        Command::Cut(a, b) => (a, b, Link::Silent),
        Command::Restore(a, b) => (a, b, Link::Up),
        Command::Links => return Ok(()),
    };
    network.switch_link(&ClusterName::new(&*a), &ClusterName::new(&*b), link).await
}

fn links(network: &Network) -> Vec<LinkState> {
    let state = |(a, b, link): (ClusterName, ClusterName, Link)| LinkState {
        clusters: (a.to_string(), b.to_string()),
        up: link == Link::Up,
    };
    network.links().into_iter().map(state).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        let network = Network::new();
        for (number, name) in ["one", "three", "two"].into_iter().enumerate() {
            let range = |second: usize| format!("10.{second}.0.0/16").parse().expect("a range");
            network
                .add_cluster(&ClusterName::new(name), range(10 + number), range(20 + number))
                .expect("the ranges are free");
        }
        network
    }

    async fn text(directory: &Path, command: Command) -> String {
        match send(directory, &command).await {
            Ok(links) => links
                .iter()
                .map(|link| {
                    format!("{}-{} {}", link.clusters.0, link.clusters.1, if link.up { "up" } else { "cut" })
                })
                .collect::<Vec<_>>()
                .join(", "),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn links_are_cut_and_restored() {
        let scratch = tempfile::tempdir().expect("a directory");
        // Longer than a socket's own path may be.
        let directory = scratch.path().join("long".repeat(40));
        fs::create_dir(&directory).expect("a directory");
        let scope = Shutdown::new();
        assert!(text(&directory, Command::Links).await.contains("no playground runs on"));
        listen(&directory, &network(), &scope).expect("listens");
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let (one, two) = pair("one", "two");
        assert_eq!(text(&directory, Command::Links).await, "one-three up, one-two up, three-two up");
        let cut = text(&directory, Command::Cut(two.clone(), one.clone())).await;
        assert_eq!(cut, "one-three up, one-two cut, three-two up");
        let restored = text(&directory, Command::Restore(one.clone(), two)).await;
        assert_eq!(restored, "one-three up, one-two up, three-two up");
        let unknown = text(&directory, Command::Cut(one.clone(), "four".to_owned())).await;
        assert_eq!(unknown, "there is no cluster four; there are one, three, two");
        assert_eq!(text(&directory, Command::Cut(one.clone(), one)).await, "one has no link to itself");
    }
}
