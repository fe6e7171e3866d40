//! One run of a program in a container, or next to one by `exec`.
//!
//! A run owns its task, its output and its input. It ends by itself, by [`Run::stop`] (the program may take its
//! time), by [`Run::kill`], or with the scope it was started in.

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
    Cursor, Feeder, INTERRUPTED, Input, Invocation, Journal, KILLED, Output, Process, Stream, TERMINATED,
    typed,
};
use crate::sandbox::{self, Orders, Root, Terminal};

/// The code of a program that broke, as a shell reports an abort.
const BROKEN: i32 = 134;

/// What a program is given beside its command line and environment.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The pod's place on the network.
    pub network: Interface,
    /// The time.
    pub clock: Clock,
    /// Whether its input can be fed, and until when.
    pub stdin: Stdin,
    /// Whether it has a terminal.
    pub tty: bool,
}

/// The input of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdin {
    /// None: at its end from the start.
    Closed,
    /// Open until the first one who fed it leaves (`stdinOnce`).
    Once,
    /// Open as long as the program runs.
    Open,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The program's code.
    pub code: i32,
    /// When.
    pub at: Timestamp,
}

/// What a run is made from.
#[derive(Debug)]
pub(crate) enum Program {
    /// A built-in program, on a task of this process.
    Played(Invocation),
    /// A process in the container with this file system.
    Real(Box<sandbox::Process>, Arc<Root>),
}

impl From<Invocation> for Program {
    fn from(invocation: Invocation) -> Self {
        Self::Played(invocation)
    }
}

/// The size of a terminal, as clients tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Size {
    /// Columns.
    pub(crate) width: u16,
    /// Rows.
    pub(crate) height: u16,
}

/// A program that runs or has run.
#[derive(Debug)]
pub struct Run {
    /// The identity of the run, as `containerID` gives it.
    pub id: String,
    /// When it started.
    pub started: Timestamp,
    /// What it has written.
    pub journal: Journal,
    /// The environment it was started with.
    pub environment: Arc<BTreeMap<String, String>>,
    feeder: tokio::sync::Mutex<Option<Feeder>>,
    stdin: Stdin,
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
        setting: &Setting,
        environment: Arc<BTreeMap<String, String>>,
        scope: &Shutdown,
    ) -> Arc<Self> {
        let (journal, clock) = (Journal::default(), setting.clock.clone());
        let program = program.into();
        let (terminal, root) = match &program {
            Program::Played(_) => (None, None),
            Program::Real(process, root) => (process.ends.terminal.clone(), Some(root.clone())),
        };
        let output = |stream| match setting.tty && terminal.is_none() {
            true => Output::terminal(journal.clone(), clock.clone()),
            false => Output::new(journal.clone(), stream, clock.clone()),
        };
        let (stdin, feeder) = match setting.stdin {
            Stdin::Closed => (Input::none(), None),
            Stdin::Once | Stdin::Open => {
                let (input, feeder) = Input::fed();
                (input, Some(feeder))
            }
        };
        let (exit_sender, exit) = watch::channel(None);
        let run = Arc::new(Self {
            id: format!("portolan://{0}{0}", uuid::Uuid::new_v4().simple()),
            started: clock.now(),
            journal: journal.clone(),
            environment: environment.clone(),
            feeder: tokio::sync::Mutex::new(feeder),
            stdin: setting.stdin,
            tty: setting.tty,
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
        let network = setting.network.clone();
        let (stopping, killed) = (run.stopping.clone(), run.killed.clone());
        let (interrupted, over) = (run.interrupted.clone(), scope.clone());
        // The scope waits for it; the exit is read from the channel.
        let _handle = scope.spawn(async move {
            let code = match program {
                Program::Played(invocation) => {
                    let clock = clock.clone();
                    let arguments = Vec::new();
                    let process =
                        Process { arguments, environment, stdin, stdout, stderr, network, clock, stopping };
                    let program = invocation.start(process);
                    tokio::select! {
                        code = AssertUnwindSafe(program).catch_unwind() => code.unwrap_or(BROKEN),
                        () = killed.cancelled() => KILLED,
                        () = over.requested() => KILLED,
                    }
                }
                Program::Real(process, _) => {
                    let orders = Orders { stopping, killed };
                    // Dropped, it is killed; the pod's first process ends what is left.
                    tokio::select! {
                        code = process.play(stdin, stdout, stderr, orders) => code,
                        () = over.requested() => KILLED,
                    }
                }
            };
            let code =
                if code == TERMINATED && interrupted.load(Ordering::Acquire) { INTERRUPTED } else { code };
            journal.close();
            exit_sender.send_replace(Some(Exit { code, at: clock.now() }));
        });
        run
    }

    /// How it ended; `None` while it runs.
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

    /// Asks the program to end.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Ends the program at its next await.
    pub fn kill(&self) {
        self.killed.cancel();
    }

    /// Follows the output. The first viewer of a container that waits for one also sees what was written before
    /// `kubectl run -i` could attach, unless it fetched that as a log. Others see what is written from now on.
    pub fn view(&self) -> Cursor {
        let is_first = !self.was_viewed.swap(true, Ordering::AcqRel);
        if is_first && self.stdin != Stdin::Closed {
            self.journal.from_unread()
        } else {
            self.journal.from_now()
        }
    }

    /// Whether nobody has viewed the output of a container that waits for a viewer.
    pub fn awaits_viewer(&self) -> bool {
        self.stdin != Stdin::Closed && !self.was_viewed.load(Ordering::Acquire)
    }

    /// Feeds the input, waiting while the program is behind; bytes that nobody reads any more are dropped.
    pub async fn feed(&self, bytes: &[u8]) {
        // A real terminal echoes and interrupts by itself.
        if !self.tty || self.terminal.is_some() {
            return self.pass_on(bytes).await;
        }
        let typed = typed(bytes);
        self.echo.write_raw(&typed.echo);
        self.pass_on(&typed.input).await;
        if typed.interrupt {
            self.interrupted.store(true, Ordering::Release);
            self.stop();
        }
        if typed.end {
            self.feeder.lock().await.take();
        }
    }

    /// Sets the size of the program's terminal, if that is a real one.
    pub(crate) fn resize(&self, size: Size) {
        if let Some(terminal) = &self.terminal {
            terminal.resize(size.width, size.height);
        }
    }

    /// The container's file system, if the program is a process.
    pub(crate) fn root(&self) -> Option<&Arc<Root>> {
        self.root.as_ref()
    }

    /// Ends the input if it is to end with the one who fed it.
    pub async fn leave(&self) {
        if self.stdin == Stdin::Once {
            self.feeder.lock().await.take();
        }
    }

    async fn pass_on(&self, bytes: &[u8]) {
        let mut feeder = self.feeder.lock().await;
        if let Some(open) = feeder.as_mut()
            && open.feed(bytes).await.is_err()
        {
            feeder.take();
        }
    }
}
