//! A program in a container, as a child process: streams, signals, exit code.
//!
//! `pods::Run` runs a container's program with it, the `exec` endpoint a command. SIGKILL goes to the process group;
//! processes that left the group end with the pod.

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

/// Time to wait for output of other processes after the program has ended.
const OUTPUT_DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// Copy buffer size.
pub(crate) const COPY_CHUNK: usize = 32 << 10;

/// Ctrl-D: a terminal ends the input of a program.
const END_OF_INPUT: u8 = 0x04;

/// Streams of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Streams {
    /// Whether standard input is a pipe.
    pub(crate) stdin: bool,
    /// Whether all streams are a pseudo-terminal.
    pub(crate) tty: bool,
}

/// A running program.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Taken by the task that copies the bytes.
    pub(crate) ends: StreamEnds,
}

/// Parent side of a program's streams.
#[derive(Debug, Default)]
pub(crate) struct StreamEnds {
    pub(crate) terminal: Option<Terminal>,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Option<ChildStdout>,
    pub(crate) stderr: Option<ChildStderr>,
}

/// Cancelled to send a signal.
#[derive(Debug, Clone)]
pub(crate) struct Signals {
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
        Ok(Self { child, ends: StreamEnds { terminal, stdin, stdout, stderr } })
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // Fails if it has ended.
            let _ = kill(pid, signal);
        }
    }

    /// Kills the process group of the program.
    pub(crate) fn kill(&self) {
        if let Some(pid) = self.pid()
            && killpg(pid, Signal::SIGKILL) == Err(Errno::ESRCH)
        {
            // It has not called setsid yet.
            self.signal(Signal::SIGKILL);
        }
    }

    /// Waits for its end. The exit code is that of a shell: 128 plus the signal.
    pub(crate) async fn wait(&mut self) -> i32 {
        self.child.wait().await.map_or(crate::programs::KILLED, code)
    }

    /// Waits for its end and discards its output.
    pub(crate) async fn finish(mut self) -> i32 {
        let StreamEnds { stdout, stderr, .. } = std::mem::take(&mut self.ends);
        let mut stdout_sink = tokio::io::sink();
        let mut stderr_sink = tokio::io::sink();
        let discard = async {
            let stdout = async {
                if let Some(mut stdout) = stdout {
                    // An error ends the stream.
                    let _ = tokio::io::copy(&mut stdout, &mut stdout_sink).await;
                }
            };
            let stderr = async {
                if let Some(mut stderr) = stderr {
                    let _ = tokio::io::copy(&mut stderr, &mut stderr_sink).await;
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

    /// Copies all streams of a container's program until it ends, and sends the requested signals.
    pub(crate) async fn run(mut self, stdin: Input, stdout: Output, stderr: Output, signals: Signals) -> i32 {
        let StreamEnds { terminal, stdin: child_stdin, stdout: child_stdout, stderr: child_stderr } =
            std::mem::take(&mut self.ends);
        let input = write_input(stdin, child_stdin, terminal.clone());
        let output = async {
            tokio::join!(
                read_terminal(terminal, &stdout),
                read(child_stdout, &stdout),
                read(child_stderr, &stderr)
            );
        };
        tokio::pin!(input, output);
        let group = self.pid();
        let (mut input_done, mut output_done) = (false, false);
        let mut stopped = false;
        let code = loop {
            tokio::select! {
                code = self.wait() => break code,
                () = signals.killed.cancelled() => {
                    self.kill();
                    break self.wait().await;
                }
                () = signals.stopping.cancelled(), if !stopped => {
                    stopped = true;
                    self.signal(Signal::SIGTERM);
                }
                () = &mut input, if !input_done => input_done = true,
                () = &mut output, if !output_done => output_done = true,
            }
        };
        if let Some(group) = group {
            // Kills the processes that it left behind; usually there are none.
            let _ = killpg(group, Signal::SIGKILL);
        }
        if !output_done {
            // Other processes may hold the streams open.
            let _ = timeout(OUTPUT_DRAIN_TIMEOUT, &mut output).await;
        }
        code
    }

    fn pid(&self) -> Option<Pid> {
        self.child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw)
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(crate::programs::KILLED)
}

async fn write_input(mut input: Input, stdin: Option<ChildStdin>, terminal: Option<Terminal>) {
    let mut stdin = stdin;
    if stdin.is_none() && terminal.is_none() {
        return;
    }
    let mut buffer = vec![0; COPY_CHUNK];
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
        // Ends the input; fails if the terminal is closed.
        let _ = terminal.write_all(&[END_OF_INPUT]).await;
    }
}

async fn read(stream: Option<impl AsyncRead + Unpin>, output: &Output) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; COPY_CHUNK];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        output.write(&buffer[..length]);
    }
}

async fn read_terminal(terminal: Option<Terminal>, output: &Output) {
    let Some(terminal) = terminal else { return };
    let mut buffer = vec![0; COPY_CHUNK];
    while let Ok(length @ 1..) = terminal.read(&mut buffer).await {
        output.write(&buffer[..length]);
    }
}
