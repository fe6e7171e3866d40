//! One run of a program: the container's program, or one started by `exec`.
//!
//! A run owns its task, its output and its input. It ends by itself, after [`Run::stop`] (SIGTERM), by [`Run::kill`]
//! (SIGKILL), or with its scope.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use jiff::Timestamp;
use portolan_net::{Clock, Shutdown};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::network::Interface;
use crate::programs::{
    ContainerLog, INTERRUPTED, Input, InputWriter, Invocation, KILLED, LogReader, Output, Process, Stream,
    TERMINATED, typed,
};
use crate::sandbox::{self, Root, Signals, Terminal};

/// Exit code of a built-in program that panicked, as a shell reports SIGABRT.
const ABORTED: i32 = 134;

/// Network, clock and streams of a container's programs.
#[derive(Debug, Clone)]
pub struct ContainerSettings {
    /// Address of the pod.
    pub network: Interface,
    /// The clock.
    pub clock: Clock,
    /// Standard input.
    pub stdin: StdinMode,
    /// Whether it has a terminal.
    pub tty: bool,
}

/// Standard input of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StdinMode {
    /// Closed: reads return the end of the stream.
    Closed,
    /// Open until the first client that wrote to it disconnects (`stdinOnce`).
    Once,
    /// Open as long as the program runs.
    Open,
}

/// End of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// Exit code.
    pub code: i32,
    /// Time of the end.
    pub at: Timestamp,
}

/// Program of a run.
#[derive(Debug)]
pub(crate) enum Program {
    /// A built-in program, on a task of this process.
    BuiltIn(Invocation),
    /// A process, and the file system of its container.
    Process(Box<sandbox::Process>, Arc<Root>),
}

impl From<Invocation> for Program {
    fn from(invocation: Invocation) -> Self {
        Self::BuiltIn(invocation)
    }
}

/// Size of a terminal, as clients send it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct TerminalSize {
    /// Columns.
    pub(crate) width: u16,
    /// Rows.
    pub(crate) height: u16,
}

/// A program that runs or has run.
#[derive(Debug)]
pub struct Run {
    /// `containerID` of the run.
    pub id: String,
    /// Time of the start.
    pub started: Timestamp,
    /// Its output.
    pub log: ContainerLog,
    /// Environment variables.
    pub environment: Arc<BTreeMap<String, String>>,
    input: tokio::sync::Mutex<Option<InputWriter>>,
    stdin: StdinMode,
    tty: bool,
    terminal: Option<Terminal>,
    root: Option<Arc<Root>>,
    echo: Output,
    exit: watch::Receiver<Option<Exit>>,
    stopping: CancellationToken,
    killed: CancellationToken,
    interrupted: Arc<AtomicBool>,
    was_viewed: AtomicBool,
}

