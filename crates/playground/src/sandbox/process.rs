//! One program in a container, as a child of this process: its streams, its signals, its exit code.
//!
//! `containers::Run` plays a container's own program with it, the `exec` endpoint further ones. Signals for all go to
//! the program's process group; what leaves the group ends with the pod.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::programs::{Input, Output};
use crate::sandbox::Terminal;

/// How long output is waited for that something else than the program may still write.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Bytes that are moved at once.
pub(crate) const PIECE: usize = 32 << 10;

/// The key by which a terminal ends the input of a program.
const END_OF_INPUT: u8 = 0x04;

/// Which streams a program gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Streams {
    /// Whether its input can be fed.
    pub(crate) stdin: bool,
    /// Whether all its streams are a terminal.
    pub(crate) tty: bool,
}

/// A program that runs.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Its streams, to be taken by who moves the bytes.
    pub(crate) ends: Ends,
}

/// This side of a program's streams.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) terminal: Option<Terminal>,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
}

/// How a program is made to end.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    /// SIGTERM.
    pub(crate) stopping: CancellationToken,
    /// SIGKILL.
    pub(crate) killed: CancellationToken,
}

impl Process {
    pub(super) async fn start(
        mut command: Command,
        enter: impl FnOnce() -> io::Result<()> + Send + 'static,
        with: Streams,
    ) -> io::Result<Self> {
        let terminal = if with.tty {
            let (near, far) = Terminal::open()?;
            command.stdin(far.try_clone()?).stdout(far.try_clone()?).stderr(far);
            Some(near)
        } else {
            command.stdin(if with.stdin { Stdio::piped() } else { Stdio::null() });
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            None
        };
        let mut child = super::spawn(command, enter).await?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        Ok(Self { child, ends: Ends { terminal, stdin, stdout, stderr } })
    }

    /// Sends a signal to the program alone.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(number) = self.number() {
            // It may have ended meanwhile.
            let _ = kill(number, signal);
        }
    }

    /// Ends the program and what it has started.
    pub(crate) fn kill(&self) {
        if let Some(number) = self.number()
            && killpg(number, Signal::SIGKILL) == Err(Errno::ESRCH)
        {
            // It has no group of its own yet.
            self.signal(Signal::SIGKILL);
        }
    }

    /// Waits for its end and tells the code as a shell would.
    pub(crate) async fn wait(&mut self) -> i32 {
        self.child.wait().await.map_or(crate::programs::KILLED, code)
    }

    /// Waits for its end, whatever it writes meanwhile.
    pub(crate) async fn finish(mut self) -> i32 {
        let Ends { stdout, stderr, .. } = std::mem::take(&mut self.ends);
        let mut nowhere = tokio::io::sink();
        let mut nowhere_either = tokio::io::sink();
        let discard = async {
            let stdout = async {
                if let Some(mut stdout) = stdout {
                    // A stream that breaks off is at its end.
                    let _ = tokio::io::copy(&mut stdout, &mut nowhere).await;
                }
            };
            let stderr = async {
                if let Some(mut stderr) = stderr {
                    let _ = tokio::io::copy(&mut stderr, &mut nowhere_either).await;
                }
            };
            tokio::join!(stdout, stderr);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            code = self.wait() => code,
            () = discard => crate::programs::KILLED,
        }
    }

    /// Moves all streams of a container's own program until it ends, and carries out orders.
    pub(crate) async fn play(mut self, stdin: Input, stdout: Output, stderr: Output, orders: Orders) -> i32 {
        let Ends { terminal, stdin: child_stdin, stdout: child_stdout, stderr: child_stderr } =
            std::mem::take(&mut self.ends);
        let feed = feed(stdin, child_stdin, terminal.clone());
        let output = async {
            tokio::join!(
                read_terminal(terminal, &stdout),
                read(child_stdout, &stdout),
                read(child_stderr, &stderr)
            );
        };
        tokio::pin!(feed, output);
        let group = self.number();
        let (mut is_fed, mut is_silent) = (false, false);
        let mut stopped = false;
        let code = loop {
            tokio::select! {
                code = self.wait() => break code,
                () = orders.killed.cancelled() => {
                    self.kill();
                    break self.wait().await;
                }
                () = orders.stopping.cancelled(), if !stopped => {
                    stopped = true;
                    self.signal(Signal::SIGTERM);
                }
                () = &mut feed, if !is_fed => is_fed = true,
                () = &mut output, if !is_silent => is_silent = true,
            }
        };
        if let Some(group) = group {
            // What it has started ends with it; mostly there is nobody left.
            let _ = killpg(group, Signal::SIGKILL);
        }
        if !is_silent {
            // Somebody else may hold the streams open for ever.
            let _ = timeout(LAST_WORDS, &mut output).await;
        }
        code
    }

    fn number(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(crate::programs::KILLED)
}

async fn feed(mut input: Input, stdin: Option<ChildStdin>, terminal: Option<Terminal>) {
    let mut stdin = stdin;
    if stdin.is_none() && terminal.is_none() {
        return;
    }
    let mut buffer = vec![0; PIECE];
    while let Ok(length @ 1..) = input.read(&mut buffer).await {
        let bytes = &buffer[..length];
        let written = match (&mut stdin, &terminal) {
            (Some(stdin), _) => stdin.write_all(bytes).await,
            (None, Some(terminal)) => terminal.write_all(bytes).await,
            (None, None) => return,
        };
        if written.is_err() {
            return;
        }
    }
    if let (None, Some(terminal)) = (&stdin, &terminal) {
        // The end of what is typed; a terminal that has hung up needs none.
        let _ = terminal.write_all(&[END_OF_INPUT]).await;
    }
}

async fn read(stream: Option<impl AsyncRead + Unpin>, output: &Output) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; PIECE];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        output.write(&buffer[..length]);
    }
}

async fn read_terminal(terminal: Option<Terminal>, output: &Output) {
    let Some(terminal) = terminal else { return };
    let mut buffer = vec![0; PIECE];
    while let Ok(length @ 1..) = terminal.read(&mut buffer).await {
        output.write(&buffer[..length]);
    }
}
