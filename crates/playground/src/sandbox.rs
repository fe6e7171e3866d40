//! Pods as real processes: every pod has namespaces of its own, every container a private file system.
//!
//! The node part starts a [`Sandbox`] per pod and programs in it; the kubelet endpoints start further programs there.
//! The side that is inside of the namespaces is the same binary, started anew with an order on its command line. The
//! first process of a pod ends with this one, and the kernel then ends all others: nothing is ever left behind.
//!
//! ```text
//! playground ─ holds open ─► network namespace, mount namespace of each container
//!     └─► init (process, host name and memory namespaces) ◄─ ends with it ─ programs, started by the playground
//! ```

mod files;
mod images;
mod inside;
mod order;
mod process;
mod program;
mod terminal;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::network::Interface;
use crate::network::namespaces::ToolError;
use crate::network::namespaces::kernel::{NetworkNamespace, apart};

pub(crate) use self::files::{DnsPolicy, Identity};
pub(crate) use self::images::{Launch, launch};
pub(crate) use self::process::{Orders, PIECE, Process, Streams};
pub(crate) use self::terminal::Terminal;

use self::files::files;
use self::inside::READY;
use self::order::{Order, RootOrder, RunOrder};

/// The hidden subcommand of the binary that takes an order.
pub const SUBCOMMAND: &str = "inside";

/// How long a process may take to set something up; it takes milliseconds.
const SET_UP: Duration = Duration::from_secs(30);

/// Carries out the order of a playground. The binary calls it for its hidden subcommand, before it starts a thread.
pub fn inside(order: &str) -> ExitCode {
    inside::perform(order)
}

/// What pods need of this machine. Clones mean the same.
#[derive(Debug, Clone)]
pub struct Host {
    /// The `portolan` binary.
    pub program: PathBuf,
    /// An empty folder on which containers put their file systems, each for itself only.
    pub mount_point: PathBuf,
    /// Whether pods know no other user than root; see [`crate::rights`].
    pub has_one_user: bool,
}

/// Why a pod or a container cannot have its namespaces.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Its network.
    #[error(transparent)]
    Network(#[from] ToolError),
    /// The pod is on a network without namespaces.
    #[error("the network of the pod has no namespaces")]
    Loopback,
    /// A process of it cannot be started.
    #[error("cannot start a process of the pod: {0}")]
    Start(#[from] io::Error),
    /// A process of it says what is wrong.
    #[error("{0}")]
    Refused(String),
}

/// A pod's namespaces. They are gone when this is dropped, with everything that runs in them.
#[derive(Debug)]
pub(crate) struct Sandbox {
    host: Host,
    address: IpAddr,
    network: Arc<NetworkNamespace>,
    files: BTreeMap<String, String>,
    processes: File,
    uts: File,
    ipc: File,
    init: Mutex<Child>,
    /// The first process ends when this is closed.
    _lifeline: ChildStdin,
}

/// The file system of a container.
#[derive(Debug)]
pub(crate) struct Root(File);

impl Sandbox {
    /// Makes the namespaces of a pod.
    pub(crate) async fn start(
        host: &Host,
        interface: &Interface,
        identity: &Identity,
    ) -> Result<Self, SandboxError> {
        let network = interface.wire().await?.ok_or(SandboxError::Loopback)?;
        let order = Order::Init { hostname: identity.hostname.clone() };
        let enter = || Ok(unshare(CloneFlags::CLONE_NEWPID)?);
        let mut helper = Helper::start(host, &order, enter).await?;
        helper.ready().await?;
        Ok(Self {
            host: host.clone(),
            address: interface.address(),
            network,
            files: files(identity, &interface.addresses()),
            processes: helper.namespace("pid")?,
            uts: helper.namespace("uts")?,
            ipc: helper.namespace("ipc")?,
            init: Mutex::new(helper.child),
            _lifeline: helper.stdin,
        })
    }

    /// Whether its first process still runs.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.init.lock().try_wait(), Ok(None))
    }

    /// Makes the file system of a container.
    pub(crate) async fn root(&self, has_busybox: bool) -> Result<Arc<Root>, SandboxError> {
        let order = Order::Root(RootOrder {
            mount_point: self.host.mount_point.clone(),
            network: self.network.path(),
            files: self.files.clone(),
            has_busybox,
        });
        let processes = self.processes.try_clone()?;
        let enter = move || Ok(setns(&processes, CloneFlags::CLONE_NEWPID)?);
        let mut helper = Helper::start(&self.host, &order, enter).await?;
        helper.ready().await?;
        let root = Arc::new(Root(helper.namespace("mnt")?));
        helper.leave().await?;
        Ok(root)
    }

    /// Starts a program in a container.
    pub(crate) async fn spawn(
        &self,
        root: &Root,
        launch: &Launch,
        environment: &BTreeMap<String, String>,
        with: Streams,
    ) -> Result<Process, SandboxError> {
        let order = Order::Run(RunOrder {
            network: self.network.path(),
            uts: path(&self.uts),
            ipc: path(&self.ipc),
            mounts: path(&root.0),
            address: self.address,
            arguments: launch.arguments.clone(),
            built_in: launch.built_in.clone(),
            directory: launch.directory.clone(),
            tty: with.tty,
        });
        let processes = self.processes.try_clone()?;
        let enter = move || Ok(setns(&processes, CloneFlags::CLONE_NEWPID)?);
        let mut command = command(&self.host, &order)?;
        command.envs(environment);
        for (name, value) in [("HOME", "/root"), ("TERM", "xterm")] {
            if !environment.contains_key(name) && (name != "TERM" || with.tty) {
                command.env(name, value);
            }
        }
        if self.host.has_one_user && launch.arguments.first().is_some_and(|program| program == "tar") {
            // `kubectl cp` sends owners along, and there are none to give files to.
            command.env("TAR_OPTIONS", "--no-same-owner");
        }
        Ok(Process::start(command, enter, with).await?)
    }
}