impl Run {
    /// Starts a program on a task of `scope`.
    pub(crate) fn start(
        program: impl Into<Program>,
        settings: &ContainerSettings,
        environment: Arc<BTreeMap<String, String>>,
        scope: &Shutdown,
    ) -> Arc<Self> {
        let (log, clock) = (ContainerLog::default(), settings.clock.clone());
        let program = program.into();
        let (terminal, root) = match &program {
            Program::BuiltIn(_) => (None, None),
            Program::Process(process, root) => (process.ends.terminal.clone(), Some(root.clone())),
        };
        let output = |stream| match settings.tty && terminal.is_none() {
            true => Output::terminal(log.clone(), clock.clone()),
            false => Output::new(log.clone(), stream, clock.clone()),
        };
        let (stdin, input) = match settings.stdin {
            StdinMode::Closed => (Input::none(), None),
            StdinMode::Once | StdinMode::Open => {
                let (input, writer) = Input::pipe();
                (input, Some(writer))
            }
        };
        let (exit_sender, exit) = watch::channel(None);
        let run = Arc::new(Self {
            id: format!("portolan://{0}{0}", uuid::Uuid::new_v4().simple()),
            started: clock.now(),
            log: log.clone(),
            environment: environment.clone(),
            input: tokio::sync::Mutex::new(input),
            stdin: settings.stdin,
            tty: settings.tty,
            terminal: terminal.clone(),
            root,
            echo: output(Stream::Stdout),
            exit,
            stopping: CancellationToken::new(),
            killed: CancellationToken::new(),
            interrupted: Arc::default(),
            was_viewed: AtomicBool::new(false),
        });
        let (stdout, stderr) = (output(Stream::Stdout), output(Stream::Stderr));
        let network = settings.network.clone();
        let (stopping, killed) = (run.stopping.clone(), run.killed.clone());
        let (interrupted, scope_ended) = (run.interrupted.clone(), scope.clone());
        // The scope waits for the task; the exit is read from the channel.
        let _handle = scope.spawn(async move {
            let code = match program {
                Program::BuiltIn(invocation) => {
                    let clock = clock.clone();
                    let arguments = Vec::new();
                    let process =
                        Process { arguments, environment, stdin, stdout, stderr, network, clock, stopping };
                    let program = invocation.start(process);
                    tokio::select! {
                        code = AssertUnwindSafe(program).catch_unwind() => code.unwrap_or(ABORTED),
                        () = killed.cancelled() => KILLED,
                        () = scope_ended.requested() => KILLED,
                    }
                }
                Program::Process(process, _) => {
                    let signals = Signals { stopping, killed };
                    // Dropping the process kills it; other processes end with the pod.
                    tokio::select! {
                        code = process.run(stdin, stdout, stderr, signals) => code,
                        () = scope_ended.requested() => KILLED,
                    }
                }
            };
            let code =
                if code == TERMINATED && interrupted.load(Ordering::Acquire) { INTERRUPTED } else { code };
            log.close();
            exit_sender.send_replace(Some(Exit { code, at: clock.now() }));
        });
        run
    }

    /// Its end; `None` while it runs.
    pub fn exit(&self) -> Option<Exit> {
        *self.exit.borrow()
    }

    /// Waits for the end.
    pub async fn exited(&self) -> Exit {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await.map(|exit| *exit) {
            Ok(Some(exit)) => exit,
            // The scope dropped the task at its deadline.
            _ => Exit { code: KILLED, at: self.started },
        }
    }

    /// Asks the program to end (SIGTERM).
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Kills the program (SIGKILL); a built-in program ends at its next await.
    pub fn kill(&self) {
        self.killed.cancel();
    }

    /// A reader of the output. The first viewer of a container with standard input also gets the output written before
    /// `kubectl run -i` attached, unless it was read as a log. Other viewers get new output only.
    pub fn view(&self) -> LogReader {
        let is_first = !self.was_viewed.swap(true, Ordering::AcqRel);
        if is_first && self.stdin != StdinMode::Closed { self.log.from_unread() } else { self.log.from_now() }
    }

    /// Whether this container has standard input and was not viewed yet.
    pub fn awaits_viewer(&self) -> bool {
        self.stdin != StdinMode::Closed && !self.was_viewed.load(Ordering::Acquire)
    }

    /// Writes to standard input, waiting while the pipe is full. Bytes after the program closed it are dropped.
    pub async fn write_input(&self, bytes: &[u8]) {
        // A pseudo-terminal echoes and sends signals by itself.
        if !self.tty || self.terminal.is_some() {
            return self.write_to_pipe(bytes).await;
        }
        let typed = typed(bytes);
        self.echo.write_raw(&typed.echo);
        self.write_to_pipe(&typed.input).await;
        if typed.interrupt {
            self.interrupted.store(true, Ordering::Release);
            self.stop();
        }
        if typed.end {
            self.input.lock().await.take();
        }
    }

    /// Sets the size of the pseudo-terminal, if there is one.
    pub(crate) fn resize(&self, size: TerminalSize) {
        if let Some(terminal) = &self.terminal {
            terminal.resize(size.width, size.height);
        }
    }

    /// The file system of the container, if the program is a process.
    pub(crate) fn root(&self) -> Option<&Arc<Root>> {
        self.root.as_ref()
    }

    /// A client that wrote to standard input disconnects: closes it for [`StdinMode::Once`].
    pub async fn detach_input(&self) {
        if self.stdin == StdinMode::Once {
            self.input.lock().await.take();
        }
    }

    async fn write_to_pipe(&self, bytes: &[u8]) {
        let mut input = self.input.lock().await;
        if let Some(open) = input.as_mut()
            && open.write(bytes).await.is_err()
        {
            input.take();
        }
    }
}