/// A path by which the processes of a pod find a namespace that this process holds.
fn path(namespace: &File) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd())
}

/// The binary with an order, and an empty environment.
fn command(host: &Host, order: &Order) -> io::Result<Command> {
    let mut command = Command::new(&host.program);
    command.arg(SUBCOMMAND).arg(serde_json::to_string(order)?).env_clear().kill_on_drop(true);
    Ok(command)
}

/// Starts a child on a thread that has entered the namespaces in which children are to be.
async fn spawn(
    mut command: Command,
    enter: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> io::Result<Child> {
    let runtime = Handle::current();
    apart(move || {
        enter()?;
        let _inside = runtime.enter();
        command.spawn()
    })
    .await
}

/// A process that sets something up, says so, and waits.
struct Helper {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<tokio::process::ChildStdout>,
}

impl Helper {
    async fn start(
        host: &Host,
        order: &Order,
        enter: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let mut command = command(host, order)?;
        // Programs that it starts are found as they are here.
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = spawn(command, enter).await?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        Ok(Self { child, stdin, stdout: BufReader::new(stdout) })
    }

    /// Waits until it is ready.
    async fn ready(&mut self) -> Result<(), SandboxError> {
        let mut answer = String::new();
        let read = timeout(SET_UP, self.stdout.read_line(&mut answer)).await;
        read.map_err(|_| {
            SandboxError::Refused(format!("a process of the pod was not ready after {SET_UP:?}"))
        })??;
        match answer.trim() {
            READY => Ok(()),
            "" => Err(SandboxError::Refused("a process of the pod has ended without a word".to_owned())),
            problem => Err(SandboxError::Refused(problem.to_owned())),
        }
    }

    /// A namespace that it is in.
    fn namespace(&self, kind: &str) -> io::Result<File> {
        let number = self.child.id().ok_or(io::ErrorKind::NotFound)?;
        File::open(format!("/proc/{number}/ns/{kind}"))
    }

    /// Lets it end.
    async fn leave(mut self) -> io::Result<()> {
        drop(self.stdin);
        self.child.wait().await.map(drop)
    }
}
